"""Lists: the resources of a namespace that exist, a page at a time.

Paging follows the query parameters and the fields that the document has, by the
names that APIs commonly give them. A query parameter that has the name of an
item's field selects by it.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources import conditions
from mockserver.engine.resources.context import RenderContext
from mockserver.engine.resources.render import Renderer, RenderError
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.engine.response.negotiation import Choice, default_response, negotiate
from mockserver.jsonschema.references import pointer
from mockserver.media.shapes import Shapes
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, MediaType, Operation, Role
from mockserver.state.machine import ResourceState, advance_time
from mockserver.state.protocol import Store

LIMITS = ("limit", "pageSize", "page_size", "perPage", "per_page", "size", "first", "top", "maxResults")
OFFSETS = ("offset", "skip", "start", "startIndex")
PAGES = ("page", "pageNumber", "page_number")
CURSORS = (
    "cursor", "after", "startingAfter", "starting_after", "pageToken", "page_token", "continuationToken",
)  # fmt: skip
TOTALS = ("total", "totalCount", "total_count", "totalItems", "total_items", "count")
NEXTS = ("nextCursor", "next_cursor", "nextPageToken", "next_page_token", "nextToken", "next", "cursor")
MORES = ("hasMore", "has_more", "hasNextPage", "hasNext")
USUAL, MOST = 100, 1000

_LOG = logging.getLogger("mockserver.listing")
_Item = tuple[Renderer, RenderContext]


class _Shown(NamedTuple):
    """One of a list, rendered."""

    renderer: Renderer
    subject: RenderContext
    value: JSON


class Page(NamedTuple):
    """A part of a list: from ``offset``, at most ``limit``."""

    offset: int
    limit: int


class Listing:
    """Answers one operation that lists."""

    def __init__(self, runtime: ResourceRuntime, alias: str, role: Role, operation: Operation) -> None:
        self._lifecycle = runtime
        self._alias = alias
        self._key = runtime.resource.key
        self._path = [part for part in (role.lists or "").split("/") if part]
        self._response, self._status = default_response(operation)
        queries = [each for each in operation.parameters if each.location == "query"]
        self._queries = {each.name for each in queries}
        self._cursors = {each.name: each for each in queries if each.name in CURSORS}

    def response(
        self,
        request: Request,
        path: dict[str, str],
        checked: Checked,
        namespace: Namespace,
        now: int,
        store: Store,
    ) -> Response:
        """The page that a request asks for. What cannot be rendered is left out, and the log says why."""
        query: dict[str, JSON] = {**conditions.query(request), **checked.query}
        page = self._page(query)
        items = [*self._items(path, namespace, now, store, request, checked.body)]
        shown, total = self._shown(items, query, page)
        service = self._lifecycle.service
        choice = negotiate(self._response.content, request.headers.get("accept"))
        if choice is None:
            return service.documented.refusals.response(
                self._operation,
                status=406,
                detail="the list is not documented in that media type",
                now_ms=now,
            )
        value = self._enveloped(choice, shown, total, page, request, now)
        warning = ""
        bodies = service.documented.bodies
        if bodies.violations(choice, value):
            shown = [each for each in shown if self._keeps_to_the_document(each)]
            value = self._enveloped(choice, shown, total, page, request, now)
            told = [each.renderer.judge(each.value).warning for each in shown]
            parts = {pointer([*self._path, str(i)]): why for i, why in enumerate(told) if why}
            broken, warning = bodies.avoidable(choice, bodies.violations(choice, value), parts)
            if broken:
                raise RenderError(
                    f"the list of {self._lifecycle.name} breaks the document at {broken[0].pointer or '/'}: "
                    f"{broken[0].message}"
                )
        encoded = bodies.encode(choice, value)
        fields = service.documented.headers.fields(self._response, key=request.raw_path, now_ms=now)
        decision = f"list; {len(shown)} of {total}"
        return Response(
            self._status, [("content-type", encoded.content_type), *fields], encoded.data, decision,
            resource=self._lifecycle.name, warnings=(warning,) if warning else (),
        )  # fmt: skip

    def violation(self, request: Request) -> Violation | None:
        """How the page that is asked for cannot be: its cursor is none of this list."""
        if not self._cursors or not request.query_string:
            return None
        for name, text in conditions.query(request).items():
            if (
                name in self._cursors
                and text
                and _read_cursor(text) is None
                and not self._is_known(name, text)
            ):
                told = "is no cursor of this list; send the one that the page before gave, or none"
                return Violation("query", name, "", "cursor", told, text)
        return None

    def _is_known(self, name: str, text: str) -> bool:
        """Whether the document itself has the value, or means no text by the parameter."""
        parameter = self._cursors[name]
        shown = [each.value for each in parameter.examples]
        if parameter.schema is not None:
            schemas = self._lifecycle.service.schemas
            node = schemas.lookup(parameter.schema)[0]
            if isinstance(node, dict):
                types = Shapes(schemas).types(parameter.schema)
                if node.get("format", "byte") != "byte" or "string" not in types:
                    return True  # ``after`` a date or a number
                examples = node.get("examples")
                shown += [node.get("example"), node.get("default")]
                shown += examples if isinstance(examples, list) else []
        return text in shown

    @property
    def _operation(self) -> Operation:
        return self._lifecycle.operation(self._alias)

    def _items(
        self, path: dict[str, str], namespace: Namespace, now: int, store: Store, request: Request, body: JSON
    ) -> Iterator[_Item]:
        """What makes each item, in the order of creation. A state that has no answer to list is not shown."""
        name = self._lifecycle.name
        found: list[tuple[int, int, str, ResourceState]] = []
        for key, state in store.items(namespace.name, name):
            birth = store.creations.get(namespace.name, name, key)
            found.append((state.created, birth.number if birth is not None else 0, key, state))
        found.sort(key=lambda each: each[:3])
        for _, _, key, known in found:
            steps = self._lifecycle.steps(known.scenario)
            if steps is None or known.step >= len(steps):
                continue
            state = advance_time(steps, known, now, self._lifecycle.dice(namespace.name, key))
            shown = steps[state.step].state
            renderer = self._lifecycle.renderer(shown, self._alias)
            if renderer is not None:
                # As the reading of this one would have it: the item repeats its key where that does
                at = {**path, self._key.name: key} if self._key.part == "path" else path
                subject = RenderContext(
                    namespace.name, name, key, shown, state.scenario, state.calls, state.created,
                    state.changed, now, request, at, body,
                    birth=store.creations.get(namespace.name, name, key),
                )  # fmt: skip
                yield renderer, subject

    def _shown(self, items: list[_Item], query: Mapping[str, JSON], page: Page) -> tuple[list[_Shown], int]:
        """The items of a page, and how many there are on all pages. Only what is looked at is made."""
        paging = {*LIMITS, *OFFSETS, *PAGES, *CURSORS}
        wanted = {
            name: value for name, value in query.items() if name in self._queries and name not in paging
        }
        part = slice(page.offset, page.offset + page.limit)
        if not wanted:
            return [*self._rendered(items[part])], len(items)
        chosen = [each for each in self._rendered(items) if _selects(wanted, each.value)]
        return chosen[part], len(chosen)

    def _rendered(self, items: Sequence[_Item]) -> Iterator[_Shown]:
        for renderer, subject in items:
            try:
                yield _Shown(renderer, subject, renderer.value(subject))
            except MockServerError as error:
                self._leave_out(subject, str(error))

    def _keeps_to_the_document(self, shown: _Shown) -> bool:
        broken = shown.renderer.judge(shown.value).violations
        if broken:
            where = shown.renderer.recipe.location
            self._leave_out(shown.subject, f"{where}: at {broken[0].pointer or '/'}: {broken[0].message}")
        return not broken

    def _leave_out(self, subject: RenderContext, why: str) -> None:
        _LOG.warning("%s %s is not in the list: %s", subject.resource, subject.key, why)

    def _page(self, query: Mapping[str, JSON]) -> Page:
        limit = min(_number(self._asked(query, LIMITS), USUAL), MOST)
        cursor = self._asked(query, CURSORS)
        if isinstance(cursor, str) and cursor:
            return Page(_read_cursor(cursor) or 0, limit)
        number = self._asked(query, PAGES)
        if number is not None:
            return Page(max(0, _number(number, 1) - 1) * limit, limit)
        return Page(_number(self._asked(query, OFFSETS), 0), limit)

    def _asked(self, query: Mapping[str, JSON], names: tuple[str, ...]) -> JSON:
        return next((query[name] for name in names if name in self._queries and name in query), None)

    def _enveloped(
        self, choice: Choice, shown: list[_Shown], total: int, page: Page, request: Request, now: int
    ) -> JSON:
        """The items in the documented body, with its totals and cursors where it has fields for them."""
        items = [each.value for each in shown]
        if not self._path:
            return items
        service = self._lifecycle.service
        value = service.documented.bodies.base_body(
            choice, key=request.raw_path, hints={}, now_ms=now, status=self._status
        )
        holder: Any = value
        for part in self._path[:-1]:
            holder = holder.setdefault(part, {})
        holder[self._path[-1]] = items
        end = page.offset + page.limit
        more = end < total
        told: dict[str, JSON] = dict.fromkeys(TOTALS, total) | dict.fromkeys(MORES, more)
        told |= dict.fromkeys(LIMITS, page.limit) | dict.fromkeys(OFFSETS, page.offset)
        told |= dict.fromkeys(PAGES, page.offset // max(1, page.limit) + 1)
        for fields in (value, holder):
            for name in fields:
                if name in told and name not in self._path:
                    fields[name] = told[name]
                elif name in NEXTS and name not in self._path:
                    fields[name] = _cursor(end) if more else self._last(choice.media, name)
        return value

    def _last(self, media: MediaType, name: str) -> JSON:
        """What a cursor says on the last page: null where it may, else nothing."""
        schemas = self._lifecycle.service.schemas
        if media.schema is None:
            return None
        schema, ref = schemas.lookup(media.schema)
        if isinstance(schema, dict) and name in (schema.get("properties") or {}):
            return None if schemas.validator(f"{ref}/properties/{name}", "response").is_valid(None) else ""
        return None


def _selects(wanted: Mapping[str, JSON], item: JSON) -> bool:
    if not isinstance(item, dict):
        return True
    return all(_same(item[name], value) for name, value in wanted.items() if name in item)


def _same(item: JSON, asked: JSON) -> bool:
    told = str(item).lower() if isinstance(item, bool) else str(item)
    wanted = asked if isinstance(asked, list) else [asked]
    return any(told == (str(each).lower() if isinstance(each, bool) else str(each)) for each in wanted)


def _number(value: JSON, otherwise: int) -> int:
    try:
        return max(0, int(value)) if value is not None else otherwise
    except (TypeError, ValueError):
        return otherwise


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> int | None:
    """The offset of a cursor of ours; None for any other."""
    try:
        told = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return None
    name, _, number = told.partition(":")
    is_ours = name == "offset" and number.isascii() and number.isdigit() and len(number) < 12
    return int(number) if is_ours else None
