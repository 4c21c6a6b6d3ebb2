"""Pages of another site, in Chromium, change nothing of a server and read nothing of it.

Each attack is made twice: by a door that passes everything on as it is, and by a blind one. By the first, the
server's state, which is asked for over a socket, stays what it was, though the request came. By the second
the same attack does what it is meant to: it would be seen if the server let it pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests import programs
from tests.admin.door import PAGE, Door, opened
from tests.admin.test_browser import elsewhere
from tests.live import NOON, PATIENCE, Process
from tests.workers import Line

expect.set_options(timeout=PATIENCE * 1000)
KEY = "a-key-that-a-test-prepared"
REBOUND = "rebound.example"
DOCUMENT = """
openapi: 3.0.3
info: {title: Jobs, version: '1'}
paths:
  /jobs:
    post:
      operationId: make
      requestBody:
        content:
          application/x-www-form-urlencoded:
            schema: {type: object, properties: {cb: {type: string}}}
      responses:
        '201':
          description: made
          content: {application/json: {schema: &job {type: object, properties: {id: {type: string}}}}}
  /jobs/{id}:
    get:
      operationId: look
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: one, content: {application/json: {schema: *job}}}}
"""
FILE = """
resource: job
key: path.id
operations: {make: {operation: make, creates: body.id}, look: look}
states: {new: {make: {body: {}}, look: {body: {}}}, done: {look: {body: {}}}}
defaults: {id: "{{ resource.key }}"}
scenarios: {usual: [{state: new, until: {after: 1h}}, done]}
notify:
  - {on: new, url: "{{ resource.created_by.body.cb | default('http://127.0.0.1:9/', true) }}",
     body: {by: 1h}, retries: 0}
"""


class Server:
    """A server as users start it, and its state."""

    def __init__(self, process: Process) -> None:
        self.port = process.port
        self.line = Line(process.port)

    def said(self, method: str, path: str, body: Any = None, **fields: str) -> Any:
        reply = self.line.ask(method, f"/__admin{path}", body, **fields)
        assert reply.status in (200, 202), reply.body
        return reply.json()

    def state(self) -> dict[str, Any]:
        """All that a page might change."""
        found: dict[str, Any] = {
            "namespaces": self.said("GET", "/namespaces")["namespaces"],
            "files": self.said("GET", "/scenario-files"),
            "document": self.line.ask("GET", "/__admin/document").body,
        }
        for name in ("default", "mine"):
            for noun in ("requests", "resources", "clock", "assignments"):
                found[f"{noun} of {name}"] = self.said("GET", f"/{noun}", X_Mock_Namespace=name)
        return found

    def prepare(self) -> None:
        """Something of each kind."""
        for each in self.said("GET", "/namespaces")["namespaces"][1:]:
            self.said("DELETE", f"/namespaces/{each['name']}")
        for name in ("default", "mine"):
            self.said("POST", "/reset", X_Mock_Namespace=name)
            self.said("POST", "/clock/freeze", {"at": NOON}, X_Mock_Namespace=name)
            assert self.line.ask("GET", f"/jobs/{KEY}", X_Mock_Namespace=name).status == 200

    def webhooks(self) -> list[Any]:
        """Those that came to their end."""
        return [
            each for each in self.said("GET", "/notices", X_Mock_Namespace="mine")["notices"] if each["done"]
        ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "jobs.yaml").write_text(DOCUMENT)
    (folder / "job.yaml").write_text(FILE)
    arguments = (folder / "jobs.yaml", "--scenarios", folder / "job.yaml", "--clock", NOON)
    with Process(*arguments, cache=folder / "cache") as process:
        found = Server(process)
        yield found
        found.line.socket.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, for which a name of another site means this machine."""
    rules = f"--host-resolver-rules=MAP {REBOUND} 127.0.0.1"
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=programs.path("chromium"), args=["--no-sandbox", rules]
        )
        yield found
        found.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of another site."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE * 1000)
    with elsewhere("localhost") as other:
        found = context.new_page()
        found.goto(other)
        yield found
        context.close()


