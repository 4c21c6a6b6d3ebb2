"""Responses from the document: for operations without a scenario, and for ``Prefer``.

A response is a function of the operation, the key, the preferences and the day. Dates in generated
values change once a day, so that replicas and restarts agree and responses can be cached.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mockserver import problem
from mockserver.engine.resources.render import LruCache
from mockserver.engine.response.bodies import Bodies
from mockserver.engine.response.examples import GENERATED, Fault, NoValidExample, Sample, Values
from mockserver.engine.response.headers import Headers
from mockserver.engine.response.keyed_examples import AskedKey, Identifiers
from mockserver.engine.response.negotiation import (
    Choice,
    bodiless,
    default_response,
    documented_statuses,
    is_sendable,
    negotiate,
    response_for,
)
from mockserver.engine.response.recipes import Quick, Recipe
from mockserver.engine.response.refusal import Refusals
from mockserver.generate import Fakes
from mockserver.jsonschema import Schemas
from mockserver.messages import Response
from mockserver.plan import JSON, Document, DocumentedResponse, MediaType, Operation, SchemaRef
from mockserver.providers.ids import DAY
from mockserver.state.tables import text_size

_LOWEST_ERROR = 400
_CACHE_ENTRIES = 4096
_MAX_CHOICES = 1024
"""The number of cached choices at which the cache is cleared."""
_MAX_PREFERENCES = 200
"""Characters of the longest preferences that are cached."""
_OVERHEAD = 1024
"""Bytes of memory that a response takes in addition to its texts."""

_Wish = tuple[str, str, "str | None", "int | None", "str | None", "bool | None", "str | None"]
"""An operation, and what the client prefers: the media type, the code, the example, and ``dynamic``.

