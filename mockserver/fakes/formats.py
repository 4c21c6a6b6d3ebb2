"""Real values for the formats of OpenAPI and JSON Schema."""

from __future__ import annotations

import base64
import random
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from mockserver.fakes.names import era, last_word
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
