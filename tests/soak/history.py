"""What the clients wrote: a line of JSON for each attempt, compressed."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import msgspec

from tests.soak.attempt import Attempt

_LEVEL = 1
_MANY = 2000


class History:
    """Written while the clients run, in the order in which attempts ended."""

    def __init__(self, path: Path) -> None:
        self._file = gzip.open(path, "wb", compresslevel=_LEVEL)  # noqa: SIM115 - closed on leaving
        self._encoder = msgspec.json.Encoder()
        self._lines: list[Attempt] = []

    def __enter__(self) -> History:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._file.close()

    def write(self, attempt: Attempt) -> None:
        self._lines.append(attempt)
        if len(self._lines) >= _MANY:
            self._flush()

    def _flush(self) -> None:
        self._file.write(self._encoder.encode_lines(self._lines))
        self._lines.clear()


def read(path: Path) -> Iterator[Attempt]:
    decoder = msgspec.json.Decoder(Attempt)
    with gzip.open(path, "rb") as file:
        for line in file:
            yield decoder.decode(line)
