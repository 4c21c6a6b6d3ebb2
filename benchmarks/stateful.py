"""How many inferred resources of documents keep what clients write, judged from the responses alone.

    python -m benchmarks.stateful [--bodies schemathesis] [--store redis://…] DOCUMENT…

For each resource: create → read is the same → the list has it → change → read shows it → delete → 404.
Steps that the document does not have are left out. The causes of failures are printed, and the share of
resources for which every step holds. A field is not compared if its schema in the response does not allow
the value that was sent: no valid response can show it. Schemathesis does not know the formats of numbers: its
bodies with numbers that no int32 or int64 can be break the document, and are not sent.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

from benchmarks.callers import MAX_BODIES, Bodies, SchemathesisBodies, Send, in_process, on_store
from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.diagnostics import CompileError
from mockserver.engine.paging import OFFSETS, PAGES
from mockserver.engine.service import Route, Service
from mockserver.generate import Unsatisfiable
from mockserver.media.shapes import Shapes
from mockserver.messages import Request, Response
from mockserver.plan import DataOperation, DataResource, MediaType, Operation

JSON = Any


class NotJudged(Exception):  # noqa: N818
    """The tool cannot make the requests of a resource."""


class Broken(Exception):  # noqa: N818
    """A step does not hold."""


@dataclass
class Sent:
    """A response with the request that it is for."""

    response: Response
    body: JSON

    @property
    def value(self) -> JSON:
        try:
            return json.loads(self.response.body)
        except ValueError:
            return None


class Caller:
    """Sends valid requests to the operations of one resource."""

    def __init__(self, send: Send, service: Service, resource: DataResource, bodies: Bodies | None) -> None:
        self._send = send
        self._bodies = bodies
        self.service = service
        self.resource = resource

    def operation(self, verb: str) -> tuple[Route, DataOperation] | None:
        for index, operation in self.resource.operations.items():
            if operation.verb == verb:
                return self.service.routes[index], operation
        return None

    def call(self, route: Route, path: dict[str, str], body: JSON = None, *, item: JSON = None) -> Sent:
        operation, fakes = route.operation, self.service.fakes
        values: dict[str, str] = {}
        query: list[tuple[str, str]] = []
        headers = {"accept": "application/json, */*;q=0.1", "authorization": "Bearer x", "cookie": "a=b"}
        for parameter in operation.parameters:
            if parameter.location == "path":
                if parameter.name not in path:
                    path[parameter.name] = self._path_value(parameter.name)
                values[parameter.name] = path[parameter.name]
            elif parameter.required and parameter.location == "query":
                own = item.get(parameter.name) if isinstance(item, dict) else None
                first = {**dict.fromkeys(OFFSETS, 0), **dict.fromkeys(PAGES, 1)}.get(parameter.name.lower())
                validator = (
                    self.service.schemas.validator(parameter.schema, "request") if parameter.schema else None
                )
                fitting = [value for value in (own, [own], first) if value not in (None, [None])]
                if validator is not None:
                    fitting = [value for value in fitting if validator.is_valid(value)]
                value = fitting[0] if fitting else self.sample(parameter.schema, parameter.name)
                query.append((parameter.name, _text(value)))
            elif (
                parameter.required
                and parameter.location == "header"
                and parameter.name.lower() not in headers
            ):
                headers[parameter.name.lower()] = _text(self.sample(parameter.schema, parameter.name))
        for requirement in operation.security[:1]:
            for name in requirement:
                scheme = self.service.document.security_schemes.get(name)
                if scheme is not None and scheme.type == "apiKey":
                    if scheme.location == "query":
                        query.append((scheme.parameter, "x"))
                    else:
                        headers[scheme.parameter.lower()] = "x"
                elif scheme is not None and scheme.scheme == "basic":
                    headers["authorization"] = "Basic eDp5"
        target = re.sub(
            r"\{([^{}]+)\}", lambda found: quote(values.get(found[1], path.get(found[1], "x")), safe=""),
            operation.path,
        )  # fmt: skip
        data = b""
        if operation.body is not None:
            media = next((m for m in operation.body.content if "json" in m.name), operation.body.content[0])
            if body is None and self._bodies is not None:
                body = self._valid_body(self._bodies, operation, media)
            if body is None and media.schema is not None:
                body = fakes.value(media.schema, key=operation.id, direction="request")
            if "json" in media.name:
                data = json.dumps(body).encode()
            elif "form-urlencoded" in media.name and isinstance(body, dict):
                body = {name: value for name, value in body.items() if isinstance(value, str | int | float)}
                data = urlencode({name: _text(value) for name, value in body.items()}).encode()
            else:
                raise NotJudged(f"this tool cannot send {media.name}")
            headers["content-type"] = media.name
            headers["content-length"] = str(len(data))
        return Sent(self._send(Request(operation.method, target, urlencode(query), headers, data)), body)

    def _valid_body(self, bodies: Bodies, operation: Operation, media: MediaType) -> JSON:
        """Return a body without numbers that their format forbids, or None."""
        body = bodies(operation, media.name)
        validator = self.service.schemas.validator(media.schema, "request") if media.schema else None
        for _ in range(MAX_BODIES):
            broken = validator.violations(body) if validator is not None and body is not None else ()
            if not any(v.keyword == "format" and isinstance(v.value, int | float) for v in broken):
                return body
            body = bodies(operation, media.name)
        return None

    def _path_value(self, name: str) -> str:
        """Return a value of a path parameter that every operation of the resource allows, if there is one."""
        schemas = [
            parameter.schema
            for index in self.resource.operations
            for parameter in self.service.routes[index].operation.parameters
            if (parameter.location, parameter.name) == ("path", name) and parameter.schema
        ]
        values = [self.sample(schema, name) for schema in schemas] or ["x"]
        validators = [self.service.schemas.validator(schema, "request") for schema in schemas]
        values.sort(key=lambda value: isinstance(value, str))  # a path has text, whatever the type is
        fitting = (
            value for value in values if all(v.is_valid(value) or v.is_valid(str(value)) for v in validators)
        )
        return _text(next(fitting, values[0]))

    def sample(self, schema: str | None, name: str) -> JSON:
        return "x" if schema is None else self.service.fakes.value(schema, key=name, direction="request")


def _text(value: JSON) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _at(value: JSON, path: tuple[str, ...]) -> JSON:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _expect(sent: Sent, what: str, low: int = 200, high: int = 299) -> None:
    if not low <= sent.response.status <= high:
        detail = sent.response.body[:200].decode("utf-8", "replace")
        raise Broken(f"{what}: status {sent.response.status}: {detail}")


class Comparison:
    """Compares what was sent with what a response with a schema shows."""

    def __init__(self, service: Service, ref: str | None) -> None:
        self._schemas = service.schemas
        self._shapes = Shapes(service.schemas)
        self._refs = [ref] if ref is not None else []

    def check(self, one: JSON, other: JSON) -> None:
        """Raise Broken if a field that both have differs."""
        self._compare(one, other, self._refs)

    def _compare(self, one: JSON, other: JSON, refs: list[str]) -> None:
        if not isinstance(one, dict) or not isinstance(other, dict):
            return
        for name in one.keys() & other.keys():
            mine, yours, inner = one[name], other[name], self._parts(refs, name)
            if isinstance(mine, dict) and isinstance(yours, dict):
                self._compare(mine, yours, inner)
            elif isinstance(mine, list) and isinstance(yours, list):
                items = [ref for part in inner for shape in self._shapes.of(part) for ref in shape.items]
                for member, shown in zip(mine, yours, strict=False):
                    self._compare_value(name, member, shown, items)
            else:
                self._compare_value(name, mine, yours, inner)

    def _compare_value(self, name: str, mine: JSON, yours: JSON, refs: list[str]) -> None:
        if isinstance(mine, dict) and isinstance(yours, dict):
            self._compare(mine, yours, refs)
        elif mine != yours and _text(mine) != _text(yours) and self._can_show(mine, refs):
            raise Broken(f"{name} is {str(yours)[:60]} and not {str(mine)[:60]}")

    def _parts(self, refs: list[str], name: str) -> list[str]:
        shapes = (shape for ref in refs for shape in self._shapes.of(ref))
        return [part for shape in shapes for part in shape.properties.get(name, ())]

    def _can_show(self, value: JSON, refs: list[str]) -> bool:
        """Return whether a property's schemas allow a value, one of them at least."""
        return not refs or any(self._schemas.validator(ref, "response").is_valid(value) for ref in refs)


