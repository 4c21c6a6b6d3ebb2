"""Hostile documents are refused in little time and memory, and nothing is asked of the network.

Each is given to ``mockserver serve`` and to ``mockserver check``, a new process
each time; ``tests.hardening.child`` says what is measured of it. A run that is
too slow is done again, at most twice, and the best is told: what else the
machine does is no fault of the document.
"""

from __future__ import annotations

import json
import re
import socket
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from tests.hardening import child
from tests.hardening.child import Ran
from tests.hostile import FORGIVEN, REFUSED, SERVED, beside_a_secret, referring
from tests.measured import MEBI
from tests.verdict import Verdict

SECONDS, MEMORY = 2.0, 300 * MEBI
LARGE, LARGE_SECONDS = 20 * 1000 * 1000, 15.0
REMOTE = ["http://{at}/a.yaml", "//{at}/a.yaml", "HTTP://{at}/a.yaml#/A", "https://{at}/a", "ftp://{at}/a"]
_ATTEMPTS = 3
_OWN = re.compile(
    r"socket\.getaddrinfo \(b?'127\.0\.0\.1', 0,|urllib\.Request \('file:\S+/openapi_spec_validator/"
)
"""What is asked for by ourselves: the address to listen on, and a file of openapi-spec-validator's."""


def run() -> Verdict:
    verdict = Verdict("Hostile documents: refused within 2 s and 300 MB, no outbound connection")
    with tempfile.TemporaryDirectory() as made, socket.create_server(("127.0.0.1", 0)) as listener:
        folder = beside_a_secret(Path(made))
        at = f"127.0.0.1:{listener.getsockname()[1]}"
        documents = {name: text for name, (text, _, _) in REFUSED.items()}
        forgiven = {name: text for name, (text, _, _) in FORGIVEN.items()}
        forgiven |= {f"a reference to {each}": referring(each.format(at=at)) for each in REMOTE}
        (folder / "part.yaml").write_text(f"type: object\nproperties: {{a: {{$ref: 'http://{at}/a'}}}}\n")
        forgiven["a file that refers to a host"] = referring("part.yaml")
        _given(folder, "openapi: 3.0.3", "check")  # so that bytecode is there, as it is once installed
        _hold_refused(verdict, "serve", 2, documents, folder)
        _hold_refused(verdict, "check", 1, {**documents, **forgiven}, folder)
        _hold_served(verdict, folder, {**SERVED, **forgiven})
        verdict.hold(
            not _has_waiting(listener),
            f"a socket that {len(REMOTE) + 1} of the documents name saw no connection",
        )
    _hold_large(verdict)
    return verdict


