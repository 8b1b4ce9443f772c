"""The ratios that tell how the service does; what they should be is for people to judge."""

from collections.abc import Iterator, Sequence

from benchmarks.peers.contenders import (
    ASYNC,
    CELERY,
    CHECKOUT,
    EMPTY,
    ENQUEUE,
    LIVEZ,
    NAIVE,
    RQ,
    SERVICE,
)
from benchmarks.peers.figures import Case, Ratio, Samples


def ratios(samples: Samples, connections: Sequence[int]) -> list[str]:
    """Return a table in Markdown, with the ratios whose cases were measured."""
    few, many = min(connections), max(connections)
    wanted = [*_ratios(few, many), *_to_checkouts(samples)]
    lines = [ratio.line(samples) for ratio in wanted]
    return ["| ratio | median | (min to max) |", "|---|---|---|", *filter(None, lines)]


def _to_checkouts(samples: Samples) -> Iterator[Ratio]:
    for other in samples:
        if other.peer.startswith(CHECKOUT):
            case = other._replace(peer=SERVICE)
            label = f"{case.operation} at {case.connections} / {other.peer}"
            yield Ratio(f"{label}, rate", case, other, "rate")
            yield Ratio(f"{label}, server CPU", case, other, "server_cpu")


def _ratios(few: int, many: int) -> list[Ratio]:
    post, get = Case(SERVICE, "POST", few), Case(SERVICE, "GET", few)
    found = [Ratio("POST / `enqueue()` in process, rate", post, Case(ENQUEUE, "POST", few), "rate")]
    for case in (post, get):
        for other in (RQ, RQ + ASYNC, CELERY, CELERY + ASYNC, NAIVE):
            over = Case(other, case.operation, few)
            label = f"{case.operation} / {other}"
            found.append(Ratio(f"{label}, rate", case, over, "rate"))
            found.append(Ratio(f"{label}, server CPU", case, over, "server_cpu"))
    empty = Case(EMPTY, "GET", few)
    found += [
        Ratio("GET / our /livez, rate", get, Case(LIVEZ, "GET", few), "rate"),
        Ratio("GET / empty view, server CPU", get, empty, "server_cpu"),
        Ratio("POST / empty view, server CPU", post, empty, "server_cpu"),
        Ratio("p99 of POST / median of the empty view", post, empty, "p99", "p50"),
        Ratio("p99 of GET / median of the empty view", get, empty, "p99", "p50"),
    ]
    if many != few:
        at_many = post._replace(connections=many)
        found.append(Ratio(f"POST at {many} / at {few} connections, rate", at_many, post, "rate"))
    return found
