"""Texts: by pattern, by format, by the name of their property, and of the right length."""

from __future__ import annotations

import random

from mockserver.fakes.errors import DeadEnd
from mockserver.fakes.formats import Formats
from mockserver.fakes.growth import LONGEST, matching
from mockserver.fakes.names import IDENTIFIERS, LINKS, WORDS, is_time, last_word, provider
from mockserver.fakes.shape import Shape
from mockserver.providers.faker import FakeValues
from mockserver.schema.patterns import matcher

_SHORT_FORMS = {"country": "country_code", "state": "state_abbr"}
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"


class Texts:
    """Makes texts of a shape."""

    def __init__(self, values: FakeValues) -> None:
        self._values = values
        self._formats = Formats(values)

    def text(self, shape: Shape, name: str, rng: random.Random, now_ms: int) -> str:
        """Raises DeadEnd where no text has the length or matches the pattern."""
        shortest, longest = shape.shortest, shape.longest
        if shortest > LONGEST:
            raise DeadEnd(
                shape.at, f"minLength {shortest} asks for more than the {LONGEST} characters made here"
            )
        if longest is not None and shortest > longest:
            raise DeadEnd(shape.at, f"minLength {shortest} is more than maxLength {longest}")
        for form in shape.formats:
            made = self._formats.text(form, rng, now_ms, name)
            if made is None:
                continue
            if not _has_length(made, shape):
                made = self._formats.fit(form, made, shortest, longest, rng)
            if _has_length(made, shape) and all(matcher(each)(made) for each in shape.patterns):
                return made
        if shape.patterns:
            return _matching_all(shape, rng)
        plain = self._plain(name, rng, now_ms, longest)
        return plain if _has_length(plain, shape) else _fit(plain, shortest, longest, self._word(rng))

    def _plain(self, name: str, rng: random.Random, now_ms: int, longest: int | None) -> str:
        last = last_word(name)
        if last in WORDS:
            return rng.choice(WORDS[last])
        if faker := provider(name):
            if longest is not None and longest < 4:
                faker = _SHORT_FORMS.get(faker, faker)
            return str(self._values.value(faker, rng))
        if last in LINKS:
            return str(self._formats.text("uri", rng, now_ms, name))
        if last in IDENTIFIERS:
            return "".join(rng.choices(_ALPHABET, k=12))
        if is_time(name):
            form = {"date": "date", "time": "time"}.get(last, "date-time")
            return str(self._formats.text(form, rng, now_ms, name))
        return self._word(rng)

    def _word(self, rng: random.Random) -> str:
        return str(self._values.value("word", rng))


def _matching_all(shape: Shape, rng: random.Random) -> str:
    """A text that matches every pattern, or failing that the first: tests tell."""
    patterns = shape.patterns
    texts = [matching(each, rng, shape.shortest, shape.longest) for each in patterns]
    made = [each for each in texts if each is not None]
    if len(made) < len(patterns):
        pattern = patterns[texts.index(None)]
        raise DeadEnd(shape.at, f"no text was found that matches {pattern!r} and has the right length")
    if len(patterns) == 1:
        return made[0]
    for candidate in (*made, "".join(made), "".join(reversed(made))):
        if all(matcher(each)(candidate) for each in patterns):
            return candidate
    return made[0]


def _has_length(text: str, shape: Shape) -> bool:
    return shape.shortest <= len(text) and (shape.longest is None or len(text) <= shape.longest)


def _fit(text: str, shortest: int, longest: int | None, filler: str) -> str:
    if len(text) < shortest:
        missing = shortest - len(text)
        text = (text + f" {filler}" * (missing // (len(filler) + 1) + 1))[: max(shortest, len(text))]
        text = text if not text.endswith(" ") else f"{text[:-1]}s"
    if longest is not None and len(text) > longest:
        text = text[:longest]
        stripped = text.rstrip()
        text = stripped if len(stripped) >= shortest else text
    return text