def _given(folder: Path, text: str | bytes, command: str, answered: list[float] | None = None) -> Ran:
    (folder / "hostile.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    options = ["--port", "0", "--no-cache"] if command == "serve" else []

    def ask(port: int) -> None:
        seconds = _first_answer(f"http://127.0.0.1:{port}/ping")
        if answered is not None:
            answered.append(seconds)

    found = [child.run(command, "hostile.yaml", *options, folder=folder, serving=ask)]
    while found[-1].seconds > SECONDS and len(found) < _ATTEMPTS:
        found.append(child.run(command, "hostile.yaml", *options, folder=folder, serving=ask))
    best = min(found, key=lambda ran: ran.seconds)
    best.attempts = len(found)
    return best


def _first_answer(url: str) -> float:
    began = time.perf_counter()
    try:
        with urllib.request.urlopen(url, timeout=60) as response:
            response.read()
    except urllib.error.HTTPError as response:
        with response:
            response.read()
    return time.perf_counter() - began


def _hold_refused(
    verdict: Verdict, command: str, code: int, documents: Mapping[str, str | bytes], folder: Path
) -> None:
    told = {name: _given(folder, text, command) for name, text in documents.items()}
    wrong = [name for name, ran in told.items() if ran.code != code or "Traceback" in ran.err]
    slowest = max(told, key=lambda name: told[name].seconds)
    largest = max(told, key=lambda name: told[name].peak)
    asked = [f"{name}: {line}" for name, ran in told.items() for line in ran.asked if not _OWN.match(line)]
    verdict.hold(
        not wrong and len(told) >= 40,
        f"{command}: {len(told) - len(wrong)} of {len(told)} refused with a reason{_listed(wrong)}",
    )
    peak = told[largest].peak
    verdict.hold(
        told[slowest].seconds <= SECONDS, f"{command}: the slowest took {_time(told[slowest])}: {slowest}"
    )
    _say_again(verdict, told)
    verdict.hold(peak <= MEMORY, f"{command}: the largest took {peak / MEBI:.0f} MiB: {largest}")
    verdict.hold(not asked, f"{command}: the network was asked {len(asked)} times{_listed(asked)}")


def _time(ran: Ran) -> str:
    return f"{ran.seconds:.2f} s, {ran.worked:.2f} s of them at work"


def _say_again(verdict: Verdict, told: Mapping[str, Ran]) -> None:
    again = [name for name, ran in told.items() if ran.attempts > 1]
    if again:
        verdict.say(f"done again for being slow: {len(again)}{_listed(again)}")


def _hold_served(verdict: Verdict, folder: Path, documents: dict[str, str | bytes]) -> None:
    """What is odd, or can be forgiven, is served, in the same bounds, its first answer included."""
    answered: list[float] = []
    told = {name: _given(folder, text, "serve", answered) for name, text in documents.items()}
    wrong = [name for name, ran in told.items() if ran.code != 0 or "Traceback" in ran.err]
    verdict.hold(
        not wrong and len(answered) >= len(told),
        f"{len(told) - len(wrong)} of {len(told)} that can be served were{_listed(wrong)}",
    )
    slowest = max(told, key=lambda name: told[name].seconds)
    verdict.hold(
        told[slowest].seconds <= SECONDS,
        f"start, first answer and end of the slowest took {_time(told[slowest])}: {slowest}",
    )
    _say_again(verdict, told)
    verdict.say(f"the slowest first answer took {max(answered):.2f} s")
    largest = max(told, key=lambda name: told[name].peak)
    peak = told[largest].peak
    verdict.hold(peak <= MEMORY, f"the largest took {peak / MEBI:.0f} MiB: {largest}")
    asked = [line for ran in told.values() for line in ran.asked if not _OWN.match(line)]
    verdict.hold(not asked, f"the network was asked {len(asked)} times{_listed(asked)}")


def _hold_large(verdict: Verdict) -> None:
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        size, operations = _write_large(folder / "large.json")
        for again in (False, True):
            seconds: list[float] = []
            began = time.perf_counter()

            def ask(port: int) -> None:
                _first_answer(f"http://127.0.0.1:{port}/things-{operations - 1}/1")
                seconds.append(time.perf_counter() - began)  # noqa: B023

            ran = child.run("serve", "large.json", "--port", "0", folder=folder, serving=ask, cache=folder)
            what = f"{size / 1e6:.1f} MB of JSON, {operations:,} operations"
            how = "from the cached plan" if again else "for the first time"
            took = (
                f"{seconds[0]:.1f} s to the first answer, {ran.peak / MEBI:.0f} MiB" if seconds else ran.err
            )
            verdict.hold(bool(seconds) and seconds[0] <= LARGE_SECONDS, f"{what}, {how}: {took}")


def _write_large(path: Path) -> tuple[int, int]:
    """A document of about 20 MB; its size and how many operations it has."""
    paths, size, number = {}, 0, 0
    while size < LARGE:
        item, text = _item(number)
        paths[f"/things-{number}/{{id}}"] = item
        size += text
        number += 1
    document = {
        "openapi": "3.0.3",
        "info": {"title": "Large", "version": "1"},
        "paths": paths,
        "components": {"schemas": {"Name": {"type": "string", "maxLength": 20}}},
    }
    path.write_text(json.dumps(document))
    return path.stat().st_size, number


def _item(number: int) -> tuple[dict[str, object], int]:
    properties = {
        f"member{i}": {"type": "string", "description": f"The {i}th member of thing {number}."}
        for i in range(8)
    }
    schema = {
        "type": "object",
        "required": ["id", "name"],
        "properties": {
            "id": {"type": "string"},
            "name": {"$ref": "#/components/schemas/Name"},
            **properties,
        },
    }
    response = {"description": "One thing.", "content": {"application/json": {"schema": schema}}}
    item: dict[str, object] = {
        "get": {
            "operationId": f"getThing{number}",
            "parameters": [{"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}],
            "responses": {"200": response},
        }
    }
    return item, len(json.dumps(item))


def _has_waiting(listener: socket.socket) -> bool:
    """Whether anybody connected."""
    listener.setblocking(False)
    try:
        listener.accept()
    except BlockingIOError:
        return False
    return True


def _listed(names: list[str]) -> str:
    return f": {'; '.join(names[:5])}" if names else ""
