"""One of the processes that the parent keeps running: when it ends, another takes its place."""

import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress

from django.utils.crypto import get_random_string

from tasks_api.worker import messages
from tasks_api.worker.exit_status import DONE, RELOAD, RENEW
from tasks_api.worker.lost import Loss
from tasks_api.worker.parent.heartbeat import Heartbeat
from tasks_api.worker.parent.stopping import Stopping
from tasks_api.worker.shared_page import SharedPage

logger = logging.getLogger("tasks_api.worker")

FIRST_BACKOFF_SECONDS = 0.1
LONGEST_BACKOFF_SECONDS = 5.0
STEADY_AFTER_SECONDS = 10.0


class Slot:
    """
    Room for one process at a time; each of them has a worker id of its own.

    A process that says it is done is believed only if it `may_end`: a task can exit that way, too.
    """

    def __init__(self, command: Sequence[str], heartbeat: Heartbeat, *, may_end: bool) -> None:
        self._command = command
        self._heartbeat = heartbeat
        self._may_end = may_end
        self._backoff = FIRST_BACKOFF_SECONDS
        self.is_wanted = True
        self.start_at = time.monotonic()
        self.worker_id = ""
        self._process: subprocess.Popen[bytes] | None = None
        self.stopping: Stopping | None = None
        """Stops what the process runs; None where there is no process."""
        self._pipe = -1
        self._started_at = 0.0
        self._is_told_to_stop = False

    @property
    def is_running(self) -> bool:
        return self._process is not None

    def start(self) -> None:
        self.worker_id = get_random_string(32)
        self._is_told_to_stop = False
        read_end, self._pipe = os.pipe()
        os.set_blocking(self._pipe, False)
        self._started_at = time.monotonic()
        try:
            self._process, page = self._spawn(read_end)
        except OSError as error:
            logger.error(
                "A worker's process cannot be started, which is tried again in %g seconds: %s",
                self._backoff,
                error,
            )
            os.close(self._pipe)
            self._schedule(is_planned=False)
            return
        finally:
            os.close(read_end)
        self.stopping = Stopping(page, self._process.pid, self.kill)
        self._heartbeat.register(self.worker_id, self._process.pid, self._tell)

    def _spawn(self, pipe: int) -> tuple[subprocess.Popen[bytes], SharedPage]:
        page, file = SharedPage.create()
        command = [
            *self._command,
            f"--worker-id={self.worker_id}",
            f"--parent-pipe={pipe}",
            f"--parent-page={file}",
        ]
        try:
            # A process group of its own: what a terminal sends to its group, the parent passes on, and
            # what tasks have started can be ended with it.
            process = subprocess.Popen(  # noqa: S603 -- our own command line
                command, stdin=subprocess.DEVNULL, pass_fds=[pipe, file], process_group=0
            )
        finally:
            os.close(file)
        return process, page

    def tell_to_stop(self) -> None:
        """Let the running task finish and no other begin, also where the task ignores signals."""
        if self._process is not None:
            self._is_told_to_stop = True
            self._tell(messages.STOP)
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process at once, with what its tasks have started."""
        if self._process is not None:
            # Its id is not another's: it has not been waited for. A task may have left the group.
            for kill in (os.killpg, os.kill):
                with suppress(ProcessLookupError, PermissionError):
                    kill(self._process.pid, signal.SIGKILL)

    def check(self) -> int | None:
        """Return the status that the process ended with, once; None while it runs."""
        if self._process is None or not self._has_ended():
            return None
        pid, status = self._process.pid, self._process.wait()
        self._process = None
        stopping, self.stopping = self.stopping, None
        # In this order: nobody writes into a pipe that is closed, and perhaps another's by then.
        reason = f"process {pid} ended with status {status}"
        self._heartbeat.has_ended(
            self.worker_id, Loss(reason, stopping.ended if stopping else None)
        )
        os.close(self._pipe)
        if status == DONE and self._may_end:
            self.is_wanted = False
        was_killed = stopping is not None and stopping.stopped is not None
        self._schedule(is_planned=was_killed or status in {RELOAD, RENEW})
        return status

    def _has_ended(self) -> bool:
        """Tell whether the process has ended, and end what it leaves unless it ended in good order."""
        process = self._process
        if process is None:
            return False
        try:
            # Its status stays where it is: until it is taken, the group's id cannot become another's.
            ended = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return True
        if ended is None:
            return False
        may_be_done = self._may_end or self._is_told_to_stop
        if ended.si_code != os.CLD_EXITED or not (
            ended.si_status in {RELOAD, RENEW} or (ended.si_status == DONE and may_be_done)
        ):
            self.kill()
        return True

    def _tell(self, message: bytes) -> None:
        # A process that does not read misses messages, and is not waited for.
        with suppress(OSError):
            os.write(self._pipe, message)

    def _schedule(self, *, is_planned: bool) -> None:
        """Say when the next process starts: at once, or after pauses that grow with each failure."""
        now = time.monotonic()
        if is_planned or now - self._started_at > STEADY_AFTER_SECONDS:
            self._backoff = FIRST_BACKOFF_SECONDS
        self.start_at = now if is_planned else now + self._backoff
        self._backoff = min(2 * self._backoff, LONGEST_BACKOFF_SECONDS)
