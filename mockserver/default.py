"""The document and the scenarios that are served when none are named, and the files beside them."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_INSTALLED = _PACKAGE / "default_files"
ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent
"""The folder that holds them."""

DOCUMENT = ROOT / "openapi" / "certificate-request.yaml"
SCENARIOS = ROOT / "scenarios" / "certificate-request.yaml"
SCHEMA = ROOT / "scenarios" / "scenario.schema.json"
"""The JSON Schema of scenario files."""
ADMIN_DOCUMENT = ROOT / "openapi" / "admin.yaml"
"""The control plane's own document."""
EXAMPLE = (
    DOCUMENT,
    SCENARIOS,
    ROOT / "openapi" / "certificate-lifecycle.yaml",
    ROOT / "scenarios" / "certificate-lifecycle.yaml",
    SCHEMA,
)
"""What ``mockserver example`` writes: two documents, a scenario file for each, and the schema of those."""