# What a page tries. Each returns what it could read, and raises where its request never came.


def form(page: Page, door: Door, _: Server) -> str:
    page.set_content(f"<form method=post action='{door.url}/__admin/reset'><button>win</button></form>")
    page.get_by_role("button").click()
    assert door.next().path == "/__admin/reset"
    return ""


def form_of_text(page: Page, door: Door, _: Server) -> str:
    page.set_content(
        f"<iframe name=there></iframe><form method=post enctype=text/plain target=there "
        f"action='{door.url}/__admin/clock/resume'><button>win</button></form>"
    )
    page.get_by_role("button").click()
    assert door.next().method == "POST"
    return ""


def images(page: Page, door: Door, _: Server) -> str:
    tags = "".join(f"<img src='{door.url}/__ns/evil{number}/jobs/1'>" for number in range(20))
    page.set_content(tags)
    assert {door.next().path for _ in range(20)} == {f"/__ns/evil{number}/jobs/1" for number in range(20)}
    return ""


def frame(page: Page, door: Door, server: Server) -> str:
    """The page of the control plane in a frame that nobody sees, above what a person wants to click.

    From another port of its site: in frames of other sites, Chromium lets it have no storage.
    """
    page.goto(page.url.replace("localhost", "127.0.0.1"))
    size = {"width": 1200, "height": 700}
    page.set_viewport_size({"width": 1300, "height": 800})
    plain = page.context.new_page()
    plain.set_viewport_size(size)  # type: ignore[arg-type]
    plain.goto(f"http://127.0.0.1:{server.port}/__admin/")
    expect(plain.locator("#running")).to_have_text("frozen")
    box = plain.get_by_role("button", name="Reset").bounding_box()
    assert box is not None
    plain.close()
    page.set_content(
        f"<body style='margin: 0'><iframe src='{door.url}/__admin/' style='border: 0; opacity: 0.01' "
        f"width={size['width']} height={size['height']}></iframe>"
    )
    assert door.next().path == "/__admin/"
    if door.blind:  # else there is nothing in the frame to wait for
        expect(page.frame_locator("iframe").locator("#running")).to_have_text("frozen")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    return ""


FETCH = """async ([url, sent]) => {
    try { const answer = await fetch(url, sent); return await answer.text(); } catch (error) { return ""; }
}"""


def fetch(page: Page, url: str, **sent: Any) -> str:
    return str(page.evaluate(FETCH, [url, sent]))


def plain_fetch(page: Page, door: Door, _: Server) -> str:
    fetch(page, f"{door.url}/__admin/clock/advance", method="POST", mode="no-cors", body='{"by": "1h"}')
    assert door.next().headers["content-type"].startswith("text/plain")
    return ""


def fetch_of_json(page: Page, door: Door, _: Server) -> str:
    url = f"{door.url}/__admin/resources/job/{KEY}"
    headers = {"Content-Type": "application/json"}
    told = fetch(page, url, method="PUT", headers=headers, body='{"state": "done"}')
    assert door.next().method in ("OPTIONS", "PUT")
    return told


def deletion(page: Page, door: Door, _: Server) -> str:
    told = fetch(page, f"{door.url}/__admin/namespaces/mine", method="DELETE")
    assert door.next().method in ("OPTIONS", "DELETE")
    return told


EVENTS = """url => new Promise(done => {
    const events = new EventSource(url);
    events.onopen = () => { events.close(); done("open"); };
    events.onerror = () => { events.close(); done(""); };
})"""


def reading(page: Page, door: Door, _: Server) -> str:
    told = [fetch(page, f"{door.url}/__admin/{noun}") for noun in ("requests", "document", "health")]
    told += [fetch(page, f"{door.url}/__ns/none/jobs/{KEY}")]
    told += [page.evaluate(EVENTS, f"{door.url}/__admin/events")]
    assert [door.next().path for _ in range(3)] == [
        f"/__admin/{noun}" for noun in ("requests", "document", "health")
    ]
    return "".join(told)


