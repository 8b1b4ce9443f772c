"""
`POST /tasks/batch/` with 100 tasks beside single POSTs, over HTTP, with one connection each.

`python -m benchmarks batch`, with `DATABASE_URL` naming a database that may be filled, or without for
a SQLite database of its own. Only the ratio means anything.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from http.client import HTTPConnection

from benchmarks.environment import set_up
from benchmarks.serving import served

CALL = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}
BATCH = 100
SINGLES = 300
BATCHES = 30
ROUNDS = 5


def main() -> None:
    """Measure in turns, print both rates and their ratio."""
    with tempfile.TemporaryDirectory() as directory:
        set_up(os.environ.get("DATABASE_URL", f"sqlite:///{directory}/db.sqlite3"))
        _measure()


def _measure() -> None:
    import django  # noqa: PLC0415 -- it needs the settings

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415

    from tasks_api.clients.keys import issue  # noqa: PLC0415
    from tasks_api.models import Client  # noqa: PLC0415

    call_command("migrate", verbosity=0)
    key = issue(Client.objects.create(name=f"benchmark-{time.time_ns()}")).text
    with served(key) as http:
        connection = HTTPConnection(http.base_url.host, http.base_url.port)
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

        def post(path: str, body: bytes) -> None:
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status != 202:
                sys.exit(f"The service answered {answer.status}")

        one = json.dumps(CALL).encode()
        many = json.dumps({"tasks": [CALL] * BATCH}).encode()
        singles, batches = [], []
        for _ in range(ROUNDS):
            singles.append(_rate(SINGLES, lambda: post("/tasks/", one)))
            batches.append(BATCH * _rate(BATCHES, lambda: post("/tasks/batch/", many)))
    ratio = statistics.median(batches) / statistics.median(singles)
    print(f"single POSTs       {statistics.median(singles):8.0f} tasks/s")
    print(f"batches of {BATCH}     {statistics.median(batches):8.0f} tasks/s")
    print(f"batches / singles  {ratio:8.2f}  (reach 8)")


def _rate(number: int, call: Callable[[], None]) -> float:
    start = time.perf_counter()
    for _ in range(number):
        call()
    return number / (time.perf_counter() - start)


if __name__ == "__main__":
    main()
