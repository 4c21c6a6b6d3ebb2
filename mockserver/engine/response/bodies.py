"""Bodies of documented responses: the value, fields that repeat the HTTP status, and the octets."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from mockserver.engine.response.cause import role
from mockserver.engine.response.examples import OF_SCHEMA, Fault, NoValidExample, Sample, Slot, Values
from mockserver.engine.response.negotiation import Choice
from mockserver.jsonschema import SchemaError, SchemaViolation
from mockserver.jsonschema.references import escape, tokens
from mockserver.media.codec import Codec, Encoded, family_of
from mockserver.media.coercion import Reader
from mockserver.media.shapes import ANY
from mockserver.media.text import sample_file
from mockserver.plan import JSON, DocumentedResponse, MediaType, SchemaRef

_LOWEST, _LOWEST_ERROR, _HIGHEST = 100, 400, 599
_MAX_DEPTH = 4
_REGISTERED = frozenset(int(each) for each in HTTPStatus)
_DESCRIBED = re.compile(r"\bHTTP\b[\w\s/-]{0,40}\b(?:status|code)\b", re.IGNORECASE)


class StatusFields:
    """Puts the status of an answer in the fields of a generated body that hold it."""

    def __init__(self, reader: Reader, is_valid: Callable[[JSON, SchemaRef], bool]) -> None:
        self._reader = reader
        self._is_valid = is_valid
        self._held: dict[tuple[SchemaRef, bool], list[tuple[str, SchemaRef]]] = {}

    def filled(self, body: JSON, ref: SchemaRef, status: int, *, is_problem: bool) -> JSON:
        """``body``, valid by the schema at ``ref``, for an answer of ``status``; still valid."""
        filled = self._filled(body, ref, status, is_problem or status >= _LOWEST_ERROR, 0)
        return filled if filled is not body and self._is_valid(filled, ref) else body

    def _filled(self, body: JSON, ref: SchemaRef, status: int, is_error: bool, depth: int) -> JSON:
        """``body`` itself where nothing changes. In what is no error, only fields at the top count."""
        is_deep = depth < _MAX_DEPTH and status >= _LOWEST_ERROR
        if isinstance(body, list) and is_deep:
            shapes = self._reader.shapes.of(ref)
            item = next((shape.items[0] for shape in shapes if shape.items), None)
            items = [self._filled(each, item, status, is_error, depth + 1) for each in body] if item else body
            return items if any(new is not old for new, old in zip(items, body, strict=True)) else body
        if not isinstance(body, dict):
            return body
        changed: dict[str, JSON] = {}
        for name, at in self._holding(ref, is_error):
            value = body.get(name)
            if isinstance(value, (int, float, str)) and not isinstance(value, bool):
                new: JSON = str(status) if isinstance(value, str) else status
                if value != new and self._is_valid(new, at):
                    changed[name] = new
        if is_deep:
            for name, at in self._reader.shapes.properties(ref).items():
                value = body.get(name)
                if isinstance(value, (dict, list)):
                    new = self._filled(value, at, status, is_error, depth + 1)
                    changed |= {name: new} if new is not value else {}
        return {**body, **changed} if changed else body

    def _holding(self, ref: SchemaRef, is_error: bool) -> list[tuple[str, SchemaRef]]:
        """The properties of a schema that hold the status of the response."""
        found = self._held.get((ref, is_error))
        if found is None:
            properties = self._reader.shapes.properties(ref).items()
            found = [each for each in properties if self._holds_status(*each, is_error)]
            self._held[ref, is_error] = found
        return found

    def _holds_status(self, name: str, ref: SchemaRef, is_error: bool) -> bool:
        purpose = role(name)
        if purpose not in ("status", "code"):
            return False
        try:
            node = self._reader.schemas.lookup(ref)[0]
        except SchemaError:
            return False
        if not isinstance(node, dict):
            return False
        values = _values(node)
        if values:
            known = [_status(each) for each in values]
            if purpose == "code" and not _REGISTERED.issuperset(known):
                return False
            # The status of something else, such as the last call of a webhook, may be any in a success
            highest = _HIGHEST if is_error else _LOWEST_ERROR - 1
            return all(_LOWEST <= each <= highest for each in known)
        if _is_bounded(node) or _DESCRIBED.search(str(node.get("description", ""))):
            return True
        types = self._reader.shapes.types(ref)
        is_number = types != ANY and not types.isdisjoint(("integer", "number"))
        return purpose == "status" and is_number and (is_error or name.lower() != "status")


def _values(node: Mapping[str, JSON]) -> list[JSON]:
    """The values that a schema names, as the only ones or as examples."""
    found = [node[each] for each in ("const", "example", "default") if each in node]
    for each in ("enum", "examples"):
        listed = node.get(each)
        found += listed if isinstance(listed, list) else []
    return [each for each in found if each is not None]


def _status(value: JSON) -> int:
    """A number, or a text of three digits, as a status; 0 for anything else."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{3}", value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _is_bounded(node: Mapping[str, JSON]) -> bool:
    """Whether numbers from 100 to 599 are what is allowed."""
    low = node.get("minimum")
    high = node.get("maximum", node.get("exclusiveMaximum"))
    return (
        isinstance(low, (int, float))
        and isinstance(high, (int, float))
        and _LOWEST <= low <= high <= _HIGHEST + 1
    )


