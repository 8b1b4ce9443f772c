"""What a task finds in its process and may change, put back for the next one."""

import locale
import os
import signal
from contextlib import suppress

from tasks_api.worker.shared_page import STOP_SIGNAL

SIGNALS = (
    signal.SIGHUP,
    signal.SIGINT,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
    signal.SIGPIPE,
    signal.SIGALRM,
    signal.SIGTERM,
    signal.SIGCHLD,
    signal.SIGVTALRM,
    signal.SIGPROF,
    STOP_SIGNAL,
)
"""Those that programs handle; to look at the rest as well takes longer than all else here."""
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
ATTEMPTS = 10


class Surroundings:
    """
    The handlers of signals, the mask, timers, umask, working directory and locale at its creation.

    Not environment variables, modules and their variables, filters of warnings or the limits of the
    process: tasks that change these mostly mean to change them for good.
    """

    def __init__(self) -> None:
        self._handlers = {signum: signal.getsignal(signum) for signum in SIGNALS}
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())
        self._umask = os.umask(0o077)
        os.umask(self._umask)
        self._directory = _working_directory() or os.sep
        self._locale = locale.setlocale(locale.LC_ALL)

    def restore(self) -> None:
        """
        Put everything back; call it from the main thread.

        A handler that a task leaves with a timer may raise meanwhile: what it raises is dropped.
        """
        for _ in range(ATTEMPTS):
            with suppress(BaseException):
                self._restore()
                return

    def _restore(self) -> None:
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        for signum, handler in self._handlers.items():
            # None is the handler of a library in C, which Python cannot set again.
            if signal.getsignal(signum) is not handler and handler is not None:
                signal.signal(signum, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        os.umask(self._umask)
        with suppress(locale.Error):
            if locale.setlocale(locale.LC_ALL) != self._locale:
                locale.setlocale(locale.LC_ALL, self._locale)
        # A directory that is gone has no path, and there is no way back to it.
        with suppress(OSError):
            if _working_directory() != self._directory:
                os.chdir(self._directory)


def _working_directory() -> str | None:
    try:
        return os.getcwd()
    except OSError:
        return None
