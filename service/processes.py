"""Processes that start and end together, with merged output."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence

GRACE_SECONDS = 5
"""How long web and worker may finish their work after they were asked to stop."""

KILL_AFTER_SECONDS = 7
"""When a process that was asked to stop is killed, so that everything ends within 10 seconds."""

POLL_SECONDS = 0.1

Process = subprocess.Popen[bytes]


def run_together(
    commands: Mapping[str, Sequence[str]],
    environment: Mapping[str, str],
    *,
    on_start: Callable[[Mapping[str, Process]], object] = lambda processes: None,
) -> int:
    """
    Run commands until SIGINT, SIGTERM or the end of one of them, then stop the others.

    `on_start` is called with the processes when all of them have been started.

    Their output, including errors, goes to standard output, each line with the command's name in
    front. If this process is killed, they are sent SIGTERM.

    Returns:
        0 if a signal asked to stop and all stopped by themselves, otherwise 1.

    """
    signals: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: signals.append(number))
    watcher, process_ids = _start_watcher()
    processes: dict[str, Process] = {}
    outputs: list[threading.Thread] = []
    nobody_reads = threading.Event()
    for name, command in commands.items():
        processes[name] = process = _start(command, environment)
        os.write(process_ids, b"%d\n" % process.pid)
        args = (name, process, nobody_reads)
        outputs.append(threading.Thread(target=_copy_output, args=args, daemon=True))
        outputs[-1].start()
    on_start(processes)
    while not (signals or _ended(processes) or nobody_reads.is_set()):
        time.sleep(POLL_SECONDS)
    for name in (ended := _ended(processes)):
        write("run", f"{name} has ended with status {processes[name].returncode}")
    had_to_kill = _stop(processes)
    for output in outputs:
        # With a timeout: processes that a process has started may keep its output open.
        output.join(1)
    # Before its input ends, because other processes may have the process ids by now.
    watcher.kill()
    watcher.wait()
    os.close(process_ids)
    return 0 if signals and not ended and not had_to_kill else 1


def _start_watcher() -> tuple[Process, int]:
    """
    Start a watcher that stops the processes if this one is killed; return it and the pipe for their ids.

    It reads the pipe to its end, which comes when this process ends for any reason.
    """
    read_end, write_end = os.pipe()
    watcher = subprocess.Popen(
        ["/bin/sh", "-c", "kill $(cat)"],
        stdin=read_end,
        # `kill` would complain about processes that have already ended.
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    os.close(read_end)
    return watcher, write_end


def _start(command: Sequence[str], environment: Mapping[str, str]) -> Process:
    return subprocess.Popen(  # noqa: S603 -- the command is the service's own
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        # Ctrl-C reaches only this process, which then sends each of the others one signal.
        start_new_session=True,
    )


def write(name: str, text: str) -> None:
    """Write lines to standard output, each with this name in front."""
    for line in text.strip().splitlines():
        _write(name, line.encode())


def _copy_output(name: str, process: Process, nobody_reads: threading.Event) -> None:
    # To the end in any case: a process whose output is not read would block.
    for line in process.stdout or ():
        if not _write(name, line):
            nobody_reads.set()


def _write(name: str, line: bytes) -> bool:
    """Write a line to standard output; return False if nobody reads it, as in `make run | head`."""
    try:
        # In one write, so that lines of several threads do not mix.
        sys.stdout.buffer.write(b"%-6b | %b\n" % (name.encode(), line.rstrip(b"\n")))
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # What follows is discarded, and so is what is flushed at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


def _ended(processes: Mapping[str, Process]) -> list[str]:
    return [name for name, process in processes.items() if process.poll() is not None]


def _stop(processes: Mapping[str, Process]) -> bool:
    """Ask all to stop, and kill those that do not stop in time; return whether any were killed."""
    for process in processes.values():
        process.terminate()
    kill_at = time.monotonic() + KILL_AFTER_SECONDS
    while len(_ended(processes)) < len(processes) and time.monotonic() < kill_at:
        time.sleep(POLL_SECONDS)
    hung = processes.keys() - _ended(processes)
    for name in hung:
        os.killpg(processes[name].pid, signal.SIGKILL)
        processes[name].wait()
        write("run", f"{name} was killed: it did not stop in {KILL_AFTER_SECONDS} s")
    return bool(hung)
