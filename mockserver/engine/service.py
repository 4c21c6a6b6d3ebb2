"""One document, ready to be served: its schemas, fakes, documented answers and routes."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from mockserver.engine.limits import Guard
from mockserver.engine.request.validation import Checker, compile_checker
from mockserver.engine.routing import PARAMETER, Router, Variants, has_mark, path_of
from mockserver.jsonschema import Schemas
from mockserver.messages import BodyLimits
from mockserver.plan import Document, Operation

if TYPE_CHECKING:
    from mockserver.engine.resources.runtime import ResourceRuntime
    from mockserver.engine.response.documented import Documented
    from mockserver.generate import Fakes

Tally = dict[int, list[float]]
"""By status: how many calls, and the seconds that they took together. Since the start."""


class Route:
    """An operation and what answers it. ``runtime`` is set where a scenario file names the operation."""

    __slots__ = ("alias", "checker", "guard", "operation", "runtime", "service", "tally", "variants")

    def __init__(self, operation: Operation, service: Service, checker: Checker) -> None:
        self.operation = operation
        self.service = service
        self.checker = checker
        self.runtime: ResourceRuntime | None = None
        self.alias = ""
        self.variants: Variants[Route] | None = None
        """The operations of this path and method, where they differ behind ``?`` or ``#``."""
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
        security: str = "presence",
        styles: str = "any",
        limits: BodyLimits = BodyLimits(),  # noqa: B008 - it cannot be changed
        base_path: str | None = None,
        cache: int = 8 * 1024 * 1024,
        forgiving: bool = True,
    ) -> None:
        """``cache``: bytes of documented answers that are kept ready; ``forgiving``: as of Schemas."""
        self.document = document
        self.schemas = Schemas(document.trees, document.dialect, forgiving=forgiving)
        self._seed = seed
        self._cache = cache
        self.routes = [
            Route(
                operation,
                self,
                compile_checker(
                    operation,
                    self.schemas,
                    document.security_schemes,
                    security=security,
                    styles=styles,
                    limits=limits,
                ),
            )
            for operation in document.operations
        ]
        prefixes = document.base_paths if base_path is None else (base_path.rstrip("/"),)
        targets: dict[tuple[str, str], Route] = {}
        for route in self.routes:
            shape = PARAMETER.sub("{}", path_of(route.operation.path))
            first = targets.setdefault((route.operation.method, shape), route)
            if has_mark(route.operation.path) or has_mark(first.operation.path):
                if first.variants is None:
                    first.variants = Variants()
                    first.variants.add(first.operation, self.schemas, first)
                if first is not route:
                    first.variants.add(route.operation, self.schemas, route)
        self.has_variants = any(route.variants is not None for route in targets.values())
        found = ((route.operation.method, path_of(route.operation.path), route) for route in targets.values())
        self.router: Router[Route] = Router(found, prefixes)

    @cached_property
    def fakes(self) -> Fakes:
        """What makes values. Imported when asked for: scenarios that say all of their answers do without."""
        from mockserver.generate import Fakes

        return Fakes(self.schemas, self._seed)

    @property
    def cached(self) -> int:
        """Bytes of documented answers that are kept ready."""
        return self.documented.cached if "documented" in self.__dict__ else 0

    @cached_property
    def documented(self) -> Documented:
        """The answers of the document itself."""
        from mockserver.engine.response.documented import Documented

        return Documented(self.document, self.schemas, self.fakes, self._cache)
