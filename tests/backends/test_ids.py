"""Task ids know their owner, sort by time and never repeat."""

import threading
import time
from uuid import UUID, uuid4

from hypothesis import given
from hypothesis import strategies as st

from tasks_api import ids

OWNERS = st.integers(0, 2**32 - 1)
MILLISECONDS = st.integers(0, 2**48 - 1)
RANDOM = st.integers(0, 2**42 - 1)


@given(OWNERS, MILLISECONDS, RANDOM)
def test_an_id_is_a_uuid_of_version_8_that_tells_its_owner(
    owner: int, milliseconds: int, random: int
) -> None:
    identifier = ids.task_id(owner, milliseconds, random)

    assert identifier.version == 8
    assert identifier.variant == "specified in RFC 4122"
    assert ids.owner_of(identifier) == owner
    assert UUID(str(identifier)) == identifier


@given(OWNERS, MILLISECONDS, MILLISECONDS, RANDOM, RANDOM)
def test_ids_of_an_owner_sort_by_time(
    owner: int, one: int, other: int, random: int, other_random: int
) -> None:
    earlier, later = sorted((one, other))
    first, second = ids.task_id(owner, earlier, random), ids.task_id(owner, later, other_random)

    assert earlier == later or first < second
    assert earlier == later or str(first) < str(second)


@given(
    st.tuples(OWNERS, MILLISECONDS, RANDOM),
    st.tuples(OWNERS, MILLISECONDS, RANDOM),
)
def test_ids_differ_wherever_a_part_of_them_does(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    assert (ids.task_id(*one) == ids.task_id(*other)) == (one == other)


def test_an_id_of_another_kind_is_the_projects() -> None:
    assert ids.owner_of(uuid4()) == ids.PROJECT
    assert ids.owner_of(UUID(int=2**128 - 1)) == ids.PROJECT


def test_a_new_id_carries_the_present_time() -> None:
    before = time.time_ns() // 1_000_000
    identifier = ids.new_task_id()
    after = time.time_ns() // 1_000_000

    assert ids.task_id(0, before, 0) <= identifier < ids.task_id(0, after + 1, 0)


def test_the_first_id_uses_the_owner_up() -> None:
    with ids.next_id_belongs_to(7):
        owners = [ids.owner_of(ids.new_task_id()) for _ in range(3)]

    assert owners == [7, ids.PROJECT, ids.PROJECT]


def test_an_owner_whose_id_was_not_drawn_is_forgotten() -> None:
    with ids.next_id_belongs_to(7):
        pass

    assert ids.owner_of(ids.new_task_id()) == ids.PROJECT


def test_threads_do_not_see_each_others_owners() -> None:
    seen = []
    with ids.next_id_belongs_to(7):
        thread = threading.Thread(target=lambda: seen.append(ids.owner_of(ids.new_task_id())))
        thread.start()
        thread.join()

    assert seen == [ids.PROJECT]


def test_a_hundred_thousand_ids_of_few_milliseconds_differ() -> None:
    assert len({ids.new_task_id() for _ in range(100_000)}) == 100_000
