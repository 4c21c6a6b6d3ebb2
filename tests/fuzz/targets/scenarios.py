"""Scenario files: only diagnostics may come of a text, and what is served answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mockserver import inputs
from mockserver.compile.document import LoadedDocument, load
from mockserver.compile.scenario.dry_run import check_drafts
from mockserver.compile.scenario.file import read_scenario_file
from mockserver.compile.scenario.yaml_nodes import Report
from mockserver.compile.source import SCENARIO_FILE, SourceError, parse
from mockserver.engine.service import Service
from mockserver.plan import Plan
from tests.fuzz.targets import mutation
from tests.live import MISSION, engine_of

ROOT = Path(__file__).parents[3]
_FILES = ["scenarios/certificate-request.yaml", "scenarios/certificate-lifecycle.yaml"]
_DOCUMENTS = (inputs.DOCUMENT, ROOT / "openapi" / "certificate-lifecycle.yaml")
_LONGEST = 50_000
_KEY = f"{MISSION}/11111111-1111-4111-8111-111111111111"
_SHORT = """\
resource: certificate-request
key: path.requestId
operations: {poll: "GET /api/v1/cert-manager/certificates/certificate-requests/{requestId}"}
states: {waiting: {body: {status: pending}}, broken: {status: 500, body: {message: no}}}
scenarios: {trouble: [broken: 1, waiting]}
select: [{scenario: trouble}]
"""


@cache
def _values() -> list[Any]:
    texts = [_SHORT, *((ROOT / name).read_text("utf-8") for name in _FILES)]
    return [parse(text, "seed").value for text in texts]


def seeds() -> list[bytes]:
    return [*mutation.programs(_values()), _SHORT.encode()]


@cache
def _served(number: int) -> tuple[LoadedDocument, Service]:
    """A document, read once: what is fuzzed is the files beside it."""
    loaded, _ = load(_DOCUMENTS[number])
    assert loaded is not None
    return loaded, Service(loaded.document, "0")


def check(data: bytes) -> None:
    loaded, service = _served(int(len(data) > 1 and data[1] % len(_values()) == 2))
    report = Report()
    try:
        source = parse(mutation.text(data[:_LONGEST], _values()), "fuzzed.yaml", SCENARIO_FILE)
    except SourceError as fault:
        assert fault.diagnostic.message
        return
    draft = read_scenario_file(source, [(loaded, service.schemas)], report)
    if draft is not None:
        check_drafts([draft], [service], "0", report)
    assert all(each.code and each.message and str(each) for each in report.diagnostics)
    if draft is None or any(each.severity == "error" for each in report.diagnostics):
        return
    engine = engine_of(Plan("fuzzed", (loaded.document,), (draft.resource,), "0"))
    for method, target in (
        ("GET", _KEY),
        ("GET", _KEY),
        ("GET", MISSION),
        ("POST", MISSION),
        ("DELETE", _KEY),
    ):
        found = engine.handle(_request(method, target))
        assert 200 <= getattr(found, "status", 200) <= 999


def _request(method: str, target: str) -> Any:
    from mockserver.messages import Request

    return Request(method, target, "", {"authorization": "Bearer any"}, b"{}" if method == "POST" else b"")
