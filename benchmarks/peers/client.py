"""
A load generator for machines without wrk: `python -m benchmarks.peers.client 16 3 GET http://…`.

It takes several times wrk's share of the processors, so that its rates are lower.
"""

import asyncio
import json
import statistics
import sys
import time
from urllib.parse import urlsplit


class Load:
    """Connections that send one request again and again until the time is over."""

    def __init__(self, method: str, url: str, body: str = "", key: str = "") -> None:
        self.address = urlsplit(url)
        head = [f"{method} {self.address.path} HTTP/1.1", f"Host: {self.address.netloc}"]
        if key:
            head.append(f"Authorization: Bearer {key}")
        if body:
            head += ["Content-Type: application/json", f"Content-Length: {len(body.encode())}"]
        self.request = "\r\n".join([*head, "", body]).encode()
        self.milliseconds: list[float] = []
        self.failed = 0

    async def run(self, connections: int, seconds: float) -> dict[str, float]:
        start = time.perf_counter()
        end = start + seconds
        await asyncio.gather(*(self._connection(end) for _ in range(connections)))
        percentiles = statistics.quantiles(self.milliseconds, n=100)
        return {
            "requests": len(self.milliseconds),
            "seconds": time.perf_counter() - start,
            "failed": self.failed,
            "p50_ms": percentiles[49],
            "p99_ms": percentiles[98],
        }

    async def _connection(self, end: float) -> None:
        reader, writer = await asyncio.open_connection(self.address.hostname, self.address.port)
        while (before := time.perf_counter()) < end:
            writer.write(self.request)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            self.milliseconds.append((time.perf_counter() - before) * 1000)
            self.failed += not head.startswith((b"HTTP/1.1 2", b"HTTP/1.1 3"))
        writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    sys.exit("The server sent an answer without Content-Length")


if __name__ == "__main__":
    load = Load(*sys.argv[3:])
    print(json.dumps(asyncio.run(load.run(int(sys.argv[1]), float(sys.argv[2])))))
