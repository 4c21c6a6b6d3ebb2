"""The one gate for all that leaves: requests to clients that wait for news.

Loopback only, unless a host is allowed by name. Of other names not even the
address is asked for. An address is resolved once, looked at, and connected to,
so that no name can mean another machine a moment later; redirects are not
followed.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import Collection, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from mockserver.errors import MockServerError

TIME = 10.0
"""Seconds that one attempt may take."""
_PORTS = {"http": 80, "https": 443}
_HEAD = 64 * 1024


class Refused(MockServerError):  # noqa: N818 - the gate's word
    """A request that must not leave; trying again changes nothing."""


class Outgoing(NamedTuple):
    """A request as it leaves. ``headers`` are complete but for Host, Content-Length and Connection."""

    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""


class Gate:
    """Sends what may leave. ``allowed`` are hosts, or ``*`` for any; loopback always is."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = {each.lower().strip("[]") for each in allowed}

    async def send(self, request: Outgoing) -> int:
        """The status of the answer. Raises Refused, OSError, TimeoutError, or ValueError for no HTTP."""
        parts = urlsplit(request.url)
        port = self._port(request.url)
        host = (parts.hostname or "").lower()
        async with asyncio.timeout(TIME):
            address = await self._address(host, port)
            secure = ssl.create_default_context() if parts.scheme == "https" else None
            reader, writer = await asyncio.open_connection(
                address, port, ssl=secure, server_hostname=host if secure else None, limit=_HEAD
            )
            try:
                writer.write(_written(request))
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

    async def _address(self, host: str, port: int) -> str:
        """The address to connect to, which may be connected to."""
        allowed = host in self._allowed or "*" in self._allowed
        if not allowed and not _is_address(host) and not _is_local_name(host):
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


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def _is_local_name(host: str) -> bool:
    """Names that mean this machine everywhere (RFC 6761 section 6.3)."""
    name = host.rstrip(".")
    return name == "localhost" or name.endswith(".localhost")


def _is_loopback(address: str) -> bool:
    found = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


def _written(request: Outgoing) -> bytes:
    parts = urlsplit(request.url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    fields = [
        ("host", parts.netloc),
        *request.headers,
        ("content-length", str(len(request.body))),
        ("connection", "close"),
    ]
    lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields), "", ""]
    text = "\r\n".join(lines)
    if text.count("\n") != len(lines) - 1:
        raise Refused("the URL or a header holds a line break")
    return text.encode("latin-1", "replace") + request.body


def _status(line: bytes) -> int:
    version, _, rest = line.decode("latin-1").partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/1.") or not status.isdigit():
        raise ValueError(f"{line[:40]!r} is no HTTP answer")
    return int(status)
