"""`/client/`: who asks."""

from rest_framework.request import Request
from rest_framework.response import Response

from tasks_api.clients.caller import Caller
from tasks_api.conf import tasks_api_settings
from tasks_api.http.openapi.operations.about import GET_CLIENT, ClientRepresentation
from tasks_api.http.views.resource import Resource
from tasks_api.timestamps import timestamp


class ClientView(Resource):
    """The client that a key belongs to."""

    @GET_CLIENT
    def get(self, request: Request) -> Response:
        return Response(_represent(self.caller))


def _represent(caller: Caller) -> ClientRepresentation:
    limits, expires_at = tasks_api_settings(), caller.key_expires_at
    return {
        "name": caller.name,
        "scopes": sorted(caller.scopes),
        "task_patterns": list(caller.task_patterns),
        "rate": str(caller.rate) if caller.rate else None,
        "key_expires_at": timestamp(expires_at) if expires_at else None,
        "limits": {"max_body_bytes": limits.max_body_bytes, "max_depth": limits.max_depth},
    }
