"""
The tree of problems that an answer can report, in the terms of RFC 9457.

A problem is raised where it is found and rendered in one place, `tasks_api.http.protocol.problem_json`. The class
docstring is the default `detail` and the text on the page that explains the codes.
"""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar

from tasks_api.faults import MAX_FAULTS, Fault


class Problem(Exception):
    """The request cannot be served."""

    status: ClassVar[int]
    code: ClassVar[str]
    title: ClassVar[str]

    def __init__(
        self,
        detail: str | None = None,
        *,
        faults: Sequence[Fault] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or self.explanation()
        self.faults = tuple(faults[:MAX_FAULTS])
        self.headers = dict(headers or {})
        super().__init__(self.detail)

    @classmethod
    def explanation(cls) -> str:
        """Return the class's docstring as one paragraph."""
        return " ".join(inspect.getdoc(cls).split())  # type: ignore[union-attr]

    @classmethod
    def every_kind(cls) -> Iterator[type["Problem"]]:
        """Yield each class of the tree that has a code, in the order of definition."""
        for kind in cls.__subclasses__():
            if "code" in vars(kind):
                yield kind
            yield from kind.every_kind()


class MalformedJSON(Problem):
    """The body is not JSON as RFC 8259 defines it, encoded in UTF-8."""

    status, code, title = 400, "malformed_json", "The body is not JSON"


class InvalidRequest(Problem):
    """A part of the request has a form that this operation does not take; `errors` says which."""

    status, code, title = 400, "invalid_request", "The request is not valid"


class UnknownTask(Problem):
    """No task type of this name can be enqueued; `GET /task-types/` lists those that can."""

    status, code, title = 400, "unknown_task", "The task type is not known"


class InvalidArguments(Problem):
    """The arguments do not fit the signature of the task's function; `errors` says which."""

    status, code, title = 400, "invalid_arguments", "The arguments do not fit the task"


class NotSupportedByBackend(Problem):
    """The task's backend cannot do what was asked for; nothing was stored."""

    status, code, title = (
        400,
        "not_supported_by_backend",
        "The task's backend does not support this",
    )


class NotAuthenticated(Problem):
    """The request carries no valid key: `Authorization: Bearer tk_…`."""

    status, code, title = 401, "not_authenticated", "Not authenticated"


class InsufficientScope(Problem):
    """The client lacks the scope that this operation needs."""

    status, code, title = 403, "insufficient_scope", "The scope is missing"


class PermissionDenied(Problem):
    """The project refuses this request: a session needs the CSRF token in its header, for one."""

    status, code, title = 403, "permission_denied", "Permission denied"


class InvalidCursor(Problem):
    """The cursor was not given out for this list; take it from `next` or `previous` as it is."""

    status, code, title = 400, "invalid_cursor", "The cursor is not valid"


class NotFound(Problem):
    """There is nothing at this URL."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    """The resource does not take this method; the header `Allow` lists those that it takes."""

    status, code, title = 405, "method_not_allowed", "The method is not allowed"


class NotAcceptable(Problem):
    """The header `Accept` rules out `application/json`, the only form that there is."""

    status, code, title = 406, "not_acceptable", "No acceptable representation"


class NotCancellable(Problem):
    """The task is running or finished: it is too late to cancel it."""

    status, code, title = 409, "not_cancellable", "The task cannot be cancelled"


class NotFinished(Problem):
    """The task is not finished: there is nothing to retry yet."""

    status, code, title = 409, "not_finished", "The task is not finished"


class IdempotencyInProgress(Problem):
    """The first request with this `Idempotency-Key` is still being served, or was cut off."""

    status, code, title = 409, "idempotency_in_progress", "The first request is in progress"


class LengthRequired(Problem):
    """A chunked body cannot be read here; send `Content-Length`."""

    status, code, title = 411, "length_required", "A Content-Length is required"


class BodyTooLarge(Problem):
    """The body is larger than the server takes."""

    status, code, title = 413, "body_too_large", "The body is too large"


class UnsupportedMediaType(Problem):
    """The body must be sent as `Content-Type: application/json`, in UTF-8."""

    status, code, title = 415, "unsupported_media_type", "The media type is not supported"


class IdempotencyKeyReused(Problem):
    """The `Idempotency-Key` came with another request before; a new request needs a new key."""

    status, code, title = 422, "idempotency_key_reused", "The idempotency key was used before"


class Throttled(Problem):
    """The client has sent as many requests as its rate allows; `Retry-After` says when to go on."""

    status, code, title = 429, "throttled", "Too many requests"


class InternalError(Problem):
    """Something went wrong on our side; the logs tell more under this `request_id`."""

    status, code, title = 500, "internal_error", "Internal error"


class ResultsNotSupported(Problem):
    """The task's backend does not keep results that could be read."""

    status, code, title = 501, "results_not_supported", "Results cannot be read"


class ListingNotSupported(Problem):
    """No backend of this server can list its tasks."""

    status, code, title = 501, "listing_not_supported", "Tasks cannot be listed"


class QueuesNotSupported(Problem):
    """No backend of this server can tell what waits in its queues, or who works on them."""

    status, code, title = 501, "queues_not_supported", "Queues and workers cannot be read"


class StoreUnavailable(Problem):
    """The store of tasks cannot be reached right now; try again."""

    status, code, title = 503, "store_unavailable", "The store is unavailable"
