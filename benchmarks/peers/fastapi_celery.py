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


# Without a thread for each request: less work, but the whole process waits for Redis.


@app.post("/async/tasks/", status_code=202)
async def enqueue_in_the_loop(greeting: Greeting) -> Task:
    return enqueue(greeting)


@app.get("/async/tasks/{id}/")
async def status_in_the_loop(id: str) -> Task:
    return status(id)
