"""The base of every resource: authentication, rate limits, problems, the checked host, headers."""

from collections.abc import Callable
from typing import Any, ClassVar

from django.core.exceptions import DisallowedHost, ImproperlyConfigured
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from rest_framework.views import APIView

from tasks_api.backends.database.deadline import database_answers_within
from tasks_api.clients.caller import Caller
from tasks_api.faults import MAX_FAULTS, MAX_POINTER_LENGTH, Fault, shortened
from tasks_api.http.access.authentication import require_caller
from tasks_api.http.access.permissions import require_scope
from tasks_api.http.access.rates import Allowance, spend
from tasks_api.http.holding.hold import HELD_ANSWER_SECONDS, Hold, held
from tasks_api.http.openapi.document import OperationSchema
from tasks_api.http.openapi.operation import Operation
from tasks_api.http.protocol import request_id
from tasks_api.http.protocol.links import checked_host
from tasks_api.http.protocol.malformed_headers import check_headers
from tasks_api.http.protocol.negotiation import check_accept
from tasks_api.http.protocol.problem_json import problem_response, reported
from tasks_api.http.protocol.responses import empty_response
from tasks_api.problems import InvalidRequest, MethodNotAllowed, StoreUnavailable, Throttled

_WITHOUT_TASK = {404, 501, 503}
"""The statuses of answers that do not say what has become of a task."""

_VARY = ("Authorization", "Prefer")


class Resource(APIView):
    """
    The base of every view: one of DRF, independent of the project's own defaults for DRF.

    Its methods take Django's request. What DRF would find out anew for each request, such as renderers,
    parsers and throttles, is the same for all of them.

    Attributes:
        tag: the group of its operations in the OpenAPI document.
        checks_host: whether the request's `Host` must be one of `ALLOWED_HOSTS`.
        needs_client: whether only clients with the operation's scope are served.
        accepts_anything: whether to answer with the only representation, whatever `Accept` says
            (RFC 9110, 12.4.1).
        allow: the HTTP methods that are served.
        method: the method of the view that serves the request.
        caller: the client that sent the request, if one is needed.
        allowance: what is left of that client's rate limit, if it has one.
        is_counted: whether the request was counted against it before.

    """

    tag: ClassVar[str]
    checks_host: ClassVar[bool] = True
    needs_client: ClassVar[bool] = True
    accepts_anything: ClassVar[bool] = False
    allow: tuple[str, ...] = ()
    method: Callable[..., Any]
    caller: Caller
    allowance: Allowance | None = None
    is_counted: bool = False

    # For what else looks at views of DRF.
    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    versioning_class = None
    schema: Any = OperationSchema()

    @classmethod
    def as_view(cls, *args: Any, **kwargs: Any) -> Any:
        view = super().as_view(*args, allow=cls._served(*args), **kwargs)
        # A task must be stored when its 202 is sent, with ATOMIC_REQUESTS too.
        for alias in connections:
            view = transaction.non_atomic_requests(using=alias)(view)
        return view

    @classmethod
    def _served(cls, actions: Any = ()) -> tuple[str, ...]:
        served = {name for name in cls.http_method_names if name in actions or hasattr(cls, name)}
        if "get" in served:
            served.add("head")
        return tuple(name.upper() for name in cls.http_method_names if name in served)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        hold = held(request)
        if hold is not None:
            response = self.answer_held(request, hold)
        else:
            with database_answers_within():
                try:
                    self.check_request(request)
                    response = self.method(request, *args, **kwargs)
                except Exception as exc:
                    response = self.handle_exception(exc)
        self.complete(request, response)
        return response

    def answer_held(self, request: HttpRequest, hold: Hold) -> HttpResponse:
        """Answer a request that has waited, which is checked again, but not counted."""
        self.allowance, self.is_counted = hold.allowance, True
        with database_answers_within(HELD_ANSWER_SECONDS):
            try:
                if hold.was_blind:
                    # All who wait would wait once more, one after the other.
                    raise StoreUnavailable
                self.check_request(request)
                return hold.answer(self, request)
            except Exception as exc:
                response: HttpResponse = self.handle_exception(exc)
        if hold.known is not None and response.status_code in _WITHOUT_TASK:
            return hold.known.response()
        return response

    def check_request(self, request: HttpRequest) -> None:
        """Raise the problem of a request that is not to be served, before anything else is done."""
        check_headers(request)
        if self.checks_host:
            _check_host(request)
        if request.method is None or request.method not in self.allow:
            raise MethodNotAllowed
        if not self.accepts_anything:
            check_accept(request)
        self.method = getattr(self, request.method.lower())
        # A browser's preflight request comes without credentials, and with the query of the actual one.
        if request.method != "OPTIONS":
            operation: Operation | None = getattr(self.method, "operation", None)
            if self.needs_client:
                self._admit_client(request, operation)
            if request.META.get("QUERY_STRING"):
                _refuse_unknown_parameters(request, operation)

    def _admit_client(self, request: HttpRequest, operation: Operation | None) -> None:
        takes_task_tokens = operation is not None and operation.takes_task_tokens
        self.caller = require_caller(request, takes_task_tokens=takes_task_tokens)
        if not self.is_counted:
            # Before the scope is checked: each answer to a limited client says what is left.
            self._count(spend(self.caller))
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

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        """Answer 204; the header `Allow`, which every answer has, lists the methods."""
        return empty_response(status=204)

    def handle_exception(self, exc: Exception) -> Any:
        return problem_response(reported(exc, self.request), self.request)

    def complete(self, request: HttpRequest, response: Any) -> None:
        """Add to any response what all have."""
        headers = response.headers
        headers["Allow"] = ", ".join(self.allow)
        headers[request_id.HEADER] = request_id.identify(request)
        headers["X-Content-Type-Options"] = "nosniff"
        if self.allowance is not None:
            for name, value in self.allowance.headers.items():
                headers[name] = value
        if request.method in {"GET", "HEAD"}:
            headers["Cache-Control"] = "private, no-cache"
            if "Vary" in headers:
                patch_vary_headers(response, _VARY)
            else:
                headers["Vary"] = ", ".join(_VARY)
        if response.streaming:
            return
        # RFC 9110, section 8.6: answers with these two have no body.
        if response.status_code not in {204, 304}:
            headers["Content-Length"] = str(len(response.content))
        if request.method == "HEAD":
            # Servers warn about a body that they cannot send.
            response.content = b""


def _refuse_unknown_parameters(request: HttpRequest, operation: Operation | None) -> None:
    known = operation.query_parameters if operation else frozenset()
    if unknown := sorted(request.GET.keys() - known):
        allowed = f"allowed: {', '.join(sorted(known))}" if known else "none are allowed"
        detail = f"Unknown query parameter; {allowed}."
        names = [shortened(name, MAX_POINTER_LENGTH) for name in unknown[:MAX_FAULTS]]
        raise InvalidRequest(
            faults=[Fault("unknown_parameter", detail, parameter=name) for name in names]
        )


def _check_host(request: HttpRequest) -> None:
    try:
        checked_host(request)
    except DisallowedHost as error:
        detail = "Should be a host in ALLOWED_HOSTS."
        raise InvalidRequest(faults=[Fault("host", detail, header="Host")]) from error
