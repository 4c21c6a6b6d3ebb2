"""A source: one file of YAML 1.2 or JSON, read within limits, with positions on demand.

Parsing is by a YAML 1.2 parser in Rust (``no``, ``on`` and dates are strings),
or as JSON where the text is JSON. Positions are found only when a diagnostic
needs one, by composing the file again with PyYAML, which keeps marks.
"""

from __future__ import annotations

import errno
import math
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

import msgspec
import yaml
import yaml12

from mockserver.diagnostics import Diagnostic, Location
from mockserver.inputs import NoFileError, contents
from mockserver.jsonschema.references import escape, index, tokens
from mockserver.plan import JSON

MAX_BYTES = 64 * 1024 * 1024
MAX_NODES = 3_000_000
MAX_DEPTH = 400
_FREE_EXPANSION = 10_000
_MAX_EXPANSION = 20
"""Aliases may expand a text to so many times its own nodes, beyond the free ones."""
_POSITION_LIMIT = 4 * 1024 * 1024
_ALIAS = re.compile(r"(?:^|[\s,\[{:\-?])\*[^\s,\[\]{}*]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""What YAML 1.2 has no place for (section 5.1); the parser takes NUL for the end of the text."""
_POSITION = re.compile(r"line (\d+)(?:,)? column (\d+)")


DOCUMENT = "document"
SCENARIO_FILE = "scenario file"
"""What is read, as messages say it; a document is the other."""


class SourceError(Exception):
    """The file cannot be read as a value; ``diagnostic`` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(str(diagnostic))


@dataclass(frozen=True)
class Source:
    """One parsed file. ``name`` is what diagnostics call it; ``value`` is JSON-shaped."""

    name: str
    text: str
    value: JSON

    def locate(self, pointer: str, *, key: bool = False) -> Location:
        """Where ``pointer`` (RFC 6901) stands in the file; of its key where ``key`` is set.

        The deepest part of the pointer that exists is located, so that a
        missing member points at the object that misses it.
        """
        return self.locate_parts(tokens(pointer), pointer, key=key)

    def locate_parts(self, path: list[str], pointer: str = "", *, key: bool = False) -> Location:
        node = self._root
        if node is None:
            return Location(self.name, pointer=pointer)
        mark = node.start_mark
        for part in path:
            found = _child(node, part)
            if found is None:
                break
            label, node = found
            mark = label.start_mark if key or isinstance(node, yaml.MappingNode) else node.start_mark
        return Location(self.name, mark.line + 1, mark.column + 1, pointer)

    @cached_property
    def _root(self) -> yaml.Node | None:
        if len(self.text) > _POSITION_LIMIT:
            return None
        try:
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
            return yaml.compose(self.text, loader)
        except (yaml.YAMLError, RecursionError):
            return None


def quote_token(part: str) -> str:
    """One reference token as it stands in a URI fragment (RFC 6901 section 6)."""
    return quote(escape(part), safe="~!$&'()*+,;=:@")


def _child(node: yaml.Node, part: str) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for label, value in node.value:
            if label.value == part:
                return label, value
    elif isinstance(node, yaml.SequenceNode) and (place := index(part, node.value)) is not None:
        item = node.value[place]
        return item, item
    return None


def read(path: Path, name: str, kind: str = DOCUMENT) -> Source:
    """Read and parse the file at ``path``.

    Raises:
        SourceFault: missing, a directory, unreadable, too large, not UTF-8, not
            YAML or JSON, or a text that expands beyond ``MAX_NODES``.
    """
    return parse(_read_text(path, name, kind), name, kind)


def _read_text(path: Path, name: str, kind: str) -> str:
    where = Location(name)
    try:
        if path.is_dir():
            raise _error("D102", f"is a directory, not a {kind}", where, f"name the {kind}'s file.")
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise _error(
                "D104",
                f"is {size:,} bytes, over the limit of {MAX_BYTES:,}",
                where,
                f"split the {kind} by $ref.",
            )
        data = _read_pipe(path) if kind == DOCUMENT and not path.is_file() else contents(path)
        return data.decode("utf-8-sig")
    except NoFileError:
        raise _error("D102", f"is a pipe or a device, not a {kind}", where, "save it as a file.") from None
    except FileNotFoundError:
        raise _error(
            "D101", f"no such {kind}", where, "check the path; it is relative to the current folder."
        ) from None
    except UnicodeDecodeError as error:
        raise _error("D103", f"is not UTF-8 (byte {error.start})", where, "save it as UTF-8.") from None
    except OSError as error:
        raise _error("D101", f"cannot be read: {error.strerror}", where, "check its permissions.") from None


def _read_pipe(path: Path) -> bytes:
    """What comes through a pipe that the command line names: ``<(make document)``."""
    with path.open("rb") as file:
        data = file.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it is over {MAX_BYTES:,} bytes")
    return data


def parse(text: str, name: str, kind: str = "document") -> Source:
    """Parse ``text`` as JSON or YAML 1.2. Raises SourceFault as ``read`` does."""
    where = Location(name)
    if not text.strip():
        raise _error("D105", "is empty", where, f"give a {kind}.")
    value = _parse_json(text)
    if value is None:
        value = _parse_yaml(text, where, kind)
    return Source(name, text, value)


def _parse_json(text: str) -> JSON:
    if text.lstrip()[:1] not in "{[":
        return None
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _parse_yaml(text: str, where: Location, kind: str) -> JSON:
    if control := _CONTROL.search(text):
        line = text.count("\n", 0, control.start()) + 1
        place = Location(where.source, line, control.start() - text.rfind("\n", 0, control.start()))
        message = f"is not valid YAML: it holds the control character U+{ord(control[0]):04X}"
        raise _error(
            _syntax_code(kind), message, place, "remove it, or write it as an escape in double quotes."
        )
    _check_expansion(text, where)
    try:
        value = yaml12.parse_yaml(text)
    except ValueError as error:
        raise syntax_error(text, str(error), where, kind) from None
    except RecursionError:
        raise _error("D107", f"is nested deeper than {MAX_DEPTH} levels", where, "flatten it.") from None
    return _JsonConverter(where, kind).json(value)


def syntax_error(text: str, message: str, where: Location, kind: str) -> SourceError:
    """Why a text is no YAML. ``message`` is the parser's.

    PyYAML's message and mark stand in its place where it agrees that the text is broken: both are clearer.
    """
    code = _syntax_code(kind)
    try:
        for _ in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        said = " ".join(part for part in (error.context, error.problem) if part)
        if mark is not None:
            where = Location(where.source, mark.line + 1, mark.column + 1)
        return _tab_error(text, where, code) or _error(
            code, f"is not valid YAML: {said}", where, "mend the syntax here."
        )
    except (yaml.YAMLError, RecursionError):
        pass
    if place := _POSITION.search(message):
        where = Location(where.source, int(place[1]), int(place[2]))
    if "recursion limit" in message:
        return _error("D107", "is nested too deeply to be read", where, "flatten it.")
    said = message.removeprefix("YAML parse error: ")
    return _tab_error(text, where, code) or _error(
        code, f"is not valid YAML 1.2: {said}", where, "mend the syntax here."
    )


def _tab_error(text: str, where: Location, code: str) -> SourceError | None:
    """That a tab is to blame, where one stands in the indentation of the line or where the parser stopped."""
    lines = text.split("\n")
    line = lines[where.line - 1] if 0 < where.line <= len(lines) else ""
    indentation = len(line) - len(line.lstrip(" \t"))
    places = [line.find("\t", 0, indentation), where.column - 1, where.column - 2]
    column = next((place for place in places if line[place : place + 1] == "\t" and place >= 0), None)
    if column is None:
        return None
    message = "is not valid YAML: a tab stands where YAML takes spaces alone"
    place = Location(where.source, where.line, column + 1)
    return _error(code, message, place, "write spaces in place of the tab.")


def _syntax_code(kind: str) -> str:
    return "S101" if kind == SCENARIO_FILE else "D106"


def _check_expansion(text: str, where: Location) -> None:
    """Refuse a text that its aliases expand beyond measure, before anything expands it.

    Sizes are counted bottom-up with one memo entry an anchor, so the cost is
    that of reading the text; an alias inside its own anchor counts as endless.
    """
    if not _ALIAS.search(text):
        return
    sizes: dict[str, float] = {}
    open_nodes: list[tuple[str | None, float]] = [(None, 0)]
    events = 0
    try:
        for event in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            size: float | None = None
            anchor = getattr(event, "anchor", None)
            if isinstance(event, yaml.AliasEvent):
                size, anchor = sizes.get(str(event.anchor), 1), None
            elif isinstance(event, yaml.ScalarEvent):
                size = 1
            elif isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((anchor, 1))
                if anchor:
                    sizes[anchor] = math.inf
            elif isinstance(event, yaml.CollectionEndEvent):
                anchor, size = open_nodes.pop()
            events += 1
            if size is not None:
                if anchor:
                    sizes[anchor] = size
                holder, so_far = open_nodes[-1]
                open_nodes[-1] = (holder, so_far + size)
                if so_far + size > _FREE_EXPANSION + _MAX_EXPANSION * events:
                    mark = event.start_mark
                    place = Location(where.source, mark.line + 1, mark.column + 1) if mark else where
                    raise _error(
                        "D108",
                        f"its YAML aliases expand {events:,} nodes more than {_MAX_EXPANSION}-fold",
                        place,
                        "write the repeated part once and refer to it by $ref.",
                    )
    except yaml.YAMLError:
        return  # the parser proper will say so, with its own words


@dataclass
class _JsonConverter:
    """Brings a parsed YAML value into JSON's shape: string keys, no tags, no infinities."""

    where: Location
    kind: str
    nodes: int = 0

    def json(self, value: object, depth: int = 0) -> JSON:
        self.nodes += 1
        if depth > MAX_DEPTH:
            raise _error("D107", f"is nested deeper than {MAX_DEPTH} levels", self.where, "flatten it.")
        if self.nodes > MAX_NODES:
            raise _error("D108", f"has more than {MAX_NODES:,} nodes", self.where, "split it by $ref.")
        if isinstance(value, dict):
            return {self._key(key): self.json(member, depth + 1) for key, member in value.items()}
        if isinstance(value, list):
            return [self.json(item, depth + 1) for item in value]
        if isinstance(value, yaml12.Yaml):
            return self.json(value.value, depth + 1)
        if isinstance(value, float) and not math.isfinite(value):
            raise _error("D109", f"holds {value}, which JSON cannot say", self.where, "use a finite number.")
        return value

    def _key(self, key: object) -> str:
        if isinstance(key, str):
            return key
        if key is None:
            return "null"
        if isinstance(key, bool):
            return "true" if key else "false"
        if isinstance(key, int | float):
            return str(key)
        raise _error("D110", "has a key that is a list or a mapping", self.where, "use strings as keys.")


def _error(code: str, message: str, where: Location, remedy: str) -> SourceError:
    return SourceError(Diagnostic(code, message, where, remedy))
