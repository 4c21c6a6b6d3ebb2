"""What is wrong with a control request. Nothing has been changed when one of these is raised."""

from __future__ import annotations

from collections.abc import Mapping

from mockserver.errors import MockServerError
from mockserver.plan import JSON


class ControlError(MockServerError):
    """Becomes a problem+json answer of ``status``; ``pointer`` is into the request's body (RFC 6901)."""

    def __init__(
        self, status: int, detail: str, pointer: str | None = None, members: Mapping[str, JSON] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.members: dict[str, JSON] = {} if pointer is None else {"pointer": pointer}
        self.members |= members or {}
