"""The memory that Python's objects take, in bytes."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Yield a function that returns the size of the objects that were made in this block and are in use.

    Older objects are kept out of the garbage collector: after thousands of tests it takes long to look at
    them, and what the block leaves to it would be collected late.
    """
    gc.freeze()
    tracemalloc.start()

    def size() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0]

    try:
        yield size
    finally:
        tracemalloc.stop()
        gc.unfreeze()
