"""FastAPI in front of RQ."""

import os

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from redis import Redis
from rq import Queue
from rq.exceptions import NoSuchJobError
from rq.job import Job

from benchmarks.peers.tasks import say_hello

app = FastAPI()
redis = Redis.from_url(os.environ["REDIS_URL"])
queue = Queue(connection=redis)


class Greeting(BaseModel):
    name: str


class Task(BaseModel):
    id: str
    status: str
    result: str | None = None


@app.post("/tasks/", status_code=202)
def enqueue(greeting: Greeting) -> Task:
    job = queue.enqueue(say_hello, greeting.name)
    return Task(id=job.id, status="queued")


@app.get("/tasks/{id}/")
def status(id: str) -> Task:
    try:
        job = Job.fetch(id, connection=redis)
    except NoSuchJobError:
        raise HTTPException(404) from None
    # As it was fetched: asking again would be a second round trip.
    state = job.get_status(refresh=False)
    result = job.return_value() if job.is_finished else None
    return Task(id=id, status=state, result=result)


# Without a thread for each request: less work, but the whole process waits for Redis.


@app.post("/async/tasks/", status_code=202)
async def enqueue_in_the_loop(greeting: Greeting) -> Task:
    return enqueue(greeting)


@app.get("/async/tasks/{id}/")
async def status_in_the_loop(id: str) -> Task:
    return status(id)
