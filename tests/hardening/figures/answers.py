"""Ten thousand answers that no service would give: refused with a reason, or sent whole; the process lives.

Half are states of scenario files, put into a running server 250 at a time.
Lines that its diagnostics name are taken out until the file is taken, and what is
left is asked for. The other half come by HTTP: an answer whose header and body
are templates over the request shows what the request brings. Every answer is read
octet by octet, so that one that is split or cut is seen.
"""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path

from tests.hardening import child
from tests.live import Reply, Wire
from tests.verdict import Verdict

ANSWERS = 10_000
_FILE = 250
_ROUNDS = 12
WILD = 1 / 3
"""The share of answers that may be wild in all their parts: the first thing that chance decides."""
DOCUMENT = """\
openapi: 3.0.3
info: {title: Answers, version: "1"}
paths:
  /shown/{id}:
    get:
      operationId: show
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {"200": {description: ok, content: {application/json: {schema: {}}}}}
  /reflected/{id}:
    post:
      operationId: reflect
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      requestBody: {content: {application/json: {schema: {}}}}
      responses: {"200": {description: ok, content: {application/json: {schema: {}}}}}
"""
REFLECTING = """\
resource: reflected
key: path.id
operations: {reflect: reflect}
states:
  shown:
    headers: {X-Shown: "{{ request.body.header if request.body else '' }}"}
    body: {told: "{{ request.body.value if request.body else '' }}"}
scenarios: {main: [shown]}
"""
STATUSES: list[object] = [
    0,
    -1,
    1,
    99,
    100,
    101,
    199,
    1000,
    65_535,
    65_536,
    2**31,
    2**64,
    True,
    None,
    "200",
    "",
    1e3,
    [],
    {},
    204,
    205,
    304,
    999,
]
NAMES = [
    "X-A",
    "x-a",
    "",
    " ",
    "a b",
    "a:b",
    "a\r\nb",
    "a\0",
    "Ä",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Date",
    "Content-Type",
    "Set-Cookie",
    "Host",
    "Trailer",
    "Upgrade",
    "__proto__",
    "(x)",
    "a" * 300,
]
TEXTS = [
    "",
    " ",
    "a",
    "\r\nInjected: yes",
    "a\r\n\r\nHTTP/1.1 200 OK",
    "\n",
    "\r",
    "\0",
    "\x7f",
    "\x85",
    "\u2028",
    "é",
    "日本",
    "\U0001f600",
    "\ud800",
    "{{ 7 * 7 }}",
    "{{ 'a' * 10**9 }}",
    "{{ range(10**9) | list }}",
    "{{ request }}",
    "{{ request.body }}",
    "{{ x }}",
    "{{",
    "}}",
    "{% for i in range(999) %}{{ i }}{% endfor %}",
    "{{ [1, [2]] }}",
    "{{ '\\r\\nInjected: yes' }}",
    "{{ ''.__class__.__mro__ }}",
    "{{ fake }}",
    "{{ x509.certificate }}",
    "{{ now }}",
    "{{ token(10**9) }}",
    "{{ 1 / 0 }}",
    "{{ 10 ** 10 ** 10 }}",
    "a" * 5_000,
]
CALM = [
    "",
    "a",
    "é",
    "Ä ö",
    "a, b; c",
    "{{ now }}",
    "{{ resource.key }}",
    "{{ 7 * 7 }}",
    "{{ uuid('a') }}",
    "x" * 3_000,
]
"""Texts that a header can carry."""
NUMBERS: list[object] = [0, -1, 1.5, 1e308, 10**30, True, None]


