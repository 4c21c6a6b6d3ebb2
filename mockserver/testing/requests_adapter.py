"""A transport for ``requests``: answers come from a server in this process, without a socket."""

from __future__ import annotations

from concurrent.futures import TimeoutError as Late
from email.message import Message
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import BaseAdapter
from requests.cookies import extract_cookies_to_jar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers
from urllib3 import HTTPHeaderDict, HTTPResponse

from mockserver.serve.problem import phrase
from mockserver.serve.request import Request

if TYPE_CHECKING:
    from mockserver.serve.answer import Answer
    from mockserver.testing.host import Host


class _Head:
    """The part of an ``http.client.HTTPResponse`` that cookies are read from."""

    def __init__(self, fields: HTTPHeaderDict) -> None:
        self.msg = Message()
        for name, value in fields.iteritems():
            self.msg[name] = value

    def isclosed(self) -> bool:
        return True

    def close(self) -> None:
        """Nothing is open."""


class MockAdapter(BaseAdapter):
    """``session.mount("http://api.example", server.adapter())``: whatever host is named, the server answers.

    A fault of the wire is a ConnectionError; a delay that is longer than the
    timeout is a ReadTimeout, by the machine's time as with any server.
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
        patience = timeout[1] if isinstance(timeout, tuple) else timeout
        coming = self._host.submit(self._host.answer(_received(request)))
        try:
            answer = coming.result(patience)
        except Late:
            coming.cancel()
            raise requests.ReadTimeout(f"no answer in {patience} s", request=request) from None
        if answer.fault:
            raise requests.ConnectionError(f"the answer has the fault {answer.fault}", request=request)
        return self._response(request, answer)

    def close(self) -> None:
        """Nothing is held: the server outlives its clients."""

    def _response(self, request: requests.PreparedRequest, answer: Answer) -> requests.Response:
        fields = HTTPHeaderDict()
        for name, value in answer.headers:
            fields.add(name, value)
        if answer.decision:
            fields.add("x-mock-decision", answer.decision)
        body = b"" if request.method == "HEAD" else answer.body
        raw = HTTPResponse(
            BytesIO(body),
            fields,
            answer.status,
            reason=phrase(answer.status),
            preload_content=False,
            request_method=request.method,
            original_response=_Head(fields),  # type: ignore[arg-type]
        )
        response = requests.Response()
        response.status_code = answer.status
        response.reason = phrase(answer.status)
        response.headers = CaseInsensitiveDict(fields)
        response.encoding = get_encoding_from_headers(response.headers)
        response.raw, response.request, response.url = raw, request, request.url or ""
        response.connection = self  # type: ignore[assignment]
        extract_cookies_to_jar(response.cookies, request, raw)
        return response


def _received(request: requests.PreparedRequest) -> Request:
    parts = urlsplit(request.url or "/")
    headers = {name.lower(): str(value) for name, value in request.headers.items()}
    headers.setdefault("host", parts.netloc)
    return Request(request.method or "GET", parts.path or "/", parts.query, headers, _whole(request.body))


def _whole(body: Any) -> bytes:
    """What ``requests`` would send: text, bytes, a file, or an iterable of chunks."""
    if hasattr(body, "read"):
        body = body.read()
    if isinstance(body, str):
        return body.encode()
    return b"".join(_whole(each) for each in body) if not isinstance(body, bytes | None) else body or b""
