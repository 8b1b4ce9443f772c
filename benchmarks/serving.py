"""The service under gunicorn, as a process of its own, for benchmarks that speak HTTP to it."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

START_SECONDS = 30


@contextmanager
def served(key: str) -> Iterator[httpx.Client]:
    """Start the web server on the database of `DATABASE_URL`; give a client that sends the key."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "-c", "service/gunicorn.conf.py", "service.wsgi"]
    command += ["--bind", f"127.0.0.1:{port}", "--log-level", "error"]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "service.settings"}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}, timeout=60
    )
    try:
        with client:
            _wait_until_ready(client)
            yield client
    finally:
        process.terminate()
        process.wait(START_SECONDS)


def _wait_until_ready(client: httpx.Client) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        try:
            if client.get("/readyz").is_success:
                return
        except httpx.TransportError:
            time.sleep(0.05)
    sys.exit("The web server does not answer")
