"""No header that a client sends makes an error of ours."""

from django.test import RequestFactory
from hypothesis import given
from hypothesis import strategies as st

from tasks_api.http.protocol.strict_json import read_json
from tasks_api.http.views.documents import OpenAPIJSON
from tasks_api.http.views.health import Livez
from tasks_api.problems import BodyTooLarge, MalformedJSON, UnsupportedMediaType

HEADER = st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=60)
MEDIA_RANGES = st.lists(
    st.builds(
        "{}/{};{}={}".format,
        st.sampled_from(["*", "application", "text", ""]),
        st.sampled_from(["*", "json", "html", "", "js*n"]),
        st.sampled_from(["q", "charset", "", "Q"]),
        st.sampled_from(["0", "1", "0.5", "-1", "nan", "inf", "x", "", "1e999"]),
    ),
    max_size=4,
).map(",".join)


@given(HEADER | MEDIA_RANGES)
def test_accept(accept: str) -> None:
    request = RequestFactory().get("/", headers={"Accept": accept})
    response = Livez.as_view()(request)

    assert response.status_code in {200, 406}


@given(HEADER)
def test_if_none_match_request_id_and_prefer(value: str) -> None:
    headers = {"If-None-Match": value, "X-Request-ID": value, "Prefer": value}
    response = OpenAPIJSON.as_view()(RequestFactory().get("/openapi.json", headers=headers))

    assert response.status_code == 200


@given(HEADER)
def test_content_type(content_type: str) -> None:
    request = RequestFactory().generic("POST", "/tasks/", b"{}", content_type=content_type)
    try:
        value = read_json(request)
    except UnsupportedMediaType:
        return
    assert value == {}
    assert content_type.strip().lower().startswith("application/json")


@given(HEADER)
def test_content_length(length: str) -> None:
    request = RequestFactory().post("/tasks/", b"{}", content_type="application/json")
    request.META["CONTENT_LENGTH"] = length
    try:
        value = read_json(request)
    except (MalformedJSON, BodyTooLarge):
        return
    assert value == {}
