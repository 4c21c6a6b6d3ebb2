r"""Regular expressions as documents write them: ECMA 262, its Annex B included.

jsonschema-rs runs the strict grammar. Annex B (B.1.2) lets browsers, and hence
authors, write more: ``[\w-.]``, a lone ``{``, ``[^]``. These are rewritten to the
same meaning in the strict grammar. ``\A``, ``\Z`` and ``\z`` are taken for the
anchors that authors used to other engines mean by them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator

BACKTRACK_LIMIT = 100_000
"""Steps before a match is given up and counts as none; some milliseconds."""
NAME_BACKTRACK_LIMIT = 1_000
"""The same for the names of properties (``patternProperties``), which have no account."""
MAX_WORK = 20_000_000
"""Steps times characters that the backtracking patterns of one request may take."""
BACKTRACKING = "pattern: "
"""What the name of a format begins with that stands for a pattern which backtracks."""

_RUNGS = (10, 100, 1_000, 10_000, BACKTRACK_LIMIT)
"""Limits that are tried one after the other: so it is known, to a tenth, what a match took."""
_LONG = 1_000
"""Characters of a text that begins with the first rung; others begin with the second. That one is free."""
_STEP = 20
"""What a step takes beside looking at each character, in characters."""
_MAY_BACKTRACK = re.compile(r"\(\?[=!<>(]|\\[1-9kGK]")
"""Looking around, back references, atomic groups."""

_QUANTIFIER = re.compile(r"\{\d+(?:,\d*)?\}")
_ESCAPE = re.compile(
    r"\\(?:u\{[0-9A-Fa-f]+\}|[pPk][{<][^}>]*[}>]|c[A-Za-z]|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|.)", re.DOTALL
)
_ANCHORS = {r"\A": "^", r"\Z": "$", r"\z": "$"}
_SETS = frozenset((r"\d", r"\D", r"\w", r"\W", r"\s", r"\S"))


@lru_cache(maxsize=4096)
def strict(pattern: str) -> str:
    """``pattern`` in the strict grammar; what is wrong with it in any grammar is left as it is."""
    out: list[str] = []
    at = 0
    repeatable = False  # whether a quantifier may stand here
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
    """The class that opens at ``start``, rewritten, and where it ends."""
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
        return pattern[start:], at  # never closed: for the engine to refuse
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
    # Bare, they would nest classes, or begin a range or a set operation
    return f"\\{atom}" if atom in ("[", "-") else atom


class Account:
    """What the patterns of a request may take together, while one is checked."""

    __slots__ = ("is_spent", "left")

    def __init__(self) -> None:
        self.left: int | None = None
        """None where no request is checked."""
        self.is_spent = False
        """Whether a match was given up for want of more."""

    def begin(self) -> None:
        """A request is checked from now on."""
        self.left, self.is_spent = MAX_WORK, False

    def end(self) -> None:
        """It has been."""
        self.left, self.is_spent = None, False

    def take(self, work: int) -> bool:
        """Whether there is so much left, which then is gone."""
        if self.left is None:
            return work <= MAX_WORK
        if work > self.left:
            self.is_spent = True
            return False
        self.left -= work
        return True


ACCOUNT = Account()
"""Of the request that is checked: one at a time is."""


@lru_cache(maxsize=4096)
def backtracks(pattern: str) -> bool:
    """Whether a pattern of the strict grammar needs the engine that backtracks; others take linear time."""
    if not _MAY_BACKTRACK.search(pattern):
        return False
    from jsonschema_rs import Draft202012Validator, RegexOptions

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
    from jsonschema_rs import Draft202012Validator, FancyRegexOptions

    options = FancyRegexOptions(backtrack_limit=limit)
    return Draft202012Validator({"pattern": pattern}, pattern_options=options, offline=True)


@lru_cache(maxsize=4096)
def matcher(pattern: str) -> Callable[[str], bool]:
    """Whether a text has a match, by the engine that judges values. Raises ValueError for no pattern."""
    run = strict(pattern)
    return accounted(run) if backtracks(run) else _validator(run).is_valid


@lru_cache(maxsize=4096)
def accounted(pattern: str) -> Callable[[str], bool]:
    """Whether a text has a match of a pattern that backtracks, found on account of the request.

    Raises ValueError for no pattern.
    """
    from jsonschema_rs import ValidationError, ValidationErrorKind

    given_up = ValidationErrorKind.BacktrackLimitExceeded
    tries = [_validator(pattern, limit).validate for limit in _RUNGS]

    def matches(text: str) -> bool:
        first = len(text) <= _LONG
        for rung in range(first, len(_RUNGS)):
            if rung > first and not ACCOUNT.take(_RUNGS[rung] * (_STEP + len(text))):
                return False
            try:
                tries[rung](text)
            except ValidationError as error:
                if isinstance(error.kind, given_up):
                    continue
                return False
            return True
        return False

    return matches
