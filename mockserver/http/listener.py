"""The sockets that a server listens on, and the descriptors that its process may have.

Apart from the server, so that a supervisor that only holds a socket imports nothing else.
"""

from __future__ import annotations

import errno
import resource
import socket

from mockserver.diagnostics import UsageError

BACKLOG = 16_384
"""Connections that wait to be taken."""
_MOST_DESCRIPTORS = 1_048_576


def raise_descriptors() -> int:
    """Let this process have as many connections and files open as it may ever have; how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MOST_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # some systems allow less than they say
        return soft
    return wanted


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A socket that is bound and does not listen yet; ``shared`` where several of one port share its clients.

    Raises UsageError in one sentence where it cannot be had.
    """
    try:
        # Bytes are taken as they are; text is encoded by rules whose tables take a while to load
        name = host.encode() if host.isascii() else host
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror:
        raise UsageError(
            f"the host {host!r} is not known; give an address of this machine, such as 127.0.0.1."
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
    """Take connections on it. Raises UsageError as ``bind`` does: another may have been quicker."""
    try:
        listener.listen(BACKLOG)
    except OSError as error:
        raise _unavailable(error, *listener.getsockname()[:2]) from None


def _unavailable(error: OSError, host: str, port: int) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        return UsageError(
            f"port {port} on {host} is taken; choose another with --port, or --port 0 for a free one."
        )
    return UsageError(f"cannot listen on {host}:{port}: {error.strerror}.")
