"""Reloading web processes when the code of tasks changes, unless it has become invalid."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

POLL_SECONDS = 0.5

type Snapshot = dict[Path, int]


def reload_when_code_changes(
    directories: Sequence[Path],
    environment: Mapping[str, str],
    web: "subprocess.Popen[bytes]",
    tell: Callable[[str], object],
) -> None:
    """
    Watch the Python files below the directories, and never return.

    gunicorn would end if its new processes could not load the code, for example because a file was
    saved half-way: the system checks decide in a process of their own whether it gets the new code.
    """
    before = _snapshot(directories)
    while True:
        time.sleep(POLL_SECONDS)
        now = _snapshot(directories)
        if now == before:
            continue
        changed = sorted(path.name for path, _ in now.items() ^ before.items())
        before = now
        names = ", ".join(dict.fromkeys(changed))
        checked = subprocess.run(
            [sys.executable, "-m", "service", "check"],
            env=environment,
            capture_output=True,
            text=True,
            start_new_session=True,
            check=False,
        )
        if checked.returncode:
            tell(f"{names} changed, but is not served yet:\n{checked.stderr.strip()}")
        else:
            web.send_signal(signal.SIGHUP)
            tell(f"{names} changed: reloaded\n{checked.stderr.strip()}")


def _snapshot(directories: Sequence[Path]) -> Snapshot:
    found: Snapshot = {}
    for directory in directories:
        for path in directory.rglob("*.py"):
            try:
                found[path] = path.stat().st_mtime_ns
            except OSError:
                # Removed meanwhile, as editors do when they save.
                continue
    return found