The last is the name of the response example that belongs to the request."""
_CacheKey = tuple[_Wish, str, int]


@dataclass(frozen=True, slots=True)
class _Preferences:
    """The preferences of a client."""

    accept: str | None
    code: int | None
    example: str | None
    is_dynamic: bool
    """Whether to generate the body although there are examples. False if an example is named."""
    is_paired: bool = False
    """Whether ``example`` belongs to the example that the request is equal to."""


class _Selection(NamedTuple):
    """The selected response of an operation, its status and its media type. They do not depend on a key."""

    response: DocumentedResponse
    status: int
    content: tuple[MediaType, ...]
    choice: Choice | None


class Documented:
    """The responses of one document. ``bodies``, ``headers`` and ``refusals`` are its parts."""

    def __init__(
        self, document: Document, schemas: Schemas, fakes: Fakes, cache: int = 8 * 1024 * 1024
    ) -> None:
        """Create the responses. ``cache``: bytes of cached responses."""
        values = Values(schemas, fakes)
        self._fakes = fakes
        self._identifiers = Identifiers(document, schemas)
        self.document = document
        self.bodies = Bodies(values)
        self.headers = Headers(values)
        self.refusals = Refusals(values, self.bodies, self.headers)
        self._choices: dict[tuple[str, str, str | None, int | None, str | None], _Selection] = {}
        self._recipes: dict[_Wish, Recipe | None] = {}
        self._cache: LruCache[_CacheKey, Response] = LruCache(entries=_CACHE_ENTRIES, size=cache)

    @property
    def cached(self) -> int:
        """The bytes of cached responses."""
        return self._cache.size

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
        paired: str | None = None,
    ) -> Response:
        """Return the preferred response, else the default response of the operation.

        ``key`` determines ``hints``. ``code``, ``example`` and ``dynamic`` are the preferences of that
        name; ``dynamic`` ignores examples. ``paired``: the name of the response example that belongs to
        the request. ``now_ms``: milliseconds.
        """
        day = now_ms - now_ms % DAY
        wish = (operation.method, operation.path, accept, code, example, dynamic, paired)
        recipe = self._recipe(wish, operation)
        if recipe is not None and not recipe.is_large:
            response = recipe.response(key, hints, day)
            if response is not None:
                response.headers, response.head = response.headers.copy(), b""  # the caller may add fields
                return response
        cache_key = (wish, key, day)
        cached_response = self._cache.get(cache_key)
        if cached_response is None:
            cached_response = None if recipe is None else recipe.response(key, hints, day)
            if cached_response is None:
                cached_response = self._build(operation, _preferences(wish), key, hints, day)
            size = len(cached_response.body) + _size(wish, cached_response.headers) + text_size(key)
            self._cache.keep(cache_key, cached_response, size)
        return Response(
            cached_response.status,
            cached_response.headers.copy(),
            cached_response.body,
            cached_response.decision,
            warnings=cached_response.warnings,
        )

    def quick(self, operation: Operation, accept: str | None, parameter: str) -> Quick:
        """Return what makes the default responses of an operation whose only path parameter is the last."""
        recipe = self._recipe((operation.method, operation.path, accept, None, None, None, None), operation)
        return _nothing if recipe is None else recipe.quick(operation.path, parameter)

    def prepare(self, operation: Operation) -> Iterator[None]:
        """Make what the first default response of an operation needs. Yield after each step."""
        wish = (operation.method, operation.path, "*/*", None, None, None, None)
        preferences = _preferences(wish)
        selection = self._select(operation, preferences)
        if isinstance(selection, Response):
            return
        schema = self._generated_schema(selection, preferences)
        yield
        yield from self.headers.prepare(selection.response)
        if schema is not None:
            yield from self._fakes.prepare(schema)
        self._recipe(wish, operation)

    def faults(self, operation: Operation) -> Iterator[Fault]:
        """Yield the faults of the document in the responses of an operation."""
        for documented_response in operation.responses:
            where = f"{operation.pointer}/responses/{documented_response.status}"
            yield from self.headers.faults(documented_response, where)
            yield from self.bodies.faults(documented_response, where)

    def _build(
        self,
        operation: Operation,
        preferences: _Preferences,
        key: str,
        hints: Mapping[str, JSON],
        now_ms: int,
    ) -> Response:
        selection = self._select(operation, preferences)
        if preferences.is_paired and not self._has_example(selection, preferences):
            preferences = _Preferences(preferences.accept, None, None, is_dynamic=False)
            selection = self._select(operation, preferences)
        if isinstance(selection, Response):
            return selection
        documented_response, status, content, choice = selection
        fields = self.headers.fields(documented_response, key=key, now_ms=now_ms)
        decision = _decision(preferences, status)
        if not content or bodiless(status):
            if documented_response.content_type and not bodiless(status):
                fields.insert(0, ("content-type", documented_response.content_type))
            return Response(status, fields, b"", decision)
        if choice is None:
            return self._not_acceptable(operation, preferences.accept or "", content, key, now_ms)
        sample = None
        try:
            if not preferences.is_dynamic:
                asked = None
                is_named = preferences.example is not None and not preferences.is_paired
                if not is_named and status < _LOWEST_ERROR:
                    asked = AskedKey(hints, self._identifiers.find(operation, choice.media))
                sample = self.bodies.example(choice, preferences.example, asked)
            if sample is None:
                sample = self.bodies.generated(
                    documented_response, choice, key=key, hints=hints, now_ms=now_ms, status=status
                )
            sample = self.bodies.with_status(choice, sample, status)
            body = self.bodies.written(choice, sample)
        except NoValidExample as error:  # the media type cannot contain the value; send it as JSON text
            sample = Sample(json.dumps(sample.value) if sample else "", "text", True, f"D502 {error}")
            body = self.bodies.written(choice, sample)
        fields.insert(0, ("content-type", body.content_type))
        warnings = (sample.warning,) if sample.warning else ()
        return Response(status, fields, body.data, f"{decision}; {sample.origin}", warnings=warnings)

    def _has_example(self, selection: _Selection | Response, preferences: _Preferences) -> bool:
        """Return whether the preferred example is valid, in a media type that the client accepts."""
        if isinstance(selection, Response) or selection.choice is None:
            return False
        sample = self.bodies.example(selection.choice, preferences.example)
        return sample is not None and not sample.warning

    def _recipe(self, wish: _Wish, operation: Operation) -> Recipe | None:
        """Return the recipe of generated responses; None if there is an example, or another kind of body."""
        try:
            return self._recipes[wish]
        except KeyError:
            return self._find_recipe(wish, operation)

    def _find_recipe(self, wish: _Wish, operation: Operation) -> Recipe | None:
        preferences = _preferences(wish)
        selection = self._select(operation, preferences)
        recipe = None
        if not isinstance(selection, Response) and (choice := selection.choice) is not None:
            schema = self._generated_schema(selection, preferences)
            script = None if schema is None else self._fakes.script(schema)
            if script is not None:
                status, decision = selection.status, _decision(preferences, selection.status)
                recipe = Recipe(
                    script, selection.response, self.headers, status, choice.content_type,
                    f"{decision}; {GENERATED}",
                )  # fmt: skip
        if _is_short(preferences):
            if len(self._recipes) >= _MAX_CHOICES:
                self._recipes.clear()
            self._recipes[wish] = recipe
        return recipe

    def _generated_schema(self, selection: _Selection, preferences: _Preferences) -> SchemaRef | None:
        """Return the schema of the generated bodies; None if there is an example, or another kind of body."""
        if selection.choice is None:
            return None
        schema = self.bodies.sent_as_generated(selection.choice, selection.status)
        if preferences.is_dynamic or schema is None:
            return schema
        return schema if self.bodies.example(selection.choice, preferences.example) is None else None

    def _select(self, operation: Operation, preferences: _Preferences) -> _Selection | Response:
        """Return the response and the media type for a client; an error response if there is none."""
        cache_key = (
            operation.method,
            operation.path,
            preferences.accept,
            preferences.code,
            preferences.example,
        )
        selection = self._choices.get(cache_key)
        if selection is not None:
            return selection
        found = _select_response(operation, preferences)
        if found is None:
            return problem.undocumented(f"code={preferences.code}", documented_statuses(operation))
        content = tuple(media for media in found[0].content if preferences.example in (None, *_names(media)))
        if preferences.example is not None and not content:
            return problem.undocumented(f"example={preferences.example}", _all_names(*operation.responses))
        choice = negotiate(content, preferences.accept) if content and not bodiless(found[1]) else None
        selection = _Selection(*found, content, choice)
        if _is_short(preferences):
            if len(self._choices) >= _MAX_CHOICES:
                self._choices.clear()
            self._choices[cache_key] = selection
        return selection

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


def _nothing(_: str, __: int) -> None:
    return None


def _preferences(wish: _Wish) -> _Preferences:
    _, _, accept, code, example, dynamic, paired = wish
    if paired is not None:
        return _Preferences(accept, None, paired, is_dynamic=False, is_paired=True)
    return _Preferences(accept, code, example, bool(dynamic) and example is None)


def _is_short(preferences: _Preferences) -> bool:
    return len(preferences.accept or "") + len(preferences.example or "") <= _MAX_PREFERENCES


def _decision(preferences: _Preferences, status: int) -> str:
    return f"document; {'status' if preferences.code is None else 'code'}={status}"


def _size(wish: _Wish, fields: Sequence[tuple[str, str]]) -> int:
    """Return the bytes of memory that a response takes, without its body and its key."""
    _, _, accept, _, example, _, paired = wish
    texts = (accept, example, paired, *(text for field in fields for text in field))
    return sum(text_size(text or "") for text in texts) + _OVERHEAD


def _select_response(
    operation: Operation, preferences: _Preferences
) -> tuple[DocumentedResponse, int] | None:
    """Select the response with the preferred code or example, else the default; None for a bad code."""
    if preferences.code is not None:
        documented_response = (
            response_for(operation, preferences.code) if is_sendable(preferences.code) else None
        )
        return (documented_response, preferences.code) if documented_response else None
    usual = default_response(operation)
    if preferences.example is None or preferences.example in _all_names(usual[0]):
        return usual
    for documented_response in operation.responses:
        if preferences.example in _all_names(documented_response) and documented_response.status.isdigit():
            return documented_response, int(documented_response.status)
    return usual


def _names(media: MediaType) -> list[str]:
    return [example.name for example in media.examples]


def _all_names(*responses: DocumentedResponse) -> list[str]:
    """Return the names of examples without duplicates, in the order of the document."""
    media_types = [media for response in responses for media in response.content]
    return list(dict.fromkeys(name for media in media_types for name in _names(media)))
