"""The inputs of a Plan: documents, scenario files and their default paths; durations as text."""

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
_OPEN_FLAGS = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Inputs(Struct, frozen=True):
    """The inputs of a Plan. ``scenarios`` are files, or folders of files."""

    documents: tuple[Path, ...]
    scenarios: tuple[Path, ...] = ()
    seed: str = "0"
    allow_remote: bool = False
    ref_root: Path | None = None
    texts: Mapping[Path, str] = field(default_factory=dict)
    """Texts by path that replace files: they came over HTTP, and may not refer to other files."""
    added: tuple[Path, ...] = ()
    """Paths in ``texts`` without a file."""
    strict_document: bool = False
    """Whether each error of ``mockserver check`` prevents serving the document."""
    stateful: bool = False
    """Whether resources are inferred from the documents, so that their data is stored."""
    seed_data: Path | None = None
    """The folder of the data that resources have at first."""
    seed_examples: bool = True
    """Whether the examples of the documents are that data, if there is no folder."""


class Compiled(Struct, frozen=True):
    """A Plan, its warnings, and the digest of each file that it was compiled from."""

    plan: Plan
    warnings: tuple[Diagnostic, ...] = ()
    files: dict[str, str] = field(default_factory=dict)

    @property
    def forgiven(self) -> tuple[Diagnostic, ...]:
        """The faults of the documents, which are still served."""
        return tuple(fault for document in self.plan.documents for fault in document.faults)


def fault_summary(faults: Collection[object]) -> str:
    """Return one line with the number of faults; empty without faults."""
    if not faults:
        return ""
    number = f"{len(faults)} forgiven fault{'s' if len(faults) > 1 else ''}"
    return f"served with {number}; `mockserver check` lists them"


def scenario_files(path: Path) -> list[Path]:
    """Return the scenario files of a folder, or ``path`` itself if it is a file."""
    if not path.is_dir():
        return [path]
    return sorted(
        file for file in path.iterdir() if file.suffix in _SCENARIO_FILES and ".schema." not in file.name
    )


class NotAFileError(OSError):
    """A path is a pipe or a device, not a file. Reading it may block for ever."""


def read_file(path: Path) -> bytes:
    """Return the bytes of a regular file. Raises OSError, including NotAFileError."""
    with os.fdopen(os.open(path, os.O_RDONLY | _OPEN_FLAGS), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise NotAFileError(errno.EINVAL, "it is a pipe or a device", str(path))
        return file.read()


def digest(data: bytes) -> str:
    """Return the digest of a text in UTF-8, without its byte order mark."""
    return hashlib.blake2b(data.removeprefix(_BYTE_ORDER_MARK), digest_size=16).hexdigest()


_PACKAGE = Path(__file__).parent
_INSTALLED = _PACKAGE / "default_files"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder of the default files."""

DOCUMENT = ROOT / "openapi" / "certificate-request.yaml"
SCENARIOS = ROOT / "scenarios" / "certificate-request.yaml"
SCHEMA = ROOT / "scenarios" / "scenario.schema.json"
"""The JSON Schema of scenario files."""
ADMIN_DOCUMENT = ROOT / "openapi" / "admin.yaml"
"""The OpenAPI document of the control plane."""
EXAMPLE = (
    DOCUMENT,
    SCENARIOS,
    ROOT / "openapi" / "certificate-lifecycle.yaml",
    ROOT / "scenarios" / "certificate-lifecycle.yaml",
    SCHEMA,
)
"""The files that ``mockserver example`` writes: documents, scenario files and their schema."""


_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
MAX_DURATION = 365_000 * _UNITS["d"]
"""About a thousand years, in milliseconds: the clock plus this duration is still a valid date."""
_DURATION = re.compile(r"\s*([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|h|d)\s*$")


def parse_duration(text: str) -> int:
    """Return a duration such as ``200ms`` or ``5m`` in milliseconds.

    Raises ValueError for another form, or for more than ``MAX_DURATION``.
    """
    found = _DURATION.match(text)
    if found is None:
        raise ValueError(f"{text!r} is not a duration such as 200ms, 30s, 5m, 1h or 2d")
    length = float(found[1]) * _UNITS[found[2]]
    if length > MAX_DURATION:
        raise ValueError(f"{text[:40]!r} is longer than {format_duration(MAX_DURATION)}")
    return round(length)


def format_duration(length: int) -> str:
    """Return the shortest exact text of a duration in milliseconds."""
    for unit in ("d", "h", "m", "s"):
        if length and length % _UNITS[unit] == 0:
            return f"{length // _UNITS[unit]}{unit}"
    return f"{length}ms"
