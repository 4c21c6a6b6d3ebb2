"""A response template and a resource → the octets of a response; rendered values are kept in an LRU cache."""

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
from mockserver.engine.resources.context import Context, Providers, RenderContext
from mockserver.engine.resources.templates import Template, compile_template, is_template
from mockserver.jsonschema.references import tokens
from mockserver.media.codec import Encoded
from mockserver.namespaces.clock import iso
from mockserver.plan import JSON, ResponseTemplate
from mockserver.state.tables import text_size

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class LruCache(Generic[Key, Value]):
    """A least-recently-used mapping, bounded by entries and by the bytes its user says they weigh.

    For a single thread of control, as the engine is.
    """

    def __init__(self, *, entries: int, size: int) -> None:
        self._kept: OrderedDict[Key, tuple[Value, int]] = OrderedDict()
        self._entries = entries
        self._size = self._room = size

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """What all values weigh."""
        return self._size - self._room

    def get(self, key: Key) -> Value | None:
        """The value under ``key``, now the most recent one."""
        found = self._kept.get(key)
        if found is None:
            return None
        self._kept.move_to_end(key)
        return found[0]

    def keep(self, key: Key, value: Value, size: int) -> None:
        """Keep ``value`` unless it alone is too large; the oldest ones go where a bound is exceeded."""
        if (replaced := self._kept.pop(key, None)) is not None:
            self._room += replaced[1]
        if size > self._size:
            return
        self._kept[key] = value, size
        self._room -= size
        while self._room < 0 or len(self._kept) > self._entries:
            _, (_, freed) = self._kept.popitem(last=False)
            self._room += freed


_SLOT = re.compile(rb'"\\u0000(\d+)"')
"""The mark of a template's place in encoded JSON."""
_NUL = rb'"\u0000'
_OWN = re.compile(
    r"\{\{\s*(?:resource\.(?:created|changed)_at|now|token\([^{}]*\)|uuid\([^{}]*\)|x509\.\w+)\s*\}\}"
)
_KEPT_ENTRIES = 8192
_KEPT_OVERHEAD = 512
_UNSENDABLE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")

encode = msgspec.json.Encoder(decimal_format="number").encode


class RenderError(MockServerError):
    """An answer that could not be made, or that would break the document. Says which and why."""


