"""Strings and numbers by pattern, format, bounds, ``multipleOf`` and the name of the property."""

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
    IMAGES,
    NUMBERS,
    WORDS,
    is_time,
    last_word,
    text_source,
    time_range,
)
from mockserver.generate.regex_generator import MAX_LENGTH, generate_match
from mockserver.jsonschema.patterns import matcher
from mockserver.providers.faker import FakeValues

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(rng: random.Random, now_ms: int, name: str) -> datetime:
    """Return a time that suits the name of the property, in whole seconds."""
    earliest, latest = time_range(name)
    return instant(now_ms + earliest + int(rng.random() * (latest - earliest)))


def instant(milliseconds: int) -> datetime:
    """Return the UTC time of milliseconds since the epoch, in whole seconds, limited to years 1 to 9999."""
    return _EPOCH + timedelta(seconds=min(max(milliseconds // 1000, -62_135_596_800), 253_402_300_799))


class Formats:
    """Generates texts by format."""

    def __init__(self, values: FakeValues) -> None:
        self._values = values
        self._makers: Mapping[str, Callable[[random.Random, int, str], str]] = {
            "date-time": lambda rng, now, name: (
                f"{moment(rng, now, name).isoformat()[:19]}Z"
            ),  # five times faster than strftime
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
        """Return a text of the format ``name`` for a property, or None for an unknown format."""
        maker = self._makers.get(name)
        return maker(rng, now_ms, property_name) if maker else None

    @staticmethod
    def fit(name: str, text: str, min_length: int, max_length: int | None, rng: random.Random) -> str:
        """Return ``text`` with a length in the bounds, if the format ``name`` allows it."""
        letter = chr(rng.randint(97, 122))
        if name in ("email", "idn-email"):
            if max_length is not None and len(text) > max_length:
                text = f"{letter}@{letter}.io"
            return letter * min(min_length - len(text), 50) + text
        if name in ("uri", "url", "iri", "uri-reference", "iri-reference"):
            if max_length is not None and len(text) > max_length:
                text = f"http://{letter}.io" if max_length >= 11 or name[3:] != "-reference" else f"/{letter}"
            return text + "/" * (len(text) < min_length) + letter * (min_length - len(text) - 1)
        if name in ("hostname", "idn-hostname"):
            if max_length is not None and len(text) > max_length:
                text = f"{letter}.io"
            while len(text) < min_length:
                text = f"{letter * min(60, max(1, min_length - len(text) - 1))}.{text}"
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
        if last_word(name) in IMAGES:
            return f"https://example.com/images/{rng.randint(1, 9999)}.png"
        return f"https://example.com/{self._word(rng)}/{rng.randint(1, 9999)}"


_SHORT_FORMS = {"country": "country_code", "state": "state_abbr"}
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"
IDENTIFIER_LENGTH = 12
DATED = frozenset(("date-time", "date", "time", "http-date"))
"""The formats whose texts depend on the time."""


class Texts:
    """Generates texts of a shape."""

    def __init__(self, values: FakeValues) -> None:
        self._values = values
        self._formats = Formats(values)

    def text(self, shape: Shape, name: str, rng: random.Random, now_ms: int) -> str:
        """Return a text of a shape. Raises DeadEnd if none has the length or matches the pattern."""
        min_length, max_length = shape.min_length, shape.max_length
        if min_length > MAX_LENGTH:
            raise DeadEnd(
                shape.at, f"minLength {min_length} asks for more than the {MAX_LENGTH} characters made here"
            )
        if max_length is not None and min_length > max_length:
            raise DeadEnd(shape.at, f"minLength {min_length} is more than maxLength {max_length}")
        for form in shape.formats:
            made = self._formats.text(form, rng, now_ms, name)
            if made is None:
                continue
            if not _has_length(made, shape):
                made = self._formats.fit(form, made, min_length, max_length, rng)
            if _has_length(made, shape) and all(matcher(pattern)(made) for pattern in shape.patterns):
                return made
        if shape.patterns:
            return _matching_all(shape, rng)
        plain = self._by_name(name, rng, now_ms, max_length)
        return plain if _has_length(plain, shape) else _fit(plain, min_length, max_length, self._word(rng))

    def _by_name(self, name: str, rng: random.Random, now_ms: int, max_length: int | None) -> str:
        kind, which = text_source(name)
        match kind:
            case "words":
                return rng.choice(WORDS[which])
            case "faker":
                if max_length is not None and max_length < 4:
                    which = _SHORT_FORMS.get(which, which)
                return str(self._values.value(which, rng))
            case "link":
                return str(self._formats.text("uri", rng, now_ms, name))
            case "identifier":
                return "".join(rng.choices(_ALPHABET, k=IDENTIFIER_LENGTH))
            case "time":
                return str(self._formats.text(which, rng, now_ms, name))
            case _:
                return self._word(rng)

    def _word(self, rng: random.Random) -> str:
        return str(self._values.value("word", rng))


def _matching_all(shape: Shape, rng: random.Random) -> str:
    """Return a text that matches all patterns, else one that matches the first. Raises DeadEnd."""
    patterns = shape.patterns
    texts = [generate_match(pattern, rng, shape.min_length, shape.max_length) for pattern in patterns]
    made = [text for text in texts if text is not None]
    if len(made) < len(patterns):
        pattern = patterns[texts.index(None)]
        raise DeadEnd(shape.at, f"no text was found that matches {pattern!r} and has the right length")
    if len(patterns) == 1:
        return made[0]
    for candidate in (*made, "".join(made), "".join(reversed(made))):
        if all(matcher(pattern)(candidate) for pattern in patterns):
            return candidate
    return made[0]


def _has_length(text: str, shape: Shape) -> bool:
    return shape.min_length <= len(text) and (shape.max_length is None or len(text) <= shape.max_length)


def _fit(text: str, min_length: int, max_length: int | None, filler: str) -> str:
    if len(text) < min_length:
        missing = min_length - len(text)
        text = (text + f" {filler}" * (missing // (len(filler) + 1) + 1))[: max(min_length, len(text))]
        text = text if not text.endswith(" ") else f"{text[:-1]}s"
    if max_length is not None and len(text) > max_length:
        text = text[:max_length]
        stripped = text.rstrip()
        text = stripped if len(stripped) >= min_length else text
    return text


_CENT = Fraction(1, 100)
_MIN_STEP = Fraction(1, 10**18)
EXACT = 2**53
"""Above it, not every integer is a float."""
_MAX_RANDOM = 2**40


def number(shape: Shape, name: str, rng: random.Random, now_ms: int, *, whole: bool) -> int | float:
    """Return a number of the shape, an integer if ``whole``. Raises DeadEnd if there is none."""
    if whole and is_time(name):
        now = now_ms if "int64" in shape.formats else now_ms // 1000
        span = _find_span(shape, Fraction(now - now // 1000), Fraction(now), whole=True)
    else:
        span = usual_span(shape, name, whole=whole)
    _, first, last = span
    number = (
        int(rng.random() * (last - first + 1)) if last - first < _MAX_RANDOM else rng.randint(0, last - first)
    )
    return number_at(span, number, whole=whole)


def usual_span(shape: Shape, name: str, *, whole: bool) -> Span:
    """Return the numbers to choose from for a member called ``name``. Raises DeadEnd if there is none."""
    found = shape.spans.get((name, whole))
    if found is None:
        low, high = NUMBERS.get(last_word(name), (1, 100))
        found = shape.spans[name, whole] = _find_span(shape, Fraction(low), Fraction(high), whole=whole)
    return found


def number_at(span: Span, index: int, *, whole: bool) -> int | float:
    """Return a number of a range."""
    step, first, _ = span
    numerator = (first + index) * step.numerator
    if whole or (step.denominator == 1 and abs(numerator) > EXACT):
        return numerator // step.denominator
    try:
        return numerator / step.denominator
    except OverflowError:
        return numerator // step.denominator


def _find_span(shape: Shape, usual_low: Fraction, usual_high: Fraction, *, whole: bool) -> Span:
    """Return the numbers to choose from. Raises DeadEnd if there is none."""
    step = _common_step(shape.steps, whole=whole)
    low, high = _overlap(shape, usual_low, usual_high)
    if step is None:
        finest = max(_MIN_STEP, _resolution(max(abs(low), abs(high))))
        step = max(_CENT, finest)
        while (high - low) / step < 10 and step > finest and low != high:
            step /= 10
    span = _multiples(shape, step, low, high)
    if span is None:  # no number of usual size: take any that is allowed
        reach = 1000 * step
        low = shape.low if shape.low is not None else min(Fraction(0), shape.high or 0) - reach
        high = shape.high if shape.high is not None else max(Fraction(0), low) + reach
        span = _multiples(shape, step, low, high)
    if span is None:
        raise DeadEnd(shape.at, _contradiction(shape, step))
    return (step, *span)


def _contradiction(shape: Shape, step: Fraction) -> str:
    """Return why there is no number of the shape."""
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
    """Return a step that is larger than the distance of floats of this size."""
    return Fraction(2) ** (int(magnitude).bit_length() - 46)


def _common_step(steps: list[Fraction], *, whole: bool) -> Fraction | None:
    """Return the least common multiple of the steps, or None if there are none."""
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
    """Return the allowed part of the usual range, else a range of the same size at the nearest bound."""
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
    """Return the minimum and maximum number of steps within the bounds, or None."""
    first, last = math.ceil(low / step), math.floor(high / step)
    if shape.low_open and shape.low is not None and first * step <= shape.low:
        first = math.floor(shape.low / step) + 1
    if shape.high_open and shape.high is not None and last * step >= shape.high:
        last = math.ceil(shape.high / step) - 1
    return (first, last) if first <= last else None
