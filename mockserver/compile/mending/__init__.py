"""Mend faults of a document before other modules read it. ``table`` lists each fault and its mending.

Works in place, on the parsed trees. A fault affects the smallest part: a keyword,
else a schema, else an operation. It never affects the whole document.
"""

from __future__ import annotations

from mockserver.compile.mending import content, paths
from mockserver.compile.mending.structure import Mender
from mockserver.compile.mending.table import Finding
from mockserver.compile.references import Trees
from mockserver.diagnostics import Diagnostic
from mockserver.jsonschema.references import tokens
from mockserver.plan import Dialect

__all__ = ["mend"]
_RULES = {
    **paths.DOCUMENT_RULES,
    **paths.OPERATION_RULES,
    **content.PARAMETER_RULES,
    **content.CONTENT_RULES,
}


def mend(trees: Trees, dialect: Dialect) -> list[Diagnostic]:
    """Mend the document of ``trees``. Return a diagnostic for each fault, including those of references."""
    mender = Mender(trees, dialect, _RULES)
    root = trees.sources[trees.root_uri]
    mender.walk(root.value, (None, trees.root_uri))
    mender.schemas.finish()
    trees.clear_cache()
    faults = [fault for target, fault in trees.faults.items() if target not in mender.references.mended]
    return [*faults, *(_diagnostic(finding, trees) for finding in mender.findings.found)]


def _diagnostic(finding: Finding, trees: Trees) -> Diagnostic:
    uri, _, pointer = finding.ref.partition("#")
    where = trees.locate_path(uri, tokens(pointer), key=finding.is_key)
    return Diagnostic(finding.code, finding.message, where, finding.remedy)
