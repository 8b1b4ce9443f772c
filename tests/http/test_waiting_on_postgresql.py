"""Requests that wait while PostgreSQL serves others, and while it is away."""

import json
import select
from collections.abc import Callable
from typing import Any, ClassVar, Self

import psycopg
import pytest

from tests.http.test_hostile_bodies import assert_problem
from tests.live_service import LiveService, wait_until
from tests.postgresql import PostgreSQLServer
from tests.service.gunicorn_worker.held import (
    HOOKS,
    answer_from,
    cancel,
    enqueue,
    event_from,
    events_of,
    get_of,
    many_connected,
    post_of,
    until_taken,
)

pytestmark = pytest.mark.postgres

THREADS = 2


class Gthread(LiveService):
    """The service with hooks in gunicorn's configuration."""

    worker_class: ClassVar[tuple[str, ...]] = ()

    def start(self, **how: Any) -> Self:
        conf = self.log_file.with_name("gunicorn.conf.py")
        conf.write_text(f"{HOOKS}\nexec(open('service/gunicorn.conf.py').read())\n")
        self.gunicorn_arguments = (f"--config={conf}", *self.worker_class)
        return super().start(**how)


class ASGI(Gthread):
    """The same under ASGI."""

    wsgi = "service.asgi"
    worker_class = ("--worker-class=asgi",)


@pytest.fixture(params=[Gthread, ASGI])
def service(
    request: pytest.FixtureRequest, copy: str, start: Callable[..., LiveService]
) -> LiveService:
    return start(copy, request.param, WEB_THREADS=str(THREADS))


def connections_to(database_url: str) -> int:
    with psycopg.connect(database_url) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        ).fetchone()
    assert row is not None
    return int(row[0])


def test_what_waits_has_no_connection_and_survives_an_outage(
    service: LiveService, server: PostgreSQLServer
) -> None:
    task = enqueue(service, name="Ada")
    requests = [get_of(service, task)] * 30 + [events_of(service, task)] * 10
    with many_connected(service, requests) as connections:
        until_taken(service, 40)
        # Those of threads, or of the pool, and the one that looks for all tasks.
        assert connections_to(service.database_url) <= 8 + 1

        server.stop()
        late = service.get(task["url"], headers={"Prefer": "wait=1"})
        assert_problem(late, 503, "store_unavailable")
        wait_until(lambda: "cannot be read" in service.log(), what="report")
        server.start()
        wait_until(lambda: service.get("/readyz").status_code == 200, what="recovery")
        assert select.select(connections[:30], [], [], 0)[0] == []

        cancel(service, task)
        for connection in connections[:30]:
            assert json.loads(answer_from(connection).read())["status"] == "FAILED"
        for connection in connections[30:]:
            stream = answer_from(connection)
            events = [event_from(stream) for _ in range(3)]
            assert [each["event"] for each in events] == ["task", "task", "end"]
    until_taken(service, 0)
    assert service.log().count("cannot be read; trying again") == 1


def test_who_waits_when_the_database_goes_is_answered_in_time(
    service: LiveService, server: PostgreSQLServer
) -> None:
    task = enqueue(service, name="Ada")
    waiting = [
        get_of(service, task, "Prefer: wait=3"),
        post_of(service).replace(b"wait=30", b"wait=3"),
    ]
    with many_connected(service, waiting) as (reading, posting):
        until_taken(service, 2)
        server.stop()
        try:
            assert answer_from(reading).status == 503
            posted = answer_from(posting, method="POST")
            # The task is stored: nobody should send it again.
            assert (posted.status, json.loads(posted.read())["status"]) == (202, "READY")
        finally:
            server.start()
