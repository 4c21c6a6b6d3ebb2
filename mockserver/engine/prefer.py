"""The ``Prefer`` request header (RFC 7240).

``code``, ``example`` and ``dynamic`` are as in Prism, also in the query as ``__code``, ``__example`` and
``__dynamic``. ``scenario`` and ``state`` are additions of this server.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from msgspec import Struct

from mockserver.diagnostics import MockServerError
from mockserver.media.form import parse_fields
from mockserver.media.styles import decode_form
from mockserver.plan import Operation

_ELEMENT = re.compile(r'(?:[^,;"]|"(?:[^"\\]|\\.?+)*+(?:"|$))++', re.DOTALL)
"""The text up to the next comma or semicolon outside of quotes."""
_PREFERENCE = re.compile(
    r'\s*+([!#$%&\'*+\-.^_`|~\w]++)\s*+(?:=\s*+(?:"((?:[^"\\]|\\.)*+)"|([^\s;,"]++))?+\s*+)?+', re.DOTALL
)


class PreferenceError(MockServerError):
    """A ``Prefer`` header field names something that does not exist."""


class Preference(Struct, frozen=True):
    """The preferences of a request. ``problem`` says why they are invalid."""

    code: int | None = None
    example: str | None = None
    dynamic: bool | None = None
    scenario: str | None = None
    state: str | None = None
    wait: int = 0
    """The delay in milliseconds."""
    problem: str = ""

    @property
    def is_direct(self) -> bool:
        """Whether the response has to come from the document, not from a scenario."""
        return self.code is not None or self.example is not None or self.dynamic is not None


NONE = Preference()
PREFIX = "__"
"""The prefix of preferences in a query."""
_QUERY_NAMES = ("code", "example", "dynamic")


def preferences(headers: Mapping[str, str], query: str, operation: Operation) -> Preference:
    """Return the preferences of a request. The header has precedence over the query.

    A name that is a query parameter of the operation is not a preference.
    """
    stated: dict[str, str] = {}
    if PREFIX in query:
        fields = parse_fields(query)
        documented = {parameter.name for parameter in operation.parameters if parameter.location == "query"}
        for name in _QUERY_NAMES:
            values = fields.get(key := PREFIX + name)
            if values and key not in documented:
                stated[name] = decode_form(values[0]) or ""
    header = headers.get("prefer")
    return NONE if header is None and not stated else parse_prefer(header or "", stated)


def parse_prefer(value: str, stated: Mapping[str, str] | None = None) -> Preference:
    """Parse a ``Prefer`` header; ``stated`` are defaults for preferences that it does not have.

    The first of repeated preferences counts (RFC 7240 section 2). Unknown preferences are ignored.
    """
    found: dict[str, str] = {}
    for element in _ELEMENT.finditer(value):
        match = _PREFERENCE.fullmatch(element[0])
        if match is None:
            continue
        name = match[1].lower()
        text = match[3] if match[3] is not None else re.sub(r"(?s)\\(.)", r"\1", match[2] or "")
        found.setdefault(name, text)
    found = {**(stated or {}), **found}
    code, wait = found.get("code"), found.get("wait")
    if code is not None and not re.fullmatch(r"[2-9][0-9]{2}", code):
        return Preference(problem=f"Prefer: code={code} is not a status from 200 to 999")
    if wait is not None and not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", wait):
        return Preference(problem=f"Prefer: wait={wait} is not a number of seconds")
    dynamic = found.get("dynamic")
    if dynamic not in (None, "", "true", "false"):
        return Preference(problem=f"Prefer: dynamic={dynamic} is neither true nor false")
    return Preference(
        code=int(code) if code is not None else None,
        example=found.get("example"),
        dynamic=None if dynamic is None else dynamic != "false",
        scenario=found.get("scenario"),
        state=found.get("state"),
        wait=round(float(wait) * 1000) if wait else 0,
    )
