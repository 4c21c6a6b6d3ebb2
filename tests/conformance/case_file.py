"""Cases as text: documents, requests and the answers they must get.

A file is a sequence of sections, each opened by a line ``=== …``:

``=== document NAME``
    A document to be served. The first one after a case opens a new group with a
    server of its own; documents in a row are served together.
``=== file NAME``
    A file beside it, for references to lead to.
``=== options``
    ``security: off`` (or ``strict``), ``validation: warn``, ``max_body: 100`` or ``base_path: /v2``.
``=== TITLE``
    A case: request line (method and target, exactly as sent), header fields, an
    empty line and a body; then a line ``---`` and the answer in the same form.
    ``Name: -`` says that the answer has no such field, ``Name: ~…`` gives a
    regular expression for it.

Lines that begin with ``#`` between sections are comments. The body of a
multipart request has its lines ended by CR LF; one of ``Content-Encoding: gzip``
is compressed as it is sent; ``\\xNN`` is a byte in any body.

An expected body is compared as JSON where it is JSON: members that are not
named may be there, arrays must be of the same length, and a text ``<string>``,
``<integer>``, ``<number>``, ``<boolean>``, ``<array>``, ``<object>``, ``<any>``
or ``<absent>`` stands for any value of that kind. Else it is the whole text, or
after ``~`` a regular expression for it; ``<empty>`` is no body at all.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BYTE = re.compile(rb"\\x([0-9a-f]{2})")
_KINDS: dict[str, Callable[[Any], bool]] = {
    "<string>": lambda value: isinstance(value, str),
    "<integer>": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "<number>": lambda value: isinstance(value, (int, float)) and not isinstance(value, bool),
    "<boolean>": lambda value: isinstance(value, bool),
    "<array>": lambda value: isinstance(value, list),
    "<object>": lambda value: isinstance(value, dict),
    "<any>": lambda _: True,
}


@dataclass(frozen=True, slots=True)
class Message:
    """A request or an answer: its first line, its fields in order, its body as written."""

    line: str
    fields: tuple[tuple[str, str], ...]
    body: str

    @property
    def data(self) -> bytes:
        """The body as it is sent."""
        fields = {name.lower(): value for name, value in self.fields}
        is_multipart = fields.get("content-type", "").startswith("multipart/")
        text = self.body.replace("\n", "\r\n") + "\r\n" if is_multipart and self.body else self.body
        data = _BYTE.sub(lambda found: bytes([int(found[1], 16)]), text.encode())
        return gzip.compress(data, mtime=0) if fields.get("content-encoding") == "gzip" else data


@dataclass(frozen=True, slots=True)
class Case:
    """One request, and what must come back."""

    title: str
    request: Message
    response: Message


@dataclass(slots=True)
class Group:
    """Cases for one server. ``files`` are by name; ``documents`` are those of them that are served."""

    source: str
    files: dict[str, str] = field(default_factory=dict)
    documents: list[str] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    cases: list[Case] = field(default_factory=list)


def read_groups(path: Path) -> list[Group]:
    """Raises ValueError for what is not in the format."""
    groups = [Group(path.stem)]
    for title, text in _sections(path.read_text("utf-8")):
        kind, _, name = title.partition(" ")
        if kind == "document" and groups[-1].cases:
            groups.append(Group(path.stem))
        group = groups[-1]
        if kind in ("document", "file"):
            group.files[name] = text
            group.documents += [name] if kind == "document" else []
        elif title == "options":
            group.options.update(_field(line) for line in text.splitlines() if line)
        else:
            request, divider, response = text.partition("\n---\n")
            if not divider:
                raise ValueError(f"{path}: {title}: there is no answer")
            group.cases.append(Case(title, _message(request), _message(response)))
    return groups


def _sections(text: str) -> Iterator[tuple[str, str]]:
    title, lines = "", list[str]()
    for line in text.splitlines():
        if line.startswith("=== "):
            if title:
                yield title, "\n".join(lines).rstrip("\n") + "\n"
            title, lines = line.removeprefix("=== "), []
        elif not (line.startswith("# ") and (not lines or not lines[-1])):
            lines.append(line)
    yield title, "\n".join(lines).rstrip("\n") + "\n"


def _message(text: str) -> Message:
    head, _, body = text.partition("\n\n")
    line, *fields = head.strip("\n").split("\n")
    return Message(line, tuple(_field(each) for each in fields), body.rstrip("\n"))


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon:
        raise ValueError(f"{line!r} is not NAME: VALUE")
    return name, value.strip()


def differences(expected: str, sent: bytes) -> list[str]:
    """How a body differs from the expected one."""
    text = sent.decode("utf-8", "backslashreplace")
    if not expected or expected == "<empty>":
        return [f"there is a body: {text}"] if expected and sent else []
    if expected.startswith("~"):
        return [] if re.fullmatch(expected[1:], text, re.DOTALL) else [f"{text!r} does not match {expected}"]
    try:
        wanted = json.loads(expected)
    except ValueError:
        return [] if text.rstrip("\n") == expected else [f"{text!r} is not {expected!r}"]
    try:
        value = json.loads(text)
    except ValueError:
        return [f"{text!r} is not JSON"]
    return [*_compare(wanted, value, "")]


def _compare(wanted: Any, value: Any, at: str) -> Iterator[str]:
    if isinstance(wanted, str) and wanted in _KINDS:
        if not _KINDS[wanted](value):
            yield f"{at or 'body'}: {value!r} is no {wanted}"
    elif isinstance(wanted, dict) and isinstance(value, dict):
        for name, each in wanted.items():
            if each == "<absent>":
                if name in value:
                    yield f"{at}/{name} is there: {value[name]!r}"
            elif name in value:
                yield from _compare(each, value[name], f"{at}/{name}")
            else:
                yield f"{at}/{name} is missing"
    elif isinstance(wanted, list) and isinstance(value, list) and len(wanted) == len(value):
        for i, each in enumerate(wanted):
            yield from _compare(each, value[i], f"{at}/{i}")
    elif type(wanted) is not type(value) or wanted != value:
        yield f"{at or 'body'}: {value!r} is not {wanted!r}"
