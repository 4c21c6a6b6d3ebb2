"""A compiled schema: fast validation, and violations with their locations in the document."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import accumulate, islice
from typing import TYPE_CHECKING

from mockserver.diagnostics import Violation, without_middle
from mockserver.jsonschema.bundler import Bundle
from mockserver.jsonschema.excerpt import Excerpt, excerpts, measure
from mockserver.jsonschema.formats import checks, forgiving_checks
from mockserver.jsonschema.keywords import DRAFT_4, DRAFT_2020_12
from mockserver.jsonschema.patterns import ACCOUNT, BACKTRACKING, NAME_BACKTRACK_LIMIT, accounted
from mockserver.jsonschema.references import References, SchemaError, pointer
from mockserver.plan import JSON, SchemaRef

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError

MAX_VIOLATIONS = 20
"""The maximum number of violations that are reported for a value."""
MAX_NODES = 10_000
"""The maximum size of an excerpt whose first error is read, if not all errors are."""
MAX_CHARACTERS = 2 * 1024 * 1024
"""The maximum number of characters in the texts of such an excerpt: an error has several copies of them."""
_MAX_FRUITLESS = 16
"""The maximum number of excerpts without a new violation."""
_MAX_ERRORS = 500
"""The number of errors, with those of branches, after which no more excerpts are checked."""
MAX_MESSAGE = 300
_MAX_VALUE = 100
"""The maximum length of a value in a message about an enum."""


class Validator:
    """Validates values by one schema.

    ``is_valid(value)`` is the method of jsonschema-rs itself. It raises ValueError if
    the value is not JSON (lone surrogates, keys that are not strings);
    ``violations`` reports such a value. The parser of the value must limit its
    depth, as json and msgspec do, because 10,000 levels overflow the stack.
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
        """``flag`` is the keyword that hides properties, ``readOnly`` or ``writeOnly``.

        ``forgiving``: whether the bundle is of this reading. Raises SchemaError.
        """
        # takes 10 ms, and some processes never validate
        from jsonschema_rs import Draft4Validator, Draft202012Validator, FancyRegexOptions, ValidationError

        self._references = references
        self._sources = bundle.sources
        self.readings = bundle.readings
        self.may_forgive = bundle.may_forgive
        self._flag = flag
        try:
            patterns = {BACKTRACKING + pattern: accounted(pattern) for pattern in bundle.patterns}
            compiled = (Draft4Validator if draft_4 else Draft202012Validator)(
                bundle.schema,
                formats={**(forgiving_checks() if forgiving else checks()), **patterns},
                validate_formats=True,
                pattern_options=FancyRegexOptions(backtrack_limit=NAME_BACKTRACK_LIMIT),
                offline=True,
            )
        except ValidationError as error:
            raise SchemaError(self._location(error.instance_path) or ref, _malformed(error)) from None
        except (ValueError, OverflowError) as error:
            raise SchemaError(ref, f"the schema cannot be compiled: {error}") from None
        self.is_valid = compiled.is_valid
        self._validate: Callable[[JSON], None] = compiled.validate
        self._errors: Callable[[JSON], Iterator[ValidationError]] = compiled.iter_errors

    def violations(self, value: JSON, *, is_invalid: bool = False) -> tuple[Violation, ...]:
        """Return the violations of the schema by ``value``, at most MAX_VIOLATIONS. None if it is valid.

        The violations of a large value are those of parts of it. ``is_invalid``: whether it is known to
        be invalid, so that it need not be validated as a whole again.
        """
        violations: list[Violation] = []
        try:
            if not is_invalid and self.is_valid(value):
                return ()
            fruitless = seen = 0
            for part in excerpts(value, self.is_valid):
                errors = list(self._errors_of(part))
                known = {(found.pointer, found.keyword, found.schema) for found in violations}
                before = len(violations)
                violations += islice(self._violations_of(part, errors, known), MAX_VIOLATIONS - before)
                fruitless += len(violations) == before
                seen += sum(map(_count, errors))
                if len(violations) == MAX_VIOLATIONS or fruitless > _MAX_FRUITLESS:
                    break
                if violations and seen > _MAX_ERRORS:
                    break
            if violations:
                return tuple(violations)
            whole = Excerpt(value, {}, *measure(value))
            for violation in self._violations_of(whole, self._errors_of(whole)):
                return (violation,)
        except ValueError as error:
            return (self._without_location("type", f"This cannot be validated: {error}"),)
        return (self._without_location("schema", "This violates its schema, and is too large to say where"),)

    def _without_location(self, keyword: str, message: str) -> Violation:
        return Violation("body", "", "", keyword, message, schema=self._sources["s0"])

    def _errors_of(self, part: Excerpt) -> Iterable[ValidationError]:
        if part.is_small:
            return self._errors(part.value)
        is_readable = part.nodes <= MAX_NODES and part.characters <= MAX_CHARACTERS
        return self._first(part.value) if is_readable else ()

    def _violations_of(
        self,
        part: Excerpt,
        errors: Iterable[ValidationError],
        known: Collection[tuple[str, str, SchemaRef]] = (),
    ) -> Iterator[Violation]:
        """Yield the violations but those ``known`` by pointer, keyword and schema."""
        for error in self._leaves(errors):
            path = error.instance_path
            if part.is_certain(error.kind.name, path):
                keyword, schema = self._keyword(error)
                at = pointer(part.original(path))
                if (at, keyword, schema) not in known:
                    yield self._violation(error, at, keyword, schema)

    def _first(self, value: JSON) -> Iterator[ValidationError]:
        from jsonschema_rs import ValidationError  # slow to import, see __init__

        try:
            self._validate(value)
        except ValidationError as error:
            yield error

    def _leaves(self, errors: Iterable[ValidationError]) -> Iterator[ValidationError]:
        """Yield the most specific errors: those of one branch instead of the error of all branches."""
        for error in errors:
            branch = self._branch_named(error) or self._branch_of_type(error)
            if branch is None:
                yield error
            else:
                yield from self._leaves(branch)

    def _branch_named(self, error: ValidationError) -> list[ValidationError] | None:
        """Return the errors of the branch that the discriminator selects. None if it is not known."""
        branches: list[list[ValidationError]] = getattr(error.kind, "context", None) or []
        excluded = [[cause for cause in branch if self._discriminator(cause)] for branch in branches]
        if not any(excluded):
            return None
        selected = [branch for branch, causes in zip(branches, excluded, strict=True) if not causes]
        if selected:
            return selected[0] if len(selected) == 1 and selected[0] else None
        return excluded[0][:1]

    def _discriminator(self, error: ValidationError) -> SchemaRef | None:
        """Return the discriminator whose constraint of a branch the error is about, or None."""
        if _pattern(error) is not None:
            return None
        path = error.schema_path
        for i, token in enumerate(path[:-4]):
            # The constraint is the only part of a bundle that is not in the document
            if token in ("oneOf", "anyOf") and path[i + 2] == "allOf":
                parent, constraint = self._location(path[:i]), self._location(path[: i + 4])
                if parent and constraint and not self._existing(constraint):
                    return self._existing(f"{parent}/discriminator")
        return None

    def _branch_of_type(self, error: ValidationError) -> list[ValidationError] | None:
        """Return the errors of the only branch of ``anyOf`` or ``oneOf`` for this type of value, or None.

        They help more than "not valid under any of the schemas". Most often the
        other branches are for null.
        """
        if error.kind.name not in ("anyOf", "oneOf"):
            return None
        branches: list[list[ValidationError]] = getattr(error.kind, "context", [])
        matching = [
            branch for branch in branches if not any(self._is_other_type(cause, error) for cause in branch)
        ]
        if not matching and self._location_of_keyword(error) is None:
            return branches[-1]  # the null that nullable added
        return matching[0] if len(matching) == 1 and matching[0] else None

    @staticmethod
    def _is_other_type(error: ValidationError, whole: ValidationError) -> bool:
        return error.kind.name == "type" and error.instance_path == whole.instance_path

    def _violation(self, error: ValidationError, at: str, keyword: str, schema: SchemaRef) -> Violation:
        message = _not_in_enum(error) if error.kind.name == "enum" else error.message
        if (pattern := _pattern(error)) is not None:
            message = f'{json.dumps(error.instance, ensure_ascii=False)} does not match "{pattern}"'
            if ACCOUNT.is_spent:
                message += " within the limit on the work of patterns per request"
        message = without_middle(message, MAX_MESSAGE)
        if keyword == self._flag:
            message = f"The property is {keyword} and cannot be part of this message"
        elif keyword == "discriminator":
            message = f"{message}: the discriminator selects no schema"
        expected = self._references.location(schema).node if schema else None
        return Violation("body", "", at, keyword, message, error.instance, expected, schema)

    def _keyword(self, error: ValidationError) -> tuple[str, SchemaRef]:
        """Return the violated keyword and its location in the document."""
        tokens = error.schema_path
        if _pattern(error) is not None:
            within = self._location(tokens[:-1]) or ""
            found = self._existing(f"{within}/pattern") or self._existing(
                f"{_parent_of_part(within)}/pattern"
            )
            return "pattern", found or within
        if discriminator := self._discriminator(error):
            return "discriminator", discriminator
        if schema := self._location_of_keyword(error):
            named = [str(token) for token in tokens if token in DRAFT_2020_12 or token in DRAFT_4]
            return named[-1] if named else error.kind.name, schema
        parent = self._location(tokens[:-1]) or ""
        if tokens[-1:] == ["not"]:  # the property is impossible
            return self._impossible(parent)
        return "format", self._existing(f"{parent}/format") or parent

    def _impossible(self, ref: SchemaRef) -> tuple[str, SchemaRef]:
        location = self._references.follow(ref)
        if location.node is False:
            return "not", location.ref
        return self._flag, self._existing(f"{location.ref}/{self._flag}") or location.ref

    def _location_of_keyword(self, error: ValidationError) -> SchemaRef | None:
        ref = self._location(error.schema_path)
        return self._existing(ref) if ref else None

    def _existing(self, ref: SchemaRef) -> SchemaRef | None:
        try:
            return self._references.location(ref).ref
        except SchemaError:
            return None

    def _location(self, path: list[str | int]) -> SchemaRef | None:
        """Return the reference into the document for a path into the bundle, or None."""
        for i, token in enumerate(path):
            source = self._sources.get(token) if isinstance(token, str) else None
            if source is not None:
                return source + pointer(path[i + 1 :])
        return None