class Rendered(NamedTuple):
    """An answer's parts; one is made for most requests, hence no dataclass."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    warnings: tuple[str, ...] = ()
    """What a client is told of the answer: what was changed, why the body is not valid where nothing is."""


class Verdict(NamedTuple):
    """How a body breaks the document; ``warning`` says why it cannot but break it, where that is so."""

    violations: tuple[Any, ...] = ()
    warning: str = ""


_VALID = Verdict()


Headers = tuple[tuple[str, str], ...]
ResponseCache = LruCache[Any, Rendered]
Slot = Callable[[Context], bytes]
Quick = Callable[[str, str, int, int, int], "bytes | None"]
"""(namespace, key, created, changed, now) → a body; None where the renderer has to make it first."""


class ResponseSpec(Struct, frozen=True):
    """What a recipe is laid on: how the documented response is made and judged."""

    fake: Callable[[str, Mapping[str, JSON], int], JSON] | None
    """(key, hints, now) → a valid body of the response; None where the body is whole already."""
    judge: Callable[[Any], Verdict] | None
    encode: Callable[[JSON], Encoded] | None
    """None for JSON."""
    headers: Callable[[str, int], list[tuple[str, str]]] | None
    """(key, now) → the documented response headers that the recipe does not give itself."""
    certifies: bool = False
    """Whether clients may bring a CSR, so that there may be no private key."""


class Renderer:
    """Renders one state's answer to one operation."""

    def __init__(
        self,
        name: str,
        recipe: ResponseTemplate,
        ground: ResponseSpec,
        providers: Providers,
        kept: ResponseCache,
    ) -> None:
        self.recipe = recipe
        self._name = name
        self._ground = ground
        self._makers = providers
        self._kept = kept
        self._build = _builder(recipe.body)
        self._headers = [(name.lower(), _builder(value)) for name, value in recipe.headers.items()]
        named = any(name == "content-type" for name, _ in self._headers)  # by the file itself
        self._content = (
            (("content-type", recipe.media_type),)
            if recipe.has_body and recipe.media_type and not named
            else ()
        )
        sources = _sources(recipe.body)
        own = all(_is_own(source) for source in sources) and _NUL not in encode(recipe.body)
        own = own and not (ground.certifies and any("private_key" in source for source in sources))
        self._whole = ground.fake is not None or ground.encode is not None or not own
        self._slots = [] if self._whole else [_slot(source) for source in sources]
        self._pieces = _SLOT.split(encode(_marked(recipe.body, itertools.count()))) if recipe.has_body else []
        varies = ground.headers is not None or any(_sources(value) for value in recipe.headers.values())
        self._fixed = (
            None if varies else (*self._content, *((name, make({})) for name, make in self._headers))
        )
        self._keeps = recipe.is_cacheable and (self._whole or any("x509" in source for source in sources))

    def render(self, subject: RenderContext) -> Rendered:
        """The answer for ``subject``. Raises RenderError or TemplateError."""
        if not self._keeps:
            return self._render(subject)
        place = (id(self), subject.namespace, subject.key, subject.created, subject.changed, subject.birth)
        found = self._kept.get(place)
        if found is None:
            found = self._render(subject)
            self._kept.keep(place, found, _weight(found, subject))
        return found

    @property
    def fixed(self) -> Headers:
        """The header fields where they are always the same."""
        return self._fixed or ()

    def quick(self) -> Quick | None:
        """A shorter way to a body that is the same for all keys but for its times, or kept; else None."""
        recipe = self.recipe
        if self._fixed is None or recipe.delay is not None or recipe.dribble is not None or recipe.fault:
            return None
        if recipe.warning:
            return None
        if self._keeps:
            kept, own = self._kept, id(self)

            def remembered(namespace: str, key: str, created: int, changed: int, _now: int) -> bytes | None:
                found = kept.get((own, namespace, key, created, changed, None))
                return None if found is None else found.body

            return remembered
        sources = _sources(recipe.body) if recipe.has_body else []
        if (self._whole and recipe.has_body) or any(source not in _TIMES for source in sources):
            return None
        return _timed(self._pieces, [_TIMES[source] for source in sources])

    def value(self, subject: RenderContext) -> JSON:
        """The body as a value, not yet judged by the document."""
        value = self._value(Context(subject, self._makers), subject)
        broken = self.judge(value).violations if self._whole else ()
        return self._without(value, broken) if broken else value

    def judge(self, value: JSON) -> Verdict:
        """How a body breaks the document."""
        return self._ground.judge(value) if self._ground.judge is not None else _VALID

    def _render(self, subject: RenderContext) -> Rendered:
        context = Context(subject, self._makers)
        body, media_type, warning = b"", self.recipe.media_type, self.recipe.warning
        if self.recipe.has_body and self._whole:
            body, media_type, warning = self._judged(context, subject)
        elif self.recipe.has_body:
            body = self._joined(context)
        headers, warnings = (self._fixed, ()) if self._fixed is not None else self._made(context, subject)
        if media_type != self.recipe.media_type and self._content:  # with the boundary of its parts
            headers = (("content-type", media_type), *headers[1:])
        return Rendered(self.recipe.status, headers, body, (*warnings, warning) if warning else warnings)

    def _joined(self, context: Context) -> bytes:
        pieces = self._pieces.copy()
        place = 1
        for slot in self._slots:
            pieces[place] = slot(context)
            place += 2
        return b"".join(pieces)

    def _value(self, context: Context, subject: RenderContext) -> JSON:
        value = self._build(context)
        if self._ground.fake is None:
            return value
        fake = self._ground.fake(context.identity, subject.path, subject.created)
        return merge(fake, value) if value != {} else fake  # a state that says nothing of a text, say

    def _judged(self, context: Context, subject: RenderContext) -> tuple[bytes, str, str]:
        """A body built whole, its media type, and what has to be said of it."""
        value = self._value(context, subject)
        # Encoded first, which refuses what is nested so deeply that judging it would exhaust the stack
        try:
            encoded = self._encoded(value)
        except (RecursionError, ValueError, TypeError) as error:
            raise RenderError(f"{self.recipe.location}: {self._name} cannot be sent: {error}") from error
        verdict = self.judge(value)
        if verdict.violations:
            value = self._without(value, verdict.violations)
            encoded, verdict = self._encoded(value), self.judge(value)
        if verdict.violations:
            first = verdict.violations[0]
            place = first.pointer or "/"
            raise RenderError(
                f"{self.recipe.location}: {self._name} breaks the document at {place}: {first.message}"
            )
        return *encoded, verdict.warning

    def _encoded(self, value: JSON) -> tuple[bytes, str]:
        if self._ground.encode is None:
            return encode(value), self.recipe.media_type
        made = self._ground.encode(value)
        return made.data, made.content_type

    def _without(self, value: JSON, broken: Sequence[Any]) -> JSON:
        """``value`` less the nulls of templates where the document has none: a key that is not told."""
        for each in broken:
            path = tokens(each.pointer)
            stated, holder = self.recipe.body, value
            if each.value is not None or not path:
                continue
            for part in path[:-1]:
                stated = stated.get(part) if isinstance(stated, dict) else None
                holder = holder.get(part) if isinstance(holder, dict) else None
            if isinstance(stated, dict) and isinstance(holder, dict) and is_template(stated.get(path[-1])):
                holder.pop(path[-1], None)
        return value

    def _made(self, context: Context, subject: RenderContext) -> tuple[Headers, tuple[str, ...]]:
        """The header fields, and what is to be told of them: what no header can carry is percent-encoded."""
        given, warnings = list[tuple[str, str]](), list[str]()
        for name, make in self._headers:
            value = str(make(context))
            if _UNSENDABLE.search(value):
                value = _UNSENDABLE.sub(_percented, value)
                warnings.append(f"the header {name} holds what no header can carry, which is percent-encoded")
            given.append((name, value))
        names = {name for name, _ in given}
        documented = self._ground.headers(context.identity, subject.created) if self._ground.headers else []
        headers = (*self._content, *(each for each in documented if each[0] not in names), *given)
        return headers, tuple(warnings)


