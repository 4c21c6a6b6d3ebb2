"""Error responses: the documented error response with the cause in its text fields, else a problem."""

from __future__ import annotations

import copy
import html
from collections.abc import Callable, Sequence

from mockserver import problem
from mockserver.diagnostics import Violation
from mockserver.engine.response.bodies import Bodies
from mockserver.engine.response.cause import Cause, role
from mockserver.engine.response.examples import NoValidExample, Sample, Values
from mockserver.engine.response.headers import Headers
from mockserver.engine.response.negotiation import Choice, is_json, negotiate, response_for
from mockserver.media.shapes import Shapes
from mockserver.messages import Response
from mockserver.plan import JSON, DocumentedResponse, Operation, SchemaRef

_MAX_DEPTH = 4
_ABSENT = object()


class CauseWriter:
    """Writes a cause into the fields of one body. ``fake(ref)`` generates the value of an optional field."""

    def __init__(
        self, shapes: Shapes, is_valid: Callable[[JSON], bool], fake: Callable[[SchemaRef], JSON]
    ) -> None:
        self._shapes = shapes
        self._is_valid = is_valid
        self._fake = fake
        self._whole: dict[str, JSON] = {}

    def write(self, body: JSON, ref: SchemaRef, cause: Cause) -> JSON:
        """Return ``body``, which is valid by the schema at ``ref``, with the cause in it; still valid."""
        self._whole = {"": copy.deepcopy(body)}
        is_open = isinstance(body, dict) and not self._shapes.properties(ref)
        if is_open and self._offer(self._whole, "", [cause.as_problem()]):
            return self._whole[""]
        self._field(self._whole, "", ref, cause, ("list", True), 0)
        return self._whole[""]

    def _object(self, node: dict[str, JSON], ref: SchemaRef | None, cause: Cause, depth: int) -> None:
        known = self._shapes.properties(ref) if ref else {}
        names = [*known, *(name for name in node if name not in known)]
        roles = {name: role(name) for name in names}
        in_prose = not {"list", "prose"}.isdisjoint(roles.values())
        for name in names:
            self._field(node, name, known.get(name), cause, (roles[name], in_prose), depth)
        ordered = {name: node[name] for name in names if name in node}
        node.clear()
        node.update(ordered)

    def _field(
        self,
        node: dict[str, JSON],
        name: str,
        ref: SchemaRef | None,
        cause: Cause,
        meaning: tuple[str, bool],
        depth: int,
    ) -> None:
        purpose, in_prose = meaning
        candidates = list(cause.says(purpose, in_prose=in_prose))
        item = self._item(ref)
        if item and self._shapes.properties(item):
            candidates = []  # a list of documented objects is filled field by field
        if self._offer(node, name, candidates) or depth > _MAX_DEPTH:
            return
        if name not in node and not (
            purpose == "list" and ref and self._offer(node, name, [self._fake(ref)])
        ):
            return
        if isinstance(node[name], dict):
            self._object(node[name], ref, cause, depth + 1)
        elif isinstance(node[name], list) and not cause.is_item:
            self._list(node, name, item, cause, depth + 1)

    def _list(
        self, node: dict[str, JSON], name: str, item: SchemaRef | None, cause: Cause, depth: int
    ) -> None:
        """Fill a list with one item for each violation, after the pattern of its first item."""
        fake = node[name]
        example = fake[0] if fake else item and self._fake(item)
        if not isinstance(example, dict):
            return
        filled = []
        for item_cause in cause.items():
            node[name] = [copy.deepcopy(example)]
            if not self._body_is_valid():
                break  # the schema requires more than one item, or other items
            self._object(node[name][0], item, item_cause, depth)
            filled.append(node[name][0])
        node[name] = fake
        self._offer(node, name, [filled, filled[:1]] if filled else [])

    def _item(self, ref: SchemaRef | None) -> SchemaRef | None:
        """Return the schema of an array's items; None if there is none for all items."""
        return next((shape.items[0] for shape in self._shapes.of(ref) if shape.items), None)

    def _offer(self, node: dict[str, JSON], name: str, candidates: Sequence[JSON]) -> bool:
        """Set the first candidate with which the body is valid; return whether there is one."""
        before = node.get(name, _ABSENT)
        for candidate in candidates:
            node[name] = candidate
            if self._body_is_valid():
                return True
        if before is _ABSENT:
            node.pop(name, None)
        else:
            node[name] = before
        return False

    def _body_is_valid(self) -> bool:
        return self._is_valid(self._whole[""])


_EQUIVALENT = {422: 400, 400: 422}
_LOWEST_SERVER_ERROR = 500


