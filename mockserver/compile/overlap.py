"""Operations that are never asked for, since a document before answers their requests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mockserver.compile.document import Loaded
from mockserver.errors import Diagnostic
from mockserver.plan import Operation
from mockserver.serve.service import Service
from mockserver.serve.variants import path_of


def overlaps(loaded: Sequence[Loaded], services: Sequence[Service]) -> Iterator[Diagnostic]:
    """One warning for each operation whose path leads to a document before.

    Documents whose servers have paths of their own (``/v1``, ``/v2``) are told
    apart by them.
    """
    for number, each in enumerate(loaded):
        for operation in each.document.operations if number else ():
            prefixes = [base for base in each.document.base_paths if base] or [""]
            found = next(
                (
                    (before, first)
                    for before in services[:number]
                    for base in prefixes
                    if (first := _led_to(before, base, operation)) is not None
                ),
                None,
            )
            if found is not None:
                before, first = found
                yield Diagnostic(
                    "D402",
                    f"{operation.method} {operation.path} is answered by {first.method} {first.path} of the "
                    f"document {before.document.name}",
                    each.trees.locate(operation.pointer),
                    "remove it from one of them, name the other document first, or give their servers "
                    "different paths.",
                    "warning",
                )


def _led_to(service: Service, base: str, operation: Operation) -> Operation | None:
    """What a request for ``operation`` finds, with its parameters standing for their values."""
    found = service.router.find(operation.method, base + path_of(operation.path))
    return None if found is None or found.target is None else found.target.operation
