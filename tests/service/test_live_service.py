"""The real service, from a request to a task's result."""

import json
import socket
from contextlib import ExitStack
from pathlib import Path

from tests.conftest import StartService
from tests.live_service import DEADLINE, PROJECT, LiveService, wait_until

THREADS = 3
KEYED = {"Idempotency-Key": "silent"}


def test_a_task_that_is_enqueued_over_http_is_run_by_the_worker(service: LiveService) -> None:
    task = service.run_task("service.tasks.say_hello", name="Ada")

    assert task["status"] == "SUCCESSFUL"
    assert task["return_value"] == "Hello, Ada!"


def test_a_restart_loses_no_task(start_service: StartService) -> None:
    service = start_service(worker=False)
    enqueued = service.post("/tasks/", {"task": "tests.tasks.give_back", "args": ["kept"]})

    service.restart()
    service.start_worker()

    assert service.wait_for(enqueued.headers["Location"])["return_value"] == "kept"


def test_bytes_reach_the_server_as_they_are(service: LiveService) -> None:
    answer = service.raw(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")

    assert answer.startswith(b"HTTP/1.1 200 ")


def test_the_server_stops_without_waiting_for_idle_connections(start_service: StartService) -> None:
    service = start_service(worker=False)
    service.stop_web()
    service.graceful_seconds = 2 * int(DEADLINE)
    service.start_web()
    server = service.web
    assert server is not None
    with connected(service) as idle:
        idle.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = b""
        while not answer.endswith(b'{"status":"ok"}'):
            answer += idle.recv(65536)
        server.terminate()
        wait_until(lambda: server.poll() is not None, what="end of the server")
        assert idle.recv(65536) == b""


def test_clients_that_fall_silent_keep_no_thread(
    start_service: StartService, tmp_path: Path
) -> None:
    service = start_service({"WEB_CONCURRENCY": "1", "WEB_THREADS": str(THREADS)}, worker=False)
    batch = {"tasks": [{"task": "tests.tasks.give_back", "args": ["é" * 900]}] * 500}
    content = json.dumps(batch, ensure_ascii=False).encode()
    assert service.post("/tasks/batch/", content=content, headers=KEYED).status_code == 202
    service.stop_web()
    hasty = tmp_path / "gunicorn.conf.py"
    given = PROJECT / "service" / "gunicorn.conf.py"
    hasty.write_text(f"""
from service.gunicorn_worker import limits
limits.PATIENCE_SECONDS = 1
exec(open({str(given)!r}).read())
""")
    service.gunicorn_arguments = (f"--config={hasty}",)
    service.start_web()

    fields = (
        f"POST /tasks/batch/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {service.key}\r\n"
        f"Content-Type: application/json\r\nIdempotency-Key: silent\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    ).encode()
    with ExitStack() as stack:
        # Half of them do not send all that they began, half do not read what they asked for.
        for sent in [fields + content[:-1], fields + content] * THREADS:
            silent = stack.enter_context(connected(service))
            silent.sendall(sent)
        # Behind all of them in the queue for a thread.
        assert service.get("/task-types/").status_code == 200


def connected(service: LiveService) -> socket.socket:
    connection = socket.socket()
    # Small: what is not read must not fit into what the system keeps for the reader.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    connection.settimeout(DEADLINE)
    connection.connect(("127.0.0.1", service.port))
    return connection
