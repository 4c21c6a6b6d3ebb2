"""Lists: the existing resources of a namespace, one page per response.

Paging uses the query parameters and the fields of the document that have common names for it. A query
parameter with the name of an item's field filters by that field.
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
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000

_LOG = logging.getLogger("mockserver.listing")
_Item = tuple[Renderer, RenderContext]


class _RenderedItem(NamedTuple):
    """A rendered item of a list."""

    renderer: Renderer
    subject: RenderContext
    value: JSON


class Page(NamedTuple):
    """A part of a list: at most ``limit`` items from ``offset``."""

    offset: int
    limit: int


class Listing:
    """Responds for one list operation."""

    def __init__(self, runtime: ResourceRuntime, alias: str, role: Role, operation: Operation) -> None:
        self._runtime = runtime
        self._alias = alias
        self._key = runtime.resource.key
        self._path = [part for part in (role.lists or "").split("/") if part]
        self._response, self._status = default_response(operation)
        queries = [parameter for parameter in operation.parameters if parameter.location == "query"]
        self._queries = {parameter.name for parameter in queries}
        self._cursors = {parameter.name: parameter for parameter in queries if parameter.name in CURSORS}

    def response(
        self,
        request: Request,
        path: dict[str, str],
        checked: Checked,
        namespace: Namespace,
        now: int,
        store: Store,
    ) -> Response:
        """Return the requested page.

        Items that cannot be rendered, or that are invalid, are logged and left out. Raises RenderError if
        the list itself is invalid.
        """
        query: dict[str, JSON] = {**conditions.query(request), **checked.query}
        page = self._page(query)
        items = [*self._items(path, namespace, now, store, request, checked.body)]
        shown, total = self._page_items(items, query, page)
        service = self._runtime.service
        choice = negotiate(self._response.content, request.headers.get("accept"))
        if choice is None:
            return service.documented.refusals.response(
                self._operation,
                status=406,
                detail="the list is not documented in that media type",
                now_ms=now,
            )
        value = self._body(choice, shown, total, page, request, now)
        warning = ""
        bodies = service.documented.bodies
        if bodies.violations(choice, value):
            shown = [item for item in shown if self._is_valid(item)]
            value = self._body(choice, shown, total, page, request, now)
            messages = [item.renderer.judge(item.value).warning for item in shown]
            parts = {pointer([*self._path, str(i)]): message for i, message in enumerate(messages) if message}
            broken, warning = bodies.avoidable(choice, bodies.violations(choice, value), parts)
            if broken:
                raise RenderError(
                    f"the list of {self._runtime.name} breaks the document at {broken[0].pointer or '/'}: "
                    f"{broken[0].message}"
                )
        encoded = bodies.encode(choice, value)
        fields = service.documented.headers.fields(self._response, key=request.raw_path, now_ms=now)
        decision = f"list; {len(shown)} of {total}"
        return Response(
            self._status, [("content-type", encoded.content_type), *fields], encoded.data, decision,
            resource=self._runtime.name, warnings=(warning,) if warning else (),
        )  # fmt: skip

    def violation(self, request: Request) -> Violation | None:
        """Return the violation of a request whose cursor is not from this list; else None."""
        if not self._cursors or not request.query_string:
            return None
        for name, text in conditions.query(request).items():
            if (
                name in self._cursors
                and text
                and _read_cursor(text) is None
                and not self._is_known(name, text)
            ):
                message = "is not a cursor of this list; send the one of the previous page, or none"
                return Violation("query", name, "", "cursor", message, text)
        return None

    def _is_known(self, name: str, text: str) -> bool:
        """Return whether a cursor is an example in the document, or its parameter is not plain text."""
        parameter = self._cursors[name]
        shown = [example.value for example in parameter.examples]
        if parameter.schema is not None:
            schemas = self._runtime.service.schemas
            node = schemas.lookup(parameter.schema)[0]
            if isinstance(node, dict):
                types = Shapes(schemas).types(parameter.schema)
                if node.get("format", "byte") != "byte" or "string" not in types:
                    return True  # such as ``after`` with a date or a number
                examples = node.get("examples")
                shown += [node.get("example"), node.get("default")]
                shown += examples if isinstance(examples, list) else []
        return text in shown

    @property
    def _operation(self) -> Operation:
        return self._runtime.operation(self._alias)

    def _items(
        self, path: dict[str, str], namespace: Namespace, now: int, store: Store, request: Request, body: JSON
    ) -> Iterator[_Item]:
        """Yield the renderer and the context of each item in the order of creation.

        A resource whose state has no response to the list operation is not an item.
        """
        name = self._runtime.name
        found: list[tuple[int, int, str, ResourceState]] = []
        for key, state in store.items(namespace.name, name):
            creation = store.creations.get(namespace.name, name, key)
            found.append((state.created, creation.number if creation is not None else 0, key, state))
        found.sort(key=lambda entry: entry[:3])
        for _, _, key, known in found:
            steps = self._runtime.steps(known.scenario)
            if steps is None or known.step >= len(steps):
                continue
            state = advance_time(steps, known, now, self._runtime.dice(namespace.name, key))
            shown = steps[state.step].state
            renderer = self._runtime.renderer(shown, self._alias)
            if renderer is not None:
                # The path parameters of a request for this item, so that its fake repeats the key
                at = {**path, self._key.name: key} if self._key.part == "path" else path
                subject = RenderContext(
                    namespace.name, name, key, shown, state.scenario, state.calls, state.created,
                    state.changed, now, request, at, body,
                    creation=store.creations.get(namespace.name, name, key),
                )  # fmt: skip
                yield renderer, subject

    def _page_items(
        self, items: list[_Item], query: Mapping[str, JSON], page: Page
    ) -> tuple[list[_RenderedItem], int]:
        """Return the items of a page, and the number of items of all pages. Render only what is needed."""
        paging = {*LIMITS, *OFFSETS, *PAGES, *CURSORS}
        wanted = {
            name: value for name, value in query.items() if name in self._queries and name not in paging
        }
        part = slice(page.offset, page.offset + page.limit)
        if not wanted:
            return [*self._render(items[part])], len(items)
        chosen = [item for item in self._render(items) if _matches(wanted, item.value)]
        return chosen[part], len(chosen)

    def _render(self, items: Sequence[_Item]) -> Iterator[_RenderedItem]:
        for renderer, subject in items:
            try:
                yield _RenderedItem(renderer, subject, renderer.value(subject))
            except MockServerError as error:
                self._log_left_out(subject, str(error))

    def _is_valid(self, shown: _RenderedItem) -> bool:
        broken = shown.renderer.judge(shown.value).violations
        if broken:
            where = shown.renderer.recipe.location
            self._log_left_out(shown.subject, f"{where}: at {broken[0].pointer or '/'}: {broken[0].message}")
        return not broken

    def _log_left_out(self, subject: RenderContext, why: str) -> None:
        _LOG.warning("%s %s is not in the list: %s", subject.resource, subject.key, why)

    def _page(self, query: Mapping[str, JSON]) -> Page:
        limit = min(_number(self._parameter(query, LIMITS), DEFAULT_LIMIT), MAX_LIMIT)
        cursor = self._parameter(query, CURSORS)
        if isinstance(cursor, str) and cursor:
            return Page(_read_cursor(cursor) or 0, limit)
        number = self._parameter(query, PAGES)
        if number is not None:
            return Page(max(0, _number(number, 1) - 1) * limit, limit)
        return Page(_number(self._parameter(query, OFFSETS), 0), limit)

    def _parameter(self, query: Mapping[str, JSON], names: tuple[str, ...]) -> JSON:
        return next((query[name] for name in names if name in self._queries and name in query), None)

    def _body(
        self, choice: Choice, shown: list[_RenderedItem], total: int, page: Page, request: Request, now: int
    ) -> JSON:
        """Return the documented body with the items, and with totals and cursors if it has the fields."""
        items = [item.value for item in shown]
        if not self._path:
            return items
        service = self._runtime.service
        value = service.documented.bodies.base_body(
            choice, key=request.raw_path, hints={}, now_ms=now, status=self._status
        )
        holder: Any = value
        for part in self._path[:-1]:
            holder = holder.setdefault(part, {})
        holder[self._path[-1]] = items
        end = page.offset + page.limit
        more = end < total
        paging: dict[str, JSON] = dict.fromkeys(TOTALS, total) | dict.fromkeys(MORES, more)
        paging |= dict.fromkeys(LIMITS, page.limit) | dict.fromkeys(OFFSETS, page.offset)
        paging |= dict.fromkeys(PAGES, page.offset // max(1, page.limit) + 1)
        for fields in (value, holder):
            for name in fields:
                if name in paging and name not in self._path:
                    fields[name] = paging[name]
                elif name in NEXTS and name not in self._path:
                    fields[name] = _cursor(end) if more else self._last_cursor(choice.media, name)
        return value

    def _last_cursor(self, media: MediaType, name: str) -> JSON:
        """Return the cursor of the last page: null if the schema permits it, else an empty text."""
        schemas = self._runtime.service.schemas
        if media.schema is None:
            return None
        schema, ref = schemas.lookup(media.schema)
        if isinstance(schema, dict) and name in (schema.get("properties") or {}):
            return None if schemas.validator(f"{ref}/properties/{name}", "response").is_valid(None) else ""
        return None


def _matches(wanted: Mapping[str, JSON], item: JSON) -> bool:
    if not isinstance(item, dict):
        return True
    return all(_equals(item[name], value) for name, value in wanted.items() if name in item)


def _equals(item: JSON, asked: JSON) -> bool:
    wanted = asked if isinstance(asked, list) else [asked]
    return any(_query_text(item) == _query_text(value) for value in wanted)


def _query_text(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: JSON, otherwise: int) -> int:
    try:
        return max(0, int(value)) if value is not None else otherwise
    except (TypeError, ValueError):
        return otherwise


def _cursor(offset: int) -> str:
    return base64.urlsafe_b64encode(f"offset:{offset}".encode()).decode().rstrip("=")


def _read_cursor(text: str) -> int | None:
    """Return the offset of a cursor of this server; None for any other text."""
    try:
        decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        return None
    name, _, number = decoded.partition(":")
    is_ours = name == "offset" and number.isascii() and number.isdigit() and len(number) < 12
    return int(number) if is_ours else None
