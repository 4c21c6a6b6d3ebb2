"""The servers of the comparison: what each needs, and how each is started."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.wire import Response

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "openapi" / "certificate-request.yaml"
MODULES = Path(__file__).parent / "peers" / "node_modules"
COLLECTION = "/api/v1/cert-manager/certificates/certificate-requests"
KEY = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"
"""The one key of the loads with one key."""

PENDING = {
    "status": "pending",
    "certificate": None,
    "certificateId": None,
    "privateKey": None,
    "serialNumber": None,
    "errorMessage": None,
    "createdAt": "2026-01-01T00:00:00.000Z",
    "updatedAt": "2026-01-01T00:00:00.000Z",
}


@dataclass(frozen=True, slots=True)
class Samples:
    """Answers for nginx and WireMock to give: ours where it ran before them, else one made up."""

    pending: Response
    issued: Response


_PENDING_ANSWER = Response(200, (("content-type", "application/json"),), json.dumps(PENDING).encode())
MADE_UP = Samples(_PENDING_ANSWER, _PENDING_ANSWER)


@dataclass(frozen=True, slots=True)
class Start:
    """What a server is started with. ``folder`` is its own, empty."""

    port: int
    folder: Path
    samples: Samples = MADE_UP
    document: Path = DOCUMENT
    """Served without scenarios where it is not the mission's."""
    options: tuple[str, ...] = ()
    """Further options, for ours."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server: the npm package and programs that it needs, and its command line."""

    name: str
    command: Callable[[Start], list[str]]
    programs: tuple[str, ...] = ()
    npm: str = ""
    """``package@version``, fixed so that a run can be repeated."""
    warm_up: int = 1
    """Seconds of load before each measured one; longer where a compiler works while serving."""


def _ours(start: Start) -> list[str]:
    document = [] if start.document == DOCUMENT else [str(start.document)]
    command = [sys.executable, "-m", "mockserver", "serve", "--port", str(start.port)]
    return [*command, *start.options, *document]


def _no_journal(start: Start) -> list[str]:
    """Ours without its record of calls: what keeping one costs."""
    return [*_ours(start), "--journal", "0"]


def _steady(start: Start) -> list[str]:
    script = MODULES / "@stdy/cli/steady.js"
    listen = ["--host", "127.0.0.1", "--port", str(start.port)]
    return ["node", str(script), *listen, "--quiet", str(start.document)]


def _prism(start: Start) -> list[str]:
    script = MODULES / "@stoplight/prism-cli/dist/index.js"
    quiet = ["--verboseLevel", "silent"]
    return [
        "node",
        str(script),
        "mock",
        "--host",
        "127.0.0.1",
        "--port",
        str(start.port),
        *quiet,
        str(start.document),
    ]


def _wiremock(start: Start) -> list[str]:
    """Java itself rather than npm's wrapper around it, whose memory is not WireMock's.

    Its scenarios have one state for all keys: the nearest it has to ours.
    """
    mappings = start.folder / "mappings"
    mappings.mkdir()
    pending, issued = start.samples.pending.body.decode(), start.samples.issued.body.decode()
    for name, state, following, body in (
        ("first", "Started", "polled once", pending),
        ("second", "polled once", "issued", pending),
        ("third", "issued", "issued", issued),
    ):
        mapping = {
            "scenarioName": "certificate-request",
            "requiredScenarioState": state,
            "newScenarioState": following,
            "request": {"method": "GET", "urlPathPattern": f"{COLLECTION}/[0-9a-f-]{{36}}"},
            "response": {"status": 200, "headers": {"Content-Type": "application/json"}, "body": body},
        }
        (mappings / f"{name}.json").write_text(json.dumps(mapping))
    (jar,) = (MODULES / "wiremock/build").glob("*.jar")
    options = ["--bind-address", "127.0.0.1", "--disable-banner", "--no-request-journal"]
    return ["java", "-jar", str(jar), "--port", str(start.port), "--root-dir", str(start.folder), *options]


def _nginx(start: Start) -> list[str]:
    """One worker that gives ours' bytes for the one key and for any other: the least that an answer takes."""
    one_key = _location(f"= {COLLECTION}/{KEY}", start.samples.issued)
    new_keys = _location("/", start.samples.pending)
    configuration = start.folder / "nginx.conf"
    configuration.write_text(f"""
worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  keepalive_requests 1000000000;
  server {{
    listen 127.0.0.1:{start.port};
{one_key}
{new_keys}
  }}
}}
""")
    return ["nginx", "-p", str(start.folder), "-e", "stderr", "-c", str(configuration)]


def _location(where: str, response: Response) -> str:
    pieces = _pieces(response.body.decode(), limit=3900)
    lines = [f"default_type {response.header('content-type')};"]
    lines += [
        f'add_header {name} "{_escaped(value)}";'
        for name, value in response.headers
        if name not in {"server", "date", "content-length", "content-type", "connection"}
    ]
    body = pieces[0]
    if len(pieces) > 1:
        lines += [f'set $body{number} "{piece}";' for number, piece in enumerate(pieces)]
        body = "".join(f"${{body{number}}}" for number in range(len(pieces)))
    return f'    location {where} {{ {" ".join(lines)} return 200 "{body}"; }}'


def _pieces(text: str, limit: int) -> list[str]:
    """``text`` escaped, in pieces: a parameter in nginx's file has at most 4,096 octets."""
    pieces = [""]
    for character in text:
        escaped = _escaped(character)
        if len(pieces[-1]) + len(escaped) > limit:
            pieces.append("")
        pieces[-1] += escaped
    return pieces


def _escaped(text: str) -> str:
    """The inside of a quoted parameter of nginx's configuration; ``$`` cannot be written in one."""
    if "$" in text:
        raise ValueError("nginx cannot be given an answer with a $ in it.")
    return text.replace("\\", "\\\\").replace('"', '\\"')


SERVERS = {
    server.name: server
    for server in (
        Server("ours", _ours),
        Server("no-journal", _no_journal),
        Server("steady", _steady, programs=("node",), npm="@stdy/cli@0.22.2", warm_up=3),
        Server("prism", _prism, programs=("node",), npm="@stoplight/prism-cli@5.14.2", warm_up=5),
        Server("wiremock", _wiremock, programs=("java",), npm="wiremock@3.13.2", warm_up=10),
        Server("nginx", _nginx, programs=("nginx",)),
    )
}
