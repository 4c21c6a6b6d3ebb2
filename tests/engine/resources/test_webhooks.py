"""Notices on entering a state, received over real sockets; time is the namespace's clock."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Queue
from typing import Any, NamedTuple

import pytest

from mockserver.admin.namespaces import reset_namespace
from mockserver.diagnostics import CompileError
from mockserver.engine.engine import Engine, Options
from mockserver.engine.resources.create import evaluate, is_expression, reads_answer
from mockserver.http.egress import Egress, OutgoingRequest, Refused
from mockserver.http.listener import bind
from tests.fixtures import DOCUMENT, things_plan
from tests.live import PATIENCE, Live, Wire, engine_of, serving_engine

CALLBACKS = """
      callbacks:
        finished:
          '{$request.body#/name}?from={$method}':
            put:
              requestBody:
                content:
                  application/json:
                    schema:
                      type: object
                      properties: {event: {enum: [done, lost]}, id: {type: string, format: uuid}}
                      required: [event, id]
                      additionalProperties: false
              responses: {'204': {description: thanks}}
        located:
          '{$request.body#/name}/{$response.body#/id}?status={$statusCode}&type={$response.header.content-type}':
            post:
              responses: {'204': {description: thanks}}
        absent:
          '{$request.body#/name}/{$response.body#/nothing}':
            post:
              responses: {'204': {description: thanks}}
        odd:
          '{$reply.body#/id}':
            post:
              responses: {'204': {description: thanks}}
"""
FILE = """
resource: thing
key: path.id
operations: {make: {operation: make, creates: body.id}, look: look, act: act}
unknown: 404
states:
  new: {make: {}, look: &look {body: {state: "{{ resource.state }}"}}, act: &act {body: {state: x}}}
  late: {look: *look, act: *act}
  done: {look: *look, act: *act}
scenarios:
  usual: [{state: new, until: {after: 10s}, on: {act: done}}, {state: late, until: {after: 10s}}, done]
