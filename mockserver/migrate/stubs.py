"""Read stub mappings of WireMock: files, request patterns and responses."""

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
from mockserver.inputs import read_file
from mockserver.jsonschema.patterns import ACCOUNT, matcher
from mockserver.plan import JSON, Document, Operation

STARTED = "Started"
"""The first state of every scenario in WireMock."""
_NORMAL = 5
"""Default priority of a stub; 1 is the highest."""
_MAX_BYTES = 10 * 1024 * 1024
Diagnostics = list[Diagnostic]


@dataclass(frozen=True, slots=True)
class Stub:
    """One mapping. ``order`` is its number: at equal priority, the last stub is matched first."""

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
        return _mapping(self.members.get("request"))

    @property
    def response(self) -> dict[str, JSON]:
        return _mapping(self.members.get("response"))

    @property
    def priority(self) -> int:
        diagnostics = self.members.get("priority")
        return diagnostics if isinstance(diagnostics, int) else _NORMAL

    @property
    def scenario(self) -> str:
        return str(self.members.get("scenarioName") or "")

    @property
    def state(self) -> str:
        """The state in which the stub responds; empty for any state."""
        return str(self.members.get("requiredScenarioState") or "")

    @property
    def next(self) -> str:
        """The state after the response; empty for no change."""
        return str(self.members.get("newScenarioState") or "")

    def unsupported(self, what: str, remedy: str = "") -> Diagnostic:
        """Return a warning that a part of the stub has no counterpart."""
        return Diagnostic(
            "M102", f"{self.name}: {what} has no counterpart and is left out", self.where, remedy, "warning"
        )


def read_stubs(path: Path, diagnostics: Diagnostics) -> list[Stub]:
    """Read the stubs of a file, a folder, or the root folder of WireMock. Report invalid stubs."""
    root = path if path.is_dir() else path.parent
    if root.name == "mappings":
        root = root.parent
    folder = path / "mappings" if (path / "mappings").is_dir() else path
    files = sorted(folder.rglob("*.json")) if folder.is_dir() else [path]
    if not files:
        diagnostics.append(
            Diagnostic("M101", "holds no stub mapping", Location(str(path)), "give a folder of .json files.")
        )
    stubs: list[Stub] = []
    for file in files:
        for index, members in enumerate(_mappings(file, diagnostics)):
            where = Location(str(file), pointer=f"/mappings/{index}" if index else "")
            stubs.append(Stub(len(stubs), where, members, root / "__files"))
    return stubs


