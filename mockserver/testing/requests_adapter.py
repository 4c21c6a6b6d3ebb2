"""A transport adapter for ``requests``: responses of a server in this process, without a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Generator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from email.message import Message
from io import BufferedReader, BytesIO, RawIOBase
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, HTTPResponse, Timeout

from mockserver.messages import Request
from mockserver.problem import phrase

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

    from mockserver.messages import Response
    from mockserver.testing.host import Host


class _Head:
    """The part of an ``http.client.HTTPResponse`` from which ``requests`` reads cookies."""

    def __init__(self, fields: HTTPHeaderDict) -> None:
        self.msg = Message()
        for name, value in fields.iteritems():
            self.msg[name] = value

    def isclosed(self) -> bool:
        """Return True: there is no connection."""
        return True

    def close(self) -> None:
        """Do nothing: there is no connection."""


class MockAdapter(BaseAdapter):
    """An adapter that sends all requests to the server, whatever their host.

    Use it as ``session.mount("http://api.example", server.adapter())``. A wire fault raises
    ConnectionError. A delay that is longer than the timeout raises ReadTimeout; the timeout uses the
    time of the machine.
    """

    def __init__(self, host: Host) -> None:
        super().__init__()
        self._host = host

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Any = None,
    ) -> requests.Response:
        """Send a request and return its response."""
        read_timeout = _read_timeout(timeout)
        parts = _Stream(read_timeout)
        deferred = self._host.submit(self._start(request, parts))
        try:
            response = deferred.result(read_timeout)
        except FutureTimeout:
            deferred.cancel()
            parts.close()
            raise requests.ReadTimeout(f"no response in {read_timeout} s", request=request) from None
        except CancelledError:
            raise requests.ConnectionError("the mock server was stopped", request=request) from None
        if response.fault:
            raise requests.ConnectionError(f"the response has the fault {response.fault}", request=request)
        return self._response(request, response, parts)

    def close(self) -> None:
        """Do nothing: the server has no connections."""

    async def _start(self, request: requests.PreparedRequest, body: _Stream) -> Response:
        """Return the response. Start ``body`` if the response is a stream."""
        response = await self._host.response(_to_request(request))
        if response.stream is not None and not response.fault and request.method != "HEAD":
            await body.begin(response.stream)
        return response

    def _response(
        self, request: requests.PreparedRequest, response: Response, stream: _Stream
    ) -> requests.Response:
        fields = HTTPHeaderDict()
        for name, value in response.headers:
            fields.add(name, value)
        if response.decision:
            fields.add("x-mock-decision", response.decision)
        streams = response.stream is not None and request.method != "HEAD"
        body = b"" if request.method == "HEAD" else response.body
        raw = (_StreamedResponse if streams else HTTPResponse)(
            BufferedReader(stream) if streams else BytesIO(body),
            fields,
            response.status,
            reason=phrase(response.status),
            preload_content=False,
            request_method=request.method,
            original_response=_Head(fields),  # type: ignore[arg-type]
        )
        converted = requests.Response()
        converted.status_code = response.status
        converted.reason = phrase(response.status)
        converted.headers = CaseInsensitiveDict(fields)
        converted.encoding = get_encoding_from_headers(converted.headers)
        converted.raw, converted.request, converted.url = raw, request, request.url or ""
        converted.connection = self  # type: ignore[assignment]
        extract_cookies_to_jar(converted.cookies, request, raw)
        return converted


class _Stream(RawIOBase):
    """The parts of a streamed body. Like on a socket, they arrive before they are read."""

    def __init__(self, read_timeout: float | None) -> None:
        """``read_timeout`` is how many seconds a part may take; None: any."""
        self._read_timeout = read_timeout
        self._parts: SimpleQueue[bytes | ConnectionError] = SimpleQueue()
        self._rest = b""
        self._task: asyncio.Task[None] | None = None

    async def begin(self, parts: AsyncIterator[bytes]) -> None:
        """Start receiving the parts. Call it on the loop of the server."""
        self._task = asyncio.create_task(self._take(parts))
        await asyncio.sleep(0)  # a cancelled task that has not started would not close ``parts``

    async def _take(self, parts: AsyncIterator[bytes]) -> None:
        end: bytes | ConnectionError = ConnectionError("the mock server was stopped")
        try:
            async for part in parts:
                if part:
                    self._parts.put(part)
            end = b""
        finally:
            self._parts.put(end)

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Read bytes. Raise TimeoutError after the timeout, ConnectionError if the server stops."""
        if not self._rest:
            try:
                part = self._parts.get(timeout=self._read_timeout)
            except Empty:
                raise TimeoutError(f"no data in {self._read_timeout} s") from None
            if not part or isinstance(part, ConnectionError):
                self._parts.put(part)  # the end stays the end
            if isinstance(part, ConnectionError):
                raise part
            self._rest = part
        with memoryview(buffer).cast("B") as room:
            count = min(len(room), len(self._rest))
            room[:count] = self._rest[:count]
        self._rest = self._rest[count:]
        return count

    def close(self) -> None:
        """Stop receiving parts."""
        if not self.closed and self._task is not None:
            with suppress(RuntimeError):  # the loop is closed, and the task with it
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)
        super().close()


class _StreamedResponse(HTTPResponse):
    """A response that yields each part of its body as soon as it arrives."""

    def stream(
        self, amt: int | None = 2**16, decode_content: bool | None = None
    ) -> Generator[bytes, None, None]:
        """Yield the parts of the body."""
        while part := self.read1(amt, decode_content):
            yield part


def _read_timeout(timeout: Any) -> float | None:
    """Return the seconds of the read timeout in a timeout of ``requests``; None for no limit."""
    if isinstance(timeout, tuple):
        _, timeout = timeout
    if isinstance(timeout, Timeout):
        started = timeout.clone()
        started.start_connect()  # connecting to this process takes no time
        timeout = started.read_timeout
    seconds: float | None = timeout
    return seconds


def _to_request(request: requests.PreparedRequest) -> Request:
    parts = urlsplit(request.url or "/")
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    headers.setdefault("host", parts.netloc)
    return Request(
        request.method or "GET", parts.path or "/", parts.query, headers, _body_bytes(request.body)
    )


def _body_bytes(body: Any) -> bytes:
    """Return the bytes of a body of ``requests``: text, bytes, a file, or an iterable of chunks."""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        return body.encode()
    return (
        b"".join(_body_bytes(chunk) for chunk in body) if not isinstance(body, bytes | None) else body or b""
    )
