"""Strings and numbers: by pattern, format, bounds, ``multipleOf`` and the name of their property."""

from __future__ import annotations

import base64
import math
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from mockserver.generate.attempt import DeadEnd
from mockserver.generate.constraints import Shape, Span
from mockserver.generate.property_names import (
    IDENTIFIERS,
    LINKS,
    NUMBERS,
    WORDS,
    era,
    is_time,
    last_word,
    provider,
)
from mockserver.generate.regex_generator import LONGEST, matching
from mockserver.jsonschema.patterns import matcher
from mockserver.providers.faker import FakeValues

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(rng: random.Random, now_ms: int, name: str) -> datetime:
    """A time that suits the name of the property, to the second."""
    earliest, latest = era(name)
    return instant(now_ms + earliest + int(rng.random() * (latest - earliest)))


def instant(milliseconds: int) -> datetime:
    """The UTC time of a count of milliseconds since 1970, to the second; years 1 to 9999."""
    return _EPOCH + timedelta(seconds=min(max(milliseconds // 1000, -62_135_596_800), 253_402_300_799))


class Formats:
    """Texts by format. ``text`` returns None for a format that says nothing here."""

    def __init__(self, values: FakeValues) -> None:
        self._values = values
        self._makers: Mapping[str, Callable[[random.Random, int, str], str]] = {
            "date-time": lambda rng, now, name: (
                f"{moment(rng, now, name).isoformat()[:19]}Z"
            ),  # a fifth of strftime's time
            "date": lambda rng, now, name: moment(rng, now, name).strftime("%Y-%m-%d"),
            "time": lambda rng, now, name: moment(rng, now, name).strftime("%H:%M:%SZ"),
            "http-date": lambda rng, now, name: moment(rng, now, name).strftime("%a, %d %b %Y %H:%M:%S GMT"),
            "duration": lambda rng, _, __: f"PT{rng.randint(1, 59)}M",
            "uuid": lambda rng, _, __: str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            "email": self._faker("safe_email"),
            "idn-email": self._faker("safe_email"),
            "hostname": lambda rng, _, __: self._domain(rng),
            "idn-hostname": lambda rng, _, __: self._domain(rng),
            "ipv4": lambda rng, _, __: f"192.0.2.{rng.randint(1, 254)}",
            "ipv6": lambda rng, _, __: f"2001:db8::{rng.randint(1, 0xFFFF):x}",
            **dict.fromkeys(("uri", "url", "iri"), self._link),
            **dict.fromkeys(
                ("uri-reference", "iri-reference", "uriref"),
                lambda rng, _, __: f"/{self._word(rng)}/{rng.randint(1, 999)}",
            ),
            "uri-template": lambda rng, _, __: f"/{self._word(rng)}/{{id}}",
            "json-pointer": lambda rng, _, __: f"/{self._word(rng)}/{rng.randint(0, 9)}",
            "relative-json-pointer": lambda rng, _, __: f"{rng.randint(0, 3)}/{self._word(rng)}",
            "regex": lambda rng, _, __: f"^[a-z]{{1,{rng.randint(2, 20)}}}$",
            "byte": lambda rng, _, __: base64.b64encode(rng.randbytes(12)).decode(),
            "base64url": lambda rng, _, __: base64.urlsafe_b64encode(rng.randbytes(12)).decode(),
            "binary": self._faker("sentence"),
            "password": self._faker("password"),
            "char": lambda rng, _, __: chr(rng.randint(97, 122)),
            "html": lambda rng, _, __: f"<p>{self._text('sentence', rng)}</p>",
            "commonmark": self._faker("sentence"),
            "decimal": lambda rng, _, __: f"{rng.randint(100, 99999) / 100:.2f}",
            "int32": lambda rng, _, __: str(rng.randint(1, 9999)),
            "int64": lambda rng, _, __: str(rng.randint(1, 9_999_999)),
            "phone": self._faker("basic_phone_number"),
            "phone-number": lambda rng, _, __: f"+1415555{rng.randint(100, 9999):04d}",
            "snowflake": lambda rng, _, __: str(rng.randint(10**17, 10**18)),
            "jwt": lambda rng, _, __: ".".join(
                base64.urlsafe_b64encode(rng.randbytes(n)).decode().rstrip("=") for n in (18, 30, 32)
            ),
        }

    def text(self, name: str, rng: random.Random, now_ms: int, property_name: str) -> str | None:
        """A text of the format ``name`` for a property."""
        maker = self._makers.get(name)
        return maker(rng, now_ms, property_name) if maker else None

    @staticmethod
    def fit(name: str, text: str, shortest: int, longest: int | None, rng: random.Random) -> str:
        """``text`` of the format made longer or shorter, where the format has room for that."""
        letter = chr(rng.randint(97, 122))
        if name in ("email", "idn-email"):
            if longest is not None and len(text) > longest:
                text = f"{letter}@{letter}.io"
            return letter * min(shortest - len(text), 50) + text
        if name in ("uri", "url", "iri", "uri-reference", "iri-reference"):
            if longest is not None and len(text) > longest:
                text = f"http://{letter}.io" if longest >= 11 or name[3:] != "-reference" else f"/{letter}"
            return text + "/" * (len(text) < shortest) + letter * (shortest - len(text) - 1)
        if name in ("hostname", "idn-hostname"):
            if longest is not None and len(text) > longest:
                text = f"{letter}.io"
            while len(text) < shortest:
                text = f"{letter * min(60, max(1, shortest - len(text) - 1))}.{text}"
        return text

    def _faker(self, provider: str) -> Callable[[random.Random, int, str], str]:
        return lambda rng, _, __: self._text(provider, rng)

    def _text(self, provider: str, rng: random.Random) -> str:
        return str(self._values.value(provider, rng))

    def _word(self, rng: random.Random) -> str:
        return self._text("word", rng)

    def _domain(self, rng: random.Random) -> str:
        return f"{self._word(rng)}.example.com"

    def _link(self, rng: random.Random, now_ms: int, name: str) -> str:
        if last_word(name) in ("avatar", "image", "photo", "icon", "logo", "thumbnail"):
            return f"https://example.com/images/{rng.randint(1, 9999)}.png"
        return f"https://example.com/{self._word(rng)}/{rng.randint(1, 9999)}"


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


_CENT = Fraction(1, 100)
_FINEST = Fraction(1, 10**18)
_EXACT = 2**53
"""Beyond it, not every integer is a float."""
_MOST_DICE = 2**40


def number(shape: Shape, name: str, rng: random.Random, now_ms: int, *, whole: bool) -> int | float:
    """A number of the shape; ``whole`` for an integer. Raises DeadEnd if there is none."""
    if whole and is_time(name):
        now = now_ms if "int64" in shape.formats else now_ms // 1000
        span = _span(shape, Fraction(now - now // 1000), Fraction(now), whole=True)
    else:
        found = shape.spans.get((name, whole))
        if found is None:
            low, high = NUMBERS.get(last_word(name), (1, 100))
            found = shape.spans[name, whole] = _span(shape, Fraction(low), Fraction(high), whole=whole)
        span = found
    step, first, last = span
    count = (
        first + int(rng.random() * (last - first + 1))
        if last - first < _MOST_DICE
        else rng.randint(first, last)
    )
    numerator = count * step.numerator
    if whole or (step.denominator == 1 and abs(numerator) > _EXACT):
        return numerator // step.denominator
    try:
        return numerator / step.denominator
    except OverflowError:
        return numerator // step.denominator


def _span(shape: Shape, usual_low: Fraction, usual_high: Fraction, *, whole: bool) -> Span:
    """The numbers to choose from: a step, and the least and the greatest multiple of it."""
    step = _grid(shape.steps, whole=whole)
    low, high = _overlap(shape, usual_low, usual_high)
    if step is None:
        finest = max(_FINEST, _resolution(max(abs(low), abs(high))))
        step = max(_CENT, finest)
        while (high - low) / step < 10 and step > finest and low != high:
            step /= 10
    span = _multiples(shape, step, low, high)
    if span is None:  # nothing of a usual size: anything allowed will do
        reach = 1000 * step
        low = shape.low if shape.low is not None else min(Fraction(0), shape.high or 0) - reach
        high = shape.high if shape.high is not None else max(Fraction(0), low) + reach
        span = _multiples(shape, step, low, high)
    if span is None:
        raise DeadEnd(shape.at, _contradiction(shape, step))
    return (step, *span)


def _contradiction(shape: Shape, step: Fraction) -> str:
    """Why there is no number of the shape."""
    low, high = shape.low, shape.high
    if low is None or high is None or low < high:
        return f"there is no multiple of {_text(step)} within its bounds"
    minimum = f"{'exclusiveMinimum' if shape.low_open else 'minimum'} {_text(low)}"
    maximum = f"{'exclusiveMaximum' if shape.high_open else 'maximum'} {_text(high)}"
    if low > high:
        return f"{minimum} is more than {maximum}"
    return f"{minimum} and {maximum} leave no number between them"


def _text(number: Fraction) -> str:
    return str(number if number.denominator == 1 else float(number))


def _resolution(magnitude: Fraction) -> Fraction:
    """A step that floats of that size can still tell apart."""
    return Fraction(2) ** (int(magnitude).bit_length() - 46)


def _grid(steps: list[Fraction], *, whole: bool) -> Fraction | None:
    """The least common multiple of the steps."""
    if whole:
        steps = [*steps, Fraction(1)]
    if not steps:
        return None
    grid = steps[0]
    for step in steps[1:]:
        denominator = grid.denominator * step.denominator
        left, right = grid.numerator * step.denominator, step.numerator * grid.denominator
        grid = Fraction(math.lcm(left, right), denominator)
    return grid


def _overlap(shape: Shape, low: Fraction, high: Fraction) -> tuple[Fraction, Fraction]:
    """The part of the usual range that is allowed, or else a range of that size at the nearer bound."""
    span = high - low
    if shape.low is not None and shape.low > low:
        low, high = shape.low, max(high, shape.low + (span if shape.low >= high else 0))
    if shape.high is not None and shape.high < high:
        high = shape.high
        low = (
            max(shape.low, high - span)
            if shape.low is not None
            else min(low, high - span if low > high else low)
        )
    return low, high


def _multiples(shape: Shape, step: Fraction, low: Fraction, high: Fraction) -> tuple[int, int] | None:
    """The least and the greatest count of steps between the bounds."""
    first, last = math.ceil(low / step), math.floor(high / step)
    if shape.low_open and shape.low is not None and first * step <= shape.low:
        first = math.floor(shape.low / step) + 1
    if shape.high_open and shape.high is not None and last * step >= shape.high:
        last = math.ceil(shape.high / step) - 1
    return (first, last) if first <= last else None
