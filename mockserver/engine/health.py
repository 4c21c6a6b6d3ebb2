"""``/__admin/health``: whether the server is ready and what it serves. It needs no control plane."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING

import msgspec

from mockserver import __version__, problem
from mockserver.engine.engine import ADMIN, Engine
from mockserver.messages import Request, Response

if TYPE_CHECKING:
    from mockserver.engine.cluster import Sharing


class Health:
    """Responds to health checks of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def response(self, request: Request) -> Response | Awaitable[Response]:
        """Return the response to a health check. It is awaitable if the state is on a shared store."""
        if request.raw_path != f"{ADMIN}/health":
            return problem.unknown_path(request.method, request.raw_path, [("GET", f"{ADMIN}/health")])
        if request.method not in ("GET", "HEAD"):
            return problem.unknown_method(request.method, request.raw_path, ["GET", "HEAD"])
        sharing = self._engine.sharing
        return self._health() if sharing is None else self._check_store(sharing)

    async def _check_store(self, sharing: Sharing) -> Response:
        store: dict[str, object] = {"address": sharing.address, "connected": sharing.connected}
        if not sharing.connected:
            return self._health(store, "the store is away")
        trouble = await sharing.trouble()
        store["connected"] = sharing.connected
        if not sharing.connected:
            return self._health(store, "the store is away")
        return self._health(store, f"the store cannot be used: {trouble}" if trouble else "")

    def _health(self, store: dict[str, object] | None = None, trouble: str = "") -> Response:
        plan = self._engine.plan
        body: dict[str, object] = {
            "status": trouble or "healthy",
            "live": True,
            "ready": bool(plan.documents) and not trouble,
            "version": __version__,
            "plan": plan.hash,
            "documents": [document.name for document in plan.documents],
        }
        if store is not None:
            body["store"] = store
        return Response(200, [("content-type", "application/json")], msgspec.json.encode(body), "admin")
