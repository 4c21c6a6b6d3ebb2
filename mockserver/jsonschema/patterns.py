r"""Regular expressions of documents (ECMA 262 with Annex B), and the limit on their work.

jsonschema-rs accepts the strict grammar. Annex B (B.1.2) also allows ``[\w-.]``, a
lone ``{`` and ``[^]``. These are rewritten in the strict grammar. ``\A``, ``\Z`` and
``\z`` are anchors of other engines, and are rewritten too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

BACKTRACK_LIMIT = 100_000
"""The maximum number of steps of a match, some milliseconds. Above it, the text does not match."""
NAME_BACKTRACK_LIMIT = 1_000
"""The same for the names of properties (``patternProperties``), which have no total limit."""
MAX_WORK = 20_000_000
"""The maximum work of all backtracking patterns of one request, in steps times characters."""
BACKTRACKING = "pattern: "
"""The prefix of a format's name that stands for a backtracking pattern."""

_LIMITS = (10, 100, 1_000, 10_000, BACKTRACK_LIMIT)
"""The step limits that are tried in turn. The one that succeeds tells the work of a match."""
_MAX_SHORT_TEXT = 1_000
"""Longer texts begin with the first limit, other texts with the second. The first attempt is free."""
_STEP = 20
"""The constant cost of a step, in characters."""
_MAX_KNOWN = 10_000
"""The maximum number of results that are kept during a request, those of short texts."""
_MAY_BACKTRACK = re.compile(r"\(\?[=!<>(]|\\[1-9kGK]")
"""Lookaround, back references, atomic groups."""

