"""Memory that was freed goes back to the system: glibc keeps what lies between things that stay."""

from __future__ import annotations

import logging
import os
from pathlib import Path

_LOG = logging.getLogger("mockserver.heap")
_STATM = Path("/proc/self/statm")
_WORTH = 16 * 1024 * 1024
"""Bytes by which the resident set has grown before it is looked for what can be given back."""
_PAUSE = 10
"""Beats between two looks: one takes some milliseconds."""


class Heap:
    """Gives back what it can, some time after much was taken."""

    def __init__(self) -> None:
        self._least = resident()
        """The resident set after the last time, or less."""
        self._beats = 0

    def beat(self) -> None:
        """Called each second."""
        self._beats += 1
        if self._beats < _PAUSE:
            return
        self._beats = 0
        now = resident()
        if now > self._least + _WORTH:
            give_back()
            now = resident()
        self._least = now


def resident() -> int:
    """Bytes of this process that are in memory; 0 where the system does not tell."""
    try:
        return int(_STATM.read_bytes().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, IndexError):
        return 0


def give_back() -> None:
    """Give the system what is free, where the C library can."""
    import ctypes  # takes a while, and most servers never need it

    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):  # another C library
        _LOG.debug("this C library gives no memory back")
