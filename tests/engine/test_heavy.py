"""Heavy requests: another process reads them, and the response is the same."""

from __future__ import annotations

import gzip
import json
import os
import select
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.messages import Request
from tests.live import CERTIFICATES, PATIENCE, engine_of
from tests.measured import Served, served, until

DOCUMENT = """
openapi: 3.1.0
info: {title: Heavy, version: "1"}
paths:
  /small: {get: {responses: {"200": {description: ok, content: {application/json: {example: 1}}}}}}
  /things:
    post: &post
      parameters: [{name: n, in: query, schema: {type: integer, default: 7}}]
      requestBody:
        content:
          application/json: {schema: &object {type: object, additionalProperties: {type: integer}}}
          application/x-www-form-urlencoded: {schema: *object}
          application/xml: {schema: *object}
          multipart/form-data: {schema: *object}
      responses: {"201": {description: made, content: {application/json: {example: {made: true}}}}}
  /told: {post: *post}
"""
SCENARIO = """
resource: told
operations: {make: "POST /told"}
key: query.n
states:
  made:
    make: {status: 201, body: {given: "{{ (request.body or {}).get('k3999') }}", n: "{{ resource.key }}"}}
scenarios: {default: [made]}
"""
COUNT = 5_000
"""More values than are read in the server itself."""
JSON = {"content-type": "application/json"}
MOST = b'{"a":[' + b"[]," * 400_000 + b"[]]}"
"""A body that takes long."""


def numbered(value: object = 1, count: int = COUNT) -> dict[str, object]:
    return {f"k{i}": i for i in range(count - 1)} | {"last": value}


PARTS = b"".join(
    b'--x\r\nContent-Disposition: form-data; name="k%d"\r\n\r\n%d\r\n' % (i, i) for i in range(COUNT)
)
BODIES = {
    "valid JSON": ("application/json", json.dumps(numbered()).encode()),
    "invalid JSON": ("application/json", json.dumps(numbered("text")).encode()),
    "no JSON": ("application/json", json.dumps(numbered()).encode()[:-1]),
    "a form": ("application/x-www-form-urlencoded", b"&".join(b"k%d=%d" % (i, i) for i in range(COUNT))),
    "XML": ("application/xml", b"<a>" + b"".join(b"<k%d>1</k%d>" % (i, i) for i in range(COUNT)) + b"</a>"),
    "multipart": ("multipart/form-data; boundary=x", PARTS + b"--x--\r\n"),
    "another type": ("application/yaml", b"a: [" + b"1," * COUNT + b"]"),
}


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("heavy") / "heavy.yaml"
    place.write_text(DOCUMENT)
    return place


@pytest.fixture(scope="module")
def server(document: Path) -> Iterator[Served]:
    with served(document, "--no-supervisor") as process:
        yield process


@pytest.fixture(scope="module")
def client(server: Served) -> Iterator[httpx.Client]:
    with httpx.Client(
        base_url=f"http://127.0.0.1:{server.port}", timeout=PATIENCE, verify=CERTIFICATES
    ) as client:
        yield client


def posted(body: bytes) -> bytes:
    head = "POST /things HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json"
    return f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def begin(server: Served, body: bytes = MOST) -> socket.socket:
    """Send a request, and return when another process reads it."""
    for each in server.readers:
        os.kill(each, signal.SIGKILL)
    until(lambda: not server.readers)
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
    connection.sendall(posted(body))
    assert until(lambda: bool(server.readers))
    return connection


def status(connection: socket.socket) -> int:
    return int(connection.recv(4096).split()[1])


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("is_compressed", [False, True], ids=["plain", "compressed"])
def test_a_heavy_request_is_read_elsewhere_and_gets_the_response_that_the_engine_gives(
    name: str, is_compressed: bool, document: Path, server: Served, client: httpx.Client
) -> None:
    content_type, body = BODIES[name]
    headers = {"content-type": content_type}
    if is_compressed:
        body = gzip.compress(body, 1)
        headers["content-encoding"] = "gzip"
    expected = engine_of(compile_plan(Inputs((document,))).plan, clock=None).handle(
        Request("POST", "/things", "n=x", headers, body)
    )
    found = client.post("/things?n=x", content=body, headers=headers)
    assert server.readers
    assert (found.status_code, found.content) == (expected.status, expected.body)  # type: ignore[union-attr]
    found = client.post("/__ns/other/things", content=body, headers=headers)
    assert found.status_code in (201, 415, 422)
    assert (found.status_code == 201) == (name not in ("invalid JSON", "no JSON", "another type"))


def test_others_are_answered_while_a_heavy_request_is_read(server: Served, client: httpx.Client) -> None:
    with begin(server) as heavy:
        assert client.get("/small").json() == 1
        assert not select.select([heavy], [], [], 0)[0]
        assert status(heavy) == 422


def test_a_process_that_is_killed_costs_one_response(server: Served, client: httpx.Client) -> None:
    with begin(server) as heavy:
        os.kill(server.readers[0], signal.SIGKILL)
        assert status(heavy) == 413
    body = json.dumps(numbered()).encode()
    assert client.post("/things", content=body, headers=JSON).status_code == 201


def test_a_client_that_leaves_ends_the_process_and_the_next_one_is_served(
    server: Served, client: httpx.Client
) -> None:
    with begin(server):
        process = server.readers[0]
    assert until(lambda: process not in server.readers)
    body = json.dumps(numbered()).encode()
    assert client.post("/things", content=body, headers=JSON).status_code == 201


def test_heavy_requests_wait_for_each_other_and_all_are_served(server: Served) -> None:
    waiting = [begin(server)]
    try:
        for _ in range(3):
            waiting.append(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE))
            waiting[-1].sendall(posted(json.dumps(numbered()).encode()))
        assert len(server.readers) == 1
        assert [status(each) for each in waiting] == [422, 201, 201, 201]
    finally:
        for each in waiting:
            each.close()


def test_a_scenario_reads_the_body_of_a_heavy_request(document: Path) -> None:
    scenario = document.with_name("told.yaml")
    scenario.write_text(SCENARIO)
    with served(document, "--scenarios", scenario, "--no-supervisor") as server:
        url = f"http://127.0.0.1:{server.port}/told?n=12"
        found = httpx.post(url, content=json.dumps(numbered()), headers=JSON, verify=CERTIFICATES)
        assert server.readers
    assert (found.status_code, found.json()) == (201, {"given": 3999, "n": "12"})


def test_a_document_that_was_replaced_reads_heavy_requests(document: Path) -> None:
    with served(document, "--no-supervisor") as server:
        url = f"http://127.0.0.1:{server.port}"
        body = json.dumps(numbered("text"))
        assert httpx.post(f"{url}/things", content=body, headers=JSON, verify=CERTIFICATES).status_code == 422
        other = DOCUMENT.replace("type: integer}}", "type: [integer, string]}}")
        replaced = httpx.put(
            f"{url}/__admin/document",
            content=other,
            headers={"content-type": "application/yaml"},
            verify=CERTIFICATES,
        )
        assert replaced.status_code == 200
        assert httpx.post(f"{url}/things", content=body, headers=JSON, verify=CERTIFICATES).status_code == 201


def test_a_server_that_is_told_to_end_finishes_a_heavy_request(document: Path) -> None:
    with served(document, "--no-supervisor") as server:
        with begin(server) as heavy:
            server.tell(signal.SIGTERM)
            assert status(heavy) == 422
        assert server.stop()[0] == 0
