"""Inputs into a Plan: out of the cache, else out of a process of its own.

A test's process is not the place for the compiler: it would bring Connexion,
two validators and Faker along, and take a second for them.
"""

from __future__ import annotations

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
        found = compile_apart(inputs)
        cache.keep(key, pack(found))
    return found
