"""Control of a server in another process, container or machine, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from socket import SHUT_RDWR, socket
from threading import Event, Timer
from urllib.parse import quote, urlsplit

from mockserver.admin.http import ControlError
from mockserver.diagnostics import UsageError
from mockserver.testing.control import Members

_ADMIN = "/__admin"


class Remote:
    """The ``Control`` of a server at a URL. Each request has its own connection, so threads can share it."""

    def __init__(
        self, url: str, token: str | None = None, timeout: float = 30.0, max_response: int = 256 * 1024 * 1024
    ) -> None:
        """``timeout``: seconds until a response is complete; ``max_response``: its maximum size in bytes.

        Raise UsageError for an invalid URL or token.
        """
        self._url = url.rstrip("/")
        parts = urlsplit(self._url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise UsageError(f"{url!r} is not an http or https URL such as http://127.0.0.1:8080.")
        self._kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._host, self._port, self._path = parts.hostname, port, parts.path
        self._timeout = timeout
        self._max_response = max_response
        if token and not (token.isascii() and token.isprintable()):
            raise UsageError("the token has characters that a header field cannot have.")
        self._credentials = {"Authorization": f"Bearer {token}"} if token else {}

    @property
    def url(self) -> str:
        return self._url

    def resources(self) -> Sequence[str]:
        return [file["resource"] for file in self.request("GET", "/scenario-files")["scenarioFiles"]]

    def assign(
        self, namespace: str, resource: str, key: str, scenario: str | None, state: str | None
    ) -> Members:
        given = {"scenario": scenario, "state": state}
        body = {name: value for name, value in given.items() if value is not None}
        return self.request("PUT", _resource_path(resource, key), body, namespace=namespace)

    def assign_new(self, namespace: str, resource: str, scenario: str) -> None:
        path = f"/assignments/{quote(resource, safe='')}"
        self.request("PUT", path, {"scenario": scenario}, namespace=namespace)

    def read_resource(self, namespace: str, resource: str, key: str) -> Members:
        return self.request("GET", _resource_path(resource, key), namespace=namespace)

    def clock(self, namespace: str, verb: str, body: Members) -> Members:
        if verb == "get":
            return self.request("GET", "/clock", namespace=namespace)
        return self.request("POST", f"/clock/{verb}", body or None, namespace=namespace)

    def calls(self, namespace: str) -> list[Members]:
        page = self.request("GET", "/requests", namespace=namespace)
        found: list[Members] = page["requests"]
        while "next" in page["meta"]:
            page = self.request("GET", f"/requests?before={page['meta']['next']}", namespace=namespace)
            found += page["requests"]
        return found[::-1]

    def verify(self, namespace: str, verification: Members) -> Members:
        try:
            return self.request("POST", "/verify", verification, namespace=namespace)
        except ControlError as error:
            if error.status != 409 or "count" not in error.members:
                raise
            return {"verified": False, "detail": error.detail, **error.members}

    def reset(self, namespace: str) -> None:
        self.request("POST", "/reset", namespace=namespace)

    def drop(self, namespace: str) -> None:
        self.request("DELETE", f"/namespaces/{quote(namespace, safe='')}")

    def request(
        self,
        method: str,
        path: str,
        body: Members | None = None,
        *,
        namespace: str | None = None,
        text: str | None = None,
    ) -> Members:
        """Send a control request and return its JSON response. ``text`` is sent as YAML instead of ``body``.

        Raise ControlError for an error response, UsageError without a response.
        """
        headers = dict(self._credentials)
        if namespace is not None:
            headers["X-Mock-Namespace"] = namespace
        data = None
        if text is not None:
            headers["Content-Type"], data = "application/yaml", text.encode()
        elif body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        status, content = self._send(method, self._path + _ADMIN + path, data, headers)
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if status >= 400:
            problem = found if isinstance(found, dict) else {}
            detail = str(problem.pop("detail", f"{method} {path} got status {status}"))
            members = {name: problem[name] for name in problem.keys() - {"type", "title", "status"}}
            raise ControlError(status, detail, members=members)
        if not isinstance(found, dict):
            raise self.not_mockserver()
        return found

    def not_mockserver(self) -> UsageError:
        """Return the error for a response that a mockserver does not send."""
        return UsageError(f"{self._url} responds, but it is not a mockserver.")

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = self._kind(self._host, self._port, timeout=self._timeout)
        late = Event()
        try:
            connection.connect()
            # The timeout of a socket is the time between two bytes. A slow server would have no limit.
            watch = Timer(self._timeout, _close_late, (connection.sock, late))
            watch.daemon = True
            watch.start()
            try:
                connection.request(method, path, data, headers)
                response = connection.getresponse()
                content = response.read(self._max_response + 1)
            finally:
                watch.cancel()
        except (OSError, HTTPException, ValueError) as error:
            why = f"not within {self._timeout:g} s" if late.is_set() else str(error)
            raise UsageError(f"{self._url} does not respond: {why}.") from None
        finally:
            connection.close()
        if late.is_set():
            raise UsageError(f"{self._url} does not respond: not within {self._timeout:g} s.")
        if len(content) > self._max_response:
            raise UsageError(f"{self._url} responds with more than {self._max_response:,} bytes.")
        return response.status, content


def _close_late(connection: socket, late: Event) -> None:
    late.set()
    with suppress(OSError, ValueError):
        connection.shutdown(SHUT_RDWR)


def _resource_path(resource: str, key: str) -> str:
    return f"/resources/{quote(resource, safe='')}/{quote(key, safe='')}"
