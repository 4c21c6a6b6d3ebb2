"""Pages of lists: the query parameters and body fields that documents commonly use for them.

A query parameter with the name of an item's field filters by that field. Names are compared without case
and separators.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, urlencode

from mockserver.diagnostics import Violation
from mockserver.engine.resources import conditions
from mockserver.jsonschema import Schemas
from mockserver.media.shapes import Shapes
from mockserver.messages import Request
from mockserver.plan import JSON, MediaType, Operation, SchemaRef

LIMITS = ("limit", "pagesize", "perpage", "size", "first", "top", "maxresults")
OFFSETS = ("offset", "skip", "start", "startindex")
PAGES = ("page", "pagenumber")
CURSORS = (
    "cursor", "after", "startingafter", "pagetoken", "continuationtoken", "marker", "nexttoken",
)  # fmt: skip
TOTALS = ("total", "totalcount", "totalitems", "count")
NEXTS = ("nextcursor", "nextpagetoken", "nexttoken", "nextmarker", "next", "cursor")
MORES = ("hasmore", "hasnextpage", "hasnext")
HOLDERS = ("meta", "metadata", "paging", "pagination", "pageinfo", "links", "page")
"""Objects in the body of a list that tell of its pages."""
_ADDRESSES = ("url", "uri", "link", "href")
_NEXT_LINKS = tuple(f"next{page}{word}" for page in ("", "page") for word in _ADDRESSES)
_PREVIOUS_LINKS = tuple(
    f"{start}{page}{word}" for start in ("previous", "prev") for page in ("", "page") for word in _ADDRESSES
)
_FIRST_LINKS = tuple(f"first{page}{word}" for page in ("", "page") for word in _ADDRESSES)
_OWN_LINKS = ("url", "uri", "self", "selfurl", "selflink")
DEFAULT_LIMIT, MAX_LIMIT = 100, 1000


class Page(NamedTuple):
    """A part of a list: at most ``limit`` items from ``offset``."""

    offset: int
    limit: int


class Paging:
    """The pages of one list operation. ``path``: where the list is in the body of the response."""

    def __init__(self, operation: Operation, schemas: Schemas, path: Sequence[str]) -> None:
        self._schemas = schemas
        self._shapes = Shapes(schemas)
        self._path = path
        queries = [parameter for parameter in operation.parameters if parameter.location == "query"]
        self._queries = {parameter.name: plain(parameter.name) for parameter in queries}
        self._cursors = {
            parameter.name: parameter for parameter in queries if self._queries[parameter.name] in CURSORS
        }
        words = set(self._queries.values())
        self.is_paged = not words.isdisjoint((*LIMITS, *OFFSETS, *PAGES, *CURSORS))
        """Whether the document has a parameter for pages."""
        self._turning = next(
            (
                name
                for group in (CURSORS, PAGES, OFFSETS)
                for name, word in self._queries.items()
                if word in group
            ),
            "",
        )
        """The parameter that a link to another page changes."""

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
        return {name: value for name, value in query.items() if self._queries.get(name, "page") not in paging}

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
                types = self._shapes.types(parameter.schema)
                if node.get("format", "byte") != "byte" or "string" not in types:
                    return True  # such as ``after`` with a date or a number
                examples = node.get("examples")
                shown += [node.get("example"), node.get("default")]
                shown += examples if isinstance(examples, list) else []
        return text in shown

    def _parameter(self, query: Mapping[str, JSON], names: tuple[str, ...]) -> JSON:
        """Return the value of the first parameter with one of the plain ``names``."""
        sent = {word: query[name] for name, word in self._queries.items() if name in query}
        return next((sent[word] for word in names if word in sent), None)

    def target(self, request: Request, page: Page, offset: int) -> str:
        """Return the path and query of the page that begins at ``offset``; empty if no parameter names it."""
        word = self._queries.get(self._turning)
        if word is None:
            return ""
        turned: str | int = offset
        if word in CURSORS:
            turned = cursor(offset)
        elif word in PAGES:
            turned = offset // max(1, page.limit) + 1
        pairs = [
            (name, value)
            for name, value in parse_qsl(request.query_string)
            if self._queries.get(name) not in (*CURSORS, *PAGES, *OFFSETS)
        ]
        return f"{request.raw_path}?{urlencode([*pairs, (self._turning, turned)])}"

    def body(
        self,
        value: JSON,
        items: list[JSON],
        total: int,
        page: Page,
        media: MediaType,
        request: Request,
    ) -> JSON:
        """Return a documented body with the items, and with totals, cursors and URLs if it has the fields."""
        if not self._path:
            return items
        holder: Any = value
        for part in self._path[:-1]:
            if not isinstance(holder.get(part), dict):
                holder[part] = {}
            holder = holder[part]
        holder[self._path[-1]] = items
        end = page.offset + page.limit
        more = end < total
        paging: dict[str, JSON] = dict.fromkeys(TOTALS, total) | dict.fromkeys(MORES, more)
        paging |= dict.fromkeys(LIMITS, page.limit) | dict.fromkeys(OFFSETS, page.offset)
        paging |= dict.fromkeys(PAGES, page.offset // max(1, page.limit) + 1)
        links = self._links(request, page, end if more else None)
        for fields, ref in self._holders(value, media):
            known = self._shapes.properties(ref) if ref is not None else {}
            for name in [name for name in fields if name not in self._path]:
                word, was = plain(name), fields[name]
                if word in links and (word not in _OWN_LINKS or fields is not value):
                    self._set_link(fields, name, known.get(name), links[word], request)
                elif word in paging and not isinstance(was, dict | list):
                    fields[name] = str(paging[word]) if isinstance(was, str) else paging[word]
                elif word in NEXTS and not isinstance(was, dict | list):
                    fields[name] = cursor(end) if more else self._nothing(known.get(name))
        return value

    def _holders(self, value: Any, media: MediaType) -> Iterator[tuple[dict[str, JSON], SchemaRef | None]]:
        """Yield the objects of a body that may tell of pages, with their schemas."""
        ref, fields = media.schema, value
        for part in (*self._path[:-1], None):
            known = self._shapes.properties(ref) if ref is not None else {}
            yield fields, ref
            for name, member in fields.items():
                if isinstance(member, dict) and plain(name) in HOLDERS and name not in self._path:
                    yield member, known.get(name)
            if part is not None:
                fields, ref = fields[part], known.get(part)

    def _links(self, request: Request, page: Page, following: int | None) -> dict[str, str]:
        """Return the targets of links by the plain names of their fields; empty where there is no page."""
        if not self._turning:
            return {}
        after = self.target(request, page, following) if following is not None else ""
        before = self.target(request, page, max(0, page.offset - page.limit)) if page.offset else ""
        own = f"{request.raw_path}?{request.query_string}" if request.query_string else request.raw_path
        links = dict.fromkeys(_NEXT_LINKS, after) | dict.fromkeys(_PREVIOUS_LINKS, before)
        links |= dict.fromkeys(_FIRST_LINKS, self.target(request, page, 0)) | dict.fromkeys(_OWN_LINKS, own)
        return links

    def _set_link(
        self, fields: dict[str, JSON], name: str, ref: SchemaRef | None, target: str, request: Request
    ) -> None:
        """Set the field of a body with a URL; it is null, empty or left out where there is no page."""
        host = request.headers.get("host", "localhost")
        offers: tuple[JSON, ...] = (f"http://{host}{target}", target) if target else (None, "")
        valid = (each for each in offers if ref is None or self._is_valid(ref, each))
        found = next(valid, ...)
        if found is ...:
            del fields[name]
        else:
            fields[name] = found

    def _nothing(self, ref: SchemaRef | None) -> JSON:
        """Return the cursor of the last page: null if the schema permits it, else an empty text."""
        return None if ref is None or self._is_valid(ref, None) else ""

    def _is_valid(self, ref: SchemaRef, value: JSON) -> bool:
        return self._schemas.validator(ref, "response").is_valid(value)


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


def plain(name: str) -> str:
    """Return a name in lower case without separators, such as ``pagesize`` for ``page_size``."""
    return re.sub(r"[^a-z0-9]", "", name.lower())


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
