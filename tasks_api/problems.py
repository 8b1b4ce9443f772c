"""
The problems that an answer can report, in the terms of RFC 9457.

Problems are exceptions, which `tasks_api.http.protocol.problem_json` renders. The class docstring is the
default `detail` and the text on the page that explains the codes.
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
    """A part of the request is not valid for this operation; `errors` says which."""

    status, code, title = 400, "invalid_request", "The request is not valid"


class UnknownTask(Problem):
    """No task type with this name can be enqueued; `GET /task-types/` lists those that can."""

    status, code, title = 400, "unknown_task", "The task type is not known"


class InvalidArguments(Problem):
    """The arguments do not fit the signature of the task's function; `errors` says which."""

    status, code, title = 400, "invalid_arguments", "The arguments do not fit the task"


class NotSupportedByBackend(Problem):
    """The task's backend does not support what was requested; nothing was stored."""

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
    """The project refuses this request; for example, a session needs the CSRF token in its header."""

    status, code, title = 403, "permission_denied", "Permission denied"


class InvalidCursor(Problem):
    """The cursor was not issued for this list; use the value from `next` or `previous` unchanged."""

    status, code, title = 400, "invalid_cursor", "The cursor is not valid"


class NotFound(Problem):
    """There is nothing at this URL."""

    status, code, title = 404, "not_found", "Not found"


class MethodNotAllowed(Problem):
    """The resource does not support this method; the header `Allow` lists those that it supports."""

    status, code, title = 405, "method_not_allowed", "The method is not allowed"


class NotAcceptable(Problem):
    """The header `Accept` excludes `application/json`, the only media type of answers."""

    status, code, title = 406, "not_acceptable", "No acceptable representation"


class NotCancellable(Problem):
    """The task is finished, or runs where nobody can tell it to stop: it is too late to cancel it."""

    status, code, title = 409, "not_cancellable", "The task cannot be cancelled"


class NotFinished(Problem):
    """The task is not finished: there is nothing to retry yet."""

    status, code, title = 409, "not_finished", "The task is not finished"


class IdempotencyInProgress(Problem):
    """The first request with this `Idempotency-Key` is still in progress, or was interrupted."""

    status, code, title = 409, "idempotency_in_progress", "The first request is in progress"


class LengthRequired(Problem):
    """The server cannot read a chunked body; send `Content-Length`."""

    status, code, title = 411, "length_required", "A Content-Length is required"


class BodyTooLarge(Problem):
    """The body is larger than the server allows."""

    status, code, title = 413, "body_too_large", "The body is too large"


class UnsupportedMediaType(Problem):
    """The body must be sent as `Content-Type: application/json`, in UTF-8."""

    status, code, title = 415, "unsupported_media_type", "The media type is not supported"


class IdempotencyKeyReused(Problem):
    """The `Idempotency-Key` was used for a different request; a new request needs a new key."""

    status, code, title = 422, "idempotency_key_reused", "The idempotency key was used before"


class Throttled(Problem):
    """The client has reached its rate limit; `Retry-After` says when to try again."""

    status, code, title = 429, "throttled", "Too many requests"


class InternalError(Problem):
    """The server failed; its logs have the details under this `request_id`."""

    status, code, title = 500, "internal_error", "Internal error"


class ResultsNotSupported(Problem):
    """The task's backend does not keep results."""

    status, code, title = 501, "results_not_supported", "Results cannot be read"


class ListingNotSupported(Problem):
    """No backend of this server can list its tasks."""

    status, code, title = 501, "listing_not_supported", "Tasks cannot be listed"


class QueuesNotSupported(Problem):
    """No backend of this server can report its queues and workers."""

    status, code, title = 501, "queues_not_supported", "Queues and workers cannot be read"


class StoreUnavailable(Problem):
    """The store of tasks cannot be reached right now; try again."""

    status, code, title = 503, "store_unavailable", "The store is unavailable"


class TooManyStreams(Problem):
    """No more streams of events are possible right now; `Retry-After` says when to try again."""

    status, code, title = 503, "too_many_streams", "Too many streams of events"
