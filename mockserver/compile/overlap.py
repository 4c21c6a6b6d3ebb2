"""Operations that several documents of one server have in common: only the first document's answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from mockserver.compile.document import Loaded
from mockserver.errors import Diagnostic
from mockserver.plan import Document

_PARAMETER = re.compile(r"\{[^}]*\}")


def overlaps(loaded: Sequence[Loaded]) -> Iterator[Diagnostic]:
    """One warning for each operation that a document before has under the same prefix.

    Documents whose servers have paths of their own (``/v1``, ``/v2``) are told
    apart by them.
    """
    seen: dict[tuple[str, str, str], Loaded] = {}
    for each in loaded:
        for operation in each.document.operations:
            shape = _PARAMETER.sub("{}", operation.path)
            owners = [
                seen.setdefault((prefix, operation.method, shape), each)
                for prefix in _prefixes(each.document)
            ]
            first = next((owner for owner in owners if owner is not each), None)
            if first is not None:
                name = first.document.name
                yield Diagnostic(
                    "D402",
                    f"{operation.method} {operation.path} is in the document {name} too, which answers",
                    each.trees.locate(operation.pointer),
                    "remove it from one of them, name the other document first, or give their servers "
                    "different paths.",
                    "warning",
                )


def _prefixes(document: Document) -> Sequence[str]:
    return [base for base in document.base_paths if base] or [""]
