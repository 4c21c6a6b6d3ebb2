"""Texts grown from a pattern, and tested against the engine that judges values."""

from __future__ import annotations

import random

from mockserver.fakes.regex import Again, Ahead, Chars, Choice, Group, Node, PatternError, Repeat, Run, parse
from mockserver.schema.patterns import matcher

LONGEST = 100_000
"""Characters of a text at most."""

_SPREADS = (4, 8, 2, 0, 12, 24, 1, 48, 96, 200, 1000)
"""By how much an open repetition may exceed its least count, from one attempt to the next."""


def matching(
    pattern: str, rng: random.Random, shortest: int = 0, longest: int | None = None, attempts: int = 60
) -> str | None:
    """A text of ``shortest`` to ``longest`` characters with a match of ``pattern``, or None."""
    try:
        tree = parse(pattern)
        is_match = matcher(pattern)
        # What repetition must add to the shortest match there is, where a text has to be long
        missing = shortest - len(grow(tree, rng, 0, fully=True, grant_wishes=False))
        for attempt in range(attempts if missing < 1000 else 8):
            stretched = missing > 0 and attempt % 2 == 0
            spread = missing if stretched else _SPREADS[attempt % len(_SPREADS)]
            text = grow(tree, rng, spread, fully=stretched, grant_wishes=attempt % 4 < 2)
            text = _padded(text, pattern, shortest)
            if shortest <= len(text) and (longest is None or len(text) <= longest) and is_match(text):
                return text
    except (PatternError, RecursionError, ValueError):
        return None
    return None


def _padded(text: str, pattern: str, shortest: int) -> str:
    """``text`` made longer at an end that the pattern leaves open."""
    padding = "x" * (shortest - len(text))
    if not pattern.endswith("$"):
        return text + padding
    return text if pattern.startswith("^") else padding + text


def grow(tree: Node, rng: random.Random, spread: int, *, fully: bool, grant_wishes: bool) -> str:
    """One text. Raises PatternError for one that would be longer than LONGEST.

    ``spread``: by how much a repetition may exceed its least count, or does if ``fully``.
    ``grant_wishes``: whether what lookaheads ask for is written over it, at places of chance.
    """
    growth = _Growth(rng, spread, fully=fully)
    growth.write(tree)
    text = "".join(growth.out)
    for wish in growth.wishes if grant_wishes else ():
        wanted = grow(wish, rng, 0, fully=True, grant_wishes=False)
        start = rng.randint(0, max(0, len(text) - len(wanted)))
        text = text[:start] + wanted + text[start + len(wanted) :]
    return text


class _Growth:
    def __init__(self, rng: random.Random, spread: int, *, fully: bool) -> None:
        self.out: list[str] = []
        self.wishes: list[Node] = []
        self._rng = rng
        self._spread = spread
        self._fully = fully
        self._groups: dict[str, str] = {}

    def write(self, node: Node) -> None:
        match node:
            case Chars(chars):
                self.out.append(chars[int(self._rng.random() * len(chars))])
            case Run(parts):
                for part in parts:
                    self.write(part)
            case Choice(options):
                self.write(options[int(self._rng.random() * len(options))])
            case Repeat(part, least, most):
                self._repeat(part, least, most)
            case Group(part, names):
                start = len(self.out)
                self.write(part)
                text = "".join(self.out[start:])
                self._groups.update(dict.fromkeys(names, text))
            case Ahead(part):
                self.wishes.append(part)
            case Again(name):
                self.out.append(self._groups.get(name, ""))

    def _repeat(self, part: Node, least: int, most: int | None) -> None:
        high = least + self._spread if most is None else min(most, least + self._spread)
        count = high if self._fully or high <= least else self._rng.randint(least, high)
        if count > LONGEST:
            raise PatternError(f"its matches are longer than {LONGEST} characters")
        if isinstance(part, Chars):
            self.out.append("".join(self._rng.choices(part.chars, k=count)))
            return
        for _ in range(count):
            self.write(part)
            if len(self.out) > LONGEST:
                raise PatternError(f"its matches are longer than {LONGEST} characters")
