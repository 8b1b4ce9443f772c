"""The header `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header)."""

import re

from django.http import HttpRequest

from tasks_api.faults import Fault
from tasks_api.problems import InvalidRequest

HEADER = "Idempotency-Key"
_META_KEY = "HTTP_IDEMPOTENCY_KEY"

_BARE = re.compile(r"[!-~]{1,255}", re.ASCII)
# RFC 8941, section 3.3.3: within quotes, a backslash escapes quotes and backslashes.
_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r"\\(.)")


def idempotency_key(request: HttpRequest) -> str | None:
    """
    Read the key, bare or as a quoted string as in the draft; None if there is no header.

    Raises:
        InvalidRequest: 400, it is not 1 to 255 visible ASCII characters.

    """
    given: str | None = request.META.get(_META_KEY)
    if given is None:
        return None
    key = given
    if given.startswith('"'):
        quoted = _QUOTED.fullmatch(given)
        key = _ESCAPED.sub(r"\1", quoted[1]) if quoted else ""
    if not _BARE.fullmatch(key):
        detail = "Should be 1 to 255 visible ASCII characters, bare or in quotes."
        raise InvalidRequest(faults=[Fault("idempotency_key", detail, header=HEADER)])
    return key