_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_ESCAPE = re.compile(
    r"\\(?:u\{[0-9A-Fa-f]+\}|[pPk][{<][^}>]*[}>]|c[A-Za-z]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL
)
_ANCHORS = {r"\A": "^", r"\Z": "$", r"\z": "$"}
_SETS = frozenset((r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"))


@lru_cache(maxsize=4096)
def strict(pattern: str) -> str:
    """Return ``pattern`` in the strict grammar. Errors in any grammar are left as they are."""
    out: list[str] = []
    at = 0
    repeatable = False  # whether a quantifier may follow
    while at < len(pattern):
        char = pattern[at]
        if char == "\\" and (escape := _ESCAPE.match(pattern, at)):
            text = escape[0]
            out.append(_ANCHORS.get(text) or _octal(text))
            at, repeatable = escape.end(), text not in _ANCHORS
        elif char == "[":
            text, at = _character_class(pattern, at)
            out.append(text)
            repeatable = True
        elif char == "{":
            quantifier = _QUANTIFIER.match(pattern, at) if repeatable else None
            out.append(quantifier[0] if quantifier else r"\{")
            at, repeatable = quantifier.end() if quantifier else at + 1, not quantifier
        else:
            out.append(f"\\{char}" if char in "}]" else char)
            at, repeatable = at + 1, char not in "(|^"
    return "".join(out)


def _octal(escape: str) -> str:
    return r"\x00" if escape == r"\0" else escape


def _character_class(pattern: str, start: int) -> tuple[str, int]:
    """Return the rewritten class that begins at ``start``, and where it ends."""
    at = start + 1
    negated = pattern[at : at + 1] == "^"
    at += negated
    if pattern[at : at + 1] == "]":
        return (r"[\s\S]" if negated else "(?!)"), at + 1
    atoms: list[str] = []
    while at < len(pattern) and pattern[at] != "]":
        escape = _ESCAPE.match(pattern, at) if pattern[at] == "\\" else None
        text = escape[0] if escape else pattern[at]
        at += len(text)
        atoms.append(r"\x08" if text == r"\b" else _octal(text))
    if at >= len(pattern):
        return pattern[start:], at  # not closed: the engine reports it
    return f"[{'^' if negated else ''}{_strict_atoms(atoms)}]", at + 1


def _strict_atoms(atoms: list[str]) -> str:
    out: list[str] = []
    at = 0
    while at < len(atoms):
        span = atoms[at : at + 3]
        is_range = len(span) == 3 and span[1] == "-" and not _is_set(span[0]) and not _is_set(span[2])
        out += [_literal(span[0]), "-", _literal(span[2])] if is_range else [_literal(span[0])]
        at += 3 if is_range else 1
    return "".join(out)


def _is_set(atom: str) -> bool:
    return atom in _SETS or atom[:2] in (r"\p", r"\P")


def _literal(atom: str) -> str:
    # Without a backslash, they would begin a nested class, a range or a set operation
    return f"\\{atom}" if atom in ("[", "-") else atom


class Account:
    """The work that the patterns of the current request may still do."""

    __slots__ = ("is_spent", "known", "left")

    def __init__(self) -> None:
        self.left: int | None = None
        """None if no request is being validated."""
        self.is_spent = False
        """Whether a match was abandoned because the limit was reached."""
        self.known: dict[tuple[str, str], bool] = {}
        """Pattern and text to whether they match: a value is validated, then its excerpts."""

    def begin(self) -> None:
        """Start the validation of a request."""
        self.left, self.is_spent = MAX_WORK, False
        self.known.clear()

    def end(self) -> None:
        """End the validation of a request."""
        self.left, self.is_spent = None, False
        self.known.clear()

    def take(self, work: int) -> bool:
        """Take ``work`` from the account. Return whether there was enough left."""
        if self.left is None:
            return work <= MAX_WORK
        if work > self.left:
            self.is_spent = True
            return False
        self.left -= work
        return True


ACCOUNT = Account()
"""The account of the current request. Requests are validated one at a time."""


@lru_cache(maxsize=4096)
def backtracks(pattern: str) -> bool:
    """Return whether a strict pattern needs the backtracking engine. Other patterns take linear time."""
    if not _MAY_BACKTRACK.search(pattern):
        return False
    from jsonschema_rs import Draft202012Validator, RegexOptions  # slow to import, not always needed

    try:
        Draft202012Validator({"pattern": pattern}, pattern_options=RegexOptions(), offline=True)
    except ValueError:
        return _is_pattern(pattern)
    return False


def _is_pattern(pattern: str) -> bool:
    try:
        _validator(pattern)
    except ValueError:
        return False
    return True


def _validator(pattern: str, limit: int = BACKTRACK_LIMIT) -> Draft202012Validator:
    from jsonschema_rs import Draft202012Validator, FancyRegexOptions  # slow to import, as above

    options = FancyRegexOptions(backtrack_limit=limit)
    # With a mask, an error has no copy of the text in its message
    return Draft202012Validator({"pattern": pattern}, pattern_options=options, offline=True, mask="it")


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Return a function that searches a text, by the engine of validation. Raises ValueError."""
    run = strict(pattern)
    return accounted(run) if backtracks(run) else _validator(run).is_valid


@lru_cache(maxsize=4096)
def accounted(pattern: str) -> Callable[[str], bool]:
    """Return a function that searches a text for a backtracking pattern, and counts its work in ACCOUNT.

    Raises ValueError if the pattern is invalid.
    """
    from jsonschema_rs import ValidationError, ValidationErrorKind  # slow to import, as above

    given_up = ValidationErrorKind.BacktrackLimitExceeded
    tries = [_validator(pattern, limit).validate for limit in _LIMITS]

    def matches(text: str) -> bool:
        if ACCOUNT.left is None or len(text) > _MAX_SHORT_TEXT:
            return search(text)
        found = ACCOUNT.known.get((pattern, text))
        if found is None:
            found = search(text)
            if len(ACCOUNT.known) < _MAX_KNOWN:
                ACCOUNT.known[pattern, text] = found
        return found

    def search(text: str) -> bool:
        first = len(text) <= _MAX_SHORT_TEXT
        for number in range(first, len(_LIMITS)):
            if number > first and not ACCOUNT.take(_LIMITS[number] * (_STEP + len(text))):
                return False
            try:
                tries[number](text)
            except ValidationError as error:
                if isinstance(error.kind, given_up):
                    continue
                return False
            return True
        return False

    return matches
