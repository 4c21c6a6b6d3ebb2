"""The answer straight from the document: for an operation that no scenario names, or as ``Prefer`` asks.

Stable for an operation and a key. Dates in fakes follow the clock by the day,
so that replicas and restarts agree and an answer can be kept.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mockserver import problem
from mockserver.engine.resources.render import LruCache
from mockserver.engine.response.bodies import Bodies
from mockserver.engine.response.examples import Fault, NoValidExample, Sample, Values
from mockserver.engine.response.headers import Headers
from mockserver.engine.response.negotiation import (
    Choice,
    bodiless,
    default_response,
    documented_statuses,
    is_sendable,
    negotiate,
    response_for,
)
from mockserver.engine.response.refusal import Refusals
from mockserver.generate import Fakes
from mockserver.jsonschema import Schemas
from mockserver.messages import Response
from mockserver.plan import JSON, Document, DocumentedResponse, MediaType, Operation
from mockserver.state.tables import text_size

_DAY = 86_400_000
_KEPT_ANSWERS = 4096
_MAX_CHOICES = 1024
"""Choices that are remembered. At this number, all are forgotten."""
_LONGEST_WISH = 200
"""Characters of the preferences that are remembered."""
_OVERHEAD = 1024
"""Bytes that an answer takes in memory beside its texts."""

_Asked = tuple[str, str, "str | None", str, "int | None", "str | None", "bool | None", int]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the client prefers."""

    accept: str | None
    code: int | None
    example: str | None
    is_dynamic: bool
    """Whether examples are passed over; not where one is named."""


class _Chosen(NamedTuple):
    """What a client gets of an operation, whatever the key is."""

    response: DocumentedResponse
    status: int
    content: tuple[MediaType, ...]
    choice: Choice | None


