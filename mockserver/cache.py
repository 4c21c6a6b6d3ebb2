"""Compiled Plans in the user's cache folder, so that a second start need not compile.

An entry is named by a hash of all that the user gave: the bytes of documents
and scenario files, the options that matter, this very build of the package.
Files that were read through ``$ref`` are known only afterwards, so their
digests stand in the entry and are compared when it is read.

An entry is data, never code: msgpack (or JSON, for integers that msgpack does
not know) decoded into the Plan's own types, under a checksum. One that is
damaged, or that another user owns or may write to, counts for nothing; nothing
here ever fails, it only does not find.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import sys
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
from msgspec import Struct

from mockserver import __version__
from mockserver.diagnostics import Diagnostic
from mockserver.inputs import Compiled, Inputs, contents, digest, scenario_files
from mockserver.plan import Plan

FORMAT = 1
"""Grows when the shape of an entry or of the Plan changes without a new version of the package."""
MOST_ENTRIES = 64
MOST_BYTES = 512 * 1024 * 1024
_SUFFIX = ".plan"
_MAGIC = b"mockserver plan 1\n"
_CHECKSUM = 32
_ONE_AT_A_TIME = threading.Lock()
"""msgspec works a type out when it first decodes it; two threads that do so at once crash the interpreter."""
_NOT_BY_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""And without waiting for another end, where it is a pipe."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class _Sealed(Struct, frozen=True):
    """A ``Compiled`` whose Plan is not decoded yet."""

    plan: msgspec.Raw
    warnings: tuple[Diagnostic, ...]
    files: dict[str, str]


class Key(Struct, frozen=True):
    """What an entry is found by: a name, and the digest of each file that the name stands for."""

    name: str
    files: dict[str, str]


def pack(compiled: Compiled) -> bytes:
    """A ``Compiled`` as bytes: what an entry holds, and what one process sends another."""
    try:
        return b"m" + msgspec.msgpack.encode(compiled)
    except OverflowError:  # integers of more than 64 bits
        return b"j" + msgspec.json.encode(compiled)


def unpack(data: bytes) -> Compiled:
    """The inverse of ``pack``. Raises msgspec.DecodeError (or its ValidationError) for other bytes."""
    sealed = _unseal(data)
    return Compiled(_plan(data, sealed), sealed.warnings, sealed.files)


def _unseal(data: bytes) -> _Sealed:
    with _ONE_AT_A_TIME:
        if data[:1] == b"j":
            return msgspec.json.decode(memoryview(data)[1:], type=_Sealed)
        return msgspec.msgpack.decode(memoryview(data)[1:], type=_Sealed)


def _plan(data: bytes, sealed: _Sealed) -> Plan:
    with _ONE_AT_A_TIME:
        if data[:1] == b"j":
            return msgspec.json.decode(sealed.plan, type=Plan)
        return msgspec.msgpack.decode(sealed.plan, type=Plan)


class Cache:
    """A folder of entries. ``find`` and ``keep`` do nothing where the folder cannot be used."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_folder()

    def find(self, key: Key) -> Compiled | None:
        """What was compiled from the same inputs, if it is here and every file is still the same."""
        data = self._read(key.name)
        if data is None:
            return None
        try:
            sealed = _unseal(data)
            if not _is_current(sealed.files, key.files):
                return None
            return Compiled(_plan(data, sealed), sealed.warnings, sealed.files)
        except (msgspec.DecodeError, RecursionError):
            return None

    def keep(self, key: Key, data: bytes) -> None:
        """Keep what ``pack`` made, if it was made from the very files that ``key`` was; never fails."""
        try:
            files = _unseal(data).files
        except msgspec.DecodeError:
            return
        if any(name.startswith(("http://", "https://")) for name in files):
            return  # what stands there now cannot be told without asking
        if any(files.get(name) != known for name, known in key.files.items()):
            return  # a file was written while it was compiled
        with contextlib.suppress(OSError):
            self._write(key.name, data)
            self._prune()

    def _read(self, name: str) -> bytes | None:
        path = self.folder / (name + _SUFFIX)
        try:
            if not _is_ours(os.lstat(self.folder), stat.S_ISDIR):
                return None
            with os.fdopen(os.open(path, os.O_RDONLY | _NOT_BY_LINK), "rb") as file:
                if not _is_ours(os.fstat(file.fileno()), stat.S_ISREG):
                    return None
                entry: bytes = file.read()
            os.utime(path)  # the least recently used go first
        except OSError:
            return None
        start = len(_MAGIC) + _CHECKSUM
        data = entry[start:]
        if not entry.startswith(_MAGIC) or entry[len(_MAGIC) : start] != _checksum(data):
            return None
        return data

    def _write(self, name: str, data: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_ours(os.lstat(self.folder), stat.S_ISDIR):
            return
        import tempfile  # only here: it brings along what a start from the cache does without

        number, temporary = tempfile.mkstemp(dir=self.folder)  # 0600
        try:
            with os.fdopen(number, "wb") as file:
                file.writelines((_MAGIC, _checksum(data), data))
            Path(temporary).replace(self.folder / (name + _SUFFIX))
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _prune(self) -> None:
        """Delete the entries that were not used for longest, beyond the bounds."""
        entries = [(path.stat(), path) for path in self.folder.glob(f"*{_SUFFIX}")]
        entries.sort(key=lambda entry: entry[0].st_mtime_ns, reverse=True)
        size = 0
        for number, (status, path) in enumerate(entries):
            size += status.st_size
            if number >= MOST_ENTRIES or (number and size > MOST_BYTES):
                path.unlink(missing_ok=True)


def user_folder() -> Path:
    """Where the platform keeps what can be made again (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # noqa: PTH117 - empty and relative ones are to be ignored, says the specification
        return Path(named) / "mockserver"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/mockserver").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "mockserver" / "cache"
    return Path("~/.cache/mockserver").expanduser()


def key_of(inputs: Inputs) -> Key | None:
    """The key of ``inputs``; None where a file cannot be read: compiling says why."""
    files: dict[str, str] = {}
    try:
        scenarios = [file for path in inputs.scenarios for file in scenario_files(path)]
        for path in (*inputs.documents, *scenarios):
            files[os.path.relpath(path)] = digest(contents(path))
    except OSError:
        return None
    given = {
        "build": [FORMAT, __version__, _build()],
        "seed": inputs.seed,
        "remote": inputs.allow_remote,
        "strict": inputs.strict_document,
        "root": os.path.relpath(inputs.ref_root) if inputs.ref_root else None,
        "documents": [os.path.relpath(path) for path in inputs.documents],
        "scenarios": [os.path.relpath(path) for path in scenarios],
        "files": files,
    }
    return Key(digest(msgspec.json.encode(given)), files)


@cache
def _build() -> str:
    """Tells one build of this package from another, whatever its version says: an edited checkout, say."""
    found = []
    folders = [Path(__file__).parent]
    while folders:
        for entry in os.scandir(folders.pop()):
            if entry.is_dir():
                folders.append(Path(entry.path))
            elif entry.name.endswith(".py"):
                status = entry.stat()
                found.append(f"{entry.path} {status.st_size} {status.st_mtime_ns}")
    return digest("\n".join(sorted(found)).encode("utf-8", "surrogateescape"))


def _is_current(files: dict[str, str], known: dict[str, str]) -> bool:
    """Whether each file holds what it held; those in ``known`` have been looked at."""
    try:
        return all(
            expected == known[name] if name in known else expected == digest(contents(Path(name)))
            for name, expected in files.items()
        )
    except OSError:
        return False


def _is_ours(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Whether a file or folder is of the right kind, this user's, and writable by nobody else."""
    if not is_kind(status.st_mode):
        return False
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM).digest()
