"""What is freed between things that stay goes back to the system (Linux with glibc)."""

from __future__ import annotations

import platform

import pytest

from mockserver.namespaces import memory
from mockserver.namespaces.memory import Heap, resident_bytes

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="no glibc")
MEBI = 1024 * 1024


def test_freed_memory_is_returned_after_some_beats() -> None:
    server = Heap()
    taken = [bytes(60_000) for _ in range(2000)]
    stay = taken[::50]
    full = resident_bytes()
    del taken
    kept = resident_bytes()
    for _ in range(10):
        server.beat()
    assert full - resident_bytes() > 80 * MEBI
    assert full - kept < 80 * MEBI
    assert len(stay) == 40


def test_heap_that_has_not_grown_is_not_trimmed(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    monkeypatch.setattr(memory, "trim_heap", lambda: looked.append("looked"))
    size = 100 * MEBI
    monkeypatch.setattr(memory, "resident_bytes", lambda: size)
    server = Heap()
    for size, expected in ((116, 0), (133, 1), (140, 1), (157, 2)):
        size *= MEBI
        for _ in range(10):
            server.beat()
        assert len(looked) == expected
