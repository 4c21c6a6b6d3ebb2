"""Cross-origin requests to the mocked operations (Fetch standard, CORS protocol), for the origins allowed."""

from __future__ import annotations

from collections.abc import Collection

from mockserver.serve.answer import Answer
from mockserver.serve.request import Request

_SECONDS = "600"
"""How long a browser may keep the answer to its question."""


class Cors:
    """``origins`` are as browsers send them, ``https://app.example``; ``*`` is any, without credentials."""

    def __init__(self, origins: Collection[str]) -> None:
        self._origins = frozenset(each.rstrip("/").lower() for each in origins)
        self._any = "*" in self._origins

    def preflight(self, request: Request) -> Answer | None:
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
        return Answer(204, fields, b"", "cors")

    def allow(self, request: Request, answer: Answer) -> None:
        """Let the page that made the request read the answer, all of its headers included."""
        origin = request.headers["origin"]
        if self.allows(origin):
            ours = ["x-mock-decision", "x-mock-warning"] if answer.warnings else ["x-mock-decision"]
            names = dict.fromkeys([*ours, *(name for name, _ in answer.headers)])
            answer.headers = [
                *answer.headers,
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
