"""One document at run time: its schemas, generated values, documented responses and routes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING

from mockserver.engine.limits import Guard
from mockserver.engine.request.validation import Checker, compile_checker
from mockserver.engine.response.example_pairs import pairs_of
from mockserver.engine.routing import PARAMETER, Router, Variants, has_mark, path_of
from mockserver.jsonschema import SchemaError, Schemas
from mockserver.messages import BodyLimits
from mockserver.plan import DataOperation, Document, Operation

if TYPE_CHECKING:
    from mockserver.engine.data.runtime import DataRuntime
    from mockserver.engine.resources.runtime import ResourceRuntime
    from mockserver.engine.response.documented import Documented
    from mockserver.generate import Fakes

Tally = dict[int, list[float]]
"""By status: the number of calls since the start, and their total time in seconds."""


class Route:
    """An operation and its parts at run time. ``runtime`` is set if a scenario file names the operation."""

    __slots__ = (
        "alias", "checker", "data", "guard", "operation", "pairs", "runtime", "service", "tally", "variants",
    )  # fmt: skip

    def __init__(self, operation: Operation, service: Service, checker: Checker) -> None:
        self.operation = operation
        self.service = service
        self.checker = checker
        self.runtime: ResourceRuntime | None = None
        self.alias = ""
        self.data: tuple[DataRuntime, DataOperation] | None = None
        """What the operation does to an inferred resource."""
        self.variants: Variants[Route] | None = None
        """The operations with this path and method whose keys differ after ``?`` or ``#``."""
        self.guard: Guard | None = None
        """The limits and random failures of the operation, if it has any."""
        self.tally: Tally = {}
        self.pairs = pairs_of(operation)
        """The request examples that have a response example."""


class Service:
    """Serves one document. Schemas, generated values and checkers are compiled at their first use."""

    def __init__(
        self,
        document: Document,
        seed: str,
        *,
        security: str = "presence",
        styles: str = "any",
        limits: BodyLimits = BodyLimits(),  # noqa: B008 - it is immutable
        base_path: str | None = None,
        cache: int = 8 * 1024 * 1024,
        forgiving: bool = True,
    ) -> None:
        """Create the routes. ``cache``: bytes of cached documented responses; ``forgiving``: see Schemas."""
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

    def prepare(self) -> Iterator[None]:
        """Make what the first request to each operation needs, reads first. Yield after each step."""
        for route in sorted(self.routes, key=lambda route: route.operation.method != "GET"):
            with suppress(SchemaError):  # the first request reports it
                route.checker.prepare()
            yield
            if route.runtime is None and route.data is None:
                yield from self.documented.prepare(route.operation)

    @cached_property
    def header_names(self) -> frozenset[str]:
        """The names of the header fields, in lower case, that decide about a request to an operation."""
        document = self.document
        parameters = (each for operation in document.operations for each in operation.parameters)
        return frozenset(
            (
                *(each.name.lower() for each in parameters if each.location == "header"),
                *(each.parameter.lower() for each in document.security_schemes.values()),
                *(name for route in self.routes if route.variants for name in route.variants.names()),
            )
        )

    @cached_property
    def fakes(self) -> Fakes:
        """The generator of values."""
        # heavy; scenarios with whole bodies do not need it
        from mockserver.generate import Fakes

        return Fakes(self.schemas, self._seed)

    @property
    def cached(self) -> int:
        """The bytes of cached documented responses."""
        return self.documented.cached if "documented" in self.__dict__ else 0

    @cached_property
    def documented(self) -> Documented:
        """The responses of the document itself."""
        # heavy; scenarios with whole bodies do not need it
        from mockserver.engine.response.documented import Documented

        return Documented(self.document, self.schemas, self.fakes, self._cache)
