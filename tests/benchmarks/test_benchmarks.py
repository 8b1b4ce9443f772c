"""The parts of the benchmarks that figures depend on; how fast anything is, no test says."""

import asyncio
from importlib.util import find_spec

import pytest

from benchmarks.__main__ import BENCHMARKS, main
from benchmarks.page import replaced
from benchmarks.peers.client import Load
from benchmarks.peers.contenders import CHECKOUT, SERVICE
from benchmarks.peers.figures import Case, Ratio, Sample, Samples, table
from benchmarks.peers.load import Outcome, outcome
from benchmarks.peers.peer import Peer, measure
from benchmarks.peers.ratios import ratios
from tests.live_service import LiveService

WRK = """Running 3s test @ http://127.0.0.1:8000/tasks/
  1 threads and 16 connections
  1234 requests in 3.00s, 1.00MB read
Requests/sec:    411.33
{"requests": 1234, "seconds": 3.000012, "failed": 2, "p50_ms": 37.500, "p99_ms": 101.000}
"""


def sample(rate: float, *, cpu: float = 1000, p50: float = 6, p99: float = 60) -> Sample:
    return Sample(rate=rate, server_cpu=cpu, store_cpu=None, p50=p50, p99=p99)


def test_what_wrk_counted_is_read_from_the_end_of_its_report() -> None:
    assert outcome(WRK) == Outcome(1234, 3.000012, 2, 37.5, 101.0)


def test_ratios_are_of_the_same_round() -> None:
    ours, theirs = Case("ours", "POST", 16), Case("theirs", "POST", 16)
    # The machine was twice as fast in the second round.
    samples: Samples = {ours: [sample(100), sample(200)], theirs: [sample(50), sample(100)]}

    assert Ratio("r", ours, theirs, "rate").line(samples) == "| r | 2.00 | 2.00 to 2.00 |"
    assert Ratio("r", ours, theirs, "p99", "p50").values(*samples.values()) == [10, 10]


def test_a_ratio_to_a_peer_that_was_not_measured_is_left_out() -> None:
    post = Case(SERVICE, "POST", 16)
    samples = {post: [sample(100)], post._replace(connections=64): [sample(80)]}
    (line,) = ratios(samples, [16, 64])[2:]
    assert line == "| POST at 64 / at 16 connections, rate | 0.80 | 0.80 to 0.80 |"


def test_the_service_of_another_checkout_has_ratios_of_its_own() -> None:
    samples = {
        Case(SERVICE, "GET", 16): [sample(100)],
        Case(f"{CHECKOUT}old", "GET", 16): [sample(80)],
    }
    assert ratios(samples, [16])[2] == "| GET at 16 / service in old, rate | 1.25 | 1.25 to 1.25 |"


def test_a_table_has_medians_and_spread_of_one_operation() -> None:
    samples = {
        Case("ours", "POST", 16): [sample(100), sample(300), sample(1_200)],
        Case("ours", "GET", 16): [sample(7)],
    }
    (row,) = table(samples, "POST", 16)[2:]
    assert row.startswith("| ours | 300 | 100 to 1,200 | 1,000 |")


def test_the_list_of_benchmarks_names_modules_that_are_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    listed = capsys.readouterr().out
    for name, benchmark in BENCHMARKS.items():
        assert f"  {name} " in listed
        assert find_spec(f"benchmarks.{benchmark.module}")


def test_an_unknown_benchmark_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["pears"])
    assert "pears" in capsys.readouterr().err


def test_the_client_without_wrk_counts_answers_and_refusals(service: LiveService) -> None:
    with_key = Load("GET", f"{service.url}/tasks/", key=service.key or "")
    assert asyncio.run(with_key.run(2, 0.1))["requests"] >= 2
    assert with_key.failed == 0

    without = Load("GET", f"{service.url}/tasks/")
    assert asyncio.run(without.run(2, 0.1))["failed"] >= 2


def test_a_turn_with_failed_requests_is_no_figure(
    service: LiveService, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Outcome(requests=10, seconds=1, failed=1, p50_ms=1, p99_ms=1)
    monkeypatch.setattr("benchmarks.peers.peer.put_load", lambda *_, **__: failed)
    assert service.web is not None
    peer = Peer(name="ours", pids=[service.web.pid], url=service.url)
    with pytest.raises(RuntimeError, match="ours: 1 of 10 GET requests failed"):
        measure(peer, "GET", connections=1, seconds=1)


def test_a_run_takes_the_place_of_the_one_before_it_on_the_page() -> None:
    page = "A\n<!-- http -->\nold\n<!-- end of http -->\nB\n<!-- peers -->\n<!-- end of peers -->\n"
    new = "A\n<!-- http -->\n\n| new |\n\n<!-- end of http -->\nB\n<!-- peers -->\n<!-- end of peers -->\n"
    assert replaced(page, "http", "== http\n| new |\n") == new
    assert replaced(new, "http", "| new |") == new
    with pytest.raises(LookupError, match="pears"):
        replaced(page, "pears", "")