def rebinding(page: Page, door: Door, _: Server) -> str:
    """A page that has its own name mean this machine once it is there: for the browser all is its own."""
    origin = f"http://{REBOUND}:{door.port}"
    page.goto(f"{origin}{PAGE}")
    told = [
        fetch(page, f"{origin}{path}") for path in ("/__admin/requests", "/__admin/health", f"/jobs/{KEY}")
    ]
    headers = {"Content-Type": "application/json"}
    told += [
        fetch(page, f"{origin}/__admin/clock/advance", method="POST", headers=headers, body='{"by": "1h"}')
    ]
    assert [door.next().headers["host"] for _ in range(4)] == [f"{REBOUND}:{door.port}"] * 4
    return "".join(told)


SOCKET = """url => new Promise(done => {
    const socket = new WebSocket(url);
    socket.onopen = () => done("open");
    socket.onerror = () => done("");
})"""


def websockets(page: Page, door: Door, _: Server) -> str:
    """Handshakes, which no browser asks leave for."""
    paths = [f"/__ns/evil{number}/jobs/1" for number in range(5)] + ["/__admin/requests"]
    told = [page.evaluate(SOCKET, f"ws://127.0.0.1:{door.port}{path}") for path in paths]
    assert [door.next().path for _ in paths] == paths
    return "".join(told)


def webhook(page: Page, door: Door, server: Server) -> str:
    """The server is to call its own control plane: at its own port, and by a way that it does not know."""
    page.set_content(
        "".join(
            f"<iframe name=there{number}></iframe>"
            f"<form method=post target=there{number} action='{door.url}/__ns/mine/jobs'>"
            f"<input name=cb value='{url}/__admin/clock/advance'><button>win</button></form>"
            for number, url in enumerate((f"http://127.0.0.1:{server.port}", door.url))
        )
    )
    for number in range(2):
        page.get_by_role("button").nth(number).click()
        passed = door.next()
        while passed.path != "/__ns/mine/jobs":
            passed = door.next()
        assert passed.status == 201
    return ""


Attack = Callable[[Page, Door, Server], str]
CHANGES: dict[Attack, str] = {
    form: "requests of default",
    form_of_text: "clock of default",
    images: "namespaces",
    frame: "requests of default",
    plain_fetch: "clock of default",
    fetch_of_json: "resources of default",
    deletion: "namespaces",
    rebinding: "clock of default",
    websockets: "namespaces",
    webhook: "clock of default",
}
"""What each attack would change."""
READS = (reading, rebinding)
OWN: dict[Attack, tuple[str, ...]] = {webhook: ("namespaces", "requests of mine", "resources of mine")}
"""What an attack may change, by calls of mocked operations in a namespace that is there."""


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, "it does not come true"


def named(attack: Attack) -> str:
    return attack.__name__


@pytest.mark.parametrize("attack", [*CHANGES, reading], ids=named)
def test_page_of_another_site_cannot_change_or_read_anything(
    server: Server, page: Page, attack: Attack
) -> None:
    server.prepare()
    before = server.state()
    with opened(server.port, blind=False) as door:
        told = attack(page, door, server)
        fetch(page, f"{door.url}/__admin/health", mode="no-cors")  # what was on its way before has come
        while door.next().path != "/__admin/health":
            pass
    after = server.state()
    for name in OWN.get(attack, ()):
        del before[name], after[name]
    assert after == before
    assert KEY not in told
    assert "open" not in told
    assert '"live"' not in told


@pytest.mark.parametrize("attack", CHANGES, ids=named)
def test_same_attack_without_browser_headers_changes_state(
    server: Server, page: Page, attack: Attack
) -> None:
    server.prepare()
    before = server.state()[CHANGES[attack]]
    with opened(server.port, blind=True) as door:
        attack(page, door, server)
        until(lambda: server.state()[CHANGES[attack]] != before)


@pytest.mark.parametrize("attack", READS, ids=named)
def test_same_attack_without_browser_headers_reads_state(server: Server, page: Page, attack: Attack) -> None:
    server.prepare()
    with opened(server.port, blind=True) as door:
        told = attack(page, door, server)
    assert KEY in told
    assert '"live"' in told