def _pattern(error: ValidationError) -> str | None:
    """Return the pattern of an error, if it is run as a format, else None."""
    name = error.kind.as_dict()["format"] if error.kind.name == "format" else ""
    return name.removeprefix(BACKTRACKING) if name.startswith(BACKTRACKING) else None


def _parent_of_part(ref: SchemaRef) -> SchemaRef:
    """Return the schema whose ``allOf`` has an item at ``ref``."""
    return ref.rpartition("/")[0].rpartition("/")[0]


def _not_in_enum(error: ValidationError) -> str:
    """Return the message that a value is not in an enum, with as many of its values as there is room for."""
    values = error.instance, *error.kind.as_dict()["options"]
    value, *options = (json.dumps(option, ensure_ascii=False) for option in values)
    if len(value) > _MAX_VALUE:
        value = value[:_MAX_VALUE] + "…"
    room = MAX_MESSAGE - len(f"{value} is not one of  or {len(options)} others")
    ends = accumulate(len(option) + len(", ") for option in options)
    named = [option for option, end in zip(options, ends, strict=True) if end <= room]
    hidden = len(options) - len(named)
    last = f"{hidden} other{'s' if hidden > 1 else ''}" if hidden else named.pop()
    return f"{value} is not one of {' or '.join([*filter(None, [', '.join(named)]), last])}"


def _malformed(error: ValidationError) -> str:
    if error.instance_path[-1:] == ["pattern"] or "patternProperties" in error.instance_path[-2:-1]:
        return f"the pattern {error.instance!r} is not one that can be run"
    return f"the schema is malformed: {error.message}"


def _count(error: ValidationError) -> int:
    """Return the number of errors in an error, itself included."""
    branches: list[list[ValidationError]] = getattr(error.kind, "context", None) or []
    return 1 + sum(_count(cause) for branch in branches for cause in branch)
