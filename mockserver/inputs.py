"""What a Plan is made from, and what comes of it: the two ends of the compiler."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Collection, Mapping
from pathlib import Path

from msgspec import Struct, field

from mockserver.errors import Diagnostic
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
        return tuple(fault for each in self.plan.documents for fault in each.faults)


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
        each for each in path.iterdir() if each.suffix in _SCENARIO_FILES and ".schema." not in each.name
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
