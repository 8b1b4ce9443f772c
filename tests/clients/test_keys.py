"""Keys: their form, how they are issued, how they end, and how long one is believed."""

import hashlib
import re
from datetime import timedelta
from unittest.mock import patch

import pytest
from django.conf import settings
from django.db import DatabaseError, connection
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from tasks_api.clients import key_format, keys
from tasks_api.clients.last_use import INTERVAL, last_uses
from tasks_api.models import Client, ClientKey
from tests.live_service import DEADLINE


@pytest.fixture
def owner(transactional_db: None) -> Client:
    return Client.objects.create(name="billing")


def remembering(seconds: int) -> override_settings:
    return override_settings(TASKS_API={**settings.TASKS_API, "REMEMBER_KEYS_SECONDS": seconds})


def test_a_key_is_selected_by_a_double_click() -> None:
    text = key_format.generate().text

    assert re.fullmatch(r"tk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}", text)


def test_a_secret_has_256_bits() -> None:
    with patch("secrets.randbits", side_effect=lambda bits: 2**bits - 1) as randbits:
        largest = key_format.generate().text
    randbits.assert_called_once_with(256)
    with patch("secrets.randbits", return_value=0):
        smallest = key_format.generate().text

    # Both ends of the range have room, so that no bit is lost.
    assert largest.split("_")[2][:43] != smallest.split("_")[2][:43]
    assert len(largest) == len(smallest)


def test_a_key_is_found_again_by_its_id_and_digest() -> None:
    key = key_format.generate()
    presented = key_format.parse(key.text)

    assert presented is not None
    assert presented.key_id == key.key_id == key.text.split("_")[1]
    assert presented.digest == key.digest == hashlib.sha256(key.text.encode()).hexdigest()
    assert key.text not in repr(key)


@given(st.integers(0, 64), st.sampled_from(key_format.ALPHABET))
def test_a_mistyped_key_is_told_by_its_checksum(position: int, character: str) -> None:
    text = key_format.generate().text
    mistyped = text[:position] + character + text[position + 1 :]

    assert (key_format.parse(mistyped) is None) == (mistyped != text)


@given(st.text())
def test_no_other_text_is_a_key(text: str) -> None:
    assert key_format.parse(text) is None
    assert key_format.parse(key_format.generate().text + text) is None or text == ""


def test_only_a_digest_is_stored(owner: Client) -> None:
    key = keys.issue(owner)
    row = ClientKey.objects.values().get()

    secret = key.text.split("_")[2]
    assert row["digest"] == hashlib.sha256(key.text.encode()).hexdigest()
    assert secret not in str(row)


def test_a_key_tells_the_client(owner: Client) -> None:
    Client.objects.create(name="other")
    caller = keys.caller_with(keys.issue(owner).text)

    assert caller is not None
    assert (caller.name, caller.number) == ("billing", owner.number)


def test_a_right_form_without_a_row_is_nobodys(owner: Client) -> None:
    keys.issue(owner)

    assert keys.caller_with(key_format.generate().text) is None


def test_another_secret_behind_a_known_key_id_is_nobodys(owner: Client) -> None:
    known = keys.issue(owner)
    with patch.object(key_format.secrets, "choice", side_effect=known.key_id):
        forged = key_format.generate()

    assert forged.key_id == known.key_id
    assert keys.caller_with(forged.text) is None


def test_unknown_and_wrong_keys_run_the_same_comparison(owner: Client) -> None:
    known = keys.issue(owner)
    with patch.object(key_format.secrets, "choice", side_effect=known.key_id):
        wrong = key_format.generate()
    for text in (key_format.generate().text, wrong.text):
        with patch("hmac.compare_digest", return_value=False) as compare:
            assert keys.caller_with(text) is None
        ((stored, presented), _) = compare.call_args
        assert len(stored) == len(presented) == 64


def test_keys_rotate_without_a_gap(owner: Client) -> None:
    old, new = keys.issue(owner), keys.issue(owner)
    with remembering(0):
        callers = [keys.caller_with(key.text) for key in (old, new)]
        assert [caller and caller.name for caller in callers] == ["billing", "billing"]
        ClientKey.objects.filter(pk=old.key_id).revoke()

        assert keys.caller_with(old.text) is None
        assert keys.caller_with(new.text) is not None


