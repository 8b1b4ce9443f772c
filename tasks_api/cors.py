"""What scripts of other origins may send to the API and read of its answers: values for `django-cors-headers`."""

ALLOW_METHODS = ("DELETE", "GET", "PATCH", "POST")
ALLOW_HEADERS = (
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "Prefer",
    "X-Request-ID",
    "traceparent",
)
EXPOSE_HEADERS = (
    "Deduplicated",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-ID",
)
