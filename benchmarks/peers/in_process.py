"""
`enqueue()` without HTTP, by threads of one process that wait on nothing else.

Reads numbers of seconds from its input, one a line; for each it enqueues for as long and prints
what a load generator prints.
"""

import json
import os
import statistics
import sys
import threading
import time

# A connection for each thread, which is kept: the most that `enqueue()` can reach.
os.environ["DATABASE_POOL_SIZE"] = "0"

import django

django.setup()

from service.tasks import say_hello  # noqa: E402


class Enqueuing:
    """Threads that enqueue when told, with connections that they keep."""

    def __init__(self, threads: int) -> None:
        self.end = 0.0
        self.milliseconds: list[float] = []
        self.barrier = threading.Barrier(threads + 1)
        for _ in range(threads):
            threading.Thread(target=self._loop, daemon=True).start()

    def for_seconds(self, seconds: float) -> dict[str, float]:
        self.milliseconds.clear()
        start = time.perf_counter()
        self.end = start + seconds
        self.barrier.wait()
        self.barrier.wait()
        percentiles = statistics.quantiles(self.milliseconds, n=100)
        return {
            "requests": len(self.milliseconds),
            "seconds": time.perf_counter() - start,
            "failed": 0,
            "p50_ms": percentiles[49],
            "p99_ms": percentiles[98],
        }

    def _loop(self) -> None:
        try:
            while True:
                self.barrier.wait()
                while (before := time.perf_counter()) < self.end:
                    say_hello.enqueue(name="Ada")
                    self.milliseconds.append((time.perf_counter() - before) * 1000)
                self.barrier.wait()
        finally:
            # Only after an error: else the other threads would wait for this one.
            self.barrier.abort()


if __name__ == "__main__":
    enqueuing = Enqueuing(int(sys.argv[1]))
    for line in sys.stdin:
        print(json.dumps(enqueuing.for_seconds(float(line))), flush=True)