_Place = tuple[str, ...]
"""The tokens of a pointer into a body, with a star for each index."""
_NO_PARTS: Mapping[str, str] = {}


@dataclass(slots=True)
class _Known:
    """What has been found out of one media type, which is kept along so that its ``id`` stays its own."""

    media: MediaType
    codec: Codec
    examples: dict[tuple[str, str | None], Sample | None] = field(default_factory=dict)
    """(family, name) → the example that is sent."""
    slots: dict[tuple[str, str | None], Slot] = field(default_factory=dict)
    """(family, name) → the slot of its bodies."""
    faults: tuple[str, frozenset[_Place]] | None = None
    """Where no body is valid: why, and the places in a body that cannot be."""


class Bodies:
    """The bodies of one document's responses. Media types are known by identity, as the document has them."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._status_fields = StatusFields(values.reader, values.is_valid)
        self._known: dict[int, _Known] = {}

    def example(self, choice: Choice, name: str | None = None) -> Sample | None:
        """The first valid example of a media type; the one named as it is, with a warning if it is not."""
        examples, place = self._of(choice.media).examples, (family_of(choice.content_type), name)
        if place not in examples:
            examples[place] = self._values.example(self._slot(choice, name), is_named=name is not None)
        sample = examples[place]
        if name is not None and (sample is None or sample.origin != f"example={name}"):
            example = next(each for each in choice.media.examples if each.name == name)
            warning = f"D501 the example {name} breaks its schema"
            return Sample(example.value, f"example={name}", example.serialized, warning)
        return sample

    def generated(
        self,
        response: DocumentedResponse,
        choice: Choice,
        *,
        key: str,
        hints: Mapping[str, JSON],
        now_ms: int,
        status: int,
    ) -> Sample:
        """A fake body of an answer with ``status``; what comes nearest where the schema has no value."""
        slot, kind = self._slot(choice), family_of(choice.content_type)
        if kind in ("binary", "xml") and self._values.is_any_text(slot):
            file = sample_file(choice.content_type.partition(";")[0].strip().lower())
            if file is not None:
                return Sample(file.decode("latin-1"), is_text=kind == "xml")
        if slot.schema is None and slot.item_schema is None and kind in ("text", "binary"):
            return Sample(response.description, is_text=True)
        sample = self._values.nearest(slot, key=key, hints=hints, now_ms=now_ms)
        if sample.is_text or sample.warning:
            return sample
        return Sample(self._with_status(choice, sample.value, status))

    def with_status(self, choice: Choice, sample: Sample, status: int) -> Sample:
        """An example of a schema, which may be that of many answers, as one of an answer with ``status``."""
        if sample.is_text or sample.origin != OF_SCHEMA:
            return sample
        return Sample(self._with_status(choice, sample.value, status), sample.origin)

    def base_body(
        self, choice: Choice, *, key: str, hints: Mapping[str, JSON], now_ms: int, status: int
    ) -> JSON:
        """The fake that a scenario's partial body is laid over, or what comes nearest.

        ``status`` is that of the answer; 0 for what is no answer by itself.
        """
        value = self._values.nearest(self._slot(choice), key=key, hints=hints, now_ms=now_ms).value
        value = self._with_status(choice, value, status)
        if isinstance(value, str) and _stands_as_it_is(choice):
            return self.encode(choice, value).data.decode()
        return value

    def stated(self, choice: Choice, value: JSON) -> Encoded:
        """A scenario's body in its media type: a text is the body as it stands, unless that is JSON."""
        if isinstance(value, str) and _stands_as_it_is(choice):
            return Encoded(value.encode(), choice.content_type)
        return self.encode(choice, value)

    def violations(self, choice: Choice, value: JSON) -> tuple[SchemaViolation, ...]:
        """How a scenario's body breaks the document."""
        return self._of(choice.media).codec.violations(value, choice.content_type)

    def avoidable(
        self, choice: Choice, violations: Sequence[SchemaViolation], parts: Mapping[str, str] = _NO_PARTS
    ) -> tuple[tuple[SchemaViolation, ...], str]:
        """The violations that another body would not have, and why there are others.

        There are others where the document leaves nothing valid to answer with.
        ``parts`` says why of parts of the body, by their pointers.
        """
        known = self._of(choice.media)
        if known.faults is None:
            sample = self._values.nearest(self._slot(choice), key="", hints={}, now_ms=0)
            broken = self.violations(choice, sample.value) if sample.warning else ()
            known.faults = sample.warning, frozenset(_place(each.pointer) for each in broken)
        warning, faults = known.faults
        places = faults.union(map(_place, parts))
        left = tuple(each for each in violations if not _touches(_place(each.pointer), places))
        is_forgiven = len(left) < len(violations)
        return left, (warning or next(iter(parts.values()), "")) if is_forgiven else ""

    def encode(self, choice: Choice, value: JSON) -> Encoded:
        """A value in its media type. Raises Unanswerable where that cannot hold it."""
        try:
            return self._of(choice.media).codec.encode(value, choice.content_type)
        except (ValueError, TypeError) as error:
            raise _unanswerable(choice, f"it cannot hold the value: {error}") from error

    def written(self, choice: Choice, sample: Sample) -> Encoded:
        """A sample in its media type: text is sent as it is."""
        if sample.is_text:
            return Encoded(str(sample.value).encode("utf-8", "replace"), choice.content_type)
        return self.encode(choice, sample.value)

    def faults(self, response: DocumentedResponse, where: str) -> Iterator[Fault]:
        """What keeps bodies from being answered as documented."""
        for media in response.content:
            slot = self._slot(Choice(media, media.name))
            yield from self._values.faults(slot, f"{where}/content/{escape(media.name)}")

    def _with_status(self, choice: Choice, value: JSON, status: int) -> JSON:
        ref = choice.media.schema
        if ref is None or not status:
            return value
        is_problem = "/problem+" in choice.content_type
        return self._status_fields.filled(value, ref, status, is_problem=is_problem)

    def _of(self, media: MediaType) -> _Known:
        known = self._known.get(id(media))
        if known is None:
            known = self._known[id(media)] = _Known(media, Codec(media, self._values.reader))
        return known

    def _slot(self, choice: Choice, name: str | None = None) -> Slot:
        """The slot of a body; with a ``name``, for that example only."""
        kind, known = family_of(choice.content_type), self._of(choice.media)
        slot = known.slots.get((kind, name))
        if slot is None:
            schema, item_schema = known.codec.schemas(kind)
            examples = tuple(each for each in choice.media.examples if name in (None, each.name))
            slot = Slot(schema, examples, item_schema, None if kind == "json" else known.codec)
            known.slots[kind, name] = slot
        return slot


def _stands_as_it_is(choice: Choice) -> bool:
    """Whether text is a body of that type, and not a value in it; plain text and bytes are both."""
    return family_of(choice.content_type) not in ("json", "text", "binary")


def _place(pointer: str) -> _Place:
    return tuple("*" if each.isdigit() else each for each in tokens(pointer))


def _touches(place: _Place, others: Iterable[_Place]) -> bool:
    """Whether one of the places is this one, within it, or around it."""
    return any(all(map(str.__eq__, place, other)) for other in others)


def _unanswerable(choice: Choice, reason: str) -> NoValidExample:
    media = choice.media
    return NoValidExample(media.schema or media.item_schema or "", f"{choice.content_type}: {reason}")
