"""WireMock's stub mappings: files, request patterns and responses, in the terms of a scenario file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from mockserver.diagnostics import Diagnostic, Location
from mockserver.engine.response.negotiation import response_for
from mockserver.inputs import contents
from mockserver.jsonschema.patterns import ACCOUNT, matcher
from mockserver.plan import JSON, Document, Operation

STARTED = "Started"
"""WireMock's name for where every scenario begins."""
_NORMAL = 5
"""The priority of a stub that says none; 1 goes first."""
_LARGEST = 10 * 1024 * 1024
Found = list[Diagnostic]


@dataclass(frozen=True, slots=True)
class Stub:
    """One mapping. ``order`` counts them as they were read: of equal priority, the last goes first."""

    order: int
    where: Location
    members: dict[str, JSON]
    files: Path
    """The folder that ``bodyFileName`` is relative to."""

    @property
    def name(self) -> str:
        return str(self.members.get("name") or Path(self.where.source).stem)

    @property
    def request(self) -> dict[str, JSON]:
        return _object(self.members.get("request"))

    @property
    def response(self) -> dict[str, JSON]:
        return _object(self.members.get("response"))

    @property
    def priority(self) -> int:
        found = self.members.get("priority")
        return found if isinstance(found, int) else _NORMAL

    @property
    def scenario(self) -> str:
        return str(self.members.get("scenarioName") or "")

    @property
    def state(self) -> str:
        """The state in which it answers; empty for any."""
        return str(self.members.get("requiredScenarioState") or "")

    @property
    def next(self) -> str:
        """The state that it leaves the scenario in; empty for the same."""
        return str(self.members.get("newScenarioState") or "")

    def lost(self, what: str, remedy: str = "") -> Diagnostic:
        """That a part of it has no counterpart."""
        return Diagnostic(
            "M102", f"{self.name}: {what} has no counterpart and is left out", self.where, remedy, "warning"
        )


def read_stubs(path: Path, found: Found) -> list[Stub]:
    """The stubs of a file, a folder of them, or WireMock's root folder; what is no stub is told."""
    root = path if path.is_dir() else path.parent
    if root.name == "mappings":
        root = root.parent
    folder = path / "mappings" if (path / "mappings").is_dir() else path
    files = sorted(folder.rglob("*.json")) if folder.is_dir() else [path]
    if not files:
        found.append(
            Diagnostic("M101", "holds no stub mapping", Location(str(path)), "give a folder of .json files.")
        )
    stubs: list[Stub] = []
    for file in files:
        for index, members in enumerate(_mappings(file, found)):
            where = Location(str(file), pointer=f"/mappings/{index}" if index else "")
            stubs.append(Stub(len(stubs), where, members, root / "__files"))
    return stubs


