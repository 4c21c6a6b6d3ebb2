"""The pages of the control plane as a person sees them: in Chromium, over a socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from mockserver.admin.app import own_document
from mockserver.engine.engine import Options
from mockserver.plan import Plan
from tests.admin.mocking import KEY, POLL, Mock, mocking
from tests.live import MISSION, PATIENCE, Process, engine_of, get

expect.set_options(timeout=PATIENCE * 1000)


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    found = chromium.new_context()
    found.set_default_timeout(PATIENCE * 1000)
    yield found
    found.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page that nothing goes wrong on. A refusal, which the page itself shows, is nothing wrong."""
    wrong: list[str] = []
    found = context.new_page()
    found.on("pageerror", lambda error: wrong.append(str(error)))

    def hear(said: ConsoleMessage) -> None:
        if said.type in ("error", "warning") and "responded with a status of 4" not in said.text:
            wrong.append(said.text)

    found.on("console", hear)
    yield found
    assert wrong == []


def see(page: Page, mock: Mock, path: str = "") -> Page:
    page.goto(f"{mock.live.url}/__admin/{path}")
    return page


def test_page_shows_calls_and_states_as_they_happen(mock: Mock, page: Page) -> None:
    see(page, mock)
    expect(page.locator("#call-total")).to_have_text("0")
    mock.poll()
    expect(page.locator("#calls tr")).to_have_count(1)
    resource = page.locator("#resources tr td")
    expect(resource.nth(1)).to_have_text(KEY)
    expect(resource.nth(3)).to_have_text("pending")
    expect(resource.nth(5)).to_have_text("issued after 1 call")
    mock.poll()
    expect(page.locator("#calls tr")).to_have_count(2)
    newest = page.locator("#calls tr").first.locator("td")
    expect(newest.nth(1)).to_have_text("GET")
    expect(newest.nth(2)).to_have_text(f"{MISSION}/{KEY}")
    expect(newest.nth(3)).to_have_text("200")
    expect(newest.nth(4)).to_have_text("scenario=issued; state=pending; call=2")
    newest.nth(1).click()
    shown = json.loads(page.locator("#detail").inner_text())
    assert shown["request"]["headers"]["authorization"] == "Bearer any"
    assert json.loads(shown["response"]["body"])["status"] == "pending"


def test_opening_the_page_records_no_call(mock: Mock, page: Page) -> None:
    """Neither the page nor its icon is asked of what is mocked."""
    expect(see(page, mock).locator("#call-total")).to_have_text("0")
    expect(see(page, mock, "docs").locator(".opblock").first).to_be_visible()
    assert mock.said("GET", "/requests")["meta"]["total"] == 0


def test_page_advances_the_clock(mock: Mock, page: Page) -> None:
    mock.poll(Prefer="scenario=slow")
    see(page, mock)
    expect(page.locator("#running")).to_have_text("frozen")
    expect(page.locator("#resources tr td").nth(5)).to_contain_text("issued in 30s")
    page.locator("#by").fill("29s")
    page.get_by_role("button", name="Advance").click()
    expect(page.locator("#now")).to_have_text("2026-01-01T00:00:29.000Z")
    page.locator("#by").fill("a while")
    page.get_by_role("button", name="Advance").click()
    expect(page.locator("#told")).to_contain_text("a while")
    page.locator("#by").fill("1s")
    page.get_by_role("button", name="Advance").click()
    expect(page.locator("#now")).to_have_text("2026-01-01T00:00:30.000Z")
    expect(page.locator("#told")).to_be_empty()
    assert mock.state() == "issued"
    page.get_by_role("button", name="Resume").click()
    expect(page.locator("#running")).to_have_text("running")
    page.get_by_role("button", name="Freeze").click()
    expect(page.locator("#running")).to_have_text("frozen")


def test_page_deletes_one_resource_and_resets_all(mock: Mock, page: Page) -> None:
    other = "22222222-2222-4222-8222-222222222222"
    for key in (KEY, KEY, other):
        mock.poll(key)
    see(page, mock)
    row = page.locator("#resources tr").filter(has_text=KEY)
    row.get_by_role("button", name="Forget").click()
    expect(row).to_have_count(0)
    expect(page.locator("#resources tr")).to_contain_text([other])
    assert mock.poll()["status"] == "pending"
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#resources tr")).to_have_count(0)
    expect(page.locator("#calls tr")).to_have_count(0)


def test_page_shows_the_chosen_namespace(mock: Mock, page: Page) -> None:
    mock.poll(X_Mock_Namespace="t42")
    see(page, mock)
    expect(page.locator("#namespace option")).to_have_text(["default", "t42"])
    expect(page.locator("#calls tr")).to_have_count(0)
    page.locator("#namespace").select_option("t42")
    expect(page.locator("#calls tr")).to_have_count(1)
    mock.poll(X_Mock_Namespace="t42")
    expect(page.locator("#calls tr")).to_have_count(2)


def test_html_of_clients_is_shown_as_text(mock: Mock, page: Page) -> None:
    mock.client.get("/<img src=x onerror=document.title='owned'>?<script>1</script>")
    see(page, mock)
    row = page.locator("#calls tr td").nth(2)
    expect(row).to_contain_text("onerror")
    row.click()
    expect(page.locator("#detail")).to_contain_text("onerror")
    assert page.locator("#calls img").count() == page.locator("#detail *").count() == 0
    assert page.title() == "mockserver"


