"""Responses with stored values: bodies, ``Location``, entity tags and preconditions (RFC 9110)."""

from __future__ import annotations

import re
from collections.abc import Callable
from copy import deepcopy
from typing import TYPE_CHECKING, Any

from mockserver.diagnostics import MockServerError
from mockserver.engine.data.bases import Origin
from mockserver.engine.data.projection import Projected
from mockserver.engine.data.references import decoded
from mockserver.engine.prefer import Preference
from mockserver.engine.resources.render import LruCache
from mockserver.engine.resources.runtime import documented, refused, set_location
from mockserver.engine.response.negotiation import Choice, bodiless, is_json, negotiate, response_for
from mockserver.messages import Response
from mockserver.plan import JSON, DocumentedResponse, Operation
from mockserver.providers.ids import DAY
from mockserver.state.tables import Item

if TYPE_CHECKING:
    from mockserver.engine.data.calls import DataCall

_CACHE_ENTRIES = 4096
_MAX_ACCEPT = 200
"""Characters of the longest ``Accept`` whose responses are cached."""
_OVERHEAD = 1024
"""Bytes of memory that a response takes in addition to its body."""
_TAG = re.compile(r'(?:W/)?("[^"]*")')


class DataResponses:
    """Builds the responses of operations on data. Those of reads are cached until the item changes."""

    def __init__(self, cache: int) -> None:
        """``cache``: bytes of cached responses."""
        self._cache: LruCache[tuple[object, ...], Response] = LruCache(entries=_CACHE_ENTRIES, size=cache)

    @property
    def cached(self) -> int:
        """The bytes of cached responses."""
        return self._cache.size

    def read(self, call: DataCall, item: Item) -> Response:
        """Return the response to a read: a function of the operation, the item, ``Accept`` and the day."""
        accept = call.request.headers.get("accept")
        day = call.now // DAY
        key = (call.route, call.address, item.number, item.version, item.body, accept, day)
        cached = self._cache.get(key)
        if cached is None:
            cached = self.item(call, item, call.operation.status, "data=read")
            if len(accept or "") <= _MAX_ACCEPT:
                self._cache.keep(key, cached, len(cached.body) + _OVERHEAD)
        return Response(
            cached.status, cached.headers.copy(), cached.body, cached.decision,
            resource=cached.resource, key=cached.key, warnings=cached.warnings,
        )  # fmt: skip

    def item(self, call: DataCall, item: Item, status: int, decision: str) -> Response:
        """Return the response with ``status`` that shows an item, as far as the document lets it."""
        operation, runtime = call.operation, call.runtime
        if not 200 <= status < 300:
            warning = f"{call.route.operation.id} has no documented response of success"
            return Response(200, [], b"", decision, warnings=(warning,))

        def value() -> Projected:
            assert operation.schema is not None  # noqa: S101 - `_with_value` has looked
            hints = {**call.path, **runtime.key_hints(call.address.key)}
            origin = Origin(runtime.seed_of(call.address), hints, item.created)
            return runtime.projection(operation.schema).project(decoded(item), origin)

        response = self._with_value(
            call, status, decision, value if operation.schema is not None else None, operation.path
        )
        set_entity_tag(response, call.route.operation, item)
        response.resource, response.key = runtime.name, call.address.key
        return response

    def list(self, call: DataCall, status: int, decision: str, value: Callable[[], Projected]) -> Response:
        """Return the response with ``status`` whose whole body is ``value``."""
        return self._with_value(call, status, decision, value, ())

    def _with_value(
        self,
        call: DataCall,
        status: int,
        decision: str,
        value: Callable[[], Projected] | None,
        path: tuple[str, ...],
    ) -> Response:
        """Return the response with a value at ``path`` of its body; without one, the documented body."""
        route = call.route
        bodies = route.service.documented.bodies
        found = response_for(route.operation, status)
        if value is None or found is None or not found.content or bodiless(status):
            return self._documented(call, status, decision)
        choice = negotiate(found.content, call.request.headers.get("accept"))
        if choice is None or not self._has_schema(call, choice, found):
            return self._documented(call, status, decision)
        try:
            projected = value()
            whole = projected.value
            if path:
                key = call.runtime.seed_of(call.address)
                base = self.envelope(call, choice, key, status)
                whole = place(base, path, projected.value)
            # The projection has validated a body that is the item itself
            is_checked = not path and call.operation.verb != "lists" and is_json(choice.content_type)
            if not is_checked and (broken := bodies.violations(choice, whole)):
                raise MockServerError(f"at {broken[0].pointer or '/'}: {broken[0].message}")
            encoded = bodies.encode(choice, whole)
        except MockServerError as error:
            response = self._documented(call, status, decision)
            response.warnings = (*response.warnings, f"the stored value cannot be sent: {error}")
            return response
        warnings: tuple[str, ...] = ()
        if projected.lost:
            warnings = (f"the schema of the response does not allow the stored {', '.join(projected.lost)}",)
        fields = route.service.documented.headers.fields(
            found, key=call.runtime.seed_of(call.address), now_ms=call.now
        )
        return Response(
            status, [("content-type", encoded.content_type), *fields], encoded.data, decision,
            warnings=warnings,
        )  # fmt: skip

    @staticmethod
    def envelope(call: DataCall, choice: Choice, key: str, status: int) -> JSON:
        """Return a body to put stored values into: the example of the document, else a generated one."""
        bodies = call.route.service.documented.bodies
        sample = bodies.example(choice)
        if sample is not None and isinstance(sample.value, dict):
            return deepcopy(sample.value)
        return bodies.base_body(choice, key=key, hints=call.path, now_ms=call.now, status=status)

    @staticmethod
    def _has_schema(call: DataCall, choice: Choice, found: DocumentedResponse) -> bool:
        """Return whether a media type has the schema of the response in JSON, which was inferred."""
        if is_json(choice.content_type):
            return True
        lookup = call.route.service.schemas.lookup
        json = next((media.schema for media in found.content if media.schema and is_json(media.name)), None)
        own = choice.media.schema
        return own is not None and (json is None or lookup(own)[1] == lookup(json)[1])

    @staticmethod
    def _documented(call: DataCall, status: int, decision: str) -> Response:
        """Return the response of the document with ``status``."""
        found = response_for(call.route.operation, status)
        prefer = Preference(code=status) if found is not None else Preference()
        response = documented(call.route, call.path, call.request, call.now, prefer)
        response.decision = f"{decision}; {response.decision}" if response.body else decision
        return response

    def locate(self, call: DataCall, response: Response, target: str) -> None:
        """Set ``Location`` of a creation: relative, unless the document requires an absolute URL."""
        if not 200 <= response.status < 300:
            return
        set_location(call.route, call.request, response, target)

    def precondition(self, call: DataCall, item: Item | None) -> Response | None:
        """Return the response to a call whose precondition fails (RFC 9110, section 13), or None."""
        headers, operation = call.request.headers, call.route.operation
        if "if-match" not in headers and "if-none-match" not in headers:
            return None
        tag = entity_tag(item) if item is not None and not item.is_deleted else None
        names = {p.name.lower() for p in operation.parameters if p.location == "header"}
        statuses = {response.status for response in operation.responses}
        asked = headers.get("if-match")
        if asked is not None and ("if-match" in names or "412" in statuses) and not _has_tag(asked, tag):
            detail = f"If-Match: {asked} is not the current entity tag {tag or '(none)'}"
            return refused(call.route, call.request, call.now, 412, detail, "data=precondition")
        asked = headers.get("if-none-match")
        if asked is None or not _has_tag(asked, tag):
            return None
        if operation.method in ("GET", "HEAD"):
            found = response_for(operation, call.operation.status)
            if "304" in statuses or "if-none-match" in names or _has_header(found, "etag"):
                return Response(304, [("etag", tag or "")], b"", "data=not modified")
        elif "if-none-match" in names or "412" in statuses:
            detail = f"If-None-Match: {asked} names an item that exists"
            return refused(call.route, call.request, call.now, 412, detail, "data=precondition")
        return None


def entity_tag(item: Item) -> str:
    """Return the entity tag of an item: another one after each change."""
    return f'"{item.number:x}-{item.version:x}"'


def set_entity_tag(response: Response, operation: Operation, item: Item) -> None:
    """Set ``ETag`` of a response that shows an item, if the document has this header."""
    if _has_header(response_for(operation, response.status), "etag"):
        _set_field(response, "etag", entity_tag(item))


def _has_tag(field: str, tag: str | None) -> bool:
    """Return whether ``If-Match`` or ``If-None-Match`` names an entity tag; None: there is no item."""
    return tag is not None and (field.strip() == "*" or tag in _TAG.findall(field))


def _has_header(response: DocumentedResponse | None, name: str) -> bool:
    return response is not None and any(header.name.lower() == name for header in response.headers)


def _set_field(response: Response, name: str, value: str) -> None:
    response.headers = [*(field for field in response.headers if field[0] != name), (name, value)]


def place(body: JSON, path: tuple[str, ...], value: JSON) -> JSON:
    """Return a body with a value at ``path``."""
    if not path:
        return value
    members: dict[str, Any] = dict(body) if isinstance(body, dict) else {}
    return {**members, path[0]: place(members.get(path[0]), path[1:], value)}
