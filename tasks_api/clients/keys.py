"""Keys: issuing them, and finding the client that a key belongs to."""

import hmac
import time
from datetime import datetime
from typing import NamedTuple

from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from tasks_api.clients import key_format
from tasks_api.clients.caller import Caller
from tasks_api.clients.last_use import last_uses
from tasks_api.conf import reset_when_settings_change, tasks_api_settings
from tasks_api.models import Client, ClientKey

_DIGEST_OF_NOTHING = "0" * 64
_MAX_CACHED = 10_000


def issue(client: Client, *, expires_at: datetime | None = None) -> key_format.NewKey:
    """Create another key for a client; only the returned object has its text."""
    key = key_format.generate()
    ClientKey.objects.create(
        key_id=key.key_id, client=client, digest=key.digest, expires_at=expires_at
    )
    return key


@sensitive_variables("text")
def caller_with(text: str) -> Caller | None:
    """
    Return the client of a key; None if the key is malformed, unknown, wrong, expired or revoked, or its client disabled.

    A valid key is cached for `REMEMBER_KEYS_SECONDS`, so a revocation can take that long to have an
    effect in every process.
    """
    if len(text) != key_format.LENGTH:
        return None
    # Before the form is looked at, because what is remembered has been.
    remembered = _remembered.recall(key_format.id_in(text))
    if remembered and hmac.compare_digest(remembered.digest, key_format.digest(text)):
        return remembered.caller
    presented = key_format.parse(text)
    if presented is None:
        return None
    key = _usable(presented.key_id)
    # Compare for an unknown key id too, so that it takes as long as a known one.
    stored = _DIGEST_OF_NOTHING if key is None else key.digest
    if not hmac.compare_digest(stored, presented.digest) or key is None:
        return None
    return _remembered.remember(key)


def caller_with_id(key_id: str) -> Caller | None:
    """
    Return the client of the key with this id; None if the key could not be used any more.

    That counts as a use of the key: who revokes it ends what depends on it.
    """
    if remembered := _remembered.recall(key_id):
        return remembered.caller
    key = _usable(key_id)
    return None if key is None else _remembered.remember(key)


def _usable(key_id: str) -> ClientKey | None:
    key = ClientKey.objects.select_related("client").filter(pk=key_id).first()
    return key if key is not None and key.is_usable else None


class _Entry(NamedTuple):
    digest: str
    caller: Caller
    until: float


class _Remembered:
    """A cache of the clients of valid keys, by key id, for `REMEMBER_KEYS_SECONDS`."""

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}

    def recall(self, key_id: str) -> _Entry | None:
        entry = self._entries.get(key_id)
        if entry is None:
            return None
        expires_at = entry.caller.key_expires_at
        has_expired = expires_at is not None and timezone.now() >= expires_at
        return None if has_expired or time.monotonic() >= entry.until else entry

    def remember(self, key: ClientKey) -> Caller:
        # What is remembered is not noted again, so everything that is remembered has to be.
        last_uses.note(key)
        # There is only one entry for each valid key; this limits memory anyway.
        if len(self._entries) >= _MAX_CACHED:
            self._entries.clear()
        caller = Caller.of(key.client, key=key)
        until = time.monotonic() + tasks_api_settings().remember_keys_seconds
        self._entries[key.key_id] = _Entry(key.digest, caller, until)
        return caller

    def forget(self) -> None:
        self._entries.clear()


_remembered = _Remembered()


@reset_when_settings_change
def forget_remembered_keys() -> None:
    """Clear this process's cache of keys."""
    _remembered.forget()
