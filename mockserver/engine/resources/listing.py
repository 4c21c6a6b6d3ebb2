"""Lists: the existing resources of a namespace, one page per response."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.paging import Page, Paging, matches
from mockserver.engine.request.validation import Checked
from mockserver.engine.resources import conditions
from mockserver.engine.resources.context import RenderContext
from mockserver.engine.resources.render import Renderer, RenderError
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.engine.response.negotiation import Choice, default_response, negotiate
from mockserver.jsonschema.references import pointer
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Operation, Role
from mockserver.state.machine import ResourceState, initial_state
from mockserver.state.protocol import Store

_LOG = logging.getLogger("mockserver.listing")
_Item = tuple[Renderer, RenderContext]


class _RenderedItem(NamedTuple):
    """A rendered item of a list."""

    renderer: Renderer
    context: RenderContext
    value: JSON


class Listing:
    """Responds for one list operation."""

    def __init__(self, runtime: ResourceRuntime, alias: str, role: Role, operation: Operation) -> None:
        self._runtime = runtime
        self._alias = alias
        self._key = runtime.resource.key
        self._path = [part for part in (role.lists or "").split("/") if part]
        self._response, self._status = default_response(operation)
        self._paging = Paging(operation, runtime.service.schemas, self._path)

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
        page = self._paging.page(query)
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
            messages = [item.renderer.validate(item.value).warning for item in shown]
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
        return self._paging.violation(request)

    @property
    def _operation(self) -> Operation:
        return self._runtime.operation(self._alias)

    def _items(
        self, path: dict[str, str], namespace: Namespace, now: int, store: Store, request: Request, body: JSON
    ) -> Iterator[_Item]:
        """Yield the renderer and the context of each item in the order of creation.

        A resource whose state has no response to the list operation is not an item.
        """
        name, stored = self._runtime.name, self._runtime.stored
        found: list[tuple[int, int, str, ResourceState]] = []
        items = stored.items(namespace.name) if stored is not None else {}
        uncalled = dict(items)
        """The items that no call has given a state."""
        for key, state in store.items(namespace.name, name):
            creation, item = store.creations.get(namespace.name, name, key), uncalled.pop(key, None)
            number = creation.number if creation is not None else 0
            found.append((state.created, item.number if item is not None else number, key, state))
        for key, item in uncalled.items():
            state = initial_state(self._runtime.selection.choose(request, path, body), item.created)
            found.append((item.created, item.number, key, state))
        found.sort(key=lambda entry: entry[:3])
        for _, _, key, known in found:
            if not self._runtime.has_step(known):
                continue
            state = self._runtime.at(now, known, namespace.name, key)
            shown = self._runtime.timeline(state.scenario)[state.step].state
            renderer = self._runtime.renderer(shown, self._alias)
            if renderer is not None:
                # The path parameters of a request for this item, so that its fake repeats the key
                at = {**path, self._key.name: key} if self._key.part == "path" else path
                context = RenderContext(
                    namespace.name, name, key, shown, state.scenario, state.calls, state.created,
                    state.changed, now, request, at, body,
                    creation=store.creations.get(namespace.name, name, key),
                    data=items[key].body if key in items else None,
                )  # fmt: skip
                yield renderer, context

    def _page_items(
        self, items: list[_Item], query: Mapping[str, JSON], page: Page
    ) -> tuple[list[_RenderedItem], int]:
        """Return the items of a page, and the number of items of all pages. Render only what is needed."""
        wanted = self._paging.filters(query)
        part = slice(page.offset, page.offset + page.limit)
        if not wanted:
            return [*self._render(items[part])], len(items)
        chosen = [item for item in self._render(items) if matches(wanted, item.value)]
        return chosen[part], len(chosen)

    def _render(self, items: Sequence[_Item]) -> Iterator[_RenderedItem]:
        for renderer, context in items:
            try:
                yield _RenderedItem(renderer, context, renderer.value(context))
            except MockServerError as error:
                self._log_left_out(context, str(error))

    def _is_valid(self, shown: _RenderedItem) -> bool:
        broken = shown.renderer.validate(shown.value).violations
        if broken:
            where = shown.renderer.recipe.location
            self._log_left_out(shown.context, f"{where}: at {broken[0].pointer or '/'}: {broken[0].message}")
        return not broken

    def _log_left_out(self, context: RenderContext, why: str) -> None:
        _LOG.warning("%s %s is not in the list: %s", context.resource, context.key, why)

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
        return self._paging.body(value, items, total, page, choice.media, request)
