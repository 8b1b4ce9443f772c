"""The guide "From a browser" in a real browser: its backend, its page, and what the browser gets."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import include, path
from playwright.sync_api import Page, Response, expect

from tests.browser import Tab, needs_chromium, new_tab
from tests.conftest import StartService
from tests.docs.test_guides import DOCS
from tests.live_service import DEADLINE, LiveService, wait_until

GUIDE = (DOCS / "from-a-browser.md").read_text()
FIRST_LINE = re.compile(r"(?:# |// |<!-- )(\S+\.\w+)(?: -->)?\n")
KEY = re.compile("tk_[0-9A-Za-z]{12}_[0-9A-Za-z]{49}")
TOKEN = re.compile("tt_[0-9A-Za-z_.-]{40,}")

# A project whose URLs of the app have a prefix, as in the guide.
urlpatterns = [
    path("api/", include("tasks_api.urls")),
    path("other/", lambda request: HttpResponse("a page")),
]


def files() -> dict[str, str]:
    """Return the files of the guide; the first line of each block says which one it is part of."""
    found: dict[str, str] = {}
    for block in re.findall(r"```(?:python|js|html)\n(.*?)```", GUIDE, re.DOTALL):
        first = FIRST_LINE.match(block)
        assert first, block
        found[first[1]] = found.get(first[1], "") + block
    return found


class Got:
    """All that a browser has received: answers with their headers, events, and what the page made of them."""

    def __init__(self, page: Page) -> None:
        self.responses: list[Response] = []
        self.events: list[str] = []
        self.page = page
        page.on("response", self._respond)
        # Streams are not among the bodies of answers.
        session = page.context.new_cdp_session(page)
        session.on("Network.eventSourceMessageReceived", self._receive)
        session.send("Network.enable")

    def _respond(self, response: Response) -> None:
        self.responses.append(response)

    def _receive(self, event: dict[str, Any]) -> None:
        self.events.append(event["data"])

    def text(self) -> str:
        parts = [self.page.content(), *self.events]
        for response in self.responses:
            parts += [response.url, repr(response.all_headers())]
            parts.append(repr(response.request.all_headers()))
            # The browser need not keep the bodies of streams, also refused ones, and of preflights.
            has_body = response.request.method != "OPTIONS" and response.status not in {204, 304}
            if has_body and response.request.resource_type in {"document", "fetch"}:
                parts.append(response.text())
        return "\n".join(parts)


type Open = Callable[..., tuple[LiveService, Tab, Got]]


@pytest.fixture
def open_page(start_service: StartService, tmp_path: Path) -> Iterator[Open]:
    """A function that starts service and backend, without a worker, and opens the page of the guide."""
    (tmp_path / "page").mkdir()
    for name, content in files().items():
        if not name.startswith("mysite/"):
            (tmp_path / name).write_text(content)
    with ExitStack() as stack, socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        origin = f"http://127.0.0.1:{port}"

        def start(**env: str) -> tuple[LiveService, Tab, Got]:
            # On its command line, as the guide has it.
            assert "CORS_ALLOWED_ORIGINS=http://127.0.0.1:8001 make run\n" in GUIDE
            service = start_service({"CORS_ALLOWED_ORIGINS": origin, **env}, worker=False)
            assert service.key is not None
            backend = subprocess.Popen(
                [sys.executable, "server.py"],
                cwd=tmp_path,
                env={
                    **os.environ,
                    "TASKS_API": service.url,
                    "TASKS_API_KEY": service.key,
                    "PORT": str(port),
                },
                stderr=subprocess.DEVNULL,
            )
            stack.callback(backend.wait, DEADLINE)
            stack.callback(backend.terminate)
            wait_until(lambda: answers(origin), what="answer of the page's backend")
            tab = stack.enter_context(new_tab())
            got = Got(tab.page)
            tab.page.goto(origin)
            return service, tab, got

        yield start


def answers(origin: str) -> bool:
    try:
        return httpx.get(origin, trust_env=False).status_code == 200
    except httpx.TransportError:
        return False


def greet(page: Page, name: str = "Ada") -> None:
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Greet").click()


def expect_outcome(page: Page, status: str, result: str) -> None:
    shown = page.locator('output[name="status"]')
    expect(shown).to_have_text(status, timeout=DEADLINE * 1000)
    expect(page.locator('output[name="result"]')).to_have_text(result)


@needs_chromium
def test_the_page_of_another_origin_shows_status_and_result_and_has_no_key(
    open_page: Open,
) -> None:
    service, tab, got = open_page()
    greet(tab.page, "<b>Ada</b>")
    expect_outcome(tab.page, "READY", "")
    if picture := os.environ.get("SCREENSHOT"):
        tab.page.screenshot(path=picture)
    service.start_worker()
    expect_outcome(tab.page, "SUCCESSFUL", "Hello, <b>Ada</b>!")
    expect(tab.page.get_by_role("button", name="Greet")).to_be_enabled()

    at_the_api = [url for url in tab.asked if url.startswith(service.url)]
    assert [url.partition("?token=")[0].rsplit("/", 2)[1] for url in at_the_api] == ["events"]
    # The page may close its stream before the service does, which counts as a failed request.
    assert set(tab.complaints) <= set(at_the_api)
    text = got.text()
    (token,) = set(TOKEN.findall(text))
    assert '"status":"SUCCESSFUL"' in text
    assert service.key is not None
    assert KEY.fullmatch(service.key)
    assert not KEY.search(text)
    for log in (
        service.log(),
        tab.page.evaluate("JSON.stringify([localStorage, document.cookie])"),
    ):
        assert token not in log
        assert not KEY.search(log)


@needs_chromium
def test_without_a_place_for_its_stream_the_page_waits_by_requests(open_page: Open) -> None:
    # Streams get half of the places, so this leaves none.
    service, tab, got = open_page(MAX_WAITING="1")
    greet(tab.page)
    expect_outcome(tab.page, "READY", "")
    service.start_worker()
    expect_outcome(tab.page, "SUCCESSFUL", "Hello, Ada!")

    refused, *read = [one for one in got.responses if one.url.startswith(service.url)]
    assert refused.status == 503
    assert " ERROR " not in service.log()
    assert {one.status for one in read} <= {200, 204, 304}
    waited = [one for one in read if one.request.method == "GET"]
    assert len(waited) >= 2
    for response in waited:
        assert response.request.all_headers()["prefer"] == "wait=30"
        assert response.all_headers()["preference-applied"] == "wait=30"
    assert not KEY.search(got.text())


@needs_chromium
def test_the_page_goes_on_watching_after_the_service_was_away(open_page: Open) -> None:
    service, tab, got = open_page()
    greet(tab.page)
    expect_outcome(tab.page, "READY", "")
    service.stop_web()
    service.start_web()
    with tab.page.expect_response(lambda one: one.status == 200) as again:
        pass
    service.start_worker()
    expect_outcome(tab.page, "SUCCESSFUL", "Hello, Ada!")

    assert "/events/?token=" in again.value.url
    assert again.value.request.all_headers()["last-event-id"]
    # It was told nothing that it had seen.
    assert len(got.events) == len(set(got.events))


@needs_chromium
def test_the_page_says_when_its_token_has_ended(open_page: Open) -> None:
    service, tab, _ = open_page(MAX_WAITING="1", REMEMBER_KEYS_SECONDS="0")
    greet(tab.page)
    expect_outcome(tab.page, "READY", "")
    assert service.key is not None
    service.manage("revoke_key", service.key.split("_")[1])
    service.key = service.create_client("another")

    expect_outcome(tab.page, "The task cannot be read (401).", "")


def test_the_settings_for_a_project_open_the_api_alone(db: None) -> None:
    names: dict[str, Any] = {"INSTALLED_APPS": [], "MIDDLEWARE": []}
    exec(files()["mysite/settings.py"], names)  # noqa: S102 -- the guide's own code
    cors = {name: value for name, value in names.items() if name.startswith("CORS_")}
    headers = {
        "Origin": "https://app.example.org",
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,prefer",
    }
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=names["MIDDLEWARE"], **cors):
        opened = {
            page: "Access-Control-Allow-Origin" in Client().options(page, headers=headers).headers
            for page in ("/api/tasks/", "/api/tasks/x/events/", "/api/docs/", "/other/")
        }
        unknown = Client().get("/api/tasks/", headers=headers)

    assert names["INSTALLED_APPS"] == ["corsheaders"]
    assert list(opened.values()) == [True, True, False, False]
    assert unknown.status_code == 401
    assert "Retry-After" in unknown.headers["Access-Control-Expose-Headers"]
