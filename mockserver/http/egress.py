"""Outgoing requests: every webhook leaves through this module.

A request may go to loopback only, unless its host is allowed by name. Other names are not resolved.
An allowed name is resolved once, checked, and that address is connected to, so that the name cannot
change its meaning in between. Redirects are not followed. No request goes to a socket on which this
server listens, or a client could reach the control plane by a webhook. Every request has the header
``MARK``, for routes that no address shows, such as a proxy.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from mockserver.diagnostics import MockServerError
from mockserver.http.hosts import Address, is_address, is_loopback, parse_address
from mockserver.http.wire import CONTROL

TIME = 10.0
"""The timeout of one attempt in seconds."""
MARK = "x-mock-webhook"
"""The header of every request that a mock server sends. A control plane rejects requests with it."""
_PORTS = {"http": 80, "https": 443}
_MAX_LINE = 64 * 1024


class Refused(MockServerError):  # noqa: N818 - an outcome, not a fault
    """A request that must not be sent. A retry has the same result."""


class OutgoingRequest(NamedTuple):
    """An outgoing request. ``headers`` are all but Host, Content-Length, Connection and ``MARK``."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


class Egress:
    """Sends requests to loopback and to the ``allowed`` hosts; ``*`` allows any host."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = {host.lower().strip("[]") for host in allowed}
        self._own: list[tuple[Address, int]] = []

    def exclude(self, listener: socket.socket) -> None:
        """Refuse requests to ``listener``, a socket on which this server listens."""
        host, port = listener.getsockname()[:2]
        self._own.append((parse_address(host), port))

    async def send(self, request: OutgoingRequest) -> int:
        """Send a request and return the status of the response.

        Raises Refused, OSError, TimeoutError, and ValueError for a response that is not HTTP.
        """
        parts = urlsplit(request.url)
        port = self._port(request.url)
        host = (parts.hostname or "").lower()
        octets = _encode(request)
        async with asyncio.timeout(TIME):
            address = await self._resolve(host, port)
            if self._is_own(address, port):
                raise Refused(f"{host}:{port} is this mock server itself")
            secure = ssl.create_default_context() if parts.scheme == "https" else None
            reader, writer = await asyncio.open_connection(
                address, port, ssl=secure, server_hostname=host if secure else None, limit=_MAX_LINE
            )
            try:
                writer.write(octets)
                await writer.drain()
                line = await reader.readuntil(b"\r\n")
            except asyncio.IncompleteReadError:
                raise ConnectionResetError("the connection was closed before a response arrived") from None
            except asyncio.LimitOverrunError:
                raise ValueError("the response is not HTTP") from None
            finally:
                writer.close()
        return _status(line)

    @staticmethod
    def _port(url: str) -> int:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = 0
        if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None or port == 0:
            raise Refused(f"{url[:200]!r} is not an http or https URL")
        if any(ord(character) <= 32 or ord(character) == 127 for character in url):
            raise Refused("the URL contains a blank or a control character")
        return port or _PORTS[parts.scheme]

    def _is_own(self, address: str, port: int) -> bool:
        found = parse_address(address)
        return any(
            port == own
            and (found == host or found.is_unspecified or (host.is_unspecified and _is_this_machine(address)))
            for host, own in self._own
        )

    async def _resolve(self, host: str, port: int) -> str:
        """Return the address of an allowed host. Raises Refused, and OSError for a host without one."""
        allowed = host in self._allowed or "*" in self._allowed
        if not allowed and not is_address(host) and not _is_local_name(host):
            raise Refused(f"{host} may be another machine; allow it by --allow-callbacks {host}")
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
        if not addresses:
            raise OSError(f"{host} has no address")
        if allowed:
            return addresses[0]
        for address in addresses:
            if not is_loopback(address):
                raise Refused(
                    f"{host} is {address}, which is not this machine; allow it by --allow-callbacks {host}"
                )
        return addresses[0]


def _is_local_name(host: str) -> bool:
    """Return whether a host is ``localhost`` or a name under it (RFC 6761 section 6.3)."""
    name = host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _is_this_machine(address: str) -> bool:
    """Return whether an address is one of this machine's: a socket can be bound to no other."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _encode(request: OutgoingRequest) -> bytes:
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    ours = {
        "host": parts.netloc,
        "content-length": str(len(request.body)),
        "connection": "close",
        MARK: "1",
    }
    fields = [*((name, value) for name, value in request.headers if name not in ours), *ours.items()]
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields)]
    for line in lines:
        if CONTROL.search(line) is not None:
            raise Refused(f"{line[:200]!r} contains a control character")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + request.body


def _status(line: bytes) -> int:
    version, _, rest = line.decode("latin-1").partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(f"{line[:40]!r} is not an HTTP response")
    return int(status)
