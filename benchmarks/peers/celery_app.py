"""Celery with Redis as broker and for results."""

import os

from celery import Celery

from benchmarks.peers import tasks

app = Celery("peers", broker=os.environ["REDIS_URL"], backend=os.environ["REDIS_URL"])
say_hello = app.task(tasks.say_hello, name="say_hello")
