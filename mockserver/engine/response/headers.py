"""Documented response header fields (OpenAPI 3.2, Header Object), with values that clients can parse.

Field texts: RFC 9110 (``Allow``, ``ETag``, ``Last-Modified``, ``Location``, ``Retry-After``, ``Vary``,
``WWW-Authenticate``), RFC 9111 (``Age``, ``Cache-Control``, ``Expires``), RFC 6265 (``Set-Cookie``),
RFC 6266 (``Content-Disposition``), RFC 8288 (``Link``) and Fetch (``Access-Control-*``).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator

from mockserver.engine.response.examples import Fault, NoValidExample, Sample, Slot, Values
from mockserver.engine.response.negotiation import is_json
from mockserver.media.styles import expand_header
from mockserver.namespaces.clock import http_date
from mockserver.plan import JSON, DocumentedResponse, Header, SchemaRef
from mockserver.providers.ids import DAY

_HOUR = 3_600_000

_FIXED = {
    "accept-ranges": "bytes",
    "access-control-allow-headers": "Content-Type, Authorization",
    "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS",
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "*",
    "access-control-max-age": "600",
    "age": "0",
    "allow": "GET, HEAD, OPTIONS",
    "cache-control": "no-cache",
    "content-disposition": 'attachment; filename="file"',
    "content-language": "en",
    "content-location": "/",
    "link": '</>; rel="self"',
    "location": "/",
    "retry-after": "1",
    "vary": "Accept",
    "www-authenticate": "Bearer",
}


def field_text(name: str, key: str, now_ms: int) -> str | None:
    """Return a valid value of the field ``name`` (in lower case); None if HTTP does not restrict it.

    The value is a function of ``key`` and the time.
    """
    maker = _GENERATORS.get(name)
    return _FIXED.get(name) if maker is None else maker(key, now_ms)


def _token(key: str) -> str:
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


_GENERATORS: dict[str, Callable[[str, int], str]] = {
    "etag": lambda key, _: f'"{_token(key)}"',
    "expires": lambda _, now_ms: http_date(now_ms + _HOUR),
    "last-modified": lambda _, now_ms: http_date(now_ms - _HOUR),
    "set-cookie": lambda key, _: f"session={_token(key)}; Path=/; HttpOnly",
}


_EXCLUDED = frozenset(
    (
        "connection",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    )
)
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"(?:[!-~](?:[ \t!-~]*[!-~])?)?")
"""A field value (RFC 9110, section 5.5) in ASCII: clients decode other characters differently."""
_ATTEMPTS = 5
_CHOICES = 64
"""The number of prepared texts of a header."""
_STEP = 11
"""How far apart are the numbers of the texts of two headers of a response."""
_MAX_TEXTS = 16_384
"""The number of prepared texts at which they are dropped and made again."""


_Identity = int | tuple[str, SchemaRef | None, bool]
"""What tells headers apart: operations share the schemas of many."""


class Headers:
    """The header fields of documented responses."""

    def __init__(self, values: Values) -> None:
        self._values = values
        self._responses: dict[int, tuple[DocumentedResponse, list[Header]]] = {}
        self._texts: dict[tuple[_Identity, int, int], str | None] = {}
        """The prepared texts by the identity of the header, their number and the day."""
        self._examples: dict[int, tuple[Header, Sample | None]] = {}

    def fields(self, response: DocumentedResponse, *, key: str, now_ms: int) -> list[tuple[str, str]]:
        """Return the header fields of a response: lower-case names without duplicates, valid values.

        A header without a valid value is left out; ``faults`` reports a required one.
        """
        found: dict[str, str] = {}
        number = _number(key)
        for header in self._sent(response):
            name = header.name.lower()
            number = (number + _STEP) % _CHOICES
            if name in _GENERATORS:
                text = self._text(header, key, now_ms)
            else:
                text = self._prepared(header, number, now_ms - now_ms % DAY)
            if text is not None:
                found[name] = text
        return list(found.items())

    def prepare(self, response: DocumentedResponse) -> Iterator[None]:
        """Make what the first header fields of a response need. Yield after each step."""
        for header in self._sent(response):
            self._text(header, "", 0)
            yield

    def _sent(self, response: DocumentedResponse) -> list[Header]:
        """Return the headers of a response that are sent. Responses are cached by identity."""
        known = self._responses.get(id(response))
        if known is None:
            known = self._responses[id(response)] = response, list(_sent_headers(response))
        return known[1]

    def _prepared(self, header: Header, number: int, now_ms: int) -> str | None:
        """Return one of the prepared texts of a header."""
        is_shared = header.content is None and not header.examples
        identity = (header.name, header.schema, header.explode) if is_shared else id(header)
        cache_key = (identity, number, now_ms)
        if cache_key not in self._texts:
            if len(self._texts) >= _MAX_TEXTS:
                self._texts.clear()
            self._texts[cache_key] = self._text(header, str(number), now_ms)
        return self._texts[cache_key]

    def variant_of(self, response: DocumentedResponse) -> Callable[[str], int | None]:
        """Return what tells keys apart: those of the same number have the same header fields on a day.

        None instead of a number: no other key has the same fields.
        """
        generated = [header.name.lower() for header in self._sent(response) if self._example(header) is None]
        if not generated:
            return _first
        return _none if any(name in _GENERATORS for name in generated) else _number

    def faults(self, response: DocumentedResponse, where: str) -> Iterator[Fault]:
        """Yield the faults of the document that make header fields of a response impossible."""
        for header in self._sent(response):
            location = f"{where}/headers/{header.name}"
            yield from self._values.faults(_slot(header), location)
            if header.required and self._text(header, location, 0) is None:
                yield Fault("unsatisfiable", location, f"no value of the header {header.name} can be sent")

    def _text(self, header: Header, key: str, now_ms: int) -> str | None:
        for value in self._candidates(header, f"{key}\n{header.name.lower()}", now_ms):
            text = _header_text(value, header)
            if text is not None and _VALUE.fullmatch(text):
                return text
        return None

    def _example(self, header: Header) -> Sample | None:
        """Return the first valid example of a header. Headers are cached by identity."""
        known = self._examples.get(id(header))
        if known is None:
            known = self._examples[id(header)] = header, next(self._values.examples(_slot(header)), None)
        return known[1]

    def _candidates(self, header: Header, key: str, now_ms: int) -> Iterator[JSON]:
        """Yield an example, the value that HTTP prescribes, then some generated values."""
        slot = _slot(header)
        sample = self._example(header)
        if sample is not None:
            yield sample.value
        usual = None if header.content else field_text(header.name.lower(), key, now_ms)
        if usual is not None and self._values.is_valid(usual, slot.schema):
            yield usual
        for attempt in range(_ATTEMPTS):
            try:
                yield self._values.generated(slot, key=f"{key}\n{attempt}", hints={}, now_ms=now_ms)
            except NoValidExample:
                return


def _number(key: str) -> int:
    """Return the number of the prepared texts of a key."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=1).digest()[0] % _CHOICES


def _first(_: str) -> int:
    return 0


def _none(_: str) -> None:
    return None


def _sent_headers(response: DocumentedResponse) -> Iterator[Header]:
    for header in response.headers:
        if header.name.lower() not in _EXCLUDED and _NAME.fullmatch(header.name):
            yield header


def _slot(header: Header) -> Slot:
    if header.content is not None:
        return Slot(header.content.schema, header.content.examples)
    return Slot(header.schema, header.examples)


def _header_text(value: JSON, header: Header) -> str | None:
    """Return the text of a value; None if a client would parse another value."""
    if header.content is not None and is_json(header.content.name):
        return json.dumps(value, separators=(",", ":"))  # ASCII, as a header field requires
    if isinstance(value, str):
        return value
    if value is None or value in ([], {}):
        return None
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    if any(isinstance(part, (dict, list)) or (isinstance(part, str) and "," in part) for part in parts):
        return None
    return expand_header(value, header.explode)
