"""The one gate for all that leaves: requests to clients that wait for news.

Loopback only, unless a host is allowed by name. Of other names not even the
address is asked for. An address is resolved once, looked at, and connected to,
so that no name can mean another machine a moment later; redirects are not
followed. Never does anything go to a socket on which this server listens: a
client's address would be a client's way to the control plane. For ways that no
address shows, such as a proxy, every request carries ``MARK``.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from mockserver.diagnostics import MockServerError
from mockserver.http.hosts import is_address
from mockserver.http.wire import CONTROL

TIME = 10.0
"""Seconds that one attempt may take."""
MARK = "x-mock-webhook"
"""Header of every request that a mock server sends. No control plane answers one that has it."""
_PORTS = {"http": 80, "https": 443}
_HEAD = 64 * 1024


_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Refused(MockServerError):  # noqa: N818 - the gate's word
    """A request that must not leave; trying again changes nothing."""


class OutgoingRequest(NamedTuple):
    """A request as it leaves. ``headers`` are complete but for Host, Content-Length, Connection and MARK."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


class Egress:
    """Sends what may leave. ``allowed`` are hosts, or ``*`` for any; loopback always is."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = {each.lower().strip("[]") for each in allowed}
        self._own: list[tuple[_Address, int]] = []

    def exclude(self, listener: socket.socket) -> None:
        """Refuse what would go to a socket on which this server listens."""
        host, port = listener.getsockname()[:2]
        self._own.append((_address(host), port))

    async def send(self, request: OutgoingRequest) -> int:
        """The status of the answer. Raises Refused, OSError, TimeoutError, or ValueError for no HTTP."""
        parts = urlsplit(request.url)
        port = self._port(request.url)
        host = (parts.hostname or "").lower()
        octets = _written(request)
        async with asyncio.timeout(TIME):
            address = await self._resolved(host, port)
            if self._is_own(address, port):
                raise Refused(f"{host}:{port} is this mock server itself")
            secure = ssl.create_default_context() if parts.scheme == "https" else None
            reader, writer = await asyncio.open_connection(
                address, port, ssl=secure, server_hostname=host if secure else None, limit=_HEAD
            )
            try:
                writer.write(octets)
                await writer.drain()
                line = await reader.readuntil(b"\r\n")
            except asyncio.IncompleteReadError:
                raise ConnectionResetError("the connection was closed before an answer came") from None
            except asyncio.LimitOverrunError:
                raise ValueError("what came is no HTTP answer") from None
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
            raise Refused(f"{url[:200]!r} is no URL of http or https")
        if any(ord(mark) <= 32 or ord(mark) == 127 for mark in url):
            raise Refused("the URL holds a blank or a control character")
        return port or _PORTS[parts.scheme]

    def _is_own(self, address: str, port: int) -> bool:
        found = _address(address)
        return any(
            port == own
            and (found == host or found.is_unspecified or (host.is_unspecified and _is_here(address)))
            for host, own in self._own
        )

    async def _resolved(self, host: str, port: int) -> str:
        """The address to connect to, which may be connected to."""
        allowed = host in self._allowed or "*" in self._allowed
        if not allowed and not is_address(host.partition("%")[0]) and not _is_local_name(host):
            raise Refused(f"{host} may be another machine; allow it by --allow-callbacks {host}")
        found = await asyncio.get_running_loop().getaddrinfo(host, port)
        addresses = list(dict.fromkeys(str(each[4][0]) for each in found))
        if not addresses:
            raise OSError(f"{host} has no address")
        if allowed:
            return addresses[0]
        for address in addresses:
            if not _is_loopback(address):
                raise Refused(
                    f"{host} is {address}, which is not this machine; allow it by --allow-callbacks {host}"
                )
        return addresses[0]


def _is_local_name(host: str) -> bool:
    """Names that mean this machine everywhere (RFC 6761 section 6.3)."""
    name = host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _is_loopback(address: str) -> bool:
    return _address(address).is_loopback


def _address(text: str) -> _Address:
    """An address as it is meant: ``::ffff:127.0.0.1`` is 127.0.0.1."""
    found = ipaddress.ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def _is_here(address: str) -> bool:
    """Whether an address is one of this machine's: nobody can bind a socket to another's."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _written(request: OutgoingRequest) -> bytes:
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
            raise Refused(f"{line[:200]!r} holds a control character")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + request.body


def _status(line: bytes) -> int:
    version, _, rest = line.decode("latin-1").partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(f"{line[:40]!r} is no HTTP answer")
    return int(status)
