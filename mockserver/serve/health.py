"""``/__admin/health``: whether the server lives and what it serves, without the control plane."""

from __future__ import annotations

import msgspec

from mockserver import __version__
from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.engine import ADMIN, Engine
from mockserver.serve.request import Request


class Health:
    """Answers health checks for an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def answer(self, request: Request) -> Answer:
        if request.raw_path != f"{ADMIN}/health":
            return problem.unknown_path(request.method, request.raw_path, [("GET", f"{ADMIN}/health")])
        if request.method not in ("GET", "HEAD"):
            return problem.unknown_method(request.method, request.raw_path, ["GET", "HEAD"])
        plan, sharing = self._engine.plan, self._engine.sharing
        body: dict[str, object] = {
            "status": "healthy",
            "live": True,
            "ready": bool(plan.documents),
            "version": __version__,
            "plan": plan.hash,
            "documents": [document.name for document in plan.documents],
        }
        if sharing is not None:
            body["store"] = {"address": sharing.address, "connected": sharing.connected}
            if not sharing.connected:
                body["status"], body["ready"] = "the store is away", False
        return Answer(200, [("content-type", "application/json")], msgspec.json.encode(body), "admin")
