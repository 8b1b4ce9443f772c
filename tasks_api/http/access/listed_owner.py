"""Whose tasks a client may list."""

from django.http import QueryDict

from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import owner_called
from tasks_api.faults import Fault
from tasks_api.http.access.permissions import require_scope
from tasks_api.models import PROJECT_NAME, Scope
from tasks_api.problems import InvalidRequest


def listed_owner(parameters: QueryDict, caller: Caller) -> int:
    """
    Tell whose tasks are meant: the client's own, or those of the one that an admin names.

    Raises:
        InsufficientScope: 403, `client` is for admins alone.
        InvalidRequest: 400, there is no client of that name.

    """
    name = parameters.get("client")
    if name is None:
        return caller.number
    require_scope(caller, Scope.ADMIN)
    owner = None if "\0" in name else owner_called(name)
    if owner is None:
        detail = f"Should be the name of a client, or `{PROJECT_NAME}`."
        raise InvalidRequest(faults=[Fault("unknown_client", detail, parameter="client")])
    return owner
