"""Documented response headers (OpenAPI 3.2, Header Object; style simple).

``Content-Type`` is the body's affair, as the specification says; fields that
frame or encode a message are the server's, and what a document says of them is
not ours to promise.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from mockserver.media.expansion import expand_header
from mockserver.plan import JSON, Header, Response
from mockserver.serve.field_texts import field_text
from mockserver.serve.negotiation import is_json
from mockserver.serve.values import Fault, Slot, Unanswerable, Values

_NOT_OURS = frozenset(
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
"""RFC 9110, section 5.5, in ASCII: beyond it readers differ."""
_ATTEMPTS = 5


class Headers:
    """The header fields of documented responses."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def fields(self, response: Response, *, key: str, now_ms: int) -> list[tuple[str, str]]:
        """Names in lower case, with values that are valid by their schemas; each name once.

        A header with nothing that can be sent is left out: an optional one
        silently, a required one as ``faults`` tells.
        """
        found: dict[str, str] = {}
        for header in _ours(response):
            text = self._text(header, key, now_ms)
            if text is not None:
                found[header.name.lower()] = text
        return list(found.items())

    def faults(self, response: Response, where: str) -> Iterator[Fault]:
        """What keeps headers from being answered as documented."""
        for header in _ours(response):
            place = f"{where}/headers/{header.name}"
            yield from self._values.faults(_slot(header), place)
            if header.required and self._text(header, place, 0) is None:
                yield Fault("unsatisfiable", place, f"no value of the header {header.name} can be sent")

    def _text(self, header: Header, key: str, now_ms: int) -> str | None:
        for value in self._candidates(header, f"{key}\n{header.name.lower()}", now_ms):
            text = _written(value, header)
            if text is not None and _VALUE.fullmatch(text):
                return text
        return None

    def _candidates(self, header: Header, key: str, now_ms: int) -> Iterator[JSON]:
        """An example, what HTTP knows of the field, then fakes until one can stand in a header."""
        slot = _slot(header)
        sample = self._values.example(slot)
        if sample is not None:
            yield sample.value
        usual = None if header.content else field_text(header.name.lower(), key, now_ms)
        if usual is not None and self._values.is_valid(usual, slot.schema):
            yield usual
        for attempt in range(_ATTEMPTS):
            try:
                yield self._values.generated(slot, key=f"{key}\n{attempt}", hints={}, now_ms=now_ms)
            except Unanswerable:
                return


def _ours(response: Response) -> Iterator[Header]:
    for header in response.headers:
        if header.name.lower() not in _NOT_OURS and _NAME.fullmatch(header.name):
            yield header


def _slot(header: Header) -> Slot:
    if header.content is not None:
        return Slot(header.content.schema, header.content.examples)
    return Slot(header.schema, header.examples)


def _written(value: JSON, header: Header) -> str | None:
    """The text of a value; None where it would not be read back as the same."""
    if header.content is not None and is_json(header.content.name):
        return json.dumps(value, separators=(",", ":"))  # ASCII, as header fields are
    if isinstance(value, str):
        return value
    if value is None or value in ([], {}):
        return None
    parts = [*value, *value.values()] if isinstance(value, dict) else value if isinstance(value, list) else ()
    if any(isinstance(part, (dict, list)) or (isinstance(part, str) and "," in part) for part in parts):
        return None
    return expand_header(value, header.explode)
