"""Lists of stored items: pages, filters, order and selected fields, as far as the document has them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mockserver.engine.data.bases import Origin
from mockserver.engine.data.projection import Projected
from mockserver.engine.data.references import decoded
from mockserver.engine.data.runtime import DataRuntime
from mockserver.engine.paging import Page, Paging, matches
from mockserver.engine.request.validation import InvalidCsr
from mockserver.engine.resources import conditions
from mockserver.engine.response.negotiation import negotiate, response_for
from mockserver.engine.service import Route
from mockserver.jsonschema import SchemaError
from mockserver.messages import Response
from mockserver.plan import JSON, DataOperation
from mockserver.state.tables import Item

if TYPE_CHECKING:
    from mockserver.engine.data.calls import DataCall
    from mockserver.engine.data.responses import DataResponses

_SORTS = ("sort", "sort_by", "sortBy", "sortby", "orderBy", "order_by", "orderby", "order", "ordering")
_DIRECTIONS = (
    "direction", "order", "sortOrder", "sort_order", "sortDirection", "sort_direction", "sort_dir", "dir",
)  # fmt: skip
_FIELDS = ("fields", "select")
_SORT = re.compile(r"([+-]?)([\w.-]+?)(?:[:, ]\s*(asc|desc)(?:ending)?)?$", re.IGNORECASE)
_Entry = tuple[str, Item]


class DataListing:
    """Responds for one list operation."""

    def __init__(self, route: Route, runtime: DataRuntime, operation: DataOperation) -> None:
        self._runtime = runtime
        self._operation = operation
        self._response = response_for(route.operation, operation.status)
        self._paging = Paging(route.operation, route.service.schemas, operation.path)
        names = [parameter.name for parameter in route.operation.parameters if parameter.location == "query"]
        self._names = set(names)

    def response(self, call: DataCall, responses: DataResponses, *, strict: bool) -> Response:
        """Return the requested page. Raises InvalidCsr for a cursor that is not of this list."""
        sent = conditions.query(call.request)
        query: dict[str, JSON] = {**sent, **call.checked.query}
        entries: Sequence[_Entry] | None = None
        if self._operation.fields:
            entries = [
                (key, item)
                for key, item in self._runtime.page(call.address)
                if self._runtime.is_in(decoded(item), self._operation, call.path)
            ]
        page = self._paging.page(query)
        if not self._paging.is_paged:
            page = Page(0, max(1, self._runtime.count(call.address)))
        violation = self._paging.violation(call.request)
        if violation is not None:
            entries = self._runtime.page(call.address) if entries is None else entries
            keys = [key for key, _ in entries]
            if violation.value in keys:  # the key of the last item of the page before is a cursor too
                page = Page(keys.index(str(violation.value)) + 1, page.limit)
            elif strict:
                raise InvalidCsr(violation)
        wanted = {  # a default of the document is no filter that the client asks for
            name: value
            for name, value in self._paging.filters(query).items()
            if name not in _FIELDS and name not in _SORTS and name not in _DIRECTIONS and sent.get(name)
        }
        order = self._order(query)
        if wanted or order:
            entries = self._runtime.page(call.address) if entries is None else entries
            entries = self._sorted([e for e in entries if not wanted or self._matches(wanted, e)], order)
        if entries is None:
            shown = self._runtime.page(call.address, page.offset, page.limit)
            total = self._runtime.count(call.address)
        else:
            shown, total = entries[page.offset : page.offset + page.limit], len(entries)
        return self._page(call, responses, shown, total, page, self._selected(query))

    def _page(
        self,
        call: DataCall,
        responses: DataResponses,
        shown: Sequence[_Entry],
        total: int,
        page: Page,
        selected: frozenset[str],
    ) -> Response:
        warnings: list[str] = []

        def value() -> Projected:
            assert self._response is not None  # noqa: S101 - the caller has looked
            choice = negotiate(self._response.content, call.request.headers.get("accept"))
            assert choice is not None  # noqa: S101 - the caller has looked
            items = []
            for key, item in shown:
                projected = self._item(call, key, item, selected)
                items.append(projected.value)
                warnings.extend(f"{key}{pointer}" for pointer in projected.lost)
            if not self._operation.path:
                return Projected(items)
            base = responses.envelope(call, choice, call.request.raw_path, call.operation.status)
            return Projected(self._paging.body(base, items, total, page, choice.media, call.request))

        decision = f"data=listed; {len(shown)} of {total}"
        response = responses.list(call, self._operation.status, decision, value)
        if warnings:
            text = f"the schema of the response does not allow the stored {', '.join(warnings[:5])}"
            response.warnings = (*response.warnings, text)
        self._link(call, response, page, total)
        response.resource = self._runtime.name
        return response

    def _item(self, call: DataCall, key: str, item: Item, selected: frozenset[str]) -> Projected:
        runtime, stored = self._runtime, decoded(item)
        if self._operation.schema is None:
            return Projected(stored)
        projection = runtime.projection(self._operation.schema)
        hints = {**call.path, **runtime.key_hints(key)}
        seed = runtime.seed_of(call.address._replace(key=key))
        projected = projection.project(stored, Origin(seed, hints, item.created))
        if selected and isinstance(projected.value, dict):
            part = {name: member for name, member in projected.value.items() if name in selected}
            if projection.is_valid(part):
                return Projected(part, projected.lost)
        return projected

    def _matches(self, wanted: Mapping[str, JSON], entry: _Entry) -> bool:
        return matches(wanted, decoded(entry[1]))

    def _order(self, query: Mapping[str, JSON]) -> tuple[str, bool] | None:
        """Return the field to sort by, and whether the order is descending; None without one."""
        stated = next((query[name] for name in _SORTS if name in self._names and name in query), None)
        stated = stated[0] if isinstance(stated, list) and stated else stated
        found = _SORT.match(stated) if isinstance(stated, str) else None
        if found is None or found[2].lower() in ("asc", "desc"):
            return None
        direction = found[3] or next(
            (query[n] for n in _DIRECTIONS if n in self._names and n in query and query[n] != stated), ""
        )
        return found[2], found[1] == "-" or str(direction).lower().startswith("desc")

    @staticmethod
    def _sorted(entries: list[_Entry], order: tuple[str, bool] | None) -> list[_Entry]:
        if order is None:
            return entries
        name, descending = order
        return sorted(entries, key=lambda entry: _rank(decoded(entry[1]).get(name)), reverse=descending)

    def _selected(self, query: Mapping[str, JSON]) -> frozenset[str]:
        stated: Any = next((query[name] for name in _FIELDS if name in self._names and name in query), None)
        if isinstance(stated, str):
            stated = stated.split(",")
        return frozenset(str(name).strip() for name in stated) if isinstance(stated, list) else frozenset()

    def _link(self, call: DataCall, response: Response, page: Page, total: int) -> None:
        """Set a documented ``Link`` to the next page (RFC 8288)."""
        documented = self._response.headers if self._response is not None else ()
        header = next((header for header in documented if header.name.lower() == "link"), None)
        if header is None or response.status != self._operation.status:
            return
        response.headers = [field for field in response.headers if field[0] != "link"]
        end = page.offset + page.limit
        target = self._paging.target(call.request, page, end) if end < total else ""
        if not target:
            return
        text = f'<{target}>; rel="next"'
        try:
            schemas = self._runtime.service.schemas
            if header.schema is None or schemas.validator(header.schema, "response").is_valid(text):
                response.headers.append(("link", text))
        except SchemaError:
            return


def _rank(value: JSON) -> tuple[int, float, str]:
    """Return the sort key of a value: numbers before texts, missing values last."""
    if isinstance(value, bool | int | float):
        return 0, float(value), ""
    return (1, 0.0, value) if isinstance(value, str) else (2, 0.0, "")
