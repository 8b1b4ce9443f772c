"""A page of a collection: its members, and links to the next and previous page (RFC 8288)."""

from collections.abc import Mapping, Sequence

from django.http import HttpResponse, QueryDict

from tasks_api.json_text import json_text

RELATIONS = {"next": "next", "previous": "prev"}


def page_response(
    results: Sequence[bytes], address: str, adjacent: Mapping[str, QueryDict]
) -> HttpResponse:
    """Answer with the JSON of members; `adjacent` has the queries of the `next` and `previous` page."""
    urls = {name: f"{address}?{query.urlencode()}" for name, query in adjacent.items()}
    links = b"".join(
        f'"{name}":{json_text(urls.get(name))},'.encode() for name in ("next", "previous")
    )
    body = b"".join((b"{", links, b'"results":[', b",".join(results), b"]}"))
    response = HttpResponse(body, content_type="application/json")
    if urls:
        named = [f'<{url}>; rel="{RELATIONS[name]}"' for name, url in urls.items()]
        response.headers["Link"] = ", ".join(named)
    return response
