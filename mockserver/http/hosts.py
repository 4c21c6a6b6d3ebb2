"""The host names that the server answers to, and cross-origin requests (Fetch standard, CORS protocol)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping

from mockserver.messages import Request, Response

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]*)(?::[0-9]*)?")
_MAX_KNOWN = 256
ANY = "*"


class Hosts:
    """``names`` are served as well as those that mean this machine; ``*`` among them serves any."""

    __slots__ = ("_is_any", "_known", "_names")

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(each.lower().strip("[]").rstrip(".") for each in names)
        self._is_any = ANY in self._names
        self._known: set[str] = set()
        """Values that were found to be served."""

    def serves(self, host: str) -> bool:
        """Whether the value of a Host field names this server."""
        if self._is_any or host in self._known:
            return True
        if not self._is_served(host):
            return False
        if len(self._known) >= _MAX_KNOWN:
            self._known.clear()
        self._known.add(host)
        return True

    def _is_served(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1].strip("[]").rstrip(".")
        return "." not in name or name.endswith(".localhost") or name in self._names or is_address(name)


def is_cross_site(headers: Mapping[str, str]) -> bool:
    """Whether a browser says that a page of another site made the request.

    It says so by Origin alone where it opens a WebSocket, and where it is an old one.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site == "cross-site"
    return origin is not None and _name(origin.partition("://")[2]) != _name(headers.get("host", ""))


def _name(host: str) -> str:
    found = _HOST.fullmatch(host.lower())
    return found[1] if found is not None else ""


def is_address(name: str) -> bool:
    """Whether ``name`` is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Whether a host to listen on can be reached from this machine alone."""
    if host.lower() == "localhost":
        return True
    return is_address(host) and ipaddress.ip_address(host).is_loopback


def served(host: str, names: Collection[str]) -> Hosts:
    """What is served on ``host``: any name, where other machines may call and no ``names`` were given."""
    return Hosts((host, *names) if names or is_loopback(host) else (ANY,))


_SECONDS = "600"
"""How long a browser may keep the answer to its question."""


class Cors:
    """``origins`` are as browsers send them, ``https://app.example``; ``*`` is any, without credentials."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(each.rstrip("/").lower() for each in origins)
        self._any = "*" in self._origins

    def preflight(self, request: Request) -> Response | None:
        """The answer to a browser's question before the request proper; None where this is none."""
        headers = request.headers
        wanted = headers.get("access-control-request-method")
        if request.method != "OPTIONS" or wanted is None or not self.allows(headers["origin"]):
            return None
        fields = [
            *self._shared(headers["origin"]),
            ("access-control-allow-methods", wanted),
            ("access-control-max-age", _SECONDS),
        ]
        if "access-control-request-headers" in headers:
            fields.append(("access-control-allow-headers", headers["access-control-request-headers"]))
        return Response(204, fields, b"", "cors")

    def allow(self, request: Request, response: Response) -> None:
        """Let the page that made the request read the answer, all of its headers included."""
        origin = request.headers["origin"]
        if self.allows(origin):
            ours = ["x-mock-decision", "x-mock-warning"] if response.warnings else ["x-mock-decision"]
            names = dict.fromkeys([*ours, *(name for name, _ in response.headers)])
            response.headers = [
                *response.headers,
                *self._shared(origin),
                ("access-control-expose-headers", ", ".join(names)),
            ]

    def allows(self, origin: str) -> bool:
        """Whether pages of this origin may call; an empty one is that of a page which does not tell."""
        return self._any or origin.lower() in self._origins

    def _shared(self, origin: str) -> list[tuple[str, str]]:
        if self._any:
            return [("access-control-allow-origin", "*")]
        return [
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
        ]
