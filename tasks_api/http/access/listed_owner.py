"""The owner whose tasks a client lists."""

from django.http import QueryDict

from tasks_api.clients.caller import Caller
from tasks_api.clients.ownership import owner_named
from tasks_api.faults import Fault
from tasks_api.http.access.permissions import require_scope
from tasks_api.models import PROJECT_NAME, Scope
from tasks_api.problems import InvalidRequest


def listed_owner(parameters: QueryDict, caller: Caller) -> int:
    """
    Return the owner whose tasks to list: the client itself, or the one that an admin names.

    Raises:
        InsufficientScope: 403, `client` is for admins only.
        InvalidRequest: 400, there is no client with that name.

    """
    name = parameters.get("client")
    if name is None:
        return caller.number
    require_scope(caller, Scope.ADMIN)
    owner = None if "\0" in name else owner_named(name)
    if owner is None:
        detail = f"Should be the name of a client, or `{PROJECT_NAME}`."
        raise InvalidRequest(faults=[Fault("unknown_client", detail, parameter="client")])
    return owner
