"""Read and parse one file of YAML 1.2 or JSON within limits, and locate its values.

A YAML 1.2 parser in Rust parses YAML (``no``, ``on`` and dates are strings).
PyYAML composes the file again when a diagnostic needs a location, because it
records lines and columns.
"""

from __future__ import annotations

import errno
import math
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from urllib.parse import quote

import msgspec
import yaml
import yaml12

from mockserver.diagnostics import Diagnostic, Location
from mockserver.inputs import NotAFileError, read_file
from mockserver.jsonschema.references import escape, index, tokens
from mockserver.plan import JSON

MAX_BYTES = 64 * 1024 * 1024
MAX_NODES = 3_000_000
MAX_DEPTH = 400
_FREE_EXPANSION = 10_000
_MAX_EXPANSION = 20
"""Maximum factor by which aliases expand the nodes of a text, beyond the free nodes."""
_POSITION_LIMIT = 4 * 1024 * 1024
_ALIAS = re.compile(r"(?:^|[\s,\[{:\-?])\*[^\s,\[\]{}*]")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
"""Characters that YAML 1.2 forbids (section 5.1). The parser ends at a NUL."""
_POSITION = re.compile(r"line (\d+)(?:,)? column (\d+)")


DOCUMENT = "document"
SCENARIO_FILE = "scenario file"
"""The kinds of files, as messages name them: ``DOCUMENT`` and ``SCENARIO_FILE``."""


class SourceError(Exception):
    """A file cannot be read or parsed; ``diagnostic`` says why."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        self.diagnostic = diagnostic
        super().__init__(str(diagnostic))


@dataclass(frozen=True)
class Source:
    """One parsed file. ``name`` is its name in diagnostics; ``value`` is a JSON value."""

    name: str
    text: str
    value: JSON

    def locate(self, pointer: str, *, key: bool = False) -> Location:
        """Return the location of ``pointer`` (RFC 6901); of its key if ``key`` is set.

        Locates the deepest part of the pointer that exists, so that a missing
        member has the location of its object.
        """
        return self.locate_parts(tokens(pointer), pointer, key=key)

    def locate_parts(self, path: list[str], pointer: str = "", *, key: bool = False) -> Location:
        """Return the location of a path of names, as ``locate`` does."""
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


@lru_cache(maxsize=4096)
def quote_token(part: str) -> str:
    """Return one reference token in the form of a URI fragment (RFC 6901 section 6)."""
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
        data = _read_pipe(path) if kind == DOCUMENT and not path.is_file() else read_file(path)
        return data.decode("utf-8-sig")
    except NotAFileError:
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
    """Read a pipe that the command line names: ``<(make document)``."""
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
        position = Location(where.source, line, control.start() - text.rfind("\n", 0, control.start()))
        message = f"is not valid YAML: it holds the control character U+{ord(control[0]):04X}"
        raise _error(
            _syntax_code(kind), message, position, "remove it, or write it as an escape in double quotes."
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
    """Return the error for a text that is not YAML. ``message`` comes from the Rust parser.

    Uses the message and mark of PyYAML if it rejects the text too: both are clearer.
    """
    code = _syntax_code(kind)
    try:
        for _ in yaml.parse(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            pass
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        if mark is not None:
            where = Location(where.source, mark.line + 1, mark.column + 1)
        return _tab_error(text, where, code) or _error(
            code, f"is not valid YAML: {problem}", where, "correct the syntax here."
        )
    except (yaml.YAMLError, RecursionError):
        pass
    if found := _POSITION.search(message):
        where = Location(where.source, int(found[1]), int(found[2]))
    if "recursion limit" in message:
        return _error("D107", "is nested too deeply", where, "flatten it.")
    problem = message.removeprefix("YAML parse error: ")
    return _tab_error(text, where, code) or _error(
        code, f"is not valid YAML 1.2: {problem}", where, "correct the syntax here."
    )


def _tab_error(text: str, where: Location, code: str) -> SourceError | None:
    """Return an error about a tab, if one is in the indentation or where the parser stopped; else None."""
    lines = text.split("\n")
    line = lines[where.line - 1] if 0 < where.line <= len(lines) else ""
    indentation = len(line) - len(line.lstrip(" \t"))
    places = [line.find("\t", 0, indentation), where.column - 1, where.column - 2]
    column = next(
        (position for position in places if line[position : position + 1] == "\t" and position >= 0), None
    )
    if column is None:
        return None
    message = "is not valid YAML: it has a tab where YAML allows only spaces"
    position = Location(where.source, where.line, column + 1)
    return _error(code, message, position, "replace the tab with spaces.")


def _syntax_code(kind: str) -> str:
    return "S101" if kind == SCENARIO_FILE else "D106"


def _check_expansion(text: str, where: Location) -> None:
    """Raise SourceError if aliases expand a text too much, before anything expands it.

    Counts sizes bottom-up, with one entry per anchor, in one pass over the text. An
    alias inside its own anchor counts as infinite.
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
                    position = Location(where.source, mark.line + 1, mark.column + 1) if mark else where
                    raise _error(
                        "D108",
                        f"its YAML aliases expand {events:,} nodes more than {_MAX_EXPANSION} times",
                        position,
                        "write the repeated part once and refer to it by $ref.",
                    )
    except yaml.YAMLError:
        return  # the other parser reports it


def _merged(members: dict[str, JSON]) -> dict[str, JSON]:
    """Return a mapping with the members of those under its merge key ``<<``; its own members go first.

    Merge keys are of YAML 1.1, and widely used. Another value than mappings stays a member.
    """
    sources = members["<<"] if isinstance(members["<<"], list) else [members["<<"]]
    if not all(isinstance(source, dict) for source in sources):
        return members
    merged: dict[str, JSON] = {}
    for source in reversed(sources):
        merged |= source
    return merged | {name: member for name, member in members.items() if name != "<<"}


@dataclass
class _JsonConverter:
    """Converts a parsed YAML value to a JSON value: string keys, no tags, no infinities."""

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
            members = {self._key(key): self.json(member, depth + 1) for key, member in value.items()}
            return _merged(members) if "<<" in members else members
        if isinstance(value, list):
            return [self.json(item, depth + 1) for item in value]
        if isinstance(value, yaml12.Yaml):
            return self.json(value.value, depth + 1)
        if isinstance(value, float) and not math.isfinite(value):
            raise _error(
                "D109",
                f"has the number {value}, which JSON cannot represent",
                self.where,
                "use a finite number.",
            )
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
