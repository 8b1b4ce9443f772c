"""Load on one URL: by wrk, or by a client of our own where there is none."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

WRK = shutil.which("wrk")
SCRIPT = Path(__file__).with_name("load.lua")


@dataclass(frozen=True, slots=True)
class Request:
    """What every connection sends, again and again."""

    method: str
    url: str
    body: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the load generator saw; `failed` counts answers that are not 2xx or 3xx, and no answers."""

    requests: int
    seconds: float
    failed: int
    p50_ms: float
    p99_ms: float


def put_load(request: Request, *, connections: int, seconds: float) -> Outcome:
    """Send requests on connections that are kept, each when the one before is answered."""
    command = _wrk if WRK else _our_own
    completed = subprocess.run(
        command(request, connections, seconds), capture_output=True, text=True, check=True
    )
    return outcome(completed.stdout)


def outcome(output: str) -> Outcome:
    """Read the last line of what a load generator printed; wrk has written a report before it."""
    return Outcome(**json.loads(output.splitlines()[-1]))


def _wrk(request: Request, connections: int, seconds: float) -> list[str]:
    options = ["--threads", "1", "--connections", str(connections), "--timeout", "10s"]
    # wrk knows whole seconds only.
    options += ["--duration", f"{max(1, round(seconds))}s", "--script", str(SCRIPT)]
    if request.key:
        options += ["--header", f"Authorization: Bearer {request.key}"]
    return [str(WRK), *options, request.url, "--", request.method, request.body]


def _our_own(request: Request, connections: int, seconds: float) -> list[str]:
    options = [str(connections), str(seconds), request.method, request.url]
    return [sys.executable, "-m", "benchmarks.peers.client", *options, request.body, request.key]
