"""Keys: issuing them, and finding the client that a key belongs to."""

import hmac
import time
from datetime import datetime

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
    Return the client of a key; None if the key is malformed, unknown, wrong, expired or revoked.

    A valid key is cached for `REMEMBER_KEYS_SECONDS`, so a revocation can take that long to have an
    effect in every process.
    """
    if len(text) != key_format.LENGTH:
        return None
    # Before the form is looked at, because what is remembered has been.
    if caller := _remembered.recall(key_format.digest(text)):
        return caller
    presented = key_format.parse(text)
    return None if presented is None else _look_up(presented)


def _look_up(presented: key_format.PresentedKey) -> Caller | None:
    key = ClientKey.objects.select_related("client").filter(pk=presented.key_id).first()
    # Compare for an unknown key id too, so that it takes as long as a known one.
    stored = _DIGEST_OF_NOTHING if key is None else key.digest
    if not hmac.compare_digest(stored, presented.digest) or key is None or not key.is_usable:
        return None
    caller = Caller.of(key.client, key=key)
    _remembered.remember(presented.digest, caller)
    last_uses.note(key)
    return caller


class _Remembered:
    """A cache of the clients of valid keys, by digest, for `REMEMBER_KEYS_SECONDS`."""

    def __init__(self) -> None:
        self._entries: dict[str, tuple[Caller, float]] = {}

    def recall(self, digest: str) -> Caller | None:
        entry = self._entries.get(digest)
        if entry is None:
            return None
        caller, until = entry
        expires_at = caller.key_expires_at
        if time.monotonic() >= until or (expires_at is not None and timezone.now() >= expires_at):
            return None
        return caller

    def remember(self, digest: str, caller: Caller) -> None:
        # There is only one entry for each valid key; this limits memory anyway.
        if len(self._entries) >= _MAX_CACHED:
            self._entries.clear()
        until = time.monotonic() + tasks_api_settings().remember_keys_seconds
        self._entries[digest] = (caller, until)

    def forget(self) -> None:
        self._entries.clear()


_remembered = _Remembered()


@reset_when_settings_change
def forget_remembered_keys() -> None:
    """Clear this process's cache of keys."""
    _remembered.forget()
