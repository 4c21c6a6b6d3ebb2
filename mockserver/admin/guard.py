"""Who may control: a token, no page of another site, no name that was rebound to this machine.

A web page can make a browser send requests to localhost. Three things keep it
out. *Origin* and *Sec-Fetch-Site* say that a page of another site sent the
request. A body must be JSON (or YAML, or text for a scenario file), which no
page can send elsewhere without asking first, and nobody here answers such a
question. *Host* must be a name that nobody can register and point here
(``serve/hosts``), or one that was given by ``--host`` or ``--hosts``.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection
from dataclasses import dataclass

from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.hosts import Hosts
from mockserver.serve.request import Request

MOST_BODY = 10 * 1024 * 1024
_SAFE = frozenset(["GET", "HEAD", "OPTIONS"])
_TYPES = frozenset(["application/json", "application/yaml", "application/x-yaml", "text/yaml"])


@dataclass(frozen=True, slots=True)
class Guard:
    """``token`` empty asks for none. ``hosts`` are names by which the server may be called."""

    token: str = ""
    hosts: Collection[str] = ()

    def refusal(self, request: Request, *, public: bool) -> Answer | None:
        """What to answer instead; None where the request may pass. ``public`` asks for no token."""
        headers = request.headers
        known = self._knows(headers.get("authorization", ""))
        if not known and not Hosts(self.hosts).serves(headers.get("host", "")):
            return _refused(403, f"Host: {headers.get('host', '')[:200]} is no name of this server")
        if _is_foreign(request):
            return _refused(403, "the request was made by a page of another site")
        if self.token and not public and not known:
            return problem.problem(
                401,
                "control requests need the token that the server was started with, as Authorization: Bearer",
                decision="admin",
                headers=[("www-authenticate", "Bearer")],
            )
        if len(request.body) > MOST_BODY:
            return _refused(413, f"the body is over {MOST_BODY:,} bytes")
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if request.method not in _SAFE and (request.body or media) and media not in _TYPES:
            return _refused(415, f"Content-Type: {media[:200] or 'none'} is not taken; send application/json")
        return None

    def _knows(self, authorization: str) -> bool:
        if not self.token:
            return False
        scheme, _, token = authorization.partition(" ")
        given, wanted = token.strip().encode("utf-8", "replace"), self.token.encode("utf-8", "replace")
        return scheme.lower() == "bearer" and hmac.compare_digest(given, wanted)


def _is_foreign(request: Request) -> bool:
    """Whether a browser says that a page of another origin made the request."""
    headers = request.headers
    origin = headers.get("origin")
    if origin is not None and origin.partition("://")[2].lower() != headers.get("host", "").lower():
        return True
    site = headers.get("sec-fetch-site")
    return request.method not in _SAFE and site not in (None, "same-origin", "none")


def _refused(status: int, detail: str) -> Answer:
    return problem.problem(status, detail, decision="admin")
