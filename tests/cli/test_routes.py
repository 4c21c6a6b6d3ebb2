"""``routes``: the table of operations and what answers them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mockserver.cli.inspect import routes

DOCUMENT = """\
openapi: 3.0.3
info: {title: t, version: "1"}
servers: [{url: https://example.com/v1}]
paths:
  /orders:
    post: {operationId: place, responses: {'201': {description: placed}, default: {description: no}}}
  /orders/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': {description: ok}, 4XX: {description: no}}}
"""
LIFE = """\
resource: order
key: path.id
operations: {read: "GET /orders/{id}"}
states: {open: {}}
scenarios: {open: [open]}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "api.yaml").write_text(DOCUMENT)
    (tmp_path / "life.yaml").write_text(LIFE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("mockserver.cli.compilation._CAN_FORK", False)
    return tmp_path


def test_table() -> None:
    ran = CliRunner().invoke(routes, ["api.yaml", "--scenarios", "life.yaml"])
    assert ran.stdout == (
        "METHOD  PATH          OPERATION  ANSWERED BY  STATUSES\n"
        "POST    /orders       place      api          201, default\n"
        "GET     /orders/{id}             life.yaml    200, 4XX\n"
        "api is served under /v1 and at the root.\n"
    )


def test_json() -> None:
    ran = CliRunner().invoke(routes, ["api.yaml", "--scenarios", "life.yaml", "--format", "json"])
    assert json.loads(ran.stdout)[1] == {
        "method": "GET",
        "path": "/orders/{id}",
        "operation": "",
        "answered_by": "life.yaml",
        "statuses": ["200", "4XX"],
        "base_paths": ["/v1", ""],
    }