def test_page_asks_for_the_token(mission: Plan, context: BrowserContext) -> None:
    with mocking(engine_of(mission), token="s3cret") as mock:
        page = see(context.new_page(), mock)
        token = page.get_by_label("Token")
        token.fill("other")
        page.get_by_role("button", name="Use").click()
        expect(page.locator("#told")).to_contain_text("token")
        expect(token).to_be_visible()
        token.fill("s3cret")
        page.get_by_role("button", name="Use").click()
        expect(token).to_be_hidden()
        mock.poll()
        expect(page.locator("#calls tr")).to_have_count(1)
        page.reload()
        expect(page.locator("#calls tr")).to_have_count(1)


def test_swagger_ui_shows_every_operation_and_tries_one(mock: Mock, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    see(page, mock, "docs")
    paths = own_document()["paths"]
    operations = [
        name for each in paths.values() for name in each if name in ("get", "put", "post", "delete")
    ]
    expect(page.locator(".opblock")).to_have_count(len(operations))
    expect(page.locator("h1.title, h2.title")).to_contain_text("mockserver: control interface")
    version = page.locator(".opblock", has_text="Return the version of the server.")
    version.locator(".opblock-summary").click()
    version.get_by_role("button", name="Try it out").click()
    version.get_by_role("button", name="Execute").click()
    expect(version.locator(".live-responses-table td.response-col_status").nth(1)).to_contain_text("200")
    assert [each for each in asked if not each.startswith((mock.live.url, "data:"))] == []


def test_swagger_ui_ignores_a_document_in_the_address(mock: Mock, page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    refused = page.goto(f"{mock.live.url}/__admin/docs?url=http://evil.example/openapi.json")
    assert refused is not None
    assert refused.status == 400
    see(page, mock, "docs#url=http://evil.example/openapi.json")
    expect(page.locator(".opblock").first).to_be_visible()
    assert [each for each in asked if not each.startswith((mock.live.url, "data:"))] == []


class _Elsewhere(BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><link rel=icon href=data:,><title>elsewhere</title>")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def elsewhere(host: str = "127.0.0.1") -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://{host}:{server.server_port}"
        server.shutdown()


_SENT = """async ([url, sent]) => {
    try { const answer = await fetch(url, sent); return [answer.status, await answer.text()]; }
    catch (error) { return [0, ""]; }
}"""
ATTEMPTS: list[dict[str, Any]] = [
    {"method": "POST"},
    {"method": "POST", "mode": "no-cors"},
    {"method": "POST", "mode": "no-cors", "body": "{}"},
    {"method": "POST", "headers": {"Content-Type": "application/json"}, "body": "{}"},
    {"method": "DELETE"},
]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"], ids=["another-origin", "another-site"])
def test_page_of_another_origin_cannot_control_the_server(
    mock: Mock, context: BrowserContext, host: str
) -> None:
    mock.poll()
    with elsewhere(host) as other:
        page = context.new_page()
        page.goto(other)
        for sent in ATTEMPTS:
            path = "/__admin/resources" if sent["method"] == "DELETE" else "/__admin/reset"
            page.evaluate(_SENT, [mock.live.url + path, sent])
        assert page.evaluate(_SENT, [f"{mock.live.url}/__admin/requests", {}]) == [0, ""]
        page.set_content(
            f"<form method=post action='{mock.live.url}/__admin/reset'><button>x</button></form>"
        )
        page.get_by_role("button").click()
        expect(page.locator("body")).to_contain_text("a page of another site")
    assert mock.said("POST", "/requests/count", {"urlPath": POLL})["count"] == 1
    assert mock.said("GET", "/resources")["meta"]["total"] == 1


@pytest.mark.parametrize("allowed", [True, False])
def test_page_of_an_allowed_origin_reads_mocked_responses(
    mission: Plan, context: BrowserContext, allowed: bool
) -> None:
    with elsewhere() as other:
        options = Options(cors=(other if allowed else "http://127.0.0.1:1",))
        with mocking(engine_of(mission, options=options)) as mock:
            page = context.new_page()
            page.goto(other)
            sent = {"headers": {"Authorization": "Bearer any"}}
            status, body = page.evaluate(_SENT, [f"{mock.live.url}{MISSION}/{KEY}", sent])
    assert (status, '"pending"' in body) == ((200, True) if allowed else (0, False))


def test_the_page_works_on_a_port_of_its_own(cache: Path, page: Page) -> None:
    with Process("--admin-port", "0", cache=cache) as process:
        assert process._process.stdout is not None
        page.goto(process._process.stdout.readline().strip().rpartition(" ")[2])
        expect(page.locator("#running")).to_have_text("running")
        before = page.locator("#now").inner_text()
        expect(page.locator("#now")).not_to_have_text(before)  # it goes on
        get(process.port, f"{MISSION}/{KEY}", "Authorization: Bearer any")
        expect(page.locator("#calls tr")).to_have_count(1)
        page.get_by_role("link", name="API").click()
        expect(page.locator(".opblock").first).to_be_visible()
