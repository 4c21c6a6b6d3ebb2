"""One document, ready to be served: its schemas, fakes, documented answers and routes."""

from __future__ import annotations

from mockserver.fakes import Fakes
from mockserver.plan import Document, Operation
from mockserver.schema import Schemas
from mockserver.serve.documented import Documented
from mockserver.serve.guard import Guard
from mockserver.serve.routing import Router
from mockserver.serve.validation import Checker, compile_checker

Tally = dict[int, list[float]]
"""By status: how many calls, and the seconds that they took together. Since the start."""


class Route:
    """An operation and what answers it. ``lifecycle`` is set where a scenario file names the operation."""

    __slots__ = ("alias", "checker", "guard", "lifecycle", "operation", "service", "tally")

    def __init__(self, operation: Operation, service: Service, checker: Checker) -> None:
        self.operation = operation
        self.service = service
        self.checker = checker
        self.lifecycle: object | None = None
        self.alias = ""
        self.guard: Guard | None = None
        """What stands before the operation, where anything does."""
        self.tally: Tally = {}


class Service:
    """What serving one document takes. Schemas, fakes and checkers compile when first used."""

    def __init__(
        self,
        document: Document,
        seed: str,
        *,
        security: bool = True,
        max_body: int = 10 * 1024 * 1024,
        base_path: str | None = None,
    ) -> None:
        self.document = document
        self.schemas = Schemas(document.trees, document.dialect)
        self.fakes = Fakes(self.schemas, seed)
        self.documented = Documented(document, self.schemas, self.fakes)
        self.routes = [
            Route(
                operation,
                self,
                compile_checker(
                    operation,
                    self.schemas,
                    document.security_schemes,
                    security=security,
                    max_body=max_body,
                ),
            )
            for operation in document.operations
        ]
        prefixes = document.base_paths if base_path is None else (base_path.rstrip("/"),)
        targets = ((route.operation.method, route.operation.path, route) for route in self.routes)
        self.router: Router[Route] = Router(targets, prefixes)
