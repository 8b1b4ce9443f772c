"""What is measured: a running peer, and one turn of load on it."""

import json
import subprocess
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.figures import Sample
from benchmarks.peers.load import Outcome, Request, outcome, put_load
from benchmarks.peers.servers import cpu_seconds
from benchmarks.peers.stores import Store

LIST = "GET of a page of 50"


@dataclass(frozen=True, kw_only=True)
class Peer:
    """
    A server that runs.

    POST to its URL enqueues, GET of `{url}{id}/` reads the task. Without a store there is nothing to
    enqueue, and GET of the URL itself is measured.
    """

    name: str
    pids: Sequence[int]
    url: str
    body: str = ""
    key: str = ""
    store: Store | None = None
    operations: Sequence[str] = ("POST", "GET")

    def request(self, operation: str) -> Request:
        """Return what is sent; for GET a task is enqueued first."""
        if operation == "POST":
            return Request("POST", self.url, self.body, self.key)
        if operation == LIST:
            return Request("GET", self.url, key=self.key)
        url = f"{self.url}{self._enqueue()}/" if self.store else self.url
        return Request("GET", url, key=self.key)

    def load(self, request: Request, connections: int, seconds: float) -> Outcome:
        """Load it with requests."""
        return put_load(request, connections=connections, seconds=seconds)

    def _enqueue(self) -> str:
        headers = {"Content-Type": "application/json"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        request = urllib.request.Request(self.url, self.body.encode(), headers)  # noqa: S310
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310 -- our own URL
            return json.load(answer)["id"]


@dataclass(frozen=True, kw_only=True)
class InProcess(Peer):
    """Processes that enqueue without HTTP, as many threads as the web server has."""

    processes: Sequence[subprocess.Popen[str]]

    def load(self, request: Request, connections: int, seconds: float) -> Outcome:
        """Let them enqueue, all at once, whatever the request."""
        for process in self.processes:
            process.stdin.write(f"{seconds}\n")
            process.stdin.flush()
        outcomes = [outcome(process.stdout.readline()) for process in self.processes]
        return Outcome(
            requests=sum(one.requests for one in outcomes),
            seconds=max(one.seconds for one in outcomes),
            failed=0,
            p50_ms=max(one.p50_ms for one in outcomes),
            p99_ms=max(one.p99_ms for one in outcomes),
        )


def measure(peer: Peer, operation: str, *, connections: int, seconds: float) -> Sample:
    """
    Empty the peer's store, load it, and account for the processors' time.

    Raises:
        RuntimeError: a request failed, or a task is not in the store.

    """
    if peer.store:
        peer.store.empty()
    request = peer.request(operation)
    store_pid = peer.store.pid if peer.store else None
    server, store = sum(map(cpu_seconds, peer.pids)), cpu_seconds(store_pid)
    seen = peer.load(request, connections, seconds)
    server = sum(map(cpu_seconds, peer.pids)) - server
    store = cpu_seconds(store_pid) - store
    if seen.failed or not seen.requests:
        raise RuntimeError(
            f"{peer.name}: {seen.failed} of {seen.requests} {operation} requests failed"
        )
    if operation == "POST" and peer.store and peer.store.count() < seen.requests:
        raise RuntimeError(f"{peer.name} stored {peer.store.count()} of {seen.requests} tasks")
    return Sample(
        rate=seen.requests / seen.seconds,
        server_cpu=server / seen.requests * 1e6,
        store_cpu=store / seen.requests * 1e6 if store_pid else None,
        p50=seen.p50_ms,
        p99=seen.p99_ms,
    )