def _mappings(file: Path, found: Found) -> Iterator[dict[str, JSON]]:
    """The mappings of one file, which has one or a list of ``mappings``."""
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError(f"is over {_LARGEST:,} bytes")
        text: Any = json.loads(contents(file).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        found.append(
            Diagnostic("M101", f"cannot be read: {error}", Location(str(file)), "it is to be JSON, in UTF-8.")
        )
        return
    listed = text.get("mappings", [text]) if isinstance(text, dict) else text
    for mapping in listed if isinstance(listed, list) else [listed]:
        if isinstance(mapping, dict) and isinstance(mapping.get("request"), dict):
            yield mapping
        else:
            remedy = "a mapping is an object with `request` and `response`."
            found.append(Diagnostic("M101", "holds what is no stub mapping", Location(str(file)), remedy))


def body_of(stub: Stub, found: Found) -> tuple[bool, JSON]:
    """Whether a stub gives a body, and the body."""
    response = stub.response
    if "jsonBody" in response:
        return True, response["jsonBody"]
    text = response.get("body")
    name = response.get("bodyFileName")
    if isinstance(name, str):
        file = (stub.files / name.replace("\0", "")).resolve()
        if not file.is_relative_to(stub.files.resolve()) or not file.is_file():
            found.append(stub.lost(f"the body file {name}", f"there is no such file in {stub.files}."))
            return False, None
        text = file.read_text("utf-8", "replace")
    if not isinstance(text, str):
        return False, None
    try:
        return True, json.loads(text)
    except ValueError:
        return True, text


def _object(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def names(stubs: Sequence[Stub]) -> str:
    """Stubs as a list in words."""
    return ", ".join(stub.name for stub in stubs)


Wanted = str | list[str]
"""A text, a glob, or several of which one must be met."""
_CHOICE = re.compile(r"[\w-]+(\|[\w-]+)*")
_GLOB = re.compile(r"[*?\[]")
_PARTS = {"headers": "header", "queryParameters": "query", "cookies": "cookie"}
_PATHS = ("url", "urlPath", "urlPattern", "urlPathPattern", "urlPathTemplate")
_KNOWN = frozenset([*_PARTS, *_PATHS, "method", "pathParameters"])
_SAMPLES = ("1", "abc", "00000000-0000-4000-8000-000000000000", "2026-01-01")
"""Values of path parameters, by which a regular expression is tried on a template."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The operation that a stub answers, and what of the request it looks at: part → text or glob."""

    operation: Operation
    conditions: dict[str, Wanted]


def read_request(stub: Stub, document: Document, found: Found) -> Asked | None:
    """None, with a diagnostic, where no operation of the document is meant."""
    request = stub.request
    method = str(request.get("method", "ANY")).upper()
    operations = [operation for operation in document.operations if method in ("ANY", operation.method)]
    conditions: dict[str, Wanted] = {}
    meant = _meant(request, operations, document.base_paths, conditions)
    if not meant:
        path = next((f"{name} {request[name]}" for name in _PATHS if name in request), "any path")
        remedy = "name the path as the document has it, or serve a document that has it."
        message = f"{stub.name}: no operation of the document is {method} {path}; the stub is left out"
        found.append(Diagnostic("M103", message, stub.where, remedy, "warning"))
        return None
    for other in meant[1:]:
        found.append(stub.lost(f"being for {other.method} {other.path} too", "write a state for it as well."))
    _read_parts(stub, conditions, found)
    for name in sorted(request.keys() - _KNOWN):
        found.append(stub.lost(f"request.{name}", "add a rule to `select`, or verify it in the test."))
    return Asked(meant[0], conditions)


def _meant(
    request: dict[str, JSON],
    operations: Sequence[Operation],
    bases: Sequence[str],
    conditions: dict[str, Wanted],
) -> list[Operation]:
    """The operations that a pattern's path leads to; values of path parameters join the conditions."""
    for name in ("urlPath", "url"):
        if isinstance(literal := request.get(name), str):
            try:
                parts = urlsplit(literal)
            except ValueError:
                return []
            conditions |= {f"query.{key}": value for key, value in parse_qsl(parts.query)}
            for operation in operations:
                for base in bases:
                    if (values := _values(base + operation.path, parts.path)) is not None:
                        conditions |= {f"path.{name}": value for name, value in values.items()}
                        return [operation]
            return []
    if isinstance(template := request.get("urlPathTemplate"), str):
        wanted = _shape(template)
        return [
            operation
            for operation in operations
            if any(_shape(base + operation.path) == wanted for base in bases)
        ]
    for name in ("urlPathPattern", "urlPattern"):
        if isinstance(pattern := request.get(name), str):
            try:
                matches = matcher(f"^(?:{pattern})$")
            except ValueError:
                return []
            ACCOUNT.begin()
            try:
                return [
                    operation
                    for operation in operations
                    if any(map(matches, _samples(bases, operation.path)))
                ]
            finally:
                ACCOUNT.end()
    return list(operations)


def _shape(template: str) -> str:
    """A path template without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", template)


def _samples(bases: Sequence[str], template: str) -> list[str]:
    return [base + re.sub(r"\{[^}]*\}", sample, template) for base in bases for sample in _SAMPLES]


def _values(template: str, path: str) -> dict[str, str] | None:
    """The path parameters in a path; None where it is another's."""
    names: list[str] = re.findall(r"\{([^}]*)\}", template)
    found = re.fullmatch("([^/]+)".join(map(re.escape, re.split(r"\{[^}]*\}", template))), path)
    return None if found is None else dict(zip(names, map(unquote, found.groups()), strict=True))


def _read_parts(stub: Stub, conditions: dict[str, Wanted], found: Found) -> None:
    parts = {**_PARTS, "pathParameters": "path"}
    for member, part in parts.items():
        patterns = stub.request.get(member)
        for name, pattern in patterns.items() if isinstance(patterns, dict) else ():
            text = _text(pattern)
            if text is None:
                found.append(
                    stub.lost(
                        f"request.{member}.{name}: {pattern}", "a rule takes a text, or a glob with * and ?."
                    )
                )
            else:
                conditions[f"{part}.{name}"] = text


def _text(pattern: JSON) -> Wanted | None:
    """A value pattern as a text, a glob or several; None where it is more than that can say."""
    if not isinstance(pattern, dict) or len(pattern.keys() - {"caseInsensitive"}) != 1:
        return None
    match pattern:
        case {"equalTo": str() as value}:
            return _GLOB.sub(lambda found: f"[{found[0]}]", value)
        case {"contains": str() as value}:
            return "*" + _GLOB.sub(lambda found: f"[{found[0]}]", value) + "*"
        case {"matches": ".*" | ".+"}:
            return "*"
        case {"matches": str() as value} if _CHOICE.fullmatch(value):
            return value.split("|")
    return None


Members = dict[str, Any]
_RESPONSE = frozenset(
    ["status", "statusMessage", "headers", "body", "jsonBody", "bodyFileName", "fixedDelayMilliseconds",
     "delayDistribution", "chunkedDribbleDelay", "fault", "fromConfiguredStub"]
)  # fmt: skip
_DERIVED = frozenset(["content-length", "transfer-encoding", "connection", "date", "content-type"])
"""Headers that follow from the answer itself."""


def read_response(stub: Stub, operation: Operation, found: Found) -> Members:
    """A stub's response as the answer of a state."""
    response = stub.response
    status = _status(stub, found)
    state_response: Members = {"status": status}
    given, body = body_of(stub, found)
    headers = response.get("headers")
    kept = {
        name: value
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if name.lower() not in _DERIVED
    }
    if kept:
        state_response["headers"] = {name: ", ".join(map(str, value)) if isinstance(value, list) else value
                             for name, value in kept.items()}  # fmt: skip
    if given:
        state_response["body"] = body
    if response_for(operation, status) is None:
        state_response["undocumented"] = True
        if media_type := _media_type(state_response.get("body"), headers):
            state_response["mediaType"] = media_type
    state_response |= _delivery(response)
    for name in sorted(response.keys() - _RESPONSE):
        found.append(stub.lost(f"response.{name}", "see the documentation for what scenario files can say."))
    if "{{" in str(body):
        found.append(stub.lost("response templating", "write Jinja2: {{ request.path.id }}."))
    for name in ("postServeActions", "serveEventListeners"):
        if stub.members.get(name):
            found.append(stub.lost(name, "write a notice, if it was a webhook."))
    return state_response


def _status(stub: Stub, found: Found) -> int:
    status = stub.response.get("status", 200)
    if isinstance(status, str) and re.fullmatch("[1-5][0-9]{2}", status):
        return int(status)
    if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
        return status
    found.append(stub.lost(f"the status {status!r}", "write a number from 100 to 599; it is 200 until then."))
    return 200


def _media_type(body: JSON, headers: Any) -> str:
    """What a body is sent as, which no document says; empty for JSON."""
    stated = headers if isinstance(headers, dict) else {}
    said = next((value for name, value in stated.items() if name.lower() == "content-type"), None)
    if isinstance(said, str):
        return said
    return "text/plain" if isinstance(body, str) else ""


def _delivery(response: Members) -> Members:
    """Delay, dribble and fault."""
    delivery: Members = {}
    if fixed := response.get("fixedDelayMilliseconds"):
        delivery["delay"] = f"{fixed}ms"
    match response.get("delayDistribution"):
        case {"type": "uniform", "lower": lower, "upper": upper}:
            delivery["delay"] = {"min": f"{lower}ms", "max": f"{upper}ms"}
        case {"type": "lognormal", "median": median, "sigma": sigma}:
            delivery["delay"] = {"median": f"{median}ms", "sigma": sigma}
    match response.get("chunkedDribbleDelay"):
        case {"numberOfChunks": chunks, "totalDuration": total}:
            delivery["dribble"] = {"chunks": chunks, "over": f"{total}ms"}
    if fault := response.get("fault"):
        delivery["fault"] = fault
    return delivery
