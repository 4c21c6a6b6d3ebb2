"""The address of Redis, and the first commands on a new connection, before others are pipelined."""

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
    """Where Redis is. ``path`` is a Unix socket's."""

    host: str = "127.0.0.1"
    port: int = 6379
    path: str = ""
    database: int = 0
    user: str = ""
    password: str = ""

    @property
    def shown(self) -> str:
        """Without the password."""
        return f"unix://{self.path}" if self.path else f"redis://{self.host}:{self.port}/{self.database}"


def read_address(url: str) -> Address:
    """``redis://[user:password@]host[:port][/database]`` or ``unix:///path``. Raises OptionError."""
    wanted = "write --store redis://[user:password@]host[:port][/database], or unix:///path/to/socket"
    try:
        parts = urlsplit(url)
        port = 6379 if parts.port is None else parts.port
    except ValueError as error:
        raise OptionError(f"--store: {error}; {wanted}.") from None
    if parts.scheme == "rediss":
        raise OptionError(
            f"--store: TLS is not spoken here; put a tunnel such as stunnel between, or {wanted}."
        )
    if parts.scheme not in ("redis", "valkey", "unix") or (parts.scheme == "unix" and not parts.path):
        raise OptionError(f"--store {url.partition('@')[2] or url!r} is no address of a store; {wanted}.")
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if parts.scheme == "unix":
        return Address(path=parts.path, user=user, password=password)
    database = parts.path.strip("/") or "0"
    if not port:
        raise OptionError(f"--store: port 0 is none to connect to; {wanted}.")
    if not (database.isascii() and database.isdigit()):
        raise OptionError(f"--store: the database {database!r} is no number; {wanted}.")
    return Address(parts.hostname or "127.0.0.1", port, "", int(database), user, password)


Word = bytes | str | int
_CHUNK = 262_144
_KEEPALIVE = (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3))
"""Seconds, seconds and a number: half a minute until a peer that is gone without a word is known to be."""


class Handshake:
    """Question and answer on a new connection."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self.reader = hiredis.Reader(replyError=Refusal)

    async def ask(self, *words: Word) -> Any:
        await self._loop.sock_sendall(self._channel, hiredis.pack_command(words))  # type: ignore[arg-type]
        return await self.hear()

    async def hear(self) -> Any:
        """The next answer, or message."""
        while (reply := self.reader.gets()) is False:
            data = await self._loop.sock_recv(self._channel, _CHUNK)
            if not data:
                raise ConnectionError("it was closed")
            self.reader.feed(data)
        if isinstance(reply, Refusal):
            raise Unavailable(reply.said)
        return reply

    async def log_in(self, address: Address, name: str) -> None:
        """Be let in, to a database, by a name."""
        if address.password:
            user = (address.user,) if address.user else ()
            await self.ask("AUTH", *user, address.password)
        if address.database:
            await self.ask("SELECT", address.database)
        await self.ask("CLIENT", "SETNAME", name)


class Refusal(Exception):  # noqa: N818 - an answer
    """An error that Redis answers."""

    @property
    def said(self) -> str:
        """What is wrong, without the place in a script."""
        return str(self).partition(" script: ")[0][:300]


async def dial(address: Address) -> socket.socket:
    """A new connection."""
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
