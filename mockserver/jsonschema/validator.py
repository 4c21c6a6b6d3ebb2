"""A compiled schema: quick verdicts, and violations that name their place in the document."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from msgspec import Struct

from mockserver.jsonschema.bundler import Bundle
from mockserver.jsonschema.excerpt import Excerpt, excerpts, nodes
from mockserver.jsonschema.formats import checks, forgiving_checks
from mockserver.jsonschema.keywords import DRAFT_4, DRAFT_2020_12
from mockserver.jsonschema.patterns import ACCOUNT, BACKTRACKING, NAME_BACKTRACK_LIMIT, accounted
from mockserver.jsonschema.references import References, SchemaError, pointer
from mockserver.plan import JSON, SchemaRef

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

MAX_VIOLATIONS = 20
MAX_NODES = 10_000
"""Of a value whose first error is asked for where no part of it says what is wrong."""
_MAX_FRUITLESS = 16
"""Parts of a value that say nothing new."""
_MAX_ERRORS = 1_000
"""Errors, those of branches among them, after which no further part is looked at where something is told."""
LONGEST_MESSAGE = 300
_LONGEST_VALUE = 100
"""Characters of a value that stands in a message beside what it should be."""


class SchemaViolation(Struct, frozen=True):
    """One way in which a value breaks its schema."""

    pointer: str
    """RFC 6901 pointer into the value; empty for all of it."""
    keyword: str
    """The keyword as the document has it: ``readOnly``, ``format``, ``minLength``, …"""
    message: str
    value: JSON
    """The part of the value that is at fault."""
    expected: JSON
    """The keyword's value in the schema."""
    schema: SchemaRef
    """Where the keyword stands in the document."""