def _percented(found: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in found[0].encode("utf-8", "surrogatepass"))


def merge(base: JSON, over: JSON) -> JSON:
    """``over`` laid on ``base``: mappings member by member, anything else replaces."""
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: merge(base.get(key), value) for key, value in over.items()}}
    return over


def response_cache(size: int = 32 * 1024 * 1024) -> ResponseCache:
    """The store of rendered answers that all renderers of an engine share."""
    return LruCache(entries=_KEPT_ENTRIES, size=size)


_MOMENTS = ("created", "changed", "now")
"""The times of a Subject."""
_TIMES = {"{{ resource.created_at }}": 0, "{{ resource.changed_at }}": 1, "{{ now }}": 2}
"""The slots of nearly every answer, without a look-up by name: which of the moments each is."""


def _time(moment: int) -> Slot:
    read = attrgetter(_MOMENTS[moment])
    return lambda context: b'"%b"' % iso(read(context.subject)).encode()


def _timed(pieces: list[bytes], moments: list[int]) -> Quick:
    """The body of pieces with times between them. Keys that are first seen in one millisecond share one."""
    form = b'"%b"'.join(piece.replace(b"%", b"%%") for piece in pieces[::2])
    moves = _MOMENTS.index("now") in moments
    last, body = (-1, -1, -1), b""

    def timed(_namespace: str, _key: str, created: int, changed: int, now: int) -> bytes:
        nonlocal last, body
        times = created, changed, now if moves else 0
        if times != last:
            last, body = times, form % tuple([iso(times[each]).encode() for each in moments])
        return body

    return timed


def _weight(rendered: Rendered, subject: RenderContext) -> int:
    """Bytes of a kept answer, and of what tells it from others."""
    fields = sum(text_size(text) for field in rendered.headers for text in field)
    birth = subject.birth.size if subject.birth is not None else 0
    return len(rendered.body) + text_size(subject.key) + fields + birth + _KEPT_OVERHEAD


def _slot(source: str) -> Slot:
    """The JSON text of a template's value."""
    if source in _TIMES:
        return _time(_TIMES[source])
    template = compile_template(source)
    return lambda context: encode(template(context))


def _builder(value: JSON) -> Template:
    """A function from a context to ``value`` with its templates rendered."""
    if is_template(value):
        return compile_template(value)
    if isinstance(value, dict):
        members = {key: _builder(each) for key, each in value.items()}
        return lambda context: {key: make(context) for key, make in members.items()}
    if isinstance(value, list):
        items = [_builder(each) for each in value]
        return lambda context: [make(context) for make in items]
    return lambda _context: value


def _marked(value: JSON, numbers: Iterator[int]) -> JSON:
    """``value`` with a numbered mark in the place of each template."""
    if is_template(value):
        return f"\x00{next(numbers)}"
    if isinstance(value, dict):
        return {key: _marked(each, numbers) for key, each in value.items()}
    if isinstance(value, list):
        return [_marked(each, numbers) for each in value]
    return value


def _sources(value: JSON) -> list[str]:
    """The templates in ``value``, in the order of ``_marked``."""
    if is_template(value):
        return [value]
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [source for each in children for source in _sources(each)]


def _is_own(source: str) -> bool:
    """Whether a template is made of our own providers alone, whose values have one known form."""
    return not is_template(_OWN.sub("", source))
