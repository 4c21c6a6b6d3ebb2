"""The address of Redis, and the first commands on a new connection, which run one at a time."""

from __future__ import annotations

import asyncio
import socket
from typing import Any
from urllib.parse import unquote, urlsplit

import hiredis
from msgspec import Struct

from mockserver.diagnostics import OptionError
from mockserver.state.protocol import Unavailable


class Address(Struct, frozen=True):
    """The address of a Redis server. ``path`` is that of a Unix socket, or empty."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    database: int = 0
    user: str = ""
    password: str = ""

    @property
    def shown(self) -> str:
        """The address as a URL without user and password, for messages."""
        return f"unix://{self.path}" if self.path else f"redis://{self.host}:{self.port}/{self.database}"


def read_address(url: str) -> Address:
    """Return the address in ``redis://[user:password@]host[:port][/database]`` or ``unix:///path``.

    Raises OptionError.
    """
    remedy = "write --store redis://[user:password@]host[:port][/database], or unix:///path/to/socket"
    try:
        parts = urlsplit(url)
        port = 6379 if parts.port is None else parts.port
    except ValueError as error:
        raise OptionError(f"--store: {error}; {remedy}.") from None
    if parts.scheme == "rediss":
        raise OptionError(
            f"--store: TLS (rediss://) is not supported; use a tunnel such as stunnel, or {remedy}."
        )
    if parts.scheme not in ("redis", "valkey", "unix") or (parts.scheme == "unix" and not parts.path):
        shown = url.partition("@")[2] or url
        raise OptionError(f"--store: {shown!r} is not the address of a store; {remedy}.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix":
        return Address(path=parts.path, user=user, password=password)
    database = parts.path.strip("/") or "0"
    if not port:
        raise OptionError(f"--store: port 0 is not valid; {remedy}.")
    if not (database.isascii() and database.isdigit()):
        raise OptionError(f"--store: the database {database!r} is not a number; {remedy}.")
    return Address(parts.hostname or "127.0.0.1", port, "", int(database), user, password)


Word = bytes | str | int
_CHUNK = 262_144
_KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""Seconds, seconds and a count: a peer that has disappeared is detected after half a minute."""


class Handshake:
    """Sends commands on a new connection, and waits for the reply to each."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self.reader = hiredis.Reader(replyError=ErrorReply)

    async def ask(self, *words: Word) -> Any:
        """Send a command and return the reply. Raises Unavailable for an error reply, and OSError."""
        await self._loop.sock_sendall(self._channel, hiredis.pack_command(words))  # type: ignore[arg-type]
        return await self.read_reply()

    async def read_reply(self) -> Any:
        """Return the next reply, or published message. Raises as ``ask`` does."""
        while (reply := self.reader.gets()) is False:
            data = await self._loop.sock_recv(self._channel, _CHUNK)
            if not data:
                raise ConnectionError("the connection was closed")
            self.reader.feed(data)
        if isinstance(reply, ErrorReply):
            raise Unavailable(reply.message)
        return reply

    async def log_in(self, address: Address, name: str) -> None:
        """Authenticate, select the database and set the client's name (AUTH, SELECT, CLIENT SETNAME)."""
        if address.password:
            user = (address.user,) if address.user else ()
            await self.ask("AUTH", *user, address.password)
        if address.database:
            await self.ask("SELECT", address.database)
        await self.ask("CLIENT", "SETNAME", name)


class ErrorReply(Exception):  # noqa: N818 - the name in the Redis protocol
    """An error reply of Redis."""

    @property
    def message(self) -> str:
        """The message without the position in a script, at most 300 characters."""
        return str(self).partition(" script: ")[0][:300]


async def open_socket(address: Address) -> socket.socket:
    """Return a connected, non-blocking socket. Raises OSError."""
    loop = asyncio.get_running_loop()
    if address.path:
        channel = socket.socket(socket.AF_UNIX)
        target: Any = address.path
    else:
        found = await loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        family, kind, protocol, _, target = found[0]
        channel = socket.socket(family, kind, protocol)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            if hasattr(socket, option):  # as on Linux
                channel.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
    channel.setblocking(False)
    try:
        await loop.sock_connect(channel, target)
    except BaseException:
        channel.close()
        raise
    return channel
