"""An idle worker looks soon after work, and less and less often without."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks_api.worker.child import pace
from tasks_api.worker.child.pace import Pace


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_right_after_work_a_worker_looks_at_once(clock: list[float]) -> None:
    assert Pace(1.0).delay(0.0001) == pace.FIRST_DELAY_SECONDS


def test_within_a_minute_of_work_it_looks_ten_times_a_second(clock: list[float]) -> None:
    delays = Pace(1.0)
    clock[0] += 59

    assert delays.delay(0.0001) == pytest.approx(0.1)
    assert delays.delay(5.0) == pytest.approx(0.1)


def test_later_the_delay_grows_to_the_interval(clock: list[float]) -> None:
    delays = Pace(1.0)
    seen = []
    for _ in range(300):
        clock[0] += 1
        seen.append(delays.delay(0.0001))

    assert seen == sorted(seen)
    assert seen[70] < 0.3
    assert seen[-1] == 1.0
    delays.note_work()
    assert delays.delay(0.0001) == pace.FIRST_DELAY_SECONDS


def test_a_look_that_takes_long_is_made_less_often(clock: list[float]) -> None:
    delays = Pace(2.0)
    clock[0] += 100

    assert delays.delay(0.1) == pytest.approx(1.0)


@given(st.floats(0, 1e6), st.floats(0, 1e3), st.floats(0, 1e3))
def test_no_delay_exceeds_the_interval(idle: float, cost: float, interval: float) -> None:
    delays = Pace(interval)
    delays._worked_at -= idle

    assert 0 <= delays.delay(cost) <= interval