def round_trip(caller: Caller) -> None:
    """Make the steps of one resource. Raises Broken."""
    resource = caller.resource
    path: dict[str, str] = {}
    parents = path
    key_name = next((o.key for o in resource.operations.values() if o.key), "")
    sent_item: JSON = None
    creating, replacing = caller.operation("creates"), caller.operation("replaces")
    if resource.is_singleton:
        reading = caller.operation("reads")
        assert reading is not None
        seen: JSON = _at(caller.call(reading[0], path).value, reading[1].path)
        stored = seen
    elif creating is not None:
        made = caller.call(creating[0], path)
        parents = dict(path)
        _expect(made, "create")
        shown = _at(made.value, creating[1].path) if creating[1].schema else {}
        sent_item = _at(made.body, creating[1].request_path)
        key = shown.get(resource.key_field) if isinstance(shown, dict) else None
        if key is None and resource.key_field and isinstance(sent_item, dict):
            key = sent_item.get(resource.key_field)
        location = dict(made.response.headers).get("location", "")
        made_key = _text(key) if key is not None else unquote(location.rsplit("/", 1)[-1])
        path |= {operation.key: made_key for operation in resource.operations.values() if operation.key}
        if isinstance(sent_item, dict) and isinstance(shown, dict):
            _compare(caller, sent_item, shown, creating[1], "create")
        stored = shown or sent_item
    else:
        assert replacing is not None
        path = {key_name: _key_for(caller, replacing[0], key_name)}
        made = caller.call(replacing[0], path)
        _expect(made, "put")
        stored = _at(made.value, replacing[1].path) if replacing[1].schema else {}
        if replacing[1].keyed_by_body and isinstance(made.body, dict):
            made_key = _text(made.body.get(resource.key_field))
            path |= {operation.key: made_key for operation in resource.operations.values() if operation.key}
    first = creating or replacing
    if first is not None:  # operations may call the same parents by other names
        for operation in resource.operations.values():
            path |= {
                name: path[own]
                for own, name in zip(first[1].parents, operation.parents, strict=False)
                if own in path
            }
    reading = caller.operation("reads")
    value: JSON = None
    if reading is not None:
        read = caller.call(reading[0], path)
        _expect(read, "read")
        value = _at(read.value, reading[1].path)
        if read.response.headers and "data=" not in read.response.decision:
            raise Broken(f"read: {read.response.decision}")
        try:
            Comparison(caller.service, reading[1].schema).check(stored, value)
        except Broken as error:
            raise Broken(f"read after create: {error}") from None
    listing = caller.operation("lists")
    if listing is not None and listing[1].fields and not (creating and creating[1].fields):
        listing = None  # a list below another item than that of the creation
    if listing is not None and not resource.is_singleton:
        # A list that has to be filtered is asked for the values of the item, which the server may have set
        known: dict[str, JSON] = {}
        for shown in (sent_item, stored, value):
            known |= shown if isinstance(shown, dict) else {}
        listed = caller.call(listing[0], parents if listing[1].fields else path, item=known)
        _expect(listed, "list")
        items = _at(listed.value, listing[1].path)
        if not isinstance(items, list) or not items:
            raise Broken(f"list: {listed.response.decision} {str(listed.response.warnings)[:200]}")
        keys = [_text(item.get(resource.key_field)) for item in items if isinstance(item, dict)]
        has_key = any(isinstance(item, dict) and resource.key_field in item for item in items)
        if resource.key_field and has_key and path.get(key_name) and path[key_name] not in keys:
            raise Broken(f"list: it has the keys {keys[:3]} and not {path[key_name]}")
    for verb in ("merges", "replaces"):
        changing = caller.operation(verb)
        if changing is None or changing[1].keyed_by_body:
            continue
        changed = caller.call(changing[0], path)
        if verb == "merges" and changed.response.decision == "data=refused" and reading is not None:
            # The request's schema allows what the item's does not: nothing may be stored
            again = caller.call(reading[0], path)
            Comparison(caller.service, None).check(value, _at(again.value, reading[1].path))
            continue
        _expect(changed, verb)
        if reading is not None:
            again = caller.call(reading[0], path)
            _expect(again, f"read after {verb}")
            body = _at(changed.body, changing[1].request_path)
            value = _at(again.value, reading[1].path)
            if isinstance(body, dict) and isinstance(value, dict):
                _compare(caller, body, value, reading[1], f"read after {verb}")
    deleting = caller.operation("deletes")
    if deleting is not None and deleting[1].key:
        _expect(caller.call(deleting[0], path), "delete")
        _expect(caller.call(deleting[0], path), "second delete", 404, 404)
        if reading is not None:
            _expect(caller.call(reading[0], path), "read after delete", 404, 404)


