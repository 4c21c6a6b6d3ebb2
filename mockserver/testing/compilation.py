"""Inputs into a Plan: out of the cache, else out of a process of its own.

A test's process is not the place for the compiler: it would bring Connexion,
two validators and Faker along, and take a second for them. Of workers that
start together one compiles, and the others wait for what it keeps.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mockserver.admin.compiling import compile_apart
from mockserver.cache import Cache, key_of, pack
from mockserver.inputs import Compiled, Inputs


def compiled(inputs: Inputs, *, cached: bool) -> Compiled:
    """Raises CompileError with every diagnostic."""
    key = key_of(inputs) if cached else None
    if key is None:
        return compile_apart(inputs)
    cache = Cache()
    found = cache.find(key)
    if found is None:
        with _in_turn(cache.folder):
            found = cache.find(key)
            if found is None:
                found = compile_apart(inputs)
                cache.keep(key, pack(found))
    return found


@contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """One process at a time, where the folder and the platform can keep others waiting."""
    file = -1
    with suppress(ImportError, OSError):
        import fcntl

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(folder / "compiling.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if file >= 0:
            os.close(file)
