"""Writes down what a Python process asks of the network, from its first line on.

A folder with this module on ``PYTHONPATH`` makes every interpreter import it. It
writes to the file named by ``AUDIT``, a line an event.
"""

from __future__ import annotations

import os
import sys

_EVENTS = frozenset(
    ["socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.sendto",
     "socket.sendmsg", "urllib.Request", "http.client.connect", "ftplib.connect"]
)  # fmt: skip


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event in _EVENTS:
        os.write(_file, f"{event} {arguments[:3]!r}\n".encode("utf-8", "backslashreplace"))


_file = os.open(os.environ["AUDIT"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
sys.addaudithook(_note)