class Documented:
    """Answers from one document; ``bodies``, ``headers`` and ``refusals`` are its parts, for others' use."""

    def __init__(
        self, document: Document, schemas: Schemas, fakes: Fakes, cache: int = 8 * 1024 * 1024
    ) -> None:
        """``cache``: bytes of answers that are kept ready."""
        values = Values(schemas, fakes)
        self.document = document
        self.bodies = Bodies(values)
        self.headers = Headers(values)
        self.refusals = Refusals(values, self.bodies, self.headers)
        self._choices: dict[tuple[str, str, str | None, int | None, str | None], _Chosen] = {}
        self._recent: LruCache[_Asked, Response] = LruCache(entries=_KEPT_ANSWERS, size=cache)

    @property
    def cached(self) -> int:
        """Bytes of answers that are kept ready."""
        return self._recent.size

    def response(
        self,
        operation: Operation,
        *,
        accept: str | None,
        key: str,
        hints: Mapping[str, JSON],
        now_ms: int,
        code: int | None = None,
        example: str | None = None,
        dynamic: bool | None = None,
    ) -> Response:
        """The response that is asked for, else the one that the operation gives by itself.

        ``hints`` follow from ``key``. ``code``, ``example`` and ``dynamic`` are
        the preferences of that name; ``dynamic`` passes examples over.
        """
        day = now_ms - now_ms % _DAY
        asked = (operation.method, operation.path, accept, key, code, example, dynamic, day)
        kept = self._recent.get(asked)
        if kept is None:
            wish = _Wish(accept, code, example, bool(dynamic) and example is None)
            kept = self._answer(operation, wish, key, hints, day)
            texts = (accept, key, example, *(text for field in kept.headers for text in field))
            size = len(kept.body) + sum(text_size(text or "") for text in texts)
            self._recent.keep(asked, kept, size + _OVERHEAD)
        return Response(kept.status, kept.headers.copy(), kept.body, kept.decision, warnings=kept.warnings)

    def faults(self, operation: Operation) -> Iterator[Fault]:
        """Everything in an operation's responses that cannot be answered as the document has it."""
        for documented_response in operation.responses:
            where = f"{operation.pointer}/responses/{documented_response.status}"
            yield from self.headers.faults(documented_response, where)
            yield from self.bodies.faults(documented_response, where)

    def _answer(
        self, operation: Operation, wish: _Wish, key: str, hints: Mapping[str, JSON], now_ms: int
    ) -> Response:
        chosen = self._chosen(operation, wish)
        if isinstance(chosen, Response):
            return chosen
        documented_response, status, content, choice = chosen
        fields = self.headers.fields(documented_response, key=key, now_ms=now_ms)
        decision = f"document; {'status' if wish.code is None else 'code'}={status}"
        if not content or bodiless(status):
            if documented_response.content_type and not bodiless(status):
                fields.insert(0, ("content-type", documented_response.content_type))
            return Response(status, fields, b"", decision)
        if choice is None:
            return self._not_acceptable(operation, wish.accept or "", content, key, now_ms)
        sample = None
        try:
            sample = None if wish.is_dynamic else self.bodies.example(choice, wish.example)
            if sample is None:
                sample = self.bodies.generated(
                    documented_response, choice, key=key, hints=hints, now_ms=now_ms, status=status
                )
            sample = self.bodies.with_status(choice, sample, status)
            body = self.bodies.written(choice, sample)
        except NoValidExample as error:  # the media type cannot hold the value: a text can
            sample = Sample(json.dumps(sample.value) if sample else "", "text", True, f"D502 {error}")
            body = self.bodies.written(choice, sample)
        fields.insert(0, ("content-type", body.content_type))
        warnings = (sample.warning,) if sample.warning else ()
        return Response(status, fields, body.data, f"{decision}; {sample.origin}", warnings=warnings)

    def _chosen(self, operation: Operation, wish: _Wish) -> _Chosen | Response:
        """Return the response and the media type that a client gets; a problem where there is none."""
        asked = (operation.method, operation.path, wish.accept, wish.code, wish.example)
        chosen = self._choices.get(asked)
        if chosen is not None:
            return chosen
        found = _response(operation, wish)
        if found is None:
            return problem.undocumented(f"code={wish.code}", documented_statuses(operation))
        content = tuple(media for media in found[0].content if wish.example in (None, *_names(media)))
        if wish.example is not None and not content:
            return problem.undocumented(f"example={wish.example}", _all_names(*operation.responses))
        choice = negotiate(content, wish.accept) if content and not bodiless(found[1]) else None
        chosen = _Chosen(*found, content, choice)
        if len(wish.accept or "") + len(wish.example or "") <= _LONGEST_WISH:
            if len(self._choices) >= _MAX_CHOICES:
                self._choices.clear()
            self._choices[asked] = chosen
        return chosen

    def _not_acceptable(
        self, operation: Operation, accept: str, content: Sequence[MediaType], key: str, now_ms: int
    ) -> Response:
        available = [media.name for media in content]
        documented_response = response_for(operation, 406)
        if documented_response is None or not documented_response.content:
            return problem.not_acceptable(accept, available)
        detail = problem.unacceptable(accept, available)
        return self.refusals.response(
            operation, status=406, detail=detail, accept=accept, key=key, now_ms=now_ms
        )


def _response(operation: Operation, wish: _Wish) -> tuple[DocumentedResponse, int] | None:
    """The response of a code, else the one that the operation gives, else the first with the example."""
    if wish.code is not None:
        documented_response = response_for(operation, wish.code) if is_sendable(wish.code) else None
        return (documented_response, wish.code) if documented_response else None
    usual = default_response(operation)
    if wish.example is None or wish.example in _all_names(usual[0]):
        return usual
    for documented_response in operation.responses:
        if wish.example in _all_names(documented_response) and documented_response.status.isdigit():
            return documented_response, int(documented_response.status)
    return usual


def _names(media: MediaType) -> list[str]:
    return [example.name for example in media.examples]


def _all_names(*responses: DocumentedResponse) -> list[str]:
    """Names of examples, each once, in the document's order."""
    return list(dict.fromkeys(name for each in responses for media in each.content for name in _names(media)))