class Validator:
    """Judges values by one schema.

    ``is_valid(value)`` is jsonschema-rs's own bound method. It raises ValueError
    for what is not JSON (lone surrogates, keys that are not text); ``violations``
    reports such a value instead. Values must come from a parser that bounds
    nesting, as json and msgspec do: 10,000 levels exhaust the stack.
    """

    __slots__ = (
        "_errors",
        "_flag",
        "_references",
        "_sources",
        "_validate",
        "is_valid",
        "may_forgive",
        "readings",
    )

    is_valid: Callable[[JSON], bool]

    def __init__(
        self,
        ref: SchemaRef,
        bundle: Bundle,
        references: References,
        *,
        draft_4: bool,
        flag: str,
        forgiving: bool = False,
    ) -> None:
        """``flag``: the keyword that hides properties, ``readOnly`` or ``writeOnly``.

        ``forgiving``: whether the bundle is of that reading.
        """
        # 10 ms that a process which never validates need not spend
        from jsonschema_rs import Draft4Validator, Draft202012Validator, FancyRegexOptions, ValidationError

        self._references = references
        self._sources = bundle.sources
        self.readings = bundle.readings
        self.may_forgive = bundle.may_forgive
        self._flag = flag
        try:
            patterns = {BACKTRACKING + each: accounted(each) for each in bundle.patterns}
            compiled = (Draft4Validator if draft_4 else Draft202012Validator)(
                bundle.schema,
                formats={**(forgiving_checks() if forgiving else checks()), **patterns},
                validate_formats=True,
                pattern_options=FancyRegexOptions(backtrack_limit=NAME_BACKTRACK_LIMIT),
                offline=True,
            )
        except ValidationError as error:
            raise SchemaError(self._place(error.instance_path) or ref, _malformed(error)) from None
        except (ValueError, OverflowError) as error:
            raise SchemaError(ref, f"the schema cannot be compiled: {error}") from None
        self.is_valid = compiled.is_valid
        self._validate: Callable[[JSON], None] = compiled.validate
        self._errors: Callable[[JSON], Iterator[ValidationError]] = compiled.iter_errors

    def violations(self, value: JSON) -> tuple[SchemaViolation, ...]:
        """Ways in which ``value`` breaks the schema, up to twenty; empty if it does not.

        Of a large value they are those of a part of it.
        """
        told: list[SchemaViolation] = []
        try:
            if self.is_valid(value):
                return ()
            fruitless = seen = 0
            for part in excerpts(value, self.is_valid):
                errors = list(self._errors_of(part))
                known = {(each.pointer, each.keyword, each.schema) for each in told}
                found = (
                    each
                    for each in self._told(part, errors)
                    if not known or (each.pointer, each.keyword, each.schema) not in known
                )
                before = len(told)
                told += islice(found, MAX_VIOLATIONS - before)
                fruitless += len(told) == before
                seen += sum(map(_count, errors))
                if len(told) == MAX_VIOLATIONS or fruitless > _MAX_FRUITLESS:
                    break
                if told and seen > _MAX_ERRORS:
                    break
            if told:
                return tuple(told)
            whole = Excerpt(value, {}, nodes(value), 0)
            for each in self._told(whole, self._errors_of(whole)):
                return (each,)
        except ValueError as error:
            return (self._unplaced("type", f"This cannot be judged: {error}"),)
        return (self._unplaced("schema", "This breaks its schema, and is too large to say where"),)

    def _unplaced(self, keyword: str, message: str) -> SchemaViolation:
        return SchemaViolation("", keyword, message, None, None, self._sources["s0"])

    def _errors_of(self, part: Excerpt) -> Iterable[ValidationError]:
        if part.is_small:
            return self._errors(part.value)
        return self._first(part.value) if part.nodes <= MAX_NODES else ()

    def _told(self, part: Excerpt, errors: Iterable[ValidationError]) -> Iterator[SchemaViolation]:
        for error in self._leaves(errors):
            if part.is_certain(error.kind.name, error.instance_path):
                yield self._violation(error, part)

    def _first(self, value: JSON) -> Iterator[ValidationError]:
        from jsonschema_rs import ValidationError

        try:
            self._validate(value)
        except ValidationError as error:
            yield error

    def _leaves(self, errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
        """The errors that say most: those of a branch instead of the one of all branches."""
        for error in errors:
            branch = self._branch_named(error) or self._branch_meant(error)
            if branch is None:
                yield error
            else:
                yield from self._leaves(branch)

    def _branch_named(self, error: ValidationError) -> list[ValidationError] | None:
        """The errors of the branch that the discriminator leads to; of all, if it leads to none."""
        branches: list[list[ValidationError]] = getattr(error.kind, "context", None) or []
        pins = [[each for each in branch if self._discriminator(each)] for branch in branches]
        if not any(pins):
            return None
        named = [branch for branch, pinned in zip(branches, pins, strict=True) if not pinned]
        if named:
            return named[0] if len(named) == 1 and named[0] else None
        return pins[0][:1]

    def _discriminator(self, error: ValidationError) -> SchemaRef | None:
        """The discriminator whose pin of a branch the error is about."""
        if _pattern(error) is not None:
            return None
        path = error.schema_path
        for i, token in enumerate(path[:-4]):
            # The pin is the one part of a bundle that the document does not have
            if token in ("oneOf", "anyOf") and path[i + 2] == "allOf":
                parent, pin = self._place(path[:i]), self._place(path[: i + 4])
                if parent and pin and not self._existing(pin):
                    return self._existing(f"{parent}/discriminator")
        return None

    def _branch_meant(self, error: ValidationError) -> list[ValidationError] | None:
        """The errors of the one branch of ``anyOf`` or ``oneOf`` that is for this type of value.

        "Not valid under any of the schemas" helps nobody where all the other
        branches are for another type; most often that one is null.
        """
        if error.kind.name not in ("anyOf", "oneOf"):
            return None
        branches: list[list[ValidationError]] = getattr(error.kind, "context", [])
        meant = [each for each in branches if not any(self._is_other_type(cause, error) for cause in each)]
        if not meant and self._place_of_keyword(error) is None:
            return branches[-1]  # the null that nullable added
        return meant[0] if len(meant) == 1 and meant[0] else None

    @staticmethod
    def _is_other_type(error: ValidationError, whole: ValidationError) -> bool:
        return error.kind.name == "type" and error.instance_path == whole.instance_path

    def _violation(self, error: ValidationError, part: Excerpt) -> SchemaViolation:
        message = _not_in_enum(error) if error.kind.name == "enum" else error.message
        if (pattern := _pattern(error)) is not None:
            message = f'{json.dumps(error.instance, ensure_ascii=False)} does not match "{pattern}"'
            if ACCOUNT.is_spent:
                message += " in what the patterns of a request may take"
        if len(message) > LONGEST_MESSAGE:
            message = f"{message[: LONGEST_MESSAGE // 2]} … {message[-LONGEST_MESSAGE // 2 :]}"
        keyword, schema = self._keyword(error)
        if keyword == self._flag:
            message = f"The property is {keyword} and cannot be part of this message"
        elif keyword == "discriminator":
            message = f"{message}: the discriminator leads to no schema"
        expected = self._references.place(schema).node if schema else None
        at = pointer(part.original(error.instance_path))
        return SchemaViolation(at, keyword, message, error.instance, expected, schema)

    def _keyword(self, error: ValidationError) -> tuple[str, SchemaRef]:
        """The keyword that failed and its place, in terms of the document as written."""
        tokens = error.schema_path
        if _pattern(error) is not None:
            within = self._place(tokens[:-1]) or ""
            found = self._existing(f"{within}/pattern") or self._existing(f"{_above(within)}/pattern")
            return "pattern", found or within
        if discriminator := self._discriminator(error):
            return "discriminator", discriminator
        if schema := self._place_of_keyword(error):
            named = [str(each) for each in tokens if each in DRAFT_2020_12 or each in DRAFT_4]
            return named[-1] if named else error.kind.name, schema
        parent = self._place(tokens[:-1]) or ""
        if tokens[-1:] == ["not"]:  # what made the property impossible
            return self._impossible(parent)
        return "format", self._existing(f"{parent}/format") or parent

    def _impossible(self, ref: SchemaRef) -> tuple[str, SchemaRef]:
        place = self._references.follow(ref)
        if place.node is False:
            return "not", place.ref
        return self._flag, self._existing(f"{place.ref}/{self._flag}") or place.ref

    def _place_of_keyword(self, error: ValidationError) -> SchemaRef | None:
        ref = self._place(error.schema_path)
        return self._existing(ref) if ref else None

    def _existing(self, ref: SchemaRef) -> SchemaRef | None:
        try:
            return self._references.place(ref).ref
        except SchemaError:
            return None

    def _place(self, path: list[str | int]) -> SchemaRef | None:
        """A path into the bundle as a reference into the document."""
        for i, token in enumerate(path):
            source = self._sources.get(token) if isinstance(token, str) else None
            if source is not None:
                return source + pointer(path[i + 1 :])
        return None


def _pattern(error: ValidationError) -> str | None:
    """The pattern that is run as a format."""
    name = error.kind.as_dict()["format"] if error.kind.name == "format" else ""
    return name.removeprefix(BACKTRACKING) if name.startswith(BACKTRACKING) else None


def _above(ref: SchemaRef) -> SchemaRef:
    """The schema that has an item of its ``allOf`` at ``ref``."""
    return ref.rpartition("/")[0].rpartition("/")[0]


def _not_in_enum(error: ValidationError) -> str:
    """That a value is none of an enum's, with all of those that a message has room for."""
    value, *options = (
        json.dumps(each, ensure_ascii=False) for each in (error.instance, *error.kind.as_dict()["options"])
    )
    if len(value) > _LONGEST_VALUE:
        value = value[:_LONGEST_VALUE] + "…"
    room = LONGEST_MESSAGE - len(f"{value} is not one of  or {len(options)} others")
    ends = accumulate(len(each) + len(", ") for each in options)
    named = [each for each, end in zip(options, ends, strict=True) if end <= room]
    hidden = len(options) - len(named)
    last = f"{hidden} other{'s' if hidden > 1 else ''}" if hidden else named.pop()
    return f"{value} is not one of {' or '.join([*filter(None, [', '.join(named)]), last])}"


def _malformed(error: ValidationError) -> str:
    if error.instance_path[-1:] == ["pattern"] or "patternProperties" in error.instance_path[-2:-1]:
        return f"the pattern {error.instance!r} is not one that can be run"
    return f"the schema is malformed: {error.message}"


def _count(error: ValidationError) -> int:
    """How many errors there are in one, with itself."""
    branches: list[list[ValidationError]] = getattr(error.kind, "context", None) or []
    return 1 + sum(_count(each) for branch in branches for each in branch)
