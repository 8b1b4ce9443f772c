"""Answers of the threaded worker: the bytes that gunicorn would send, in fewer pieces."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from gunicorn.http.wsgi import Response

from service.gunicorn_worker.answers import MAX_JOINED_BYTES, Answer

pytestmark = pytest.mark.sqlite

LARGE = b"x" * (MAX_JOINED_BYTES + 1)
CASES: dict[str, tuple[str, tuple[int, int], str, bool, list[bytes], int]] = {
    # The method, version and status; whether the length is announced; the body; how often it is sent.
    "a short body": ("GET", (1, 1), "200 OK", True, [b"hello"], 1),
    "no body": ("GET", (1, 1), "200 OK", True, [], 1),
    "an empty body": ("GET", (1, 1), "200 OK", True, [b""], 1),
    "a long body": ("GET", (1, 1), "200 OK", True, [LARGE], 2),
    "two pieces": ("GET", (1, 1), "200 OK", True, [b"hel", b"lo"], 2),
    "chunks": ("GET", (1, 1), "200 OK", False, [b"hel", b"", b"lo"], 3),
    "large chunks": ("GET", (1, 1), "200 OK", False, [LARGE, b"lo"], 4),
    "no chunk": ("GET", (1, 1), "200 OK", False, [], 1),
    "HEAD": ("HEAD", (1, 1), "200 OK", True, [], 1),
    "no content": ("GET", (1, 1), "204 No Content", False, [], 1),
    "not modified": ("GET", (1, 1), "304 Not Modified", False, [b""], 1),
    "HTTP/1.0": ("GET", (1, 0), "200 OK", False, [b"hello"], 1),
    "more than announced": ("GET", (1, 1), "200 OK", True, [b"hello", b""], 1),
}


def sent_by(kind: type[Response], case: str) -> list[bytes]:
    method, version, status, has_length, body, _ = CASES[case]
    sent: list[bytes] = []
    request: Any = SimpleNamespace(
        method=method, version=version, headers=[], should_close=lambda: version < (1, 1)
    )
    answer = kind(request, SimpleNamespace(sendall=lambda data: sent.append(bytes(data))), None)  # type: ignore[arg-type]
    headers = [("Content-Type", "text/plain"), ("X-Spaced", " é ")]
    if has_length:
        headers.append(("Content-Length", str(sum(map(len, body)))))
    answer.start_response(status, headers)
    for piece in body:
        answer.write(piece)
    answer.close()
    return sent


@pytest.mark.parametrize("case", CASES)
def test_an_answer_has_the_bytes_that_gunicorn_sends(case: str) -> None:
    sent = sent_by(Answer, case)

    date = re.compile(rb"Date: [^\r]+GMT\r\n")
    ours, theirs = b"".join(sent), b"".join(sent_by(Response, case))
    assert date.sub(b"", ours, 1) == date.sub(b"", theirs, 1)
    assert len(date.findall(ours)) == 1
    assert len(sent) == CASES[case][-1]
