"""FastAPI in front of Celery."""

from celery.result import AsyncResult
from fastapi import FastAPI
from pydantic import BaseModel

from benchmarks.peers.celery_app import app as celery
from benchmarks.peers.celery_app import say_hello

app = FastAPI()


class Greeting(BaseModel):
    name: str


class Task(BaseModel):
    id: str
    status: str
    result: str | None = None


@app.post("/tasks/", status_code=202)
def enqueue(greeting: Greeting) -> Task:
    task = say_hello.delay(greeting.name)
    return Task(id=task.id, status="PENDING")


@app.get("/tasks/{id}/")
def status(id: str) -> Task:
    task = AsyncResult(id, app=celery)
    return Task(id=id, status=task.status, result=task.result)
