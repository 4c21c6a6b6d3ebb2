"""Render responses from response templates and resources. Rendered responses are in an LRU cache."""

from __future__ import annotations

import itertools
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec
from msgspec import Struct

from mockserver.diagnostics import MockServerError
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues
from mockserver.engine.resources.create import lay_over
from mockserver.engine.resources.templates import Template, compile_template, is_template
from mockserver.jsonschema.references import tokens, value_at
from mockserver.media.codec import Encoded
from mockserver.namespaces.clock import iso
from mockserver.plan import JSON, ResponseTemplate
from mockserver.state.tables import text_size

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """A least-recently-used mapping, bounded by its entries and by the sizes that ``keep`` gets.

    It is not thread-safe; the engine is single-threaded.
    """

    def __init__(self, *, entries: int, size: int) -> None:
        self._cache: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._entries = entries
        self._size = self._room = size

    def __len__(self) -> int:
        return len(self._cache)

    @property
    def size(self) -> int:
        """The size of all values."""
        return self._size - self._room

    def get(self, key: Key) -> Value | None:
        """Return the value of ``key``, which becomes the most recent one; None if there is none."""
        found = self._cache.get(key)
        if found is None:
            return None
        self._cache.move_to_end(key)
        return found[0]

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Store ``value`` unless it alone is too large. Drop the oldest values above a bound."""
        if (replaced := self._cache.pop(key, None)) is not None:
            self._room += replaced[1]
        if size > self._size:
            return
        self._cache[key] = value, size
        self._room -= size
        while self._room < 0 or len(self._cache) > self._entries:
            _, (_, freed) = self._cache.popitem(last=False)
            self._room += freed


_PLACEHOLDER = re.compile(rb'"\\u0000(\d+)"')
"""The placeholder of a template in encoded JSON."""
_NUL = rb'"\u0000'
_OWN_PROVIDERS = re.compile(
    r"\{\{\s*(?:resource\.(?:created|changed)_at|now|token\([^{}]*\)|uuid\([^{}]*\)|x509\.\w+)\s*\}\}"
)
_CACHE_ENTRIES = 8192
_CACHE_OVERHEAD = 512
_INVALID_IN_HEADER = re.compile(r"[^\t\x20-\x7e\x80-\xff]")

encode = msgspec.json.Encoder(decimal_format="number").encode


class RenderError(MockServerError):
    """A response that cannot be rendered, or that violates the document."""


class Rendered(NamedTuple):
    """The parts of a response. It is a tuple, which is faster to create: most requests create one."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    warnings: tuple[str, ...] = ()
    """Changes of the response, and why its body is invalid if no body can be valid."""


class Verdict(NamedTuple):
    """The violations of a body; ``warning`` says why no body can be valid, if that is so."""

    violations: tuple[Any, ...] = ()
    warning: str = ""


_VALID = Verdict()


Headers = tuple[tuple[str, str], ...]
ResponseCache = LruCache[Any, Rendered]
Slot = Callable[[TemplateValues], bytes]
Quick = Callable[[str, str, int, int, int], "bytes | None"]
"""(namespace, key, created, changed, now) → a body; None if the renderer has to render it first."""


class ResponseSpec(Struct, frozen=True):
    """The documented response of a template, as functions."""

    fake: Callable[[str, Mapping[str, JSON], int], JSON] | None
    """(key, hints, now) → a valid body, over which the template's body is merged; None for a whole body."""
    validate: Callable[[Any], Verdict] | None
    encode: Callable[[JSON], Encoded] | None
    """None for JSON."""
    headers: Callable[[str, int], list[tuple[str, str]]] | None
    """(key, now) → the documented response headers."""
    certifies: bool = False
    """Whether clients may send a CSR, so that a certificate may have no private key."""
    sent: Callable[[RenderContext], Mapping[str, JSON]] | None = None
    """The fields of the creating request, or of the stored data, that the response may have."""
    key_name: str = ""
    """The path parameter with the key, if a request creates the resource."""
    fill: Callable[[JSON, RenderContext], JSON] | None = None
    """(generated body, context) → the body with the stored data in it."""


