"""Pages of lists: the query parameters and body fields that documents commonly use for them.

A query parameter with the name of an item's field filters by that field.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from mockserver.diagnostics import Violation
from mockserver.engine.resources import conditions
from mockserver.jsonschema import Schemas
from mockserver.media.shapes import Shapes
from mockserver.messages import Request
from mockserver.plan import JSON, MediaType, Operation

LIMITS = ("limit", "pageSize", "page_size", "perPage", "per_page", "size", "first", "top", "maxResults")
OFFSETS = ("offset", "skip", "start", "startIndex")
PAGES = ("page", "pageNumber", "page_number")
CURSORS = (
    "cursor", "after", "startingAfter", "starting_after", "pageToken", "page_token", "continuationToken",
    "marker", "nextToken", "next_token",
)  # fmt: skip
TOTALS = ("total", "totalCount", "total_count", "totalItems", "total_items", "count")
NEXTS = (
    "nextCursor", "next_cursor", "nextPageToken", "next_page_token", "nextToken", "next_token",
    "nextMarker", "next_marker", "next", "cursor",
)  # fmt: skip
MORES = ("hasMore", "has_more", "hasNextPage", "hasNext")
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


class Page(NamedTuple):
    """A part of a list: at most ``limit`` items from ``offset``."""

    offset: int
    limit: int


class Paging:
    """The pages of one list operation. ``path``: where the list is in the body of the response."""

    def __init__(self, operation: Operation, schemas: Schemas, path: Sequence[str]) -> None:
        self._schemas = schemas
        self._path = path
        queries = [parameter for parameter in operation.parameters if parameter.location == "query"]
        self._queries = {parameter.name for parameter in queries}
        self._cursors = {parameter.name: parameter for parameter in queries if parameter.name in CURSORS}
        self.is_paged = not self._queries.isdisjoint((*LIMITS, *OFFSETS, *PAGES, *CURSORS))
        """Whether the document has a parameter for pages."""

    def page(self, query: Mapping[str, JSON]) -> Page:
        """Return the page that a query asks for."""
        limit = min(_number(self._parameter(query, LIMITS), DEFAULT_LIMIT), MAX_LIMIT)
        asked = self._parameter(query, CURSORS)
        if isinstance(asked, str) and asked:
            return Page(_read_cursor(asked) or 0, limit)
        number = self._parameter(query, PAGES)
        if number is not None:
            return Page(max(0, _number(number, 1) - 1) * limit, limit)
        return Page(_number(self._parameter(query, OFFSETS), 0), limit)

    def filters(self, query: Mapping[str, JSON]) -> dict[str, JSON]:
        """Return the documented parameters of a query that are not about pages."""
        paging = {*LIMITS, *OFFSETS, *PAGES, *CURSORS}
        return {name: value for name, value in query.items() if name in self._queries and name not in paging}

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
            node = self._schemas.lookup(parameter.schema)[0]
            if isinstance(node, dict):
                types = Shapes(self._schemas).types(parameter.schema)
                if node.get("format", "byte") != "byte" or "string" not in types:
                    return True  # such as ``after`` with a date or a number
                examples = node.get("examples")
                shown += [node.get("example"), node.get("default")]
                shown += examples if isinstance(examples, list) else []
        return text in shown

    def _parameter(self, query: Mapping[str, JSON], names: tuple[str, ...]) -> JSON:
        return next((query[name] for name in names if name in self._queries and name in query), None)

    def body(self, value: JSON, items: list[JSON], total: int, page: Page, media: MediaType) -> JSON:
        """Return a documented body with the items, and with totals and cursors if it has the fields."""
        if not self._path:
            return items
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
                    fields[name] = str(paging[name]) if isinstance(fields[name], str) else paging[name]
                elif name in NEXTS and name not in self._path:
                    fields[name] = cursor(end) if more else self._last_cursor(media, name)
        return value

    def _last_cursor(self, media: MediaType, name: str) -> JSON:
        """Return the cursor of the last page: null if the schema permits it, else an empty text."""
        if media.schema is None:
            return None
        schema, ref = self._schemas.lookup(media.schema)
        if isinstance(schema, dict) and name in (schema.get("properties") or {}):
            is_nullable = self._schemas.validator(f"{ref}/properties/{name}", "response").is_valid(None)
            return None if is_nullable else ""
        return None


def matches(wanted: Mapping[str, JSON], item: JSON) -> bool:
    """Return whether the fields of an item have the values ``wanted``. Fields that it lacks are ignored."""
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


def cursor(offset: int) -> str:
    """Return the cursor of the page that begins at ``offset``."""
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
