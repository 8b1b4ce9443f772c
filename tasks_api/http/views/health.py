"""`/livez` and `/readyz`, for whoever starts, stops and balances processes: any `Host` will do."""

from typing import ClassVar

from django.db import ProgrammingError
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_api.backends import adapters
from tasks_api.http.openapi.operations.about import GET_LIVEZ, GET_READYZ
from tasks_api.http.views.resource import AcceptAnything, Resource
from tasks_api.problems import StoreUnavailable


class Livez(Resource):
    """Whether this process answers at all; a failure means: restart it."""

    checks_host: ClassVar[bool] = False
    content_negotiation_class = AcceptAnything
    needs_client: ClassVar[bool] = False

    @GET_LIVEZ
    def get(self, request: Request) -> Response:
        return Response({"status": "ok"})


class Readyz(Resource):
    """Whether tasks can be enqueued and read; a failure means: send requests elsewhere."""

    checks_host: ClassVar[bool] = False
    content_negotiation_class = AcceptAnything
    needs_client: ClassVar[bool] = False

    @GET_READYZ
    def get(self, request: Request) -> Response:
        try:
            for adapter in adapters():
                adapter.probe()
        except ProgrammingError as error:
            # The database is there, its tables are not: the migrations have yet to run.
            raise StoreUnavailable from error
        return Response({"status": "ok"})
