"""
Task tokens: what a browser gets in place of a key, for one task and a limited time.

A token names the task and the key that made it, and is signed with `SECRET_KEY`. It is as good as that key: once
the key is revoked or has expired, or its client is disabled, so are its tokens.
"""

import time
from dataclasses import replace

from django.core.signing import BadSignature, Signer
from django.views.decorators.debug import sensitive_variables

from tasks_api.clients import keys
from tasks_api.clients.caller import Caller

PREFIX = "tt_"
DEFAULT_SECONDS = 3600
MAX_SECONDS = 86_400
_MAX_LENGTH = 1000


def issue(task_id: str, key_id: str, *, expires_at: float) -> str:
    """Make a token for a task, which ends with the key, and at this time (POSIX, in seconds)."""
    return PREFIX + _signer().sign_object([task_id, key_id, expires_at])


@sensitive_variables("text")
def caller_with(text: str) -> Caller | None:
    """
    Return the client of the key that made a token, with the only task that it may read.

    None if the token is malformed, was changed or has expired, or if its key could not be used any more.
    """
    if len(text) > _MAX_LENGTH or not text.startswith(PREFIX):
        return None
    try:
        task_id, key_id, expires_at = _signer().unsign_object(text.removeprefix(PREFIX))
    except BadSignature:
        return None
    if time.time() >= expires_at:
        return None
    caller = keys.caller_with_id(key_id)
    if caller is None:
        return None
    return replace(caller, only_task=task_id, token_expires_at=expires_at)


def _signer() -> Signer:
    # Anew for each token, since it reads the keys from the settings. A dot, because a Bearer token has no colon.
    return Signer(salt="tasks_api.http.access.task_tokens", sep=".")
