"""What reads octets from outside, each with the pieces that the search for costly inputs makes its inputs of.

The pieces stand in ``pieces.yaml``; ``%d`` in one is a number that grows, so that no two are alike.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import yaml

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.diagnostics import MockServerError
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues
from mockserver.engine.resources.templates import compile_template
from mockserver.messages import Request

KIB = 1024


class Sent(NamedTuple):
    """A request; its octets on the wire are what a cost is measured by."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def size(self) -> int:
        """Octets on the wire."""
        fields = sum(len(name) + len(value) + 4 for name, value in self.headers.items())
        return len(self.method) + len(self.path) + fields + len(self.body)


class Shape(NamedTuple):
    """An input that can be grown: ``piece`` so many times between what goes before and after."""

    before: bytes
    piece: bytes
    after: bytes
    times: int = 1 << 20

    def octets(self, most: int) -> bytes:
        room = most - len(self.before) - len(self.after)
        times = max(0, min(self.times, room // max(1, len(self.piece))))
        if not (count := self.piece.count(b"%d")):
            middle = self.piece * times
        else:
            numbered = self.piece.replace(b"%", b"%%").replace(b"%%d", b"%d")
            middle = b"".join(numbered % ((number,) * count) for number in range(times))
        return (self.before + middle + self.after)[:most]


class Reader(NamedTuple):
    pieces: tuple[bytes, ...]
    starts: tuple[Shape, ...]
    most: int
    """Octets of the largest input that is read."""
    send: Callable[[bytes], Sent] | None = None
    """How it reaches a server; None where it is read in a process of its own, by ``read``."""
    read: Callable[[bytes, Path], Callable[[], object]] | None = None
    """Prepares an input (the folder is for its files), and gives what is to be measured."""
    is_apart: bool = False
    """Whether a server reads it in a process of its own."""


def _posted(content_type: str, path: str = "/body", **headers: str) -> Callable[[bytes], Sent]:
    return lambda data: Sent("POST", path, {"Content-Type": content_type, **headers}, data)


def _compressed(content_type: str) -> Callable[[bytes], Sent]:
    send = _posted(content_type, **{"Content-Encoding": "gzip"})
    return lambda data: send(gzip.compress(data, 6))


def _target(data: bytes) -> Sent:
    safe = data.decode("latin-1").translate({each: f"%{each:02X}" for each in (*range(33), *range(127, 256))})
    return Sent("GET", f"/small?{safe.replace('#', '%23')}", {}, b"")


def _document(data: bytes, folder: Path) -> Callable[[], object]:
    place = folder / "document.yaml"
    place.write_bytes(data)
    return partial(compile_plan, Inputs((place,)))


def _scenario_file(data: bytes, folder: Path) -> Callable[[], object]:
    place = folder / "scenario.yaml"
    place.write_bytes(data)
    return partial(compile_plan, Inputs((DOCUMENT,), (place,)))


_PROVIDERS = Providers("0")
"""Those of a server, whose Faker is made once."""


def _template(data: bytes, folder: Path) -> Callable[[], object]:
    context = RenderContext(
        "default", "thing", "k", "made", "story", 1, 0, 0, 0, Request("GET", "/x", "n=900", {})
    )
    try:
        template = compile_template(data.decode("utf-8", "replace"))
    except MockServerError:
        return lambda: None
    return partial(template, TemplateValues(context, _PROVIDERS))


DOCUMENT = Path(__file__).with_name("costs.yaml")
_JSON = "application/json"
_LARGEST = 10 * KIB * KIB

_SENDS = {
    "json": _posted(_JSON),
    "ndjson": _posted("application/x-ndjson"),
    "form": _posted("application/x-www-form-urlencoded"),
    "query": _target,
    "multipart": _posted("multipart/form-data; boundary=x"),
    "xml": _posted("application/xml"),
    "gzip": _compressed(_JSON),
    "gzip-xml": _compressed("application/xml"),
    "patterns": _posted(_JSON, "/patterns"),
    "control-request": _posted(_JSON, "/__admin/requests/count"),
}
_READS = {"template": _template, "document": _document, "scenario-file": _scenario_file}
_MOST = {"query": 14 * KIB, "template": 64 * KIB, "document": 256 * KIB, "scenario-file": 256 * KIB}


def _octets(texts: list[str]) -> tuple[bytes, ...]:
    return tuple(each.encode("latin-1") for each in texts)


def _read() -> Iterator[tuple[str, Reader]]:
    for name, found in yaml.safe_load(Path(__file__).with_name("pieces.yaml").read_text("utf-8")).items():
        starts = tuple(Shape(before, piece, after) for before, piece, after in map(_octets, found["starts"]))
        most = _MOST.get(name, _LARGEST)
        pieces, is_apart = _octets(found["pieces"]), name in ("document", "scenario-file")
        yield name, Reader(pieces, starts, most, _SENDS.get(name), _READS.get(name), is_apart)


READERS = dict(_read())
"""By name; ``cost-NAME`` is the target that searches it."""
