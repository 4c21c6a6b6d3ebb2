"""Cache compiled Plans in the cache folder of the user, so that the next start does not compile.

The name of an entry is a hash of the bytes of documents and scenario files, the
relevant options and the build of this package. Files that are read through ``$ref``
are known only after compiling: their digests are in the entry, and are compared when
it is read.

An entry is data, never code: msgpack (or JSON, for integers over 64 bits) with a
checksum, decoded to the types of the Plan. Damaged entries are ignored, and so are
entries that another user owns or can write to. No error is ever raised: an unusable
entry is a miss.
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
from mockserver.inputs import Compiled, Inputs, digest, read_file, scenario_files
from mockserver.plan import Plan

FORMAT = 1
"""Increase it when entries or the Plan change without a new version of the package."""
MAX_ENTRIES = 64
MAX_BYTES = 512 * 1024 * 1024
_SUFFIX = ".plan"
_MAGIC = b"mockserver plan 1\n"
_CHECKSUM = 32
_DECODE_LOCK = threading.Lock()
"""msgspec inspects a type when it first decodes it. Two threads at the same time crash the interpreter."""
_OPEN_FLAGS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""No symbolic links, and no waiting for a pipe."""
_WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class _Sealed(Struct, frozen=True):
    """A ``Compiled`` whose Plan is not yet decoded."""

    plan: msgspec.Raw
    warnings: tuple[Diagnostic, ...]
    files: dict[str, str]


class Key(Struct, frozen=True):
    """The key of an entry: its name, and the digest of each file in the hash."""

    name: str
    files: dict[str, str]


def pack(compiled: Compiled) -> bytes:
    """Encode a ``Compiled`` for an entry or for another process."""
    try:
        return b"m" + msgspec.msgpack.encode(compiled)
    except OverflowError:  # integers of more than 64 bits
        return b"j" + msgspec.json.encode(compiled)


def unpack(data: bytes) -> Compiled:
    """Decode the result of ``pack``. Raises msgspec.DecodeError for other bytes."""
    sealed = _unseal(data)
    return Compiled(_decode_plan(data, sealed), sealed.warnings, sealed.files)


def _unseal(data: bytes) -> _Sealed:
    with _DECODE_LOCK:
        if data[:1] == b"j":
            return msgspec.json.decode(memoryview(data)[1:], type=_Sealed)
        return msgspec.msgpack.decode(memoryview(data)[1:], type=_Sealed)


def _decode_plan(data: bytes, sealed: _Sealed) -> Plan:
    with _DECODE_LOCK:
        if data[:1] == b"j":
            return msgspec.json.decode(sealed.plan, type=Plan)
        return msgspec.msgpack.decode(sealed.plan, type=Plan)


class Cache:
    """A folder of entries. ``find`` and ``store`` do nothing where the folder cannot be used."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_folder()

    def find(self, key: Key) -> Compiled | None:
        """Return the entry of ``key`` if it exists and no file has changed; else None."""
        data = self._read(key.name)
        if data is None:
            return None
        try:
            sealed = _unseal(data)
            if not _is_current(sealed.files, key.files):
                return None
            return Compiled(_decode_plan(data, sealed), sealed.warnings, sealed.files)
        except (msgspec.DecodeError, RecursionError):
            return None

    def store(self, key: Key, data: bytes) -> None:
        """Store the result of ``pack``, if it was compiled from the files of ``key``. Never fails."""
        try:
            files = _unseal(data).files
        except msgspec.DecodeError:
            return
        if any(name.startswith(("http://", "https://")) for name in files):
            return  # a remote file may change
        if any(files.get(name) != known for name, known in key.files.items()):
            return  # a file changed during compilation
        with contextlib.suppress(OSError):
            self._write(key.name, data)
            self._prune()

    def _read(self, name: str) -> bytes | None:
        path = self.folder / (name + _SUFFIX)
        try:
            if not _is_trusted(os.lstat(self.folder), stat.S_ISDIR):
                return None
            with os.fdopen(os.open(path, os.O_RDONLY | _OPEN_FLAGS), "rb") as file:
                if not _is_trusted(os.fstat(file.fileno()), stat.S_ISREG):
                    return None
                entry: bytes = file.read()
            os.utime(path)  # the least recently used entries are deleted first
        except OSError:
            return None
        start = len(_MAGIC) + _CHECKSUM
        data = entry[start:]
        if not entry.startswith(_MAGIC) or entry[len(_MAGIC) : start] != _checksum(data):
            return None
        return data

    def _write(self, name: str, data: bytes) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not _is_trusted(os.lstat(self.folder), stat.S_ISDIR):
            return
        import tempfile  # heavy; a start from the cache does not need it

        number, temporary = tempfile.mkstemp(dir=self.folder)  # 0600
        try:
            with os.fdopen(number, "wb") as file:
                file.writelines((_MAGIC, _checksum(data), data))
            Path(temporary).replace(self.folder / (name + _SUFFIX))
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise

    def _prune(self) -> None:
        """Delete the least recently used entries beyond the limits."""
        entries = [(path.stat(), path) for path in self.folder.glob(f"*{_SUFFIX}")]
        entries.sort(key=lambda entry: entry[0].st_mtime_ns, reverse=True)
        size = 0
        for number, (status, path) in enumerate(entries):
            size += status.st_size
            if number >= MAX_ENTRIES or (number and size > MAX_BYTES):
                path.unlink(missing_ok=True)


def user_folder() -> Path:
    """Return the cache folder of the platform (XDG Base Directory Specification)."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(named):  # noqa: PTH117 - the specification ignores empty and relative paths
        return Path(named) / "mockserver"
    if sys.platform == "darwin":
        return Path("~/Library/Caches/mockserver").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", "~")).expanduser() / "mockserver" / "cache"
    return Path("~/.cache/mockserver").expanduser()


def cache_key(inputs: Inputs) -> Key | None:
    """Return the key of ``inputs``; None if a file cannot be read, which compiling reports."""
    files: dict[str, str] = {}
    try:
        scenarios = [file for path in inputs.scenarios for file in scenario_files(path)]
        seeds = scenario_files(inputs.seed_data) if inputs.seed_data else []
        for path in (*inputs.documents, *scenarios, *seeds):
            files[os.path.relpath(path)] = digest(read_file(path))
    except OSError:
        return None
    given = {
        "build": [FORMAT, __version__, _build_id()],
        "seed": inputs.seed,
        "remote": inputs.allow_remote,
        "strict": inputs.strict_document,
        "stateful": [inputs.stateful, str(inputs.seed_data or ""), inputs.seed_examples],
        "root": os.path.relpath(inputs.ref_root) if inputs.ref_root else None,
        "documents": [os.path.relpath(path) for path in inputs.documents],
        "scenarios": [os.path.relpath(path) for path in scenarios],
        "files": files,
    }
    return Key(digest(msgspec.json.encode(given)), files)


@cache
def _build_id() -> str:
    """Return a hash of the files of this package, to detect an edited checkout of the same version."""
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
    """Whether no file has changed. ``known`` has digests that are already computed."""
    try:
        return all(
            expected == known[name] if name in known else expected == digest(read_file(Path(name)))
            for name, expected in files.items()
        )
    except OSError:
        return False


def _is_trusted(status: os.stat_result, is_kind: Callable[[int], bool]) -> bool:
    """Whether a file or folder has the right kind, belongs to this user, and is writable only for them."""
    if not is_kind(status.st_mode):
        return False
    if not hasattr(os, "geteuid"):
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & _WRITABLE_BY_OTHERS


def _checksum(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECKSUM).digest()
