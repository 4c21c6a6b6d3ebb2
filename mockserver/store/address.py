"""Where Redis is."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from msgspec import Struct

from mockserver.errors import OptionError


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
