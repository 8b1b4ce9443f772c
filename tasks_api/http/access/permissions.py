"""What a client may do: each operation names the scope that it needs."""

from tasks_api.clients.caller import Caller
from tasks_api.http.access.authentication import CHALLENGE
from tasks_api.problems import InsufficientScope


def require_scope(caller: Caller, scope: str) -> None:
    """
    Check that a client has a scope.

    Raises:
        InsufficientScope: 403, it lacks the scope (RFC 6750, section 3.1).

    """
    if not caller.may(scope):
        challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'
        raise InsufficientScope(
            f"This needs the scope `{scope}`.", headers={"WWW-Authenticate": challenge}
        )
