"""The document and the scenarios that are served when none are named."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).parent
_INSTALLED = _PACKAGE / "default_files"
_ROOT = _INSTALLED if _INSTALLED.is_dir() else _PACKAGE.parent

DOCUMENT = _ROOT / "openapi" / "certificate-request.yaml"
SCENARIOS = _ROOT / "scenarios" / "certificate-request.yaml"
SCHEMA = _ROOT / "scenarios" / "scenario.schema.json"
"""The JSON Schema of scenario files."""
ADMIN_DOCUMENT = _ROOT / "openapi" / "admin.yaml"
"""The control plane's own document."""