def _mappings(file: Path, diagnostics: Diagnostics) -> Iterator[dict[str, JSON]]:
    """Yield the mappings of one file, which has one mapping or a list ``mappings``."""
    try:
        if file.stat().st_size > _MAX_BYTES:
            raise ValueError(f"is over {_MAX_BYTES:,} bytes")
        text: Any = json.loads(read_file(file).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        diagnostics.append(
            Diagnostic("M101", f"cannot be read: {error}", Location(str(file)), "write JSON in UTF-8.")
        )
        return
    listed = text.get("mappings", [text]) if isinstance(text, dict) else text
    for mapping in listed if isinstance(listed, list) else [listed]:
        if isinstance(mapping, dict) and isinstance(mapping.get("request"), dict):
            yield mapping
        else:
            remedy = "a mapping is an object with `request` and `response`."
            diagnostics.append(
                Diagnostic("M101", "contains an item that is not a stub mapping", Location(str(file)), remedy)
            )


def _read_body(stub: Stub, diagnostics: Diagnostics) -> tuple[bool, JSON]:
    """Return whether a stub has a body, and the body."""
    response = stub.response
    if "jsonBody" in response:
        return True, response["jsonBody"]
    text = response.get("body")
    name = response.get("bodyFileName")
    if isinstance(name, str):
        file = (stub.files / name.replace("\0", "")).resolve()
        if not file.is_relative_to(stub.files.resolve()) or not file.is_file():
            diagnostics.append(
                stub.unsupported(f"the body file {name}", f"there is no such file in {stub.files}.")
            )
            return False, None
        text = file.read_text("utf-8", "replace")
    if not isinstance(text, str):
        return False, None
    try:
        return True, json.loads(text)
    except ValueError:
        return True, text


def _mapping(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


Pattern = str | list[str]
"""A text, a glob, or several of which one must match."""
_CHOICE = re.compile(r"[\w-]+(\|[\w-]+)*")
_GLOB = re.compile(r"[*?\[]")
_PARTS = {"headers": "header", "queryParameters": "query", "cookies": "cookie"}
_PATHS = ("url", "urlPath", "urlPattern", "urlPathPattern", "urlPathTemplate")
_KNOWN = frozenset([*_PARTS, *_PATHS, "method", "pathParameters"])
_SAMPLES = ("1", "abc", "00000000-0000-4000-8000-000000000000", "2026-01-01")
"""Values of path parameters, to match a regular expression with a template."""


@dataclass(frozen=True, slots=True)
class RequestMatch:
    """The operation that a stub responds to, and its conditions: part of the request → text or glob."""

    operation: Operation
    conditions: dict[str, Pattern]


def read_request(stub: Stub, document: Document, diagnostics: Diagnostics) -> RequestMatch | None:
    """Return the operation and conditions of a stub, or None after reporting an unknown operation."""
    request = stub.request
    method = str(request.get("method", "ANY")).upper()
    operations = [operation for operation in document.operations if method in ("ANY", operation.method)]
    conditions: dict[str, Pattern] = {}
    operations_found = _matching_operations(request, operations, document.base_paths, conditions)
    if not operations_found:
        path = next((f"{name} {request[name]}" for name in _PATHS if name in request), "any path")
        remedy = "name the path as the document has it, or serve a document that has it."
        message = f"{stub.name}: no operation of the document is {method} {path}; the stub is left out"
        diagnostics.append(Diagnostic("M103", message, stub.where, remedy, "warning"))
        return None
    for other in operations_found[1:]:
        diagnostics.append(
            stub.unsupported(f"being for {other.method} {other.path} too", "write a state for it as well.")
        )
    _read_parts(stub, conditions, diagnostics)
    for name in sorted(request.keys() - _KNOWN):
        diagnostics.append(
            stub.unsupported(f"request.{name}", "add a rule to `select`, or verify it in the test.")
        )
    return RequestMatch(operations_found[0], conditions)


def _matching_operations(
    request: dict[str, JSON],
    operations: Sequence[Operation],
    bases: Sequence[str],
    conditions: dict[str, Pattern],
) -> list[Operation]:
    """Return the operations that match the path of a pattern. Add values of parameters to ``conditions``."""
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
    """Return a path template without the names of its parameters."""
    return re.sub(r"\{[^}]*\}", "{}", template)


def _samples(bases: Sequence[str], template: str) -> list[str]:
    return [base + re.sub(r"\{[^}]*\}", sample, template) for base in bases for sample in _SAMPLES]


def _values(template: str, path: str) -> dict[str, str] | None:
    """Return the path parameters of a path; None if it does not match the template."""
    names: list[str] = re.findall(r"\{([^}]*)\}", template)
    diagnostics = re.fullmatch("([^/]+)".join(map(re.escape, re.split(r"\{[^}]*\}", template))), path)
    return None if diagnostics is None else dict(zip(names, map(unquote, diagnostics.groups()), strict=True))


def _read_parts(stub: Stub, conditions: dict[str, Pattern], diagnostics: Diagnostics) -> None:
    parts = {**_PARTS, "pathParameters": "path"}
    for member, part in parts.items():
        patterns = stub.request.get(member)
        for name, pattern in patterns.items() if isinstance(patterns, dict) else ():
            text = _text(pattern)
            if text is None:
                diagnostics.append(
                    stub.unsupported(
                        f"request.{member}.{name}: {pattern}", "a rule takes a text, or a glob with * and ?."
                    )
                )
            else:
                conditions[f"{part}.{name}"] = text


def _text(pattern: JSON) -> Pattern | None:
    """Return a value pattern as a text, a glob or several; None if that is not possible."""
    if not isinstance(pattern, dict) or len(pattern.keys() - {"caseInsensitive"}) != 1:
        return None
    match pattern:
        case {"equalTo": str() as value}:
            return _GLOB.sub(lambda diagnostics: f"[{diagnostics[0]}]", value)
        case {"contains": str() as value}:
            return "*" + _GLOB.sub(lambda diagnostics: f"[{diagnostics[0]}]", value) + "*"
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
"""Headers that the server derives from the response."""


def read_response(stub: Stub, operation: Operation, diagnostics: Diagnostics) -> Members:
    """Return the response of a stub as the response of a state."""
    response = stub.response
    status = _read_status(stub, diagnostics)
    state_response: Members = {"status": status}
    has_body, body = _read_body(stub, diagnostics)
    headers = response.get("headers")
    sent = {
        name: value
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if name.lower() not in _DERIVED
    }
    if sent:
        state_response["headers"] = {name: ", ".join(map(str, value)) if isinstance(value, list) else value
                             for name, value in sent.items()}  # fmt: skip
    if has_body:
        state_response["body"] = body
    if response_for(operation, status) is None:
        state_response["undocumented"] = True
        if media_type := _media_type(state_response.get("body"), headers):
            state_response["mediaType"] = media_type
    state_response |= _read_delivery(response)
    for name in sorted(response.keys() - _RESPONSE):
        diagnostics.append(
            stub.unsupported(f"response.{name}", "see the documentation for what scenario files can say.")
        )
    if "{{" in str(body):
        diagnostics.append(stub.unsupported("response templating", "write Jinja2: {{ request.path.id }}."))
    for name in ("postServeActions", "serveEventListeners"):
        if stub.members.get(name):
            diagnostics.append(stub.unsupported(name, "write a webhook under `notify`."))
    return state_response


def _read_status(stub: Stub, diagnostics: Diagnostics) -> int:
    status = stub.response.get("status", 200)
    if isinstance(status, str) and re.fullmatch("[1-5][0-9]{2}", status):
        return int(status)
    if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
        return status
    diagnostics.append(
        stub.unsupported(f"the status {status!r}", "write a number from 100 to 599; it is 200 until then.")
    )
    return 200


def _media_type(body: JSON, headers: Any) -> str:
    """Return the media type of an undocumented body; empty for JSON."""
    stated = headers if isinstance(headers, dict) else {}
    content_type = next((value for name, value in stated.items() if name.lower() == "content-type"), None)
    if isinstance(content_type, str):
        return content_type
    return "text/plain" if isinstance(body, str) else ""


def _read_delivery(response: Members) -> Members:
    """Return delay, dribble and fault of a response."""
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
