"""A way into a server that a browser is sent through: as it is, or one that hides what gives a page away."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from typing import NamedTuple

from tests.live import PATIENCE

PAGE = "/page"
"""Where the door itself answers, as the attacker's server did before its name meant another machine."""
_TELLS = ("origin", "referer", "sec-", "x-mock-webhook", "upgrade", "connection")
_KEEPERS = ("x-frame-options", "content-security-policy", "cross-origin-", "x-content-type-options")


class Passed(NamedTuple):
    """A request that came, and the status of its answer."""

    method: str
    path: str
    headers: dict[str, str]
    status: int


class Door:
    """Passes requests on to the server at ``port``.

    One that is ``blind`` drops from requests what tells of the page that made them, from answers what keeps
    pages from them, and allows whatever a browser asks: what is done by its way is what a page could do
    to a server that looked at none of it.
    """

    def __init__(self, port: int, *, blind: bool) -> None:
        door = self
        self.blind = blind
        self.passed: Queue[Passed] = Queue()

        class Handler(BaseHTTPRequestHandler):
            def pass_on(self) -> None:
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(int(headers.get("content-length", 0)))
                if self.path in (
                    "/favicon.ico",
                    PAGE,
                ):  # which a browser asks for by itself; an attacker's own
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                    self.end_headers()
                    return
                if blind and self.command == "OPTIONS":
                    self.send_response(204)
                    self._allow(headers)
                    self.end_headers()
                    return
                connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in (_hidden(headers, self.path) if blind else headers).items():
                    connection.putheader(name, value)
                connection.endheaders(body or None)
                response = connection.getresponse()
                door.passed.put(Passed(self.command, self.path, headers, response.status))
                self.send_response_only(response.status)
                for name, value in response.getheaders():
                    if name.lower() != "transfer-encoding" and not (
                        blind and name.lower().startswith(_KEEPERS)
                    ):
                        self.send_header(name, value)
                self._allow(headers)
                self.send_header("Connection", "close")
                self.end_headers()
                try:
                    while chunk := response.read1(65536):
                        self.wfile.write(chunk)
                        self.wfile.flush()
                except OSError:
                    pass  # the browser has left, or the server says nothing more
                finally:
                    connection.close()

            do_GET = do_POST = do_PUT = do_DELETE = do_OPTIONS = pass_on  # noqa: N815 - http.server's names

            def _allow(self, headers: dict[str, str]) -> None:
                if blind and "origin" in headers:
                    self.send_header("Access-Control-Allow-Origin", headers["origin"])
                    self.send_header("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE")
                    self.send_header("Access-Control-Allow-Headers", "content-type, x-mock-namespace")

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port: int = self.server.server_port
        self.url = f"http://127.0.0.1:{self.port}"

    def next(self) -> Passed:
        """The next request that was answered."""
        return self.passed.get(timeout=PATIENCE)


def _hidden(headers: dict[str, str], path: str) -> dict[str, str]:
    found = {name: value for name, value in headers.items() if not name.startswith(_TELLS)}
    found["host"] = "localhost"
    if path.startswith("/__admin") and "content-type" in found:
        found["content-type"] = "application/json"
    return found


@contextmanager
def opened(port: int, *, blind: bool) -> Iterator[Door]:
    door = Door(port, blind=blind)
    thread = threading.Thread(target=door.server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield door
    finally:
        door.server.shutdown()
        door.server.server_close()
        thread.join()