class Renderer:
    """Renders the response of one state to one operation."""

    def __init__(
        self,
        name: str,
        recipe: ResponseTemplate,
        spec: ResponseSpec,
        providers: Providers,
        cache: ResponseCache,
    ) -> None:
        self.recipe = recipe
        self._name = name
        self._spec = spec
        self._providers = providers
        self._cache = cache
        self._build = builder(recipe.body)
        self._headers = [(name.lower(), builder(value)) for name, value in recipe.headers.items()]
        named = any(name == "content-type" for name, _ in self._headers)  # the file sets it itself
        self._content = (
            (("content-type", recipe.media_type),)
            if recipe.has_body and recipe.media_type and not named
            else ()
        )
        sources = _sources(recipe.body)
        own = all(_uses_own_providers(source) for source in sources) and _NUL not in encode(recipe.body)
        own = own and not (spec.certifies and any("private_key" in source for source in sources))
        self._whole = spec.fake is not None or spec.encode is not None or not own
        self._slots = [] if self._whole else [_slot(source) for source in sources]
        self._pieces = (
            _PLACEHOLDER.split(encode(_with_placeholders(recipe.body, itertools.count())))
            if recipe.has_body
            else []
        )
        varies = spec.headers is not None or any(_sources(value) for value in recipe.headers.values())
        self._fixed = (
            None if varies else (*self._content, *((name, make({})) for name, make in self._headers))
        )
        self._is_cacheable = recipe.is_cacheable and (
            self._whole or any("x509" in source for source in sources)
        )

    def render(self, context: RenderContext) -> Rendered:
        """Return the response for ``context``. Raises RenderError and TemplateError."""
        if not self._is_cacheable:
            return self._render(context)
        source = context.creation if context.data is None else (context.creation, context.data)
        cache_key = id(self), context.namespace, context.key, context.created, context.changed, source
        found = self._cache.get(cache_key)
        if found is None:
            found = self._render(context)
            self._cache.keep(cache_key, found, _weight(found, context))
        return found

    @property
    def fixed(self) -> Headers:
        """The header fields if they are constant; else empty."""
        return self._fixed or ()

    def quick(self) -> Quick | None:
        """Return a faster function for a cached body, or for one that only differs in times; else None."""
        recipe = self.recipe
        if self._fixed is None or recipe.delay is not None or recipe.dribble is not None or recipe.fault:
            return None
        if recipe.warning:
            return None
        if self._is_cacheable:
            cache, own = self._cache, id(self)

            def remembered(namespace: str, key: str, created: int, changed: int, _now: int) -> bytes | None:
                found = cache.get((own, namespace, key, created, changed, None))
                return None if found is None else found.body

            return remembered
        sources = _sources(recipe.body) if recipe.has_body else []
        if (self._whole and recipe.has_body) or any(source not in _TIMES for source in sources):
            return None
        return _join_times(self._pieces, [_TIMES[source] for source in sources])

    def value(self, context: RenderContext) -> JSON:
        """Return the body as a value, before its last validation."""
        value = self._value(TemplateValues(context, self._providers), context)
        broken = self.validate(value).violations if self._whole else ()
        return self._without_nulls(value, broken) if broken else value

    def validate(self, value: JSON) -> Verdict:
        """Validate a body."""
        return self._spec.validate(value) if self._spec.validate is not None else _VALID

    def _render(self, context: RenderContext) -> Rendered:
        values = TemplateValues(context, self._providers)
        body, media_type, warning = b"", self.recipe.media_type, self.recipe.warning
        if self.recipe.has_body and self._whole:
            body, media_type, warning = self._validated_body(values, context)
        elif self.recipe.has_body:
            body = self._join(values)
        headers, warnings = (
            (self._fixed, ()) if self._fixed is not None else self._header_fields(values, context)
        )
        if media_type != self.recipe.media_type and self._content:  # it has the boundary of a multipart
            headers = (("content-type", media_type), *headers[1:])
        return Rendered(self.recipe.status, headers, body, (*warnings, warning) if warning else warnings)

    def _join(self, values: TemplateValues) -> bytes:
        pieces = self._pieces.copy()
        position = 1
        for slot in self._slots:
            pieces[position] = slot(values)
            position += 2
        return b"".join(pieces)

    def _value(self, values: TemplateValues, context: RenderContext) -> JSON:
        value = self._build(values)
        if self._spec.fake is None:
            return value
        hints = context.path
        if self._spec.key_name:  # the response to the creation has the values of later reads
            hints = {**hints, self._spec.key_name: context.key}
        fake = self._spec.fake(values.identity, hints, context.created)
        if self._spec.fill is not None and context.data is not None:
            filled = merge(self._spec.fill(fake, context), value)
            if not self.validate(filled).violations:
                return filled
        if self._spec.sent is not None and (context.creation is not None or context.data is not None):
            fake = self._with_sent(fake, value, self._spec.sent(context))
        return merge(fake, value) if value != {} else fake  # an empty body must not replace a fake text

    def _with_sent(self, fake: JSON, value: JSON, sent: Mapping[str, JSON]) -> JSON:
        """Return the generated body with the fields of the creating request that the state leaves open."""
        stated = value if isinstance(value, dict) else {}
        fields = {
            name: member for name, member in sent.items() if isinstance(stated.get(name, {}), dict)
        }  # an object of the state is merged over that of the request
        if not fields:
            return fake
        known = {violation.pointer for violation in self.validate(merge(fake, value)).violations}

        def fits(candidate: JSON) -> bool:
            found = self.validate(merge(candidate, value)).violations
            return all(violation.pointer in known for violation in found)

        return lay_over(fake, fields, merge, fits)

    def _validated_body(self, values: TemplateValues, context: RenderContext) -> tuple[bytes, str, str]:
        """Return a validated body, its media type and a warning. Raises RenderError."""
        value = self._value(values, context)
        # The encoder rejects deeply nested values, for which the validation would exhaust the stack
        try:
            encoded = self._encode(value)
        except (RecursionError, ValueError, TypeError) as error:
            raise RenderError(f"{self.recipe.location}: {self._name} cannot be sent: {error}") from error
        verdict = self.validate(value)
        if verdict.violations:
            value = self._without_nulls(value, verdict.violations)
            encoded, verdict = self._encode(value), self.validate(value)
        if verdict.violations:
            first = verdict.violations[0]
            location = first.pointer or "/"
            raise RenderError(
                f"{self.recipe.location}: {self._name} breaks the document at {location}: {first.message}"
            )
        return *encoded, verdict.warning

    def _encode(self, value: JSON) -> tuple[bytes, str]:
        if self._spec.encode is None:
            return encode(value), self.recipe.media_type
        encoded = self._spec.encode(value)
        return encoded.data, encoded.content_type

    def _without_nulls(self, value: JSON, broken: Sequence[Any]) -> JSON:
        """Remove the members of ``value`` whose templates are null and whose schemas forbid null.

        An example is the private key of a certificate that was created for a CSR.
        """
        for violation in broken:
            if violation.value is not None or not violation.pointer:
                continue
            *path, last = tokens(violation.pointer)
            stated, holder = value_at(self.recipe.body, path), value_at(value, path)
            if isinstance(stated, dict) and isinstance(holder, dict) and is_template(stated.get(last)):
                holder.pop(last, None)
        return value

    def _header_fields(
        self, values: TemplateValues, context: RenderContext
    ) -> tuple[Headers, tuple[str, ...]]:
        """Return the header fields and warnings. Characters that no field permits are percent-encoded."""
        given, warnings = list[tuple[str, str]](), list[str]()
        for name, make in self._headers:
            value = str(make(values))
            if _INVALID_IN_HEADER.search(value):
                value = _INVALID_IN_HEADER.sub(_percent_encode, value)
                warnings.append(f"the header {name} has invalid characters, which are percent-encoded")
            given.append((name, value))
        names = {name for name, _ in given}
        documented = self._spec.headers(values.identity, context.created) if self._spec.headers else []
        headers = (*self._content, *(field for field in documented if field[0] not in names), *given)
        return headers, tuple(warnings)