class Refusals:
    """The error responses of one document's operations."""

    def __init__(self, values: Values, bodies: Bodies, headers: Headers) -> None:
        self._values = values
        self._bodies = bodies
        self._headers = headers

    def response(
        self,
        operation: Operation,
        *,
        status: int,
        violations: tuple[Violation, ...] = (),
        detail: str = "",
        accept: str | None = None,
        key: str = "",
        now_ms: int = 0,
        challenges: Sequence[str] = (),
        instance: str = "",
    ) -> Response:
        """Return the error response for ``status``.

        If the operation documents only one of 400 and 422, that one is sent for both. ``detail`` is the
        cause without violations. ``challenges`` are values of ``WWW-Authenticate`` (RFC 9110, section
        11.6.1).
        """
        extra = [("www-authenticate", challenge) for challenge in challenges]
        documented_response, sent = _documented(operation, status)
        cause = Cause(sent, violations, detail, instance)
        if documented_response is not None and documented_response.content:
            try:
                return self._documented_response(documented_response, cause, accept, key, now_ms, extra)
            except NoValidExample:
                pass  # `faults` reports it; the client still gets an error response
        return problem.response(cause.as_problem(), _decision(sent, "problem"), extra)

    def _documented_response(
        self,
        documented_response: DocumentedResponse,
        cause: Cause,
        accept: str | None,
        key: str,
        now_ms: int,
        extra: list[tuple[str, str]],
    ) -> Response:
        # An error in a media type that the client does not accept is better than no error text
        choice = negotiate(documented_response.content, accept) or negotiate(
            documented_response.content, None
        )
        if choice is None:
            raise NoValidExample("", "no media type is documented")
        sample = self._sample(documented_response, choice, cause, key, now_ms)
        given = {name for name, _ in extra}
        fields = [
            field
            for field in self._headers.fields(documented_response, key=key, now_ms=now_ms)
            if field[0] not in given
        ]
        body = self._bodies.written(choice, sample)
        return Response(
            cause.status,
            [("content-type", body.content_type), *fields, *extra],
            body.data,
            _decision(cause.status, f"response={documented_response.status}"),
        )

    def _sample(
        self, documented_response: DocumentedResponse, choice: Choice, cause: Cause, key: str, now_ms: int
    ) -> Sample:
        ref = choice.media.schema
        if ref is None and is_json(choice.content_type):
            return Sample(cause.as_problem())

        def fake(ref: SchemaRef) -> JSON:
            try:
                return self._values.fake(ref, key, {}, now_ms)
            except NoValidExample:
                return None

        sample = self._bodies.generated(
            documented_response, choice, key=key, hints={}, now_ms=now_ms, status=cause.status
        )
        if sample.warning:  # problem details are better than an invalid body
            raise NoValidExample(ref or "", sample.warning)
        if ref is None:
            return Sample(_escape(cause.sentence, choice), is_text=True)
        writer = CauseWriter(self._values.reader.shapes, lambda body: self._values.is_valid(body, ref), fake)
        body = writer.write(sample.value, ref, cause)
        if documented_response.status.isdigit() and documented_response.status != str(cause.status):
            body = _replace_status(body, documented_response.status, cause.status)
        if isinstance(body, str) and not self._values.is_valid(body := _escape(body, choice), ref):
            return sample
        return Sample(body)


def _documented(operation: Operation, status: int) -> tuple[DocumentedResponse | None, int]:
    """Return the documented response for an error, or that of an equivalent status, and the status sent."""
    exact = {documented_response.status for documented_response in operation.responses}
    equivalent = _EQUIVALENT.get(status, status)
    if str(status) not in exact and str(equivalent) in exact:
        status = equivalent
    found = response_for(operation, status)
    if found is None and status >= _LOWEST_SERVER_ERROR:
        faults = [
            response
            for response in operation.responses
            if response.status.startswith("5") and response.content
        ]
        found = min(faults, key=lambda response: response.status, default=None)
    return found, status


def _replace_status(body: JSON, documented: str, status: int) -> JSON:
    """Replace the documented status in the fields of ``body`` by the status that is sent."""
    if isinstance(body, dict):
        return {
            name: _status(value, documented, status)
            if role(name) in ("status", "code")
            else _replace_status(value, documented, status)
            for name, value in body.items()
        }
    return [_replace_status(item, documented, status) for item in body] if isinstance(body, list) else body


def _status(value: JSON, documented: str, status: int) -> JSON:
    if isinstance(value, bool) or str(value) != documented:
        return value
    return str(status) if isinstance(value, str) else status


def _decision(status: int, words: str) -> str:
    return f"violation; status={status}; {words}"


def _escape(text: str, choice: Choice) -> str:
    """Escape a text for HTML: it quotes a request, and must not become markup in a browser."""
    return html.escape(text) if "html" in choice.content_type else text
