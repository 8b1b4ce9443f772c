"""The base of every resource: authentication, rate limits, problems, the checked host, headers."""

from typing import Any, ClassVar

from django.core.exceptions import DisallowedHost, ImproperlyConfigured
from django.db import connections, transaction
from django.utils.cache import patch_vary_headers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.clients.caller import Caller
from tasks_api.faults import MAX_FAULTS, MAX_POINTER_LENGTH, Fault, shortened
from tasks_api.http.access.authentication import authentication_classes, require_caller
from tasks_api.http.access.permissions import require_scope
from tasks_api.http.access.rates import Allowance, spend
from tasks_api.http.openapi.document import OperationSchema
from tasks_api.http.openapi.operation import operation_of
from tasks_api.http.protocol import request_id
from tasks_api.http.protocol.malformed_headers import check_headers
from tasks_api.http.protocol.negotiation import AcceptJSON, JSONRenderer, LeaveBody
from tasks_api.http.protocol.problem_json import exception_handler
from tasks_api.problems import InvalidRequest, MethodNotAllowed, Throttled


class Resource(APIView):
    """
    The base of every view, independent of the project's own defaults for DRF.

    Attributes:
        tag: the group of its operations in the OpenAPI document.
        checks_host: whether the request's `Host` must be one of `ALLOWED_HOSTS`.
        needs_client: whether only clients with the operation's scope are served.
        caller: the client that sent the request, if one is needed.
        allowance: what is left of that client's rate limit, if it has one.

    """

    tag: ClassVar[str]
    checks_host: ClassVar[bool] = True
    needs_client: ClassVar[bool] = True
    caller: Caller
    allowance: Allowance | None = None

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = (LeaveBody,)
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = AcceptJSON
    versioning_class = None
    schema: Any = OperationSchema()

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        # A task must be stored when its 202 is sent, with ATOMIC_REQUESTS too.
        view = super().as_view(*args, **kwargs)
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        with database_answers_within():
            return super().dispatch(request, *args, **kwargs)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        request_id.identify(request._request)
        check_headers(request._request)
        if self.checks_host:
            _check_host(request)
        if request.method not in self.allowed_methods:
            raise MethodNotAllowed
        super().initial(request, *args, **kwargs)
        self._refuse_unknown_parameters(request)

    def get_authenticators(self) -> list[BaseAuthentication]:
        return [kind() for kind in authentication_classes()]

    def perform_authentication(self, request: Request) -> None:
        if self.needs_client and request.method != "OPTIONS":
            self.caller = require_caller(request)

    def check_permissions(self, request: Request) -> None:
        if self.needs_client and request.method != "OPTIONS":
            # Counted before the scope is checked: each answer to a limited client says what is left.
            self._count(spend(self.caller))
            operation = operation_of(self, str(request.method))
            if operation is None:
                # Nothing is served by mistake.
                raise ImproperlyConfigured(f"{request.method} {request.path} has no operation.")
            if operation.scope is not None:
                require_scope(self.caller, operation.scope)

    def spend_more(self, number: int, *, pointer: str) -> None:
        """
        Count this many requests in addition to the one of every request: all or none.

        Raises:
            InvalidRequest: 400, the client's rate never allows so many.
            Throttled: 429, its rate does not allow them now.
            StoreUnavailable: 503, they cannot be counted.

        """
        rate = self.caller.rate
        if number == 0 or rate is None:
            return
        if number + 1 > rate.limit:
            detail = f"Should contain at most {rate.limit:,} tasks, the client's rate limit."
            raise InvalidRequest(faults=[Fault("over_rate", detail, pointer=pointer)])
        self._count(spend(self.caller, number))

    def _count(self, allowance: Allowance | None) -> None:
        self.allowance = allowance
        if allowance is not None and allowance.is_exceeded:
            raise Throttled(headers={"Retry-After": str(allowance.resets_in)})

    def _refuse_unknown_parameters(self, request: Request) -> None:
        if request.method == "OPTIONS":
            # A browser's preflight request carries the query of the actual request.
            return
        known = self._query_parameters(request)
        if unknown := sorted(request.query_params.keys() - known):
            allowed = f"allowed: {', '.join(sorted(known))}" if known else "none are allowed"
            detail = f"Unknown query parameter; {allowed}."
            names = [shortened(name, MAX_POINTER_LENGTH) for name in unknown[:MAX_FAULTS]]
            raise InvalidRequest(
                faults=[Fault("unknown_parameter", detail, parameter=name) for name in names]
            )

    def _query_parameters(self, request: Request) -> set[str]:
        """Return the query parameters that the requested operation documents and accepts."""
        operation = operation_of(self, str(request.method))
        return operation.query_parameters if operation else set()

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        """Answer 204; the header `Allow`, which every answer has, lists the methods."""
        return Response(status=204)

    def get_exception_handler(self) -> Any:
        return exception_handler

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers[request_id.HEADER] = request_id.identify(self.request._request)
        if self.allowance is not None:
            for name, value in self.allowance.headers.items():
                response.headers[name] = value
        if request.method in {"GET", "HEAD"}:
            response.headers["Cache-Control"] = "private, no-cache"
            patch_vary_headers(response, ("Authorization", "Prefer"))
        complete = _leave_body_out if request.method == "HEAD" else _set_length
        if isinstance(response, Response):
            response.add_post_render_callback(complete)
        else:
            complete(response)
        return response


def _check_host(request: Request) -> None:
    try:
        request.get_host()
    except DisallowedHost as error:
        detail = "Should be a host in ALLOWED_HOSTS."
        raise InvalidRequest(faults=[Fault("host", detail, header="Host")]) from error


def _set_length(response: Any) -> None:
    """Set the length of the body, so that it is not sent chunked."""
    if response.status_code not in {204, 304} and not response.streaming:
        # RFC 9110, section 8.6: answers with these two have no body.
        response.headers["Content-Length"] = str(len(response.content))


def _leave_body_out(response: Any) -> None:
    """Keep the length of the body that GET has; servers warn about a body that they cannot send."""
    _set_length(response)
    if not response.streaming:
        response.content = b""