def _percent_encode(found: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in found[0].encode("utf-8", "surrogatepass"))


def merge(base: JSON, over: JSON) -> JSON:
    """Merge ``over`` into ``base``: mappings member by member; any other value replaces."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: merge(base.get(key), value) for key, value in over.items()}}
    return over


def response_cache(size: int = 32 * 1024 * 1024) -> ResponseCache:
    """Return the cache of rendered responses that all renderers of an engine share; ``size`` in bytes."""
    return LruCache(entries=_CACHE_ENTRIES, size=size)


_MOMENTS = ("created", "changed", "now")
"""The times of a RenderContext."""
_TIMES = {"{{ resource.created_at }}": 0, "{{ resource.changed_at }}": 1, "{{ now }}": 2}
"""The most frequent templates → the index of their time in ``_MOMENTS``."""


def _time(moment: int) -> Slot:
    read = attrgetter(_MOMENTS[moment])
    return lambda values: b'"%b"' % iso(read(values.context)).encode()


def _join_times(pieces: list[bytes], moments: list[int]) -> Quick:
    """Return a function that joins ``pieces`` with times. Calls with equal times share one body."""
    form = b'"%b"'.join(piece.replace(b"%", b"%%") for piece in pieces[::2])
    uses_now = _MOMENTS.index("now") in moments
    last, body = (-1, -1, -1), b""

    def timed(_namespace: str, _key: str, created: int, changed: int, now: int) -> bytes:
        nonlocal last, body
        times = created, changed, now if uses_now else 0
        if times != last:
            last, body = times, form % tuple([iso(times[moment]).encode() for moment in moments])
        return body

    return timed


def _weight(rendered: Rendered, context: RenderContext) -> int:
    """Return the bytes of a cached response and of its key."""
    fields = sum(text_size(text) for field in rendered.headers for text in field)
    creation = context.creation.size if context.creation is not None else 0
    creation += len(context.data or b"")
    return len(rendered.body) + text_size(context.key) + fields + creation + _CACHE_OVERHEAD


def _slot(source: str) -> Slot:
    """Return a function for the JSON text of a template's value."""
    if source in _TIMES:
        return _time(_TIMES[source])
    template = compile_template(source)
    return lambda values: encode(template(values))


def builder(value: JSON) -> Template:
    """Return a function of a context that renders the templates in ``value``."""
    if is_template(value):
        return compile_template(value)
    if isinstance(value, dict):
        members = {key: builder(member) for key, member in value.items()}
        return lambda values: {key: make(values) for key, make in members.items()}
    if isinstance(value, list):
        items = [builder(item) for item in value]
        return lambda values: [make(values) for make in items]
    return lambda _context: value


def _with_placeholders(value: JSON, numbers: Iterator[int]) -> JSON:
    """Return ``value`` with a numbered placeholder for each template."""
    if is_template(value):
        return f"\x00{next(numbers)}"
    if isinstance(value, dict):
        return {key: _with_placeholders(member, numbers) for key, member in value.items()}
    if isinstance(value, list):
        return [_with_placeholders(item, numbers) for item in value]
    return value


def _sources(value: JSON) -> list[str]:
    """Return the templates in ``value``, in the order of ``_with_placeholders``."""
    if is_template(value):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [source for child in children for source in _sources(child)]


def _uses_own_providers(source: str) -> bool:
    """Return whether a template uses only providers whose values always have the same form."""
    return not is_template(_OWN_PROVIDERS.sub("", source))
