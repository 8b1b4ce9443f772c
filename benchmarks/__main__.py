"""Runs the quick benchmarks, or those named; options after a single name are that one's own."""

import argparse
import signal
import subprocess
import sys
from typing import NamedTuple


class Benchmark(NamedTuple):
    """A module, and what it measures in a line."""

    module: str
    what: str
    is_quick: bool = False


BENCHMARKS = {
    "http": Benchmark("bench_http", "POST and GET in process: CPU on both databases", True),
    "arguments": Benchmark("bench_arguments", "the check of a call's arguments", True),
    "batch": Benchmark("bench_batch", "POST /tasks/batch/ beside single POSTs", True),
    "lists": Benchmark("bench_lists", "a page of tasks at 1,000 and at 1,000,000"),
    "worker": Benchmark("bench_worker", "our worker beside stock db_worker, and its latency"),
    "waiting": Benchmark(
        "bench_waiting", "requests that wait: latency, memory, what others notice"
    ),
    "growth": Benchmark(
        "bench_growth", "real servers with 1,000,000 tasks, and with 100,000 READY"
    ),
    "peers": Benchmark("peers", "real servers: the service beside Celery, RQ, Flower and DRF"),
    "peers-workers": Benchmark("peers.workers", "our worker beside db_worker, Celery and RQ"),
}


def main(arguments: list[str]) -> None:
    """Run what the command line names, a process each: they configure Django differently."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks",
        description=__doc__,
        epilog="\n".join(
            f"  {name:16}{' (quick)' if one.is_quick else '':9}{one.what}"
            for name, one in BENCHMARKS.items()
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s [-h] [NAME …] [options of one benchmark, --help for a list]",
    )
    names = []
    while arguments and not arguments[0].startswith("-"):
        names.append(arguments.pop(0))
    if not names:
        parser.parse_args(arguments)
    if unknown := set(names) - set(BENCHMARKS):
        parser.error(f"there is no {', '.join(sorted(unknown))}: see --help")
    if arguments and len(names) > 1:
        parser.error("options are for one benchmark at a time")
    for name in names or [name for name, one in BENCHMARKS.items() if one.is_quick]:
        print(f"== {name}", flush=True)
        command = [sys.executable, "-m", f"benchmarks.{BENCHMARKS[name].module}", *arguments]
        if status := _run(command):
            sys.exit(status)


def _run(command: list[str]) -> int:
    """Wait until the benchmark has ended, when interrupted too: it has servers to stop."""
    process = subprocess.Popen(command)
    # The terminal interrupts both.
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: process.terminate())
    return process.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