notify:
"""


class Received(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Receiver:
    """A client's own server: what came, and what it answers."""

    def __init__(self) -> None:
        self.received: Queue[Received] = Queue()
        self.answers: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one(self) -> None:
                length = int(self.headers.get("content-length", 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                status = receiver.answers.pop(0) if receiver.answers else 204
                receiver.received.put(Received(self.command, self.path, headers, self.rfile.read(length)))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.end_headers()

            do_POST = do_PUT = handle_one  # noqa: N815 - the names that http.server asks for

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"

    def next(self) -> Received:
        return self.received.get(timeout=PATIENCE)


@contextmanager
def receiving() -> Iterator[Receiver]:
    found = Receiver()
    thread = threading.Thread(target=found.server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield found
    finally:
        found.server.shutdown()
        thread.join()
        found.server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@contextmanager
def noticing(
    folder: Path, notify: str, options: Options | None = None, *, file: str = FILE
) -> Iterator[tuple[Engine, Live, Callable[..., int]]]:
    document = DOCUMENT.replace("      operationId: make\n", "      operationId: make" + CALLBACKS)
    plan = things_plan(folder, file + notify, document=document)
    engine = engine_of(plan, options=options)
    with serving_engine(engine) as live, Wire(live.port) as wire:

        def call(method: str, target: str, body: Any = None) -> int:
            content = json.dumps(body).encode() if body is not None else b""
            lines = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
            lines += ["Content-Type: application/json"] if content else []
            wire.send("\r\n".join([*lines, "", ""]).encode() + content)
            return wire.reply().status

        yield engine, live, call


def advance(live: Live, milliseconds: int) -> None:
    live.run(lambda: live.server.namespaces.default.clock.advance(milliseconds))


def outcomes(engine: Engine, live: Live, *, done: bool = True) -> list[Any]:
    """What became of notices, once all of them have come to an end."""
    while True:
        found = live.run(lambda: list(engine.webhooks.outcomes("default")))
        if not done or all(each.done for each in found):
            return found


def test_a_template_gives_the_url_of_a_webhook(tmp_path: Path, receiver: Receiver) -> None:
    notify = """
  - on: [new, done]
    url: "{{ resource.created_by.body.name }}"
    headers: {X-State: "{{ resource.state }}"}
    body: {state: "{{ resource.state }}", at: "{{ resource.changed_at }}", key: "{{ resource.key }}"}
"""
    with noticing(tmp_path, notify) as (engine, live, call):
        assert call("POST", "/things", {"name": receiver.url}) == 201
        born = receiver.next()
        assert (born.method, born.path) == ("POST", "/hook")
        assert born.json() == {"state": "new", "at": "2026-01-01T00:00:00.000Z", "key": "1"}
        assert born.headers["x-state"] == "new"
        assert born.headers["content-type"] == "application/json"
        advance(live, 3000)
        call("POST", "/things/1", {})
        assert receiver.next().json() == {"state": "done", "at": "2026-01-01T00:00:03.000Z", "key": "1"}
        told = outcomes(engine, live)
        assert [(each.state, each.attempts, each.delivered) for each in told] == [
            ("new", ["204"], True),
            ("done", ["204"], True),
        ]


def test_a_callback_of_the_document_is_sent(tmp_path: Path, receiver: Receiver) -> None:
    with noticing(tmp_path, "  {on: done, callback: make.finished, body: {event: done}}") as (_, _, call):
        call("POST", "/things", {"name": receiver.url})
        call("POST", "/things/1", {})
        told = receiver.next()
    assert (told.method, told.path) == ("PUT", "/hook?from=POST")
    assert told.json()["event"] == "done"
    assert len(told.json()["id"]) == 36, "what the file leaves out is generated"


@pytest.mark.parametrize("state", ["new", "done"])
def test_a_callback_goes_by_what_the_creating_call_was_answered(
    tmp_path: Path, receiver: Receiver, state: str
) -> None:
    """When the resource comes into being, and long after."""
    with noticing(tmp_path, f"  {{on: {state}, callback: make.located}}") as (_, live, call):
        for key in ("1", "2"):
            assert call("POST", "/things", {"name": receiver.url}) == 201
            if state == "done":
                advance(live, 20_000)
            assert receiver.next().path == f"/hook/{key}?status=201&type=application/json"


def test_an_answer_that_lacks_what_the_url_reads_gives_no_notice(tmp_path: Path, receiver: Receiver) -> None:
    notify = f'[{{on: new, callback: make.absent}}, {{on: new, url: "{receiver.url}"}}]'
    with noticing(tmp_path, f"  {notify}") as (engine, live, call):
        call("POST", "/things", {"name": receiver.url})
        assert receiver.next().path == "/hook"
        assert [each.url for each in outcomes(engine, live)] == [receiver.url]


def test_a_state_that_time_enters_sends_its_webhook_without_a_request(
    tmp_path: Path, receiver: Receiver
) -> None:
    notify = f'  {{on: [late, done], url: "{receiver.url}", body: {{at: "{{{{ resource.changed_at }}}}"}}}}'
    with noticing(tmp_path, notify) as (_, live, call):
        call("POST", "/things", {})
        advance(live, 10_000)
        assert receiver.next().json() == {"at": "2026-01-01T00:00:10.000Z"}
        advance(live, 10_000)
        assert receiver.next().json() == {"at": "2026-01-01T00:00:20.000Z"}
        call("POST", "/things", {})
        advance(live, 3_600_000)
        jumped = [receiver.next().json()["at"] for _ in range(2)]
    assert sorted(jumped) == ["2026-01-01T00:00:30.000Z", "2026-01-01T00:00:40.000Z"]


def late(receiver: Receiver) -> str:
    return f'  {{on: late, url: "{receiver.url}", body: {{of: "{{{{ resource.key }}}}"}}}}'


def test_a_namespace_of_a_name_that_was_dropped_sends_its_own_timed_notices(
    tmp_path: Path, receiver: Receiver
) -> None:
    with noticing(tmp_path, late(receiver)) as (engine, live, call):
        for _ in range(2):
            call("POST", "/__ns/t/things", {})
            live.run(lambda: engine.namespaces.drop("t"))
        call("POST", "/__ns/t/things", {})
        namespace = live.run(lambda: engine.namespaces.get("t"))
        assert namespace is not None
        live.run(lambda: namespace.clock.advance(10_000))
        assert receiver.next().json() == {"of": "1"}
        assert live.run(lambda: [each.state for each in engine.webhooks.outcomes("t")]) == ["late"]
        assert receiver.received.empty()


@pytest.mark.parametrize("ending", ["drop", "reset"])
def test_a_notice_that_waits_for_its_time_is_not_sent_once_its_namespace_is_gone(
    tmp_path: Path, receiver: Receiver, ending: str
) -> None:
    notify = f'  {{on: new, url: "{receiver.url}", delay: 1h}}'
    with noticing(tmp_path, notify) as (engine, live, call):
        before = live.run(asyncio.all_tasks)
        call("POST", "/__ns/t/things", {})
        deliveries = live.run(asyncio.all_tasks) - before
        namespace = live.run(lambda: engine.namespaces.get("t"))
        assert namespace is not None
        [outcome] = live.run(lambda: engine.webhooks.outcomes("t"))
        live.run(
            lambda: engine.namespaces.drop("t") if ending == "drop" else reset_namespace(engine, namespace)
        )
        live.wait(asyncio.wait(deliveries))
        assert (outcome.attempts, receiver.received.empty()) == ([], True)


def test_a_step_with_a_shorter_time_is_noticed_at_its_own_time(tmp_path: Path, receiver: Receiver) -> None:
    """Though the resource was waiting for a later time when it was moved on."""
    file = FILE.replace("{after: 10s}, on: {act: done}", "{after: 1h}, on: {act: late}")
    notify = f'  {{on: done, url: "{receiver.url}", body: {{at: "{{{{ resource.changed_at }}}}"}}}}'
    with noticing(tmp_path, notify, file=file) as (_, live, call):
        call("POST", "/things", {})
        call("POST", "/things/1", {})
        advance(live, 10_000)
        assert receiver.next().json() == {"at": "2026-01-01T00:00:10.000Z"}


def test_timed_notices_that_were_pending_are_sent_by_the_plan_that_was_put_in_place(
    tmp_path: Path, receiver: Receiver
) -> None:
    with noticing(tmp_path, late(receiver)) as (engine, live, call):
        call("POST", "/things", {})
        again = things_plan(tmp_path, FILE + late(receiver).replace("of:", "now:"), document=DOCUMENT)
        live.run(lambda: engine.adopt(Engine(again, store=engine.store, namespaces=engine.namespaces)))
        advance(live, 10_000)
        assert receiver.next().json() == {"now": "1"}


def test_a_resource_is_watched_from_when_its_file_tells_of_a_notice(
    tmp_path: Path, receiver: Receiver
) -> None:
    with noticing(tmp_path, '  {on: done, url: "http://127.0.0.1:9/"}') as (engine, live, call):
        without = things_plan(tmp_path, FILE.partition("notify:")[0], document=DOCUMENT)
        live.run(lambda: engine.adopt(Engine(without, store=engine.store, namespaces=engine.namespaces)))
        call("POST", "/things", {})
        told = things_plan(tmp_path, FILE + late(receiver), document=DOCUMENT)
        live.run(lambda: engine.adopt(Engine(told, store=engine.store, namespaces=engine.namespaces)))
        advance(live, 10_000)
        assert receiver.next().json() == {"of": "1"}


def test_a_webhook_is_signed(tmp_path: Path, receiver: Receiver) -> None:
    sign = "{secret: s3cret, header: X-Hub-Signature-256}"
    notify = f'  {{on: new, url: "{receiver.url}", body: {{a: 1}}, sign: {sign}}}'
    with noticing(tmp_path, notify) as (_, _, call):
        call("POST", "/things", {})
        told = receiver.next()
    digest = hmac.new(b"s3cret", told.body, hashlib.sha256).hexdigest()
    assert told.headers["x-hub-signature-256"] == f"sha256={digest}"


def test_a_failed_webhook_is_sent_again_after_longer_and_longer_waits(
    tmp_path: Path, receiver: Receiver
) -> None:
    receiver.answers = [500, 429, 200]
    notify = f'  {{on: new, url: "{receiver.url}", delay: 1s, retries: 3, backoff: 2s}}'
    with noticing(tmp_path, notify) as (engine, live, call):
        call("POST", "/things", {})
        for wait, tries in ((1000, 1), (2000, 2), (4000, 3)):
            advance(live, wait - 1)
            assert receiver.received.empty()
            advance(live, 1)
            receiver.next()
            while len(outcomes(engine, live, done=False)[0].attempts) < tries:
                pass
        [outcome] = outcomes(engine, live)
    assert outcome.attempts == ["500", "429", "200"]
    assert outcome.delivered


@pytest.mark.parametrize(("status", "attempts"), [(404, ["404"]), (302, ["302"]), (503, ["503", "503"])])
def test_a_webhook_is_given_up_after_the_last_attempt(
    tmp_path: Path, receiver: Receiver, status: int, attempts: list[str]
) -> None:
    receiver.answers = [status] * 5
    notify = f'  {{on: new, url: "{receiver.url}", retries: 1, backoff: 0ms}}'
    with noticing(tmp_path, notify) as (engine, live, call):
        call("POST", "/things", {})
        [outcome] = outcomes(engine, live)
    assert (outcome.attempts, outcome.delivered) == (attempts, False)
    assert receiver.received.qsize() == len(attempts), "no redirect is followed"


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://192.0.2.1/hook", "is not this machine"),
        ("http://0.0.0.0:1/hook", "is not this machine"),
        ("http://[::ffff:192.0.2.1]/hook", "is not this machine"),
        ("http://169.254.169.254/latest", "--allow-callbacks 169.254.169.254"),
        ("ftp://127.0.0.1/", "not an http or https URL"),
        ("file:///etc/passwd", "not an http or https URL"),
        ("http://user:secret@127.0.0.1/", "not an http or https URL"),
        ("http://127.0.0.1:99999/", "not an http or https URL"),
        ("http://127.0.0.1/a b", "a blank"),
        ("nonsense", "not an http or https URL"),
        (
            "http://client.example/",
            "client.example may be another machine; allow it by --allow-callbacks client",
        ),
        ("http://localhost.client.example/", "may be another machine"),
        ("http://127.0.0.1.client.example/", "may be another machine"),
        ("http://2130706433/", "2130706433 may be another machine"),
    ],
)
def test_a_webhook_to_another_machine_or_to_no_url_is_refused(tmp_path: Path, url: str, told: str) -> None:
    notify = '  {on: new, url: "{{ resource.created_by.body.name }}", retries: 5}'
    with noticing(tmp_path, notify) as (engine, live, call):
        assert call("POST", "/things", {"name": url}) == 201
        [outcome] = outcomes(engine, live)
    assert len(outcome.attempts) == 1, "trying again changes nothing"
    assert told in outcome.attempts[0]
    assert not outcome.delivered


OWN_NAMES = ["127.0.0.1", "LocalHost", "[::ffff:127.0.0.1]", "[::FFFF:7f00:1]"]


@pytest.mark.parametrize("host", OWN_NAMES)
@pytest.mark.parametrize("path", ["/__admin/shutdown", "/__ns/t/__admin/reset", "/things"])
def test_a_webhook_to_this_server_is_refused(tmp_path: Path, host: str, path: str) -> None:
    notify = '  {on: new, url: "{{ resource.created_by.body.name }}", retries: 5}'
    with noticing(tmp_path, notify, Options(callbacks=("*",))) as (engine, live, call):
        assert call("POST", "/things", {"name": f"http://{host}:{live.port}{path}"}) == 201
        [outcome] = outcomes(engine, live)
    assert len(outcome.attempts) == 1, "trying again changes nothing"
    assert "this mock server itself" in outcome.attempts[0]


@pytest.mark.parametrize("bound", ["0.0.0.0", "::"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "0.0.0.0", "[::ffff:127.0.0.1]"])
def test_a_listener_on_every_address_is_refused_by_each_of_them(bound: str, host: str) -> None:
    with closing(bind(bound, 0)) as listener:
        egress = Egress(["*"])
        egress.exclude(listener)
        with pytest.raises(Refused, match="this mock server itself"):
            asyncio.run(egress.send(OutgoingRequest("POST", f"http://{host}:{listener.getsockname()[1]}/")))


def test_another_port_of_the_same_address_is_another_server(receiver: Receiver) -> None:
    with closing(bind("127.0.0.1", 0)) as listener:
        egress = Egress()
        egress.exclude(listener)
        assert asyncio.run(egress.send(OutgoingRequest("POST", receiver.url))) == 204


def test_what_is_sent_has_the_mark_once_whatever_the_file_says(tmp_path: Path, receiver: Receiver) -> None:
    notify = f'  {{on: new, url: "{receiver.url}", headers: {{X-Mock-Webhook: "", Host: other.example}}}}'
    with noticing(tmp_path, notify) as (_, _, call):
        call("POST", "/things", {})
        headers = receiver.next().headers
    assert headers["x-mock-webhook"] == "1"
    assert headers["host"] == receiver.url.split("/")[2]


@pytest.mark.parametrize("mark", ["\r", "\n", "\0", "\v", "\x1b", "\x7f"])
@pytest.mark.parametrize("field", ["headers: {X-Name: VALUE}", "sign: {secret: a}, url: VALUE"])
def test_a_control_character_of_a_client_is_not_sent(tmp_path: Path, mark: str, field: str) -> None:
    value = '"{{ resource.created_by.body.name }}"'
    url = "" if "url" in field else 'url: "http://127.0.0.1:9/", '
    notify = f"  {{on: new, {url}{field.replace('VALUE', value)}}}"
    with noticing(tmp_path, notify) as (engine, live, call):
        call("POST", "/things", {"name": f"http://127.0.0.1:9/a{mark}b"})
        [outcome] = outcomes(engine, live)
    assert len(outcome.attempts) == 1
    assert "control character" in outcome.attempts[0]


def test_a_webhook_to_an_allowed_host_is_sent(tmp_path: Path, receiver: Receiver) -> None:
    url = receiver.url.replace("127.0.0.1", "localhost")
    with noticing(tmp_path, f'  {{on: new, url: "{url}"}}', Options(callbacks=("localhost",))) as (
        _,
        _,
        call,
    ):
        call("POST", "/things", {})
        assert receiver.next().headers["host"].startswith("localhost:")


def test_a_webhook_to_a_closed_port_is_tried_as_often_as_retries_say(tmp_path: Path) -> None:
    with noticing(tmp_path, '  {on: new, url: "http://127.0.0.1:9/", retries: 2, backoff: 0ms}') as (
        engine,
        live,
        call,
    ):
        call("POST", "/things", {})
        [outcome] = outcomes(engine, live)
    assert len(outcome.attempts) == 3


def test_a_request_without_a_callback_url_gets_no_webhook(tmp_path: Path) -> None:
    notify = """
  - {on: new, url: "{{ resource.created_by.body.name }}"}
  - {on: new, callback: make.finished}
"""
    with noticing(tmp_path, notify) as (engine, live, call):
        assert call("POST", "/things", {}) == 201
        assert outcomes(engine, live) == []


REQUEST = {
    "url": "/things?q=1",
    "method": "POST",
    "path": {"id": "7"},
    "query": {"q": "1"},
    "headers": {"x-hook": "http://h/"},
    "body": {"hooks": [{"a/b": "http://b/"}], "n": 5},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$url", "/things?q=1"),
        ("$method", "POST"),
        ("$request.path.id", "7"),
        ("$request.query.q", "1"),
        ("$request.header.X-Hook", "http://h/"),
        ("$request.body#/hooks/0/a~1b", "http://b/"),
        ("$request.body#/n", "5"),
        ("$request.body#/hooks/²", None),
        ("$request.body#/hooks", None),
        ("$request.body#/hooks/9", None),
        ("$request.query.none", None),
        ("http://x/{$request.path.id}/{$method}", "http://x/7/POST"),
        ("http://x/{$request.query.none}", None),
        ("http://x/", "http://x/"),
    ],
)
def test_a_runtime_expression_reads_the_request(expression: str, value: str | None) -> None:
    assert is_expression(expression)
    assert evaluate(expression, REQUEST, lambda: ANSWER) == value


