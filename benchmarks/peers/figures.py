"""Medians, ratios and tables of what was measured."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

HEADER = (
    "requests/s",
    "(min to max)",
    "server CPU, µs",
    "(min to max)",
    "store CPU, µs",
    "p50, ms",
    "p99, ms",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One turn: requests a second, µs of CPU for each request, and milliseconds of latency."""

    rate: float
    server_cpu: float
    store_cpu: float | None
    p50: float
    p99: float


class Case(NamedTuple):
    """What the samples of all rounds have in common."""

    peer: str
    operation: str
    connections: int


Samples = dict[Case, list[Sample]]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A figure of one case, such as `rate`, over one of another, of the same rounds."""

    label: str
    case: Case
    over: Case
    figure: str
    over_figure: str = ""

    def line(self, samples: Samples) -> str | None:
        """Return a line of text; None if one of the cases was not measured."""
        if self.case not in samples or self.over not in samples:
            return None
        ratios = self.values(samples[self.case], samples[self.over])
        return f"| {self.label} | {statistics.median(ratios):.2f} | {spread(ratios, '.2f')} |"

    def values(self, rounds: Sequence[Sample], others: Sequence[Sample]) -> list[float]:
        """Return the ratio of each round."""
        over = self.over_figure or self.figure
        pairs = zip(rounds, others, strict=True)
        return [getattr(one, self.figure) / getattr(other, over) for one, other in pairs]


def spread(values: Sequence[float], form: str) -> str:
    """Return the least and the greatest value."""
    return f"{min(values):{form}} to {max(values):{form}}"


def table(samples: Samples, operation: str, connections: int) -> list[str]:
    """Return a table in Markdown: a row for each peer, with medians of its rounds."""
    lines = [
        f"| {operation}, {connections} connections | {' | '.join(HEADER)} |",
        "|---|" + "---|" * len(HEADER),
    ]
    for case, rounds in samples.items():
        if case[1:] == (operation, connections):
            lines.append(f"| {case.peer} | {' | '.join(_cells(rounds))} |")
    return lines


def _cells(rounds: Sequence[Sample]) -> list[str]:
    rates = [sample.rate for sample in rounds]
    cpu = [sample.server_cpu for sample in rounds]
    stores = [sample.store_cpu for sample in rounds if sample.store_cpu is not None]
    return [
        f"{statistics.median(rates):,.0f}",
        spread(rates, ",.0f"),
        f"{statistics.median(cpu):,.0f}",
        spread(cpu, ",.0f"),
        f"{statistics.median(stores):,.0f}" if stores else "",
        f"{statistics.median(sample.p50 for sample in rounds):.1f}",
        f"{statistics.median(sample.p99 for sample in rounds):.1f}",
    ]
