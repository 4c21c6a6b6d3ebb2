"""The host names of the server, and cross-origin requests (Fetch standard, section "CORS protocol")."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Mapping

from mockserver.messages import Request, Response

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]*)(?::[0-9]*)?")
_MAX_KNOWN = 256
Address = ipaddress.IPv4Address | ipaddress.IPv6Address
ANY = "*"
"""Any host or origin."""


class Hosts:
    """The host names of the server: ``names``, and the names of this machine. ``*`` means any name."""

    __slots__ = ("_is_any", "_known", "_names")

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(name.lower().strip("[]").rstrip(".") for name in names)
        self._is_any = ANY in self._names
        self._known: set[str] = set()
        """A cache of Host values that name this server."""

    def serves(self, host: str) -> bool:
        """Return whether the value of a Host field names this server."""
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
    """Return whether a browser sent the request for a page of another site.

    ``Sec-Fetch-Site`` decides. Old browsers, and browsers that open a WebSocket, send ``Origin`` alone.
    """
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None:
        return site == "cross-site"
    return origin is not None and _name(origin.partition("://")[2]) != _name(headers.get("host", ""))


def _name(host: str) -> str:
    found = _HOST.fullmatch(host.lower())
    return found[1] if found is not None else ""


def parse_address(text: str) -> Address:
    """Return an IP address without its zone. Raises ValueError if ``text`` is not one.

    An IPv4-mapped address becomes IPv4: ``::ffff:127.0.0.1`` is 127.0.0.1.
    """
    found = ipaddress.ip_address(text.partition("%")[0])
    return getattr(found, "ipv4_mapped", None) or found


def is_address(name: str) -> bool:
    """Return whether ``name`` is an IP address."""
    try:
        parse_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Return whether ``host`` is ``localhost`` or a loopback address: only this machine can reach it."""
    return host.lower() == "localhost" or (is_address(host) and parse_address(host).is_loopback)


def served(host: str, names: Collection[str]) -> Hosts:
    """Return the host names of a server that listens on ``host``.

    Any name is served if other machines can reach ``host`` and there are no ``names``.
    """
    return Hosts((host, *names) if names or is_loopback(host) else (ANY,))


_MAX_AGE = "600"
"""Seconds for which a browser may cache the response to a preflight request."""


class Cors:
    """The CORS protocol. ``origins``: such as ``https://app.example``; ``*`` for any without credentials."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(origin.rstrip("/").lower() for origin in origins)
        self._any = "*" in self._origins

    def preflight(self, request: Request) -> Response | None:
        """Return the response to a preflight request; None for another request or a forbidden origin."""
        headers = request.headers
        wanted = headers.get("access-control-request-method")
        if request.method != "OPTIONS" or wanted is None or not self.allows(headers["origin"]):
            return None
        fields = [
            *self._shared(headers["origin"]),
            ("access-control-allow-methods", wanted),
            ("access-control-max-age", _MAX_AGE),
        ]
        if "access-control-request-headers" in headers:
            fields.append(("access-control-allow-headers", headers["access-control-request-headers"]))
        return Response(204, fields, b"", "cors")

    def allow(self, request: Request, response: Response) -> None:
        """Add the fields with which the page can read the response and all of its headers."""
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
        """Return whether pages of this origin may call; an empty origin is an unknown one."""
        return self._any or origin.lower() in self._origins

    def _shared(self, origin: str) -> list[tuple[str, str]]:
        if self._any:
            return [("access-control-allow-origin", "*")]
        return [
            ("access-control-allow-origin", origin),
            ("access-control-allow-credentials", "true"),
            ("vary", "Origin"),
        ]
