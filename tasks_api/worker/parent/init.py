"""
Process 1 of a container, where there is no other init.

What tasks have started becomes a child of process 1 when its own parent is gone, and stays a zombie
unless process 1 asks for its status. The worker's parent cannot do so for every process: it would take
the statuses of subprocesses that an app's chores wait for.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from typing import NoReturn

PASSED_ON = frozenset({signal.SIGINT, signal.SIGQUIT, signal.SIGTERM})


def leave_init_behind() -> None:
    """
    As process 1, go on in a new process and stay as its init, which ends with it; else do nothing.

    Call it before the process has threads or connections.
    """
    if os.getpid() != 1:
        return
    # Blocked, they wait for `sigwait()`; process 1 would ignore what it does not handle.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON | {signal.SIGCHLD})
    pid = os.fork()
    if pid:
        _serve(pid)
    # A group of its own: what a terminal sends to its group is passed on once, by process 1.
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _serve(worker: int) -> NoReturn:
    while True:
        signum = signal.sigwait(PASSED_ON | {signal.SIGCHLD})
        if signum in PASSED_ON:
            os.kill(worker, signum)
        for pid, status in _ended_children():
            if pid == worker:
                exit_code = os.waitstatus_to_exitcode(status)
                # As shells do for what a signal has ended.
                os._exit(exit_code if exit_code >= 0 else 128 - exit_code)


def _ended_children() -> Iterator[tuple[int, int]]:
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            yield ended
