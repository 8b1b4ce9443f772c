"""Whether clients that were admitted a while ago would be admitted again."""

import time
from collections.abc import Iterable

from tasks_api.clients.caller import Caller
from tasks_api.models import Client, ClientKey, Scope


def no_longer_reading(callers: Iterable[Caller]) -> set[Caller]:
    """
    Return those that may not read any more what they have been reading.

    Their key was revoked, their key or task token has expired, their client was disabled, or has lost a scope by which
    they read.
    """
    with_key, without_key = {}, {}
    for caller in callers:
        if caller.key_id is None:
            without_key[caller] = caller.number
        else:
            with_key[caller] = caller.key_id
    keys = ClientKey.objects.select_related("client").in_bulk(set(with_key.values()))
    current = {
        caller: Caller.of(keys[key_id].client, key=keys[key_id])
        for caller, key_id in with_key.items()
        if key_id in keys and keys[key_id].is_usable
    }
    if without_key:
        clients = Client.objects.in_bulk(set(without_key.values()))
        current |= {
            caller: Caller.of(clients[number])
            for caller, number in without_key.items()
            if number in clients and clients[number].is_enabled
        }
    return {
        caller
        for caller in (*with_key, *without_key)
        if caller not in current or not _still_reads(caller, current[caller])
    }


def _still_reads(caller: Caller, current: Caller) -> bool:
    has_expired = caller.token_expires_at is not None and time.time() >= caller.token_expires_at
    # What an admin reads may be another client's.
    keeps_scope = current.is_admin or (current.may(Scope.READ) and not caller.is_admin)
    return keeps_scope and not has_expired
