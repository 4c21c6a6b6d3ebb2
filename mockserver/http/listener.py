"""Listening sockets, and the limit of file descriptors of the process.

This module is separate from the server, so that a supervisor of workers does not import the server.
"""

from __future__ import annotations

import errno
import resource
import socket

from mockserver.diagnostics import UsageError

BACKLOG = 16_384
"""Connections that may wait until the server accepts them."""
_MAX_DESCRIPTORS = 1_048_576


def raise_descriptors() -> int:
    """Raise the limit of open descriptors to the hard limit, and return the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MAX_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAX_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # some systems allow less than their hard limit
        return soft
    return wanted


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """Return a socket that is bound and does not listen yet.

    ``shared``: several sockets share the clients of one port (SO_REUSEPORT). Raises UsageError.
    """
    try:
        # Bytes need no encoding; the tables of the IDNA encoding take a while to load
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise UsageError(
            f"the host {host!r} is unknown; use an address of this machine, such as 127.0.0.1."
        ) from None
    family, kind, protocol, _, address = found[0]
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.setblocking(False)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise _unavailable(error, host, port) from None
    return listener


def listen(listener: socket.socket) -> None:
    """Start to listen. Raises UsageError if another process listens on the port by now."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise _unavailable(error, *listener.getsockname()[:2]) from None


def _unavailable(error: OSError, host: str, port: int) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} on {host} is in use; choose another with --port, or --port 0 for a free one."
        )
    return UsageError(f"cannot listen on {host}:{port}: {error.strerror}.")