def run() -> Verdict:
    verdict = Verdict(f"{ANSWERS:,} fuzzed answers: the process lives")
    chance = random.Random(4)
    told: dict[int, int] = {}
    broken: list[str] = []
    counts = {"refused": 0, "sent": 0, "reflected": 0}

    def work(port: int) -> None:
        for _ in range(ANSWERS // 2 // _FILE):
            refused, sent = _file(port, chance, told, broken)
            counts["refused"] += refused
            counts["sent"] += sent
        for _ in range(ANSWERS - ANSWERS // 2):
            _reflect(port, chance, told, broken)
            counts["reflected"] += 1
        with Wire(port) as wire:
            wire.send(b"GET /__admin/health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            verdict.hold(wire.reply().status == 200, "after them all the server says that it is well")

    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "answers.yaml").write_text(DOCUMENT)
        (folder / "scenarios").mkdir()
        (folder / "scenarios" / "reflected.yaml").write_text(REFLECTING)
        options = ("--scenarios", "scenarios", "--port", "0", "--no-cache", "--validation", "off")
        ran = child.run("serve", "answers.yaml", *options, folder=folder, serving=work, patience=1200)
    total = sum(counts.values())
    verdict.hold(total >= ANSWERS, f"answers: {total:,}: {counts}, with {len(told)} statuses")
    verdict.hold(not broken, f"answers that were split, cut or none: {len(broken)}{broken[:3] or ''}")
    faults = "Traceback" in ran.err
    verdict.hold(
        ran.code == 0 and not faults,
        f"the server ended with {ran.code}: {ran.err[-500:] or 'nothing to say'}",
    )
    return verdict


def _file(port: int, chance: random.Random, told: dict[int, int], broken: list[str]) -> tuple[int, int]:
    """Answers of one scenario file: how many were refused, how many sent."""
    head = [
        "resource: shown",
        "key: path.id",
        "operations: {show: show}",
        "scenarios: {main: [fine]}",
        "states:",
        "  fine: {body: 1}",
    ]
    lines = {f"s{i}": f"  s{i}: {written(response(chance))}" for i in range(_FILE)}
    for _ in range(_ROUNDS):
        text = "\n".join([*head, *lines.values(), ""])
        reply = _ask(port, "PUT", "/__admin/scenario-files/shown", text.encode(), "application/yaml")
        if reply.status == 200:
            break
        names = list(lines)
        places = {each["line"] - 1 - len(head) for each in reply.json().get("diagnostics", [])}
        at_fault = [names[place] for place in places if 0 <= place < len(names)]
        if not at_fault:
            broken.append(f"a file refused without a line: {reply.body[:300]!r}")
            break
        for name in at_fault:
            del lines[name]
    else:
        broken.append(f"a file that is not taken after {_ROUNDS} rounds: {reply.body[:300]!r}")
    for name in lines:
        _told(port, "GET", f"/shown/{name}", b"", f"Prefer: state={name}", told, broken)
    return _FILE - len(lines), len(lines)


def written(value: object) -> str:
    """As JSON that is YAML too, on one line for all: faults of a file's syntax are told one at a time."""
    text = json.dumps(value, ensure_ascii=False).replace("\ud800", "\ufffd")
    for mark in ("\x7f", "\x85", "\u2028"):
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def response(chance: random.Random) -> dict[str, object]:
    """One in three may be wild in all its parts, the others are odd but can be sent."""
    wild = chance.random() < WILD
    made: dict[str, object] = {"undocumented": not wild or chance.random() < 0.9}
    if chance.random() < 0.7:
        made["status"] = (
            chance.choice(STATUSES) if wild and chance.random() < 0.3 else chance.randrange(200, 1000)
        )
    if chance.random() < 0.6:
        many = 2_000 if chance.random() < 0.002 else chance.randrange(4)
        mild = not wild or chance.random() < 0.5
        made["headers"] = {
            (f"X-{i}" if mild or many > 3 else chance.choice(NAMES)): _value(
                chance, 1 if wild else 0, TEXTS if wild else CALM
            )
            for i in range(many)
        }
    if chance.random() < 0.8:
        made["body"] = _value(chance, 4, TEXTS if wild else CALM)
    if wild and chance.random() < 0.1:
        made["mediaType"] = chance.choice([*NAMES, "text/plain", "application/xml", "a/b\r\nInjected: yes"])
    return made


def _value(chance: random.Random, depth: int, texts: list[str] = TEXTS) -> object:
    kind = chance.randrange(5 if depth else 3)
    if kind < 2:
        return chance.choice(texts)
    if kind == 2:
        return chance.choice(NUMBERS) if depth else str(chance.random())
    if kind == 3:
        return [_value(chance, depth - 1, texts) for _ in range(chance.randrange(3))]
    return {chance.choice(NAMES): _value(chance, depth - 1, texts) for _ in range(chance.randrange(3))}


def _reflect(port: int, chance: random.Random, told: dict[int, int], broken: list[str]) -> None:
    sent = {"header": _value(chance, 1), "value": _value(chance, 3)}
    if chance.random() < 0.5:
        sent["header"] = "".join(chr(chance.randrange(0x300)) for _ in range(chance.randrange(20)))
    target = f"/reflected/{chance.randrange(10**9)}"
    _told(port, "POST", target, json.dumps(sent).encode(), "X-None: 1", told, broken)


def _told(
    port: int, method: str, target: str, body: bytes, field: str, told: dict[int, int], broken: list[str]
) -> None:
    try:
        reply = _ask(port, method, target, body, "application/json", field)
    except (AssertionError, EOFError, OSError, ValueError) as error:
        broken.append(f"{method} {target}: {error!r}"[:300])
        return
    told[reply.status] = told.get(reply.status, 0) + 1
    if "injected" in reply.headers:
        broken.append(f"{method} {target}: a header of the value's own")


def _ask(port: int, method: str, target: str, body: bytes, media: str, *fields: str) -> Reply:
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        f"Content-Type: {media}",
        *fields,
    ]
    with Wire(port) as wire:
        wire.socket.settimeout(120)
        wire.send("\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        reply = wire.reply()
        assert wire.rest() == b"", "more than one answer"
        return reply
