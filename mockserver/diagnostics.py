"""Diagnostics with a code, a location and a remedy; violations of requests; the exceptions of this package.

A diagnostic is a value. An exception stops the work, and has the diagnostics.
``codes.md`` in this package describes each code.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import force_setattr

UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""Characters without a visible shape. They can mislead terminals, log readers and people."""
MAX_SHOWN = 600
"""Maximum length of a message, in characters."""

Severity = Literal["error", "warning"]


class Location(Struct, frozen=True):
    """A location in an input. Lines and columns count from 1; 0 means unknown."""

    source: str = ""
    line: int = 0
    column: int = 0
    pointer: str = ""
    """JSON pointer into the source (RFC 6901); empty for plain text."""

    def __str__(self) -> str:
        text = self.source
        if self.line:
            text += f":{self.line}:{self.column}"
        if self.pointer and not self.line:
            text += f"#{self.pointer}"
        return printable(text)


class Diagnostic(Struct, frozen=True):
    """A fault of an input. ``code`` is stable; ``mockserver explain CODE`` describes it.

    Message and remedy are printable and have one line each.
    """

    code: str
    message: str
    where: Location
    remedy: str = ""
    severity: Severity = "error"

    def __post_init__(self) -> None:
        force_setattr(self, "message", printable(self.message))
        force_setattr(self, "remedy", printable(self.remedy))

    def __str__(self) -> str:
        text = f"{self.where}: {self.severity} {self.code}: {without_middle(self.message, MAX_SHOWN)}"
        return f"{text}\n    {without_middle(self.remedy, MAX_SHOWN)}" if self.remedy else text


def diagnostic_json(diagnostic: Diagnostic) -> dict[str, str | int]:
    """Return a diagnostic as JSON, with its location in the same object."""
    return {
        "code": diagnostic.code,
        "severity": diagnostic.severity,
        "message": diagnostic.message,
        "remedy": diagnostic.remedy,
        "source": diagnostic.where.source,
        "line": diagnostic.where.line,
        "column": diagnostic.where.column,
        "pointer": diagnostic.where.pointer,
    }


def printable(text: str) -> str:
    """Return ``text`` with escapes such as ``\\x1b`` for characters that must not reach a terminal."""
    return text if text.isascii() and text.isprintable() else UNPRINTABLE.sub(_escape, text)


def json_printable(text: str) -> str:
    """Return JSON ``text`` with such characters as JSON escapes, which does not change its values."""
    return UNPRINTABLE.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def shortened(text: str, limit: int) -> str:
    """Return at most ``limit`` characters of ``text``, with a mark if its end is cut off."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def without_middle(text: str, limit: int) -> str:
    """Return ``text`` with its middle cut out if it is longer than ``limit``."""
    half = limit // 2
    return text if len(text) <= limit else f"{text[:half]} … {text[-half:]}"


def nearest(name: str, known: Collection[str], cutoff: float = 0.5) -> str:
    """Return the member of ``known`` that is most similar to ``name``; empty if none is similar.

    ``cutoff``: the minimum similarity, from 0 to 1.
    """
    from difflib import get_close_matches  # only for faults

    return next(iter(get_close_matches(name, known, n=1, cutoff=cutoff)), "")


def did_you_mean(name: str, known: Collection[str], cutoff: float = 0.5) -> str:
    """Return ``did you mean '…'?`` if a member of ``known`` is similar to ``name``, else an empty text."""
    similar = nearest(name, known, cutoff)
    return f"did you mean {similar!r}?" if similar else ""


class MockServerError(Exception):
    """Base class of the exceptions of this package."""


class CompileError(MockServerError):
    """The inputs cannot be served. ``diagnostics`` has all reasons."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: Sequence[Diagnostic] = tuple(diagnostics)
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))


class UsageError(MockServerError):
    """A command line or setting is invalid. The message is one sentence for the user."""


class OptionError(UsageError):
    """A command line is invalid on any machine."""


def reason(error: BaseException) -> str:
    """Return the message of an error, or its class name if it has no message."""
    return str(error) or type(error).__name__


ViolationLocation = Literal["path", "query", "header", "cookie", "body", "security", "request"]


class Violation(Struct, frozen=True):
    """One way in which a request or a value breaks the document.

    A value that is validated by itself counts as a body.
    """

    location: ViolationLocation
    name: str
    """The parameter, header or security scheme; empty for the body."""
    pointer: str
    """RFC 6901 pointer into the value of the parameter or body; empty for all of it."""
    keyword: str
    """The JSON Schema keyword that failed, or required, style, mediaType, security, size, syntax."""
    message: str
    value: Any = None
    """The offending value (bounded by the request's own size)."""
    expected: Any = None
    """The keyword's value in the schema (``"uuid"`` for format), where there is one."""
    schema: str = ""
    """Reference to the schema keyword, ``URI#/pointer``."""


_SECTION = re.compile(r"^## ([DMS]\d{3}) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Code:
    """One section of ``codes.md``. ``text`` is Markdown, with a wrong and a correct example."""

    name: str
    title: str
    text: str


@cache
def codes() -> Mapping[str, Code]:
    """Return every code by name, in the order of ``codes.md``."""
    text = files("mockserver").joinpath("codes.md").read_text("utf-8")
    found = list(_SECTION.finditer(text))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    sections = zip(found, ends, strict=True)
    return {
        section[1]: Code(section[1], section[2], text[section.end() : end].strip())
        for section, end in sections
    }
