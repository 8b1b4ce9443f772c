"""Processes that live and die together, under honcho."""

import multiprocessing
import os
import shlex
import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from honcho import manager, process
from honcho.compat import ProcessManager

GRACE_SECONDS = 5
"""How long web and worker may take to finish what they do, once asked to stop."""

KILL_AFTER_SECONDS = 7
"""When a process that was asked to stop is killed: all is over within 10 seconds."""


class Processes(manager.Manager):
    """
    Runs several commands; when one ends or a signal comes, all of them end.

    honcho counts from the end of the first process to the killing of the others, so that two which
    hang would never be killed, and it cannot stop what it has not seen starting. Here the count
    begins when the processes are asked to stop.
    """

    def __init__(self) -> None:
        super().__init__()
        manager.KILL_WAIT = KILL_AFTER_SECONDS
        self._process_ctor = _Process
        self._procmgr = _Signals()
        self._orderly: bool | None = None
        self._pid = os.getpid()

    def add(self, name: str, command: list[str], environment: Mapping[str, str]) -> None:
        """Add a command, which replaces the shell that honcho starts: signals reach it."""
        self.add_process(name, f"exec {shlex.join(command)}", env=dict(environment))

    def run(self, *, once_started: Callable[[], Any]) -> int:
        """
        Start all, and wait until they have ended.

        Returns:
            0 when a signal asked for it and all stopped by themselves, else 1.

        """
        self._once_started = once_started
        self.loop()
        return 0 if self._orderly else 1

    def terminate(self) -> None:
        """Ask all processes to stop; honcho calls this on a signal and when one has ended."""
        if os.getpid() != self._pid:
            # A copy of this object, in a child that has not yet changed the handlers of signals.
            return
        if not self._all_started():
            # It learns the process ids a moment later.
            threading.Timer(0.1, self.terminate).start()
            return
        if self._orderly is None:
            self._orderly = not self._any_stopped()
            killer = threading.Timer(KILL_AFTER_SECONDS, self.kill)
            killer.daemon = True
            killer.start()
        super().terminate()

    def kill(self) -> None:
        """Kill what is left."""
        if not self._all_stopped():
            self._orderly = False
        super().kill()

    def _start(self) -> None:
        super()._start()
        # Not before: a process that has threads must not fork.
        threading.Thread(target=self._once_started, daemon=True).start()


class _Signals(ProcessManager):
    """Asks the first process of a command alone: it tells its own children, and tells them once."""

    def terminate(self, pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


class _Process(process.Process):
    """A command that does not outlive the process that started it, were that killed outright."""

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        threading.Thread(target=self._follow_parent, daemon=True).start()
        super().run(events, ignore_signals)

    def _follow_parent(self) -> None:
        if (parent := multiprocessing.parent_process()) is not None:
            parent.join()
            _Signals().terminate(self._child.pid)