def test_a_key_is_found_by_its_id_as_long_as_it_could_be_used(owner: Client) -> None:
    key = keys.issue(owner)
    assert keys.caller_with_id("0" * 12) is None
    assert keys.caller_with_id(key.key_id) == keys.caller_with(key.text)
    with remembering(0):
        ClientKey.objects.all().revoke()
        assert keys.caller_with_id(key.key_id) is None


def test_what_is_remembered_for_an_id_is_no_secret(owner: Client) -> None:
    key = keys.issue(owner)
    assert keys.caller_with_id(key.key_id) is not None
    with patch.object(key_format.secrets, "choice", side_effect=key.key_id):
        forged = key_format.generate()

    assert forged.key_id == key.key_id
    assert keys.caller_with(forged.text) is None


def test_no_key_of_a_disabled_client_is_good(owner: Client) -> None:
    issued = [keys.issue(owner), keys.issue(owner)]
    with remembering(0):
        Client.objects.update(is_enabled=False)
        assert [keys.caller_with(key.text) for key in issued] == [None, None]
        assert [keys.caller_with_id(key.key_id) for key in issued] == [None, None]

        Client.objects.update(is_enabled=True)
        assert None not in [keys.caller_with(key.text) for key in issued]


def test_an_expired_key_is_nobodys_even_while_it_is_remembered(owner: Client) -> None:
    key = keys.issue(owner, expires_at=timezone.now() + timedelta(minutes=1))
    assert keys.caller_with(key.text) is not None

    with patch.object(timezone, "now", return_value=timezone.now() + timedelta(minutes=2)):
        assert keys.caller_with(key.text) is None
        keys.forget_remembered_keys()
        assert keys.caller_with(key.text) is None


def test_a_revocation_is_heard_after_the_seconds_of_the_setting(owner: Client) -> None:
    key = keys.issue(owner)
    with patch("time.monotonic", return_value=1000.0) as clock:
        assert keys.caller_with(key.text) is not None
        ClientKey.objects.all().revoke()
        clock.return_value = 1004.9
        assert keys.caller_with(key.text) is not None
        clock.return_value = 1005.0
        assert keys.caller_with(key.text) is None


def test_a_busy_client_costs_no_query(owner: Client) -> None:
    key = keys.issue(owner)
    keys.caller_with(key.text)

    with CaptureQueriesContext(connection) as queries:
        for _ in range(20):
            assert keys.caller_with(key.text) is not None
    assert len(queries) == 0


def test_the_memory_of_keys_is_bounded(owner: Client) -> None:
    with patch.object(keys, "_MAX_CACHED", 3):
        for _ in range(10):
            assert keys.caller_with(keys.issue(owner).text) is not None
        assert len(keys._remembered._entries) <= 3


def test_the_last_use_is_written_at_most_once_a_minute_and_off_the_requests_path(
    owner: Client,
) -> None:
    key = keys.issue(owner)
    with remembering(0):
        with CaptureQueriesContext(connection) as queries:
            keys.caller_with(key.text)
        assert [query["sql"].split()[0] for query in queries] == ["SELECT"]
        last_uses.wait(DEADLINE)
        first = ClientKey.objects.get().last_used_at
        assert first is not None

        keys.caller_with(key.text)
        last_uses.wait(DEADLINE)
        assert ClientKey.objects.get().last_used_at == first

        ClientKey.objects.update(last_used_at=first - INTERVAL)
        keys.caller_with(key.text)
        last_uses.wait(DEADLINE)
        assert ClientKey.objects.get().last_used_at > first - INTERVAL


def test_a_last_use_that_cannot_be_written_harms_nobody(
    owner: Client, caplog: pytest.LogCaptureFixture
) -> None:
    key = keys.issue(owner)
    with remembering(0):
        with patch("tasks_api.models.ClientKeyQuerySet.used", side_effect=DatabaseError("locked")):
            assert keys.caller_with(key.text) is not None
            last_uses.wait(DEADLINE)
        assert "could not be written" in caplog.text

        assert keys.caller_with(key.text) is not None
        last_uses.wait(DEADLINE)
    assert ClientKey.objects.get().last_used_at is not None