ANSWER = {
    "statusCode": 201,
    "headers": {"location": "/things/7"},
    "body": {"id": 7, "links": [{"href": "/x"}]},
}


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$statusCode", "201"),
        ("$response.header.Location", "/things/7"),
        ("$response.header.Other", None),
        ("$response.body#/id", "7"),
        ("$response.body#/links/0/href", "/x"),
        ("$response.body#/links/1/href", None),
        ("http://x{$response.header.location}?{$method}&{$response.body#/id}", "http://x/things/7?POST&7"),
    ],
)
def test_a_runtime_expression_reads_the_answer(expression: str, value: str | None) -> None:
    assert is_expression(expression)
    assert reads_answer(expression)
    assert evaluate(expression, REQUEST, lambda: ANSWER) == value


@pytest.mark.parametrize("expression", ["$response.path.x", "$response", "http://{$reply.header.x}", "$x"])
def test_an_invalid_runtime_expression_is_refused(expression: str) -> None:
    assert not is_expression(expression)


@pytest.mark.parametrize(
    ("notify", "code"),
    [
        ("  {on: new}", "S701"),
        ('  {on: new, url: "http://127.0.0.1/", callback: make.finished}', "S701"),
        ('  {on: nowhere, url: "http://127.0.0.1/"}', "S203"),
        ("  {on: new, callback: make.other}", "S702"),
        ("  {on: new, callback: make.odd}", "S702"),
        ("  {on: new, callback: act.answered}", "S702"),
        ("  {on: new, callback: make.finished, method: POST}", "S701"),
        ("  {on: new, callback: make.finished, body: {event: born}}", "S703"),
        ("  {on: new, callback: make.finished, body: {evnt: done}}", "S311"),
        ('  {on: new, url: "{{ x", body: {}}', "S312"),
        ('  {on: new, url: "{{ nobody }}"}', "S703"),
        ('  {on: new, url: "http://127.0.0.1/", headers: {"a b": c}}', "S308"),
        ('  {on: new, url: "http://127.0.0.1/", headers: {Host: c}, sign: {secret: ""}}', "S701"),
        ('  {on: new, url: "http://127.0.0.1/", sign: {secret: a, algorithm: md5}}', "S701"),
        ('  {on: new, url: "http://127.0.0.1/", retries: 99}', "S701"),
        ('  {on: new, url: "http://127.0.0.1/", backoff: 3}', "S302"),
        ('  {on: new, url: "http://127.0.0.1/", method: "a b"}', "S701"),
        ('  {on: new, url: "http://127.0.0.1/", to: x}', "S201"),
    ],
)
def test_an_invalid_notify_value_is_reported(tmp_path: Path, notify: str, code: str) -> None:
    document = DOCUMENT.replace("      operationId: make\n", "      operationId: make" + CALLBACKS)
    answered = CALLBACKS.replace("$request.body#/name}?from={$method", "$response.body#/id").replace(
        "finished", "answered"
    )
    document = document.replace("      operationId: act\n", "      operationId: act" + answered)
    with pytest.raises(CompileError) as caught:
        things_plan(tmp_path, FILE + notify, document=document)
    assert code in [each.code for each in caught.value.diagnostics]
    assert all(each.where.line for each in caught.value.diagnostics)


@pytest.mark.parametrize("read", ["{{ request.body.name }}", "{{ now }}", "{{ token(3) }}"])
def test_an_answer_that_is_another_each_time_cannot_be_read_later(tmp_path: Path, read: str) -> None:
    document = DOCUMENT.replace("      operationId: make\n", "      operationId: make" + CALLBACKS)
    file = FILE.replace("make: {}", f'make: {{body: {{name: "{read}"}}}}')
    with pytest.raises(CompileError, match="a response that changes with each call"):
        things_plan(tmp_path, file + "  {on: new, callback: make.located}", document=document)


def test_a_text_of_another_media_type_than_json_is_sent_as_it_stands(
    tmp_path: Path, receiver: Receiver
) -> None:
    notify = f"""
  - on: new
    url: "{receiver.url}"
    headers: {{Content-Type: text/plain}}
    body: "made {{{{ resource.key }}}}"
"""
    with noticing(tmp_path, notify) as (_, _, call):
        call("POST", "/things", {})
        came = receiver.next()
    assert came.headers["content-type"] == "text/plain"
    assert came.body == b"made 1"
