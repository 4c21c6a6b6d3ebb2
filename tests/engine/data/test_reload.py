"""Another document is served: data that is still valid is kept, and the rest is reported."""

from __future__ import annotations

import logging

import pytest

from mockserver.engine.engine import Engine
from tests.live import Write
from tests.stateful import PETSTORE, stateful, stateful_plan


def test_data_outlives_a_reload_and_what_is_invalid_is_reported(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    with stateful() as pets:
        pets("POST", "/pets", {"name": "Zed", "status": "sold"})
        kept = pets("POST", "/pets", {"name": "Abe", "status": "available"}).json()
        text = PETSTORE.read_text("utf-8").replace("enum: [available, sold]", "enum: [available, lost]")
        engine = pets.engine
        plan = stateful_plan(write("pets.yaml", text))
        with caplog.at_level(logging.WARNING, "mockserver.data"):
            engine.adopt(Engine(plan, store=engine.store, namespaces=engine.namespaces))
        [record] = caplog.records
        assert record.getMessage() == (
            "namespace default: items of /pets are not valid by the new document: 1"
        )
        assert pets("GET", "/pets/2").json() == kept
        read = pets("GET", "/pets/1")
        assert read.json()["name"] == "Zed"
        assert read.json().get("status") in ("available", "lost", None)
        assert "/status" in read.headers["x-mock-warning"]
        assert pets("POST", "/pets", {"name": "New"}).json()["id"] == 3
