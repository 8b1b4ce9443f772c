"""How much memory this process takes."""

import os
import resource
import sys
from pathlib import Path

MIB = 1024 * 1024

_STATM = Path("/proc/self/statm")


def memory_in_use() -> int:
    """Return the bytes of memory that the process takes now or, outside of Linux, has taken at most."""
    try:
        return int(_STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        # In KiB, but for macOS.
        unit = 1 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
