"""Servers as processes of their own, and what they take of the processors."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PROJECT = Path(__file__).resolve().parent.parent.parent
START_SECONDS = 60
STOP_SECONDS = 20


def stop_all_when_terminated() -> None:
    """Let SIGTERM end this process like an exception, so that all that runs is stopped."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextmanager
def running(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    directory: Path = PROJECT,
    **pipes: int,
) -> Iterator[subprocess.Popen[str]]:
    """Run a command, with its output in a file; stop it and all its children at the end."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, **(environment or {})},
            stdout=pipes.get("stdout", log),
            stderr=log,
            stdin=pipes.get("stdin", subprocess.DEVNULL),
            text=True,
        )
        try:
            yield process
        except BaseException as error:
            log.seek(0)
            text = log.read()
            if process.poll() is not None or "Traceback" in text:
                error.add_note(f"{' '.join(command[:8])} wrote:\n{text[-3000:]}")
            raise
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    if process.poll() is not None:
        return
    tree = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for orphan in psutil.wait_procs(tree, timeout=1)[1]:
        orphan.kill()


def wait_for_http(url: str, process: subprocess.Popen[str]) -> None:
    """Wait until the server answers, whatever it says."""
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()  # noqa: S310 -- our own URL
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"No server answers at {url}")


def cpu_seconds(pid: int | None) -> float:
    """Return what a process and its children, those that have ended included, took so far."""
    if pid is None:
        return 0.0
    process = psutil.Process(pid)
    seconds = 0.0
    for member in (process, *process.children(recursive=True)):
        # One that has ended meanwhile is among its parent's.
        with suppress(psutil.NoSuchProcess):
            times = member.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return seconds
