"""When a result is given up: only if the parent reaches the database, and its child does not."""

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError

from tasks_api.worker import verdicts
from tasks_api.worker.child import claims
from tasks_api.worker.child.claims import Claims, ResultAbandoned

ABANDON_AFTER = 30
HEARTBEAT_EVERY = 5


class Outage:
    """A child's attempts to store a result, one in each second of a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self.parent_reaches_it = True
        self.child_reaches_it = False
        self.at: dict[float, Any] = {}
        """What changes when, in seconds after the first attempt."""
        clock = SimpleNamespace(monotonic=lambda: self.now, sleep=self._second)
        monkeypatch.setattr(claims, "time", clock)
        monkeypatch.setitem(claims.TRANSITIONS, "test", f"{__name__}.Transitions")
        connection: Any = SimpleNamespace(
            vendor="test", alias=self, in_use=nullcontext, renew=lambda: None
        )
        self.claims = Claims(connection, "worker", None, ABANDON_AFTER)  # type: ignore[arg-type]

    def _second(self, _: float) -> None:
        self.now += 1
        for name, value in self.at.get(self.now - 1000, {}).items():
            setattr(self, name, value)
        if self.parent_reaches_it and self.now % HEARTBEAT_EVERY == 0:
            self.claims.note_heartbeat()

    def store(self) -> float:
        task: Any = SimpleNamespace(pk=1)
        self.claims.finish(task, verdicts.successful(None, 1), claim_next=False)
        return self.now - 1000


class Transitions:
    def __init__(self, outage: Outage, *_: Any) -> None:
        self._outage = outage

    def current_task(self) -> int:
        if not self._outage.child_reaches_it:
            raise OperationalError("gone")
        return 1

    def commit(self, *_: Any, **__: Any) -> Any:
        self.current_task()
        return SimpleNamespace(is_registered=True, load_claimed=None, finished_at=self._outage.now)


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(monkeypatch)


def test_a_result_is_given_up_when_the_parent_alone_reaches_the_database(outage: Outage) -> None:
    with pytest.raises(ResultAbandoned, match="task 1 is dropped"):
        outage.store()

    assert outage.now - 1000 >= ABANDON_AFTER


def test_a_result_is_kept_when_the_parent_finds_first_that_the_database_is_back(
    outage: Outage,
) -> None:
    outage.parent_reaches_it = False
    outage.at = {100: {"parent_reaches_it": True}, 110: {"child_reaches_it": True}}

    assert outage.store() == 110


def test_an_outage_does_not_save_a_process_that_stays_cut_off(outage: Outage) -> None:
    outage.at = {10: {"parent_reaches_it": False}, 60: {"parent_reaches_it": True}}

    with pytest.raises(ResultAbandoned):
        outage.store()

    assert 60 + ABANDON_AFTER <= outage.now - 1000 <= 60 + ABANDON_AFTER + 2 * HEARTBEAT_EVERY
