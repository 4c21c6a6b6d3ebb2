"""Heavy requests: those that take so long to read that another process does it.

The process does what ``Engine.read`` does for other requests, with the same checker. The engine handles the
request when its result is here.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.request.process import MAX_SECONDS, NOT_STARTED, Job, Process
from mockserver.engine.request.validation import Checked
from mockserver.media.json import decode_json, encode_json
from mockserver.messages import Request
from mockserver.namespaces.namespaces import strip_namespace_prefix

if TYPE_CHECKING:
    from mockserver.engine.engine import Engine
    from mockserver.engine.service import Route

_OCTETS = 1024 * 1024
"""Octets of a body above which it is heavy, unless it has no structure."""
_NODES = 2_000
"""Values in a body above which it is heavy: to read so many takes up to 0.02 seconds."""
_COMPRESSED = 4 * 1024
"""Octets of a compressed body above which it is heavy, because its size says little."""


_READ_HERE = NOT_STARTED
"""The result for a request that the server reads itself, as it does without a process: to report an error,
or because the body cannot be written as JSON."""


class _Read(Struct):
    """The result of the other process."""

    checked: Checked
    """It has no body."""
    body: msgspec.Raw


class HeavyRequests:
    """Reads the heavy requests to an engine, one after the other."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._plan = engine.plan
        self._process = Process(self._check)

    def read(self, request: Request) -> Job | None:
        """Start to read a request in another process. Return None if it is not heavy, or has no operation.

        The result is for ``Request.checked``.
        """
        if not is_heavy(request):
            return None
        strip_namespace_prefix(request)
        found = self._engine.find(request)
        if found is None or found.target is None:
            return None
        if self._engine.plan is not self._plan:
            self._plan = self._engine.plan  # the old process ends after its jobs
            self._process = Process(self._check)
        return self._process.run(msgspec.msgpack.encode(request))

    def _check(self, data: bytes) -> bytes:
        """Read a request in the other process."""
        request = msgspec.msgpack.decode(data, type=Request)
        found = self._engine.find(request)
        try:
            if found is None or found.target is None:
                return _READ_HERE
            read = found.target.checker.check(request, found.parameters)
            parts = (dict(read.path), dict(read.query), dict(read.header), dict(read.cookie))
            read = Checked(*parts, read.body, read.violations, read.status, read.challenges, read.warnings)
            body = msgspec.Raw(encode_json(read.body if _needs_body(found.target) else None))
            read.body = None
            return msgspec.json.encode(_Read(read, body))
        except (MockServerError, ValueError):  # ValueError: a text is no UTF-8
            return _READ_HERE


def is_heavy(request: Request) -> bool:
    """Return whether another process should read a request."""
    # Only requests with a large body need these
    from mockserver.media.codec import family
    from mockserver.media.size import estimate
    from mockserver.media.types import Malformed, parse_content_type

    size = len(request.body)
    if "content-encoding" in request.headers:
        return size > _COMPRESSED
    content_type = parse_content_type(request.headers.get("content-type", ""))
    if isinstance(content_type, Malformed):
        return False
    kind = family(content_type)
    return kind != "binary" and (size > _OCTETS or estimate(request.body, kind, content_type) > _NODES)


def checked(request: Request, route: Route, path: dict[str, str]) -> Checked | None:
    """Return what another process read of a request; None if it is to be read here."""
    if request.checked == _READ_HERE:
        return None
    if request.checked:
        read = msgspec.json.decode(request.checked, type=_Read)
        if _needs_body(route):
            collects = gc.isenabled()
            gc.disable()  # a new value has no garbage
            read.checked.body = decode_json(bytes(read.body))
            if collects:
                gc.enable()
        return read.checked
    without = route.checker.check(replace(request, body=b""), path)
    without.violations = (
        Violation("body", "", "", "size", f"To read the body takes over {MAX_SECONDS} s, or too much memory"),
    )
    without.status = 413
    return without


def _needs_body(route: Route) -> bool:
    """Return whether the response of an operation depends on more of a body than on its validity."""
    return bool(route.runtime or route.data or route.pairs)
