"""What can be wrong: diagnostics with a code, a location and a remedy; violations; this package's errors.

Diagnostics are values. An error is raised where work cannot go on, and carries the diagnostics.
``codes.md`` beside this module says what each code means.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Literal

from msgspec import Struct
from msgspec.structs import force_setattr

UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)
"""What has no shape of its own, and may lead a terminal, a log reader or a person astray."""
LONGEST_SHOWN = 600
"""Characters of a message that are shown."""

Severity = Literal["error", "warning"]


class Location(Struct, frozen=True):
    """A place in an input. Lines and columns count from 1; 0 means unknown."""

    source: str = ""
    line: int = 0
    column: int = 0
    pointer: str = ""
    """RFC 6901 JSON pointer into the source, where it is structured."""

    def __str__(self) -> str:
        place = self.source
        if self.line:
            place += f":{self.line}:{self.column}"
        if self.pointer and not self.line:
            place += f"#{self.pointer}"
        return printable(place)


class Diagnostic(Struct, frozen=True):
    """Something wrong with an input: ``code`` is stable, see ``mockserver explain``.

    Message and remedy are one line each, whatever they quote, and printable.
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
        text = f"{self.where}: {self.severity} {self.code}: {_shown(self.message)}"
        return f"{text}\n    {_shown(self.remedy)}" if self.remedy else text


def printable(text: str) -> str:
    """``text`` with an escape such as ``\\x1b`` in the place of each mark that is not to reach a terminal."""
    return text if text.isascii() and text.isprintable() else UNSEEN.sub(_escape, text)


def json_printable(text: str) -> str:
    """The same for JSON, whose texts stay what they are."""
    return UNSEEN.sub(lambda found: found[0] if found[0] == "\n" else f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _shown(text: str) -> str:
    """A text that quotes the input, which may be of any size, short enough to be read."""
    half = LONGEST_SHOWN // 2
    return text if len(text) <= LONGEST_SHOWN else f"{text[:half]} … {text[-half:]}"


class MockServerError(Exception):
    """Root of everything this package raises on purpose."""


class CompileError(MockServerError):
    """The inputs cannot be served. ``diagnostics`` holds every reason found."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics: Sequence[Diagnostic] = tuple(diagnostics)
        super().__init__("\n".join(str(diagnostic) for diagnostic in self.diagnostics))


class UsageError(MockServerError):
    """A command line or a setting that cannot work; the text is one sentence for the user."""


class OptionError(UsageError):
    """A command line that is wrong in itself, whatever is true of the machine."""


def reason(error: BaseException) -> str:
    """What an error says, or what it is where it says nothing."""
    return str(error) or type(error).__name__


ViolationLocation = Literal["path", "query", "header", "cookie", "body", "security", "request"]


class Violation(Struct, frozen=True):
    """One way in which a request breaks the document."""

    location: ViolationLocation
    name: str
    """The parameter, header or security scheme; empty for the body."""
    pointer: str
    """RFC 6901 pointer into the value of the parameter or body; empty for all of it."""
    keyword: str
    """The JSON Schema keyword that failed, or required, style, mediaType, security, size, syntax."""
    message: str
    value: object = None
    """The offending value (bounded by the request's own size)."""
    expected: object = None
    """The keyword's value in the schema (``"uuid"`` for format), where there is one."""
    schema: str = ""
    """Reference to the schema keyword, ``URI#/pointer``."""


_SECTION = re.compile(r"^## ([DMS]\d{3}) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Code:
    """One section: ``text`` is Markdown, with an example of the wrong and of the right."""

    name: str
    title: str
    text: str


@cache
def codes() -> Mapping[str, Code]:
    """Every code by its name, in the order of ``codes.md``."""
    text = files("mockserver").joinpath("codes.md").read_text("utf-8")
    found = list(_SECTION.finditer(text))
    ends = [heading.start() for heading in found[1:]] + [len(text)]
    sections = zip(found, ends, strict=True)
    return {
        section[1]: Code(section[1], section[2], text[section.end() : end].strip())
        for section, end in sections
    }
