"""A server that does not answer is given up where that is asked for, and only there."""

from typing import Any

import pytest
from django.db import OperationalError, connection, transaction

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.backends.database.failures import is_unavailable, makes_connections_useless
from tests.live_service import wait_until

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]

LONGER_THAN_ALLOWED = 0.3


def sleep(seconds: float) -> Any:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


def sleeping_backends() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep(%' "
            "AND state = 'active' AND pid <> pg_backend_pid()"
        )
        number: int = cursor.fetchone()[0]
        return number


def test_a_connection_whose_server_does_not_answer_is_thrown_away() -> None:
    with (
        database_answers_within(0.05),
        pytest.raises(OperationalError, match=r"not answered for 0\.05 seconds") as caught,
    ):
        sleep(300)

    assert is_unavailable(caught.value)
    assert makes_connections_useless(caught.value)
    assert connection.connection.closed
    connection.close_if_unusable_or_obsolete()
    # The server is told as well, so that it does not go on for nobody.
    wait_until(lambda: sleeping_backends() == 0, what="end of the statement")


def test_a_transaction_that_is_given_up_hangs_in_its_rollback_neither() -> None:
    with database_answers_within(0.05), pytest.raises(OperationalError), transaction.atomic():
        sleep(300)

    connection.close_if_unusable_or_obsolete()
    sleep(0)


def test_what_did_not_ask_for_a_deadline_has_none() -> None:
    with database_answers_within(0.05):
        pass

    sleep(LONGER_THAN_ALLOWED)
