"""How a request that breaks the document is refused: in the document's own words where it has any.

The response is the one documented for the status, for its range, or ``default``;
a violated schema may also be told by a documented 400 where there is no 422,
and the other way about. Its body is a valid fake of its schema, told the cause.
A fault of the server whose status is not documented has the shape of another
5xx that is: clients read one error schema, and know no other. Where nothing
fits, the refusal is a problem (RFC 9457).
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from mockserver.errors import Violation
from mockserver.plan import JSON, Operation, Response, SchemaRef
from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.cause import Cause, role
from mockserver.serve.headers import Headers
from mockserver.serve.negotiation import Choice, is_json, negotiate
from mockserver.serve.response_body import Bodies
from mockserver.serve.responses import response_for
from mockserver.serve.telling import Telling
from mockserver.serve.values import Sample, Unanswerable, Values

_INSTEAD = {422: 400, 400: 422}
_LOWEST_FAULT = 500


class Refusals:
    """Refusals of one document's operations."""

    def __init__(self, values: Values, bodies: Bodies, headers: Headers) -> None:
        self._values = values
        self._bodies = bodies
        self._headers = headers

    def answer(
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
    ) -> Answer:
        """Refuse with 401, 406, 413, 415, or 400 or 422 for what the request says.

        ``detail`` tells the cause where there are no violations; ``challenges``
        are values of ``WWW-Authenticate`` (RFC 9110, section 11.6.1).
        """
        extra = [("www-authenticate", each) for each in challenges]
        response, sent = _documented(operation, status)
        cause = Cause(sent, violations, detail, instance)
        if response is not None and response.content:
            try:
                return self._in_words_of(response, cause, accept, key, now_ms, extra)
            except Unanswerable:
                pass  # `faults` tells; the refusal is still owed
        return problem.answer(cause.as_problem(), _decision(sent, "problem"), extra)

    def _in_words_of(
        self,
        response: Response,
        cause: Cause,
        accept: str | None,
        key: str,
        now_ms: int,
        extra: list[tuple[str, str]],
    ) -> Answer:
        # A client that takes none of them is better told in a form it did not ask for than not at all
        choice = negotiate(response.content, accept) or negotiate(response.content, None)
        if choice is None:
            raise Unanswerable("", "no media type is documented")
        sample = self._told(response, choice, cause, key, now_ms)
        given = {name for name, _ in extra}
        fields = [
            each for each in self._headers.fields(response, key=key, now_ms=now_ms) if each[0] not in given
        ]
        body = self._bodies.written(choice, sample)
        return Answer(
            cause.status,
            [("content-type", body.content_type), *fields, *extra],
            body.data,
            _decision(cause.status, f"response={response.status}"),
        )

    def _told(self, response: Response, choice: Choice, cause: Cause, key: str, now_ms: int) -> Sample:
        ref = choice.media.schema
        if ref is None and is_json(choice.content_type):
            return Sample(cause.as_problem())

        def fake(ref: SchemaRef) -> JSON:
            try:
                return self._values.fake(ref, key, {}, now_ms)
            except Unanswerable:
                return None

        sample = self._bodies.generated(
            response, choice, key=key, hints={}, now_ms=now_ms, status=cause.status
        )
        if sample.warning:  # the form that every client knows tells the cause better
            raise Unanswerable(ref or "", sample.warning)
        if ref is None:
            return Sample(_safe(cause.sentence, choice), is_text=True)
        telling = Telling(self._values.reader.shapes, lambda body: self._values.is_valid(body, ref), fake)
        told = telling.tell(sample.value, ref, cause)
        if response.status.isdigit() and response.status != str(cause.status):
            told = _restated(told, response.status, cause.status)
        if isinstance(told, str) and not self._values.is_valid(told := _safe(told, choice), ref):
            return sample
        return Sample(told)


def _documented(operation: Operation, status: int) -> tuple[Response | None, int]:
    """The response that tells of a refusal with ``status`` (its own or a like one's), and the status sent."""
    exact = {response.status for response in operation.responses}
    instead = _INSTEAD.get(status, status)
    if str(status) not in exact and str(instead) in exact:
        status = instead
    found = response_for(operation, status)
    if found is None and status >= _LOWEST_FAULT:
        faults = [each for each in operation.responses if each.status.startswith("5") and each.content]
        found = min(faults, key=lambda each: each.status, default=None)
    return found, status


def _restated(body: JSON, documented: str, status: int) -> JSON:
    """``body`` with the status that is sent where it names the one that its schema is documented for."""
    if isinstance(body, dict):
        return {
            name: _status(value, documented, status)
            if role(name) in ("status", "code")
            else _restated(value, documented, status)
            for name, value in body.items()
        }
    return [_restated(each, documented, status) for each in body] if isinstance(body, list) else body


def _status(value: JSON, documented: str, status: int) -> JSON:
    if isinstance(value, bool) or str(value) != documented:
        return value
    return str(status) if isinstance(value, str) else status


def _decision(status: int, words: str) -> str:
    return f"violation; status={status}; {words}"


def _safe(text: str, choice: Choice) -> str:
    """Text that quotes a request must not become markup in a browser."""
    return html.escape(text) if "html" in choice.content_type else text
