"""What is being worked on, told on a terminal when it takes over a second."""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType

from mockserver.errors import printable

_PATIENCE = 1.0
_BEAT = 0.2
_WIDTH = 79


class Progress:
    """A line on stderr that says what is going on and for how long; gone when done.

    Nothing is written where stderr is no terminal, nor in the first second.
    """

    def __init__(self) -> None:
        self._what = ""
        self._began = time.monotonic()
        self._done = threading.Event()
        self._teller: threading.Thread | None = None

    def __call__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            self._teller = threading.Thread(target=self._tell, daemon=True)
            self._teller.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._done.set()
        if self._teller is not None:
            self._teller.join()

    def _tell(self) -> None:
        if self._done.wait(_PATIENCE):
            return
        while not self._done.wait(_BEAT):
            line = f"{printable(self._what)}, {time.monotonic() - self._began:.0f} s"
            sys.stderr.write(f"\r\x1b[K{line[:_WIDTH]}")
            sys.stderr.flush()
        sys.stderr.write("\r\x1b[K")
        sys.stderr.flush()
