"""
Swagger UI in a real browser: tried out without a request to the outside, under its policy.

`SCREENSHOT=docs/images/swagger-ui.png pytest tests/openapi/test_swagger_ui.py` draws the README's picture.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import Tab, needs_chromium, new_tab
from tests.conftest import StartService
from tests.live_service import LiveService

CALL = {"task": "service.tasks.say_hello", "kwargs": {"name": "Ada"}}

pytestmark = needs_chromium


@pytest.fixture
def shop_window(start_service: StartService) -> LiveService:
    """The service as `make run` starts it: the document shows the sample tasks to everybody."""
    return start_service(
        {
            "PUBLIC_CATALOGUE": "on",
            "TASK_APPS": "",
            "TASKS_API_TASKS": "service.tasks.*",
        }
    )


@pytest.fixture
def tab() -> Iterator[Tab]:
    with new_tab() as tab:
        yield tab


def authorize(page: Page, key: str) -> None:
    page.get_by_role("button", name="Authorize", exact=True).click()
    form = page.locator(".auth-container")
    form.locator("input").fill(key)
    form.get_by_role("button", name="Apply credentials").click()
    form.get_by_role("button", name="Close").click()


def try_out(page: Page, operation: str) -> Locator:
    block = page.locator(f"#operations-tasks-{operation}")
    block.locator(".opblock-summary-control").click()
    block.get_by_role("button", name="Try it out").click()
    return block


def execute(block: Locator, status: int) -> str:
    block.get_by_role("button", name="Execute").click()
    response = block.locator(".live-responses-table .response")
    expect(response.locator(".response-col_status")).to_contain_text(str(status))
    return response.locator(".response-col_description pre").first.inner_text()


def test_a_task_is_enqueued_and_read_by_trying_out(shop_window: LiveService, tab: Tab) -> None:
    assert shop_window.key is not None
    page = tab.page
    page.goto(f"{shop_window.url}/docs/")
    authorize(page, shop_window.key)

    enqueue = try_out(page, "enqueue_task")
    enqueue.locator(".opblock-section-request-body .examples-select select").select_option(
        "SayHello"
    )
    body = enqueue.locator("textarea.body-param__text")
    expect(body).to_have_value(re.compile("service.tasks.say_hello"))
    body.fill(json.dumps(CALL, indent=2))
    enqueued = execute(enqueue, 202)
    identifier = re.search(r'"id": "([0-9a-f-]{36})"', enqueued)
    assert identifier, enqueued
    if path := os.environ.get("SCREENSHOT"):
        take_picture(page, enqueue, Path(path))

    shop_window.wait_for(f"/tasks/{identifier[1]}/")
    read = try_out(page, "get_task")
    read.locator('tr[data-param-name="task_id"] input').fill(identifier[1])
    task = execute(read, 200)
    assert '"status": "SUCCESSFUL"' in task
    assert '"return_value": "Hello, Ada!"' in task

    assert tab.asked
    outside = [url for url in tab.asked if not url.startswith((f"{shop_window.url}/", "data:"))]
    assert outside == []
    assert tab.complaints == []


def test_the_policy_holds_against_a_script_within_the_page(service: LiveService, tab: Tab) -> None:
    response = tab.page.goto(f"{service.url}/docs/")
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert re.search(r"script-src [^;]*", policy)[0] == "script-src 'self'"  # type: ignore[index]
    tab.page.locator("#operations-tasks-enqueue_task").wait_for()
    assert tab.complaints == []

    tab.page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.injected = true";
            document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "window.injected = true");
            image.src = "data:,";
            document.body.append(image);
        }"""
    )

    tab.page.wait_for_function("() => true")
    assert tab.page.evaluate("() => window.injected") is None
    assert "Content Security Policy" in " ".join(tab.complaints)


def test_a_key_is_gone_with_the_page(service: LiveService, tab: Tab) -> None:
    assert service.key is not None
    page = tab.page
    page.goto(f"{service.url}/docs/")
    authorize(page, service.key)
    stored: Any = page.evaluate(
        "() => [localStorage.length, sessionStorage.length, document.cookie]"
    )
    assert stored == [0, 0, ""]

    page.reload()
    page.get_by_role("button", name="Authorize", exact=True).click()
    expect(page.locator(".auth-container input")).to_have_value("")


def test_the_page_of_problems_asks_nothing_of_the_outside(service: LiveService, tab: Tab) -> None:
    tab.page.goto(f"{service.url}/problems/#invalid_cursor")

    expect(tab.page.locator("#invalid_cursor h2")).to_contain_text("invalid_cursor")
    assert all(url.startswith((f"{service.url}/", "data:")) for url in tab.asked)
    assert tab.complaints == []


def take_picture(page: Page, block: Locator, path: Path) -> None:
    """Draw what a reader of the README sees: a call and its answer, without what lies between."""
    path.parent.mkdir(parents=True, exist_ok=True)
    between = ".curl-command, .request-url, .parameters-container { display: none }"
    page.set_viewport_size({"width": 1000, "height": 1000})
    block.evaluate("element => element.scrollIntoView()")
    page.screenshot(
        path=path,
        style=f"{between} textarea {{ min-height: 0 !important; height: 9em !important }}",
    )