def _compare(caller: Caller, sent: JSON, shown: JSON, operation: DataOperation, what: str) -> None:
    """Compare what was sent with what is shown, without the key and the fields that are the server's."""
    schemas, resource = caller.service.schemas, caller.resource
    hidden = {resource.key_field}
    for each in resource.operations.values():
        for ref in filter(None, (each.request_schema, each.schema, resource.schema)):
            hidden |= schemas.hidden(ref, "request")
    try:
        own = {name: value for name, value in sent.items() if name not in hidden}
        Comparison(caller.service, operation.schema).check(own, shown)
    except Broken as error:
        raise Broken(f"{what}: {error}") from None


def _key_for(caller: Caller, route: Route, name: str) -> str:
    parameter = next((p for p in route.operation.parameters if p.name == name), None)
    return _text(caller.sample(parameter.schema if parameter else None, name))


def verdicts(document: Path, bodies: Bodies | None, store: str | None) -> Iterator[tuple[str, str]]:
    """Yield each resource of a document, and why it fails or an empty text."""
    plan = compile_plan(Inputs((document,), stateful=True)).plan
    if not plan.data:
        return
    service = Service(plan.documents[0], plan.seed)
    with on_store(document, store) if store else in_process(plan) as send:
        for resource in plan.data:
            try:
                round_trip(Caller(send, service, resource, bodies))
                yield resource.name, ""
            except Broken as error:
                yield resource.name, str(error)
            except (NotJudged, Unsatisfiable) as error:
                print(f"    {resource.name} is not judged: {str(error)[:150]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--bodies", choices=["own", "schemathesis"], default="own")
    parser.add_argument("--store", help="two workers share their data there: redis://…")
    parser.add_argument("documents", nargs="*", type=Path)
    options = parser.parse_args()
    total: Counter[bool] = Counter()
    causes: Counter[str] = Counter()
    for path in options.documents:
        try:
            bodies = SchemathesisBodies(path) if options.bodies == "schemathesis" else None
            found = list(verdicts(path, bodies, options.store))
        except CompileError as error:
            print(f"{path.name}: {str(error)[:100]}")
            continue
        held = sum(not cause for _, cause in found)
        print(f"{path.name}: {held} of {len(found)}", flush=True)
        for name, cause in found:
            total[not cause] += 1
            if cause:
                print(f"    {name}: {cause[:220]}")
                causes[cause.partition(":")[0]] += 1
    number = total.total()
    print(f"{total[True]} of {number} resources: {100 * total[True] / max(1, number):.1f} %")
    for cause, count in causes.most_common():
        print(f"    {count} × {cause}")


if __name__ == "__main__":
    main()
