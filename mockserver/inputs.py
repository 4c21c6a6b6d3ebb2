"""What a Plan is compiled from: documents, scenario files and their defaults; and durations as text."""

from __future__ import annotations

import errno
import hashlib
import os
import re
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import Struct, field

from mockserver.diagnostics import Diagnostic
from mockserver.plan import Plan

_SCENARIO_FILES = (".yaml", ".yml", ".json")
_AT_ONCE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Inputs(Struct, frozen=True):
    """What a Plan is made from. ``scenarios`` are files, or folders of them."""

    documents: tuple[Path, ...]
    scenarios: tuple[Path, ...] = ()
    seed: str = "0"
    allow_remote: bool = False
    ref_root: Path | None = None
    texts: Mapping[Path, str] = field(default_factory=dict)
    """What is read in place of the file of that path: it came over HTTP, and may refer to no other file."""
    added: tuple[Path, ...] = ()
    """Paths among those that stand for no file: there is nothing but their text."""
    strict_document: bool = False
    """Whether what ``mockserver check`` calls an error stops a document from being served."""


class Compiled(Struct, frozen=True):
    """A Plan, the warnings that came with it, and every file it was made from with its text's digest."""

    plan: Plan
    warnings: tuple[Diagnostic, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def forgiven(self) -> tuple[Diagnostic, ...]:
        """The faults of the documents, which are served all the same."""
        return tuple(fault for document in self.plan.documents for fault in document.faults)


def forgiveness(faults: Collection[object]) -> str:
    """One line that says how many faults were forgiven; empty where there were none."""
    if not faults:
        return ""
    number = f"{len(faults)} forgiven fault{'s' if len(faults) > 1 else ''}"
    return f"served with {number}; `mockserver check` lists them"


def scenario_files(path: Path) -> list[Path]:
    """The scenario files of a folder, or the one file that ``path`` is."""
    if not path.is_dir():
        return [path]
    return sorted(
        file for file in path.iterdir() if file.suffix in _SCENARIO_FILES and ".schema." not in file.name
    )


class NoFileError(OSError):
    """A pipe or a device stands where a file is looked for: to open or read one may take for ever."""


def contents(path: Path) -> bytes:
    """The octets of a regular file. Raises OSError, NoFileError among them."""
    with os.fdopen(os.open(path, os.O_RDONLY | _AT_ONCE), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NoFileError(errno.EINVAL, "it is a pipe or a device", str(path))
        return file.read()


def digest(data: bytes) -> str:
    """The digest of a text in UTF-8; a byte order mark is no part of it."""
    return hashlib.blake2b(data.removeprefix(_BYTE_ORDER_MARK), digest_size=16).hexdigest()


_PACKAGE = Path(__file__).parent
_INSTALLED = _PACKAGE / "default_files"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder that holds them."""

DOCUMENT = ROOT / "openapi" / "certificate-request.yaml"
SCENARIOS = ROOT / "scenarios" / "certificate-request.yaml"
SCHEMA = ROOT / "scenarios" / "scenario.schema.json"
"""The JSON Schema of scenario files."""
ADMIN_DOCUMENT = ROOT / "openapi" / "admin.yaml"
"""The control plane's own document."""
EXAMPLE = (
    DOCUMENT,
    SCENARIOS,
    ROOT / "openapi" / "certificate-lifecycle.yaml",
    ROOT / "scenarios" / "certificate-lifecycle.yaml",
    SCHEMA,
)
"""What ``mockserver example`` writes: two documents, a scenario file for each, and the schema of those."""


_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
LONGEST = 365_000 * _UNITS["d"]
"""A thousand years or so: what lies so far ahead of any clock still has a date."""
_FORM = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*$")


def milliseconds(text: str) -> int:
    """A duration's length in milliseconds. Raises ValueError where the form is another, or it is too long."""
    found = _FORM.match(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration such as 200ms, 30s, 5m, 1h or 2d")
    length = float(found[1]) * _UNITS[found[2]]
    if length > LONGEST:
        raise ValueError(f"{text[:40]!r} is longer than {written(LONGEST)}")
    return round(length)


def written(length: int) -> str:
    """The shortest exact form of a length in milliseconds."""
    for unit in ("d", "h", "m", "s"):
        if length and length % _UNITS[unit] == 0:
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length}ms"
