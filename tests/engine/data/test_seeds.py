"""What a resource has at first: files of seeds, else the examples of the document."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mockserver.diagnostics import CompileError
from mockserver.testing import MockServer
from tests.live import Write
from tests.stateful import PETSTORE, stateful, stateful_plan

EXAMPLE = """                  items: {type: array, items: {$ref: '#/components/schemas/Pet'}}
                  total: {type: integer}
                example: {items: [{id: 5, name: Rex, createdAt: 2020-01-01T00:00:00Z}, {id: bad}], total: 1}
"""


@pytest.fixture
def with_examples(write: Write) -> Path:
    text = PETSTORE.read_text("utf-8")
    before = EXAMPLE.partition("                example")[0]
    assert before in text
    return write("pets.yaml", text.replace(before, EXAMPLE))


def test_a_file_of_seeds_is_the_data_at_first(tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text("- {id: 7, name: Zed, secret: s}\n- {name: Abe}\n", "utf-8")
    (tmp_path / "settings.yaml").write_text("{theme: dark}\n", "utf-8")
    with stateful(seed_data=tmp_path) as pets:
        found = pets("GET", "/pets").json()["items"]
        assert [(pet["id"], pet["name"]) for pet in found] == [(7, "Zed"), (1, "Abe")]
        assert found[0]["createdAt"] == "2026-01-01T00:00:00.000Z"
        assert pets("GET", "/pets/7").json() == found[0]
        assert pets("GET", "/settings").json()["theme"] == "dark"
        pets("DELETE", "/pets/7")
        assert pets("GET", "/pets").json()["total"] == 1
        assert pets("GET", "/pets", x_mock_namespace="other").json()["total"] == 2


def test_reset_goes_back_to_the_seeds(tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text("[{id: 7, name: Zed}]", "utf-8")
    with stateful(seed_data=tmp_path) as pets:
        pets("PATCH", "/pets/7", {"name": "Abe"})
        pets("POST", "/pets", {"name": "New"})
        pets.engine.reset("default")
        assert [pet["name"] for pet in pets("GET", "/pets").json()["items"]] == ["Zed"]


def test_a_seed_that_breaks_its_schema_is_reported_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "pets.yaml").write_text("- {id: 7, name: Zed}\n- id: 8\n  name: 5\n", "utf-8")
    with pytest.raises(CompileError) as caught:
        stateful_plan(PETSTORE, seed_data=tmp_path)
    [diagnostic] = caught.value.diagnostics
    assert diagnostic.code == "S801"
    assert (diagnostic.where.line, diagnostic.where.column) == (3, 9)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("cats.yaml", "[]", "belongs to no resource"),
        ("pets.yaml", "{name: Zed}", "is not a list"),
        ("pets.yaml", "[Zed]", "is not a mapping"),
        ("settings.yaml", "[]", "is not a mapping"),
        ("pets.yaml", "[", "pets.yaml"),
    ],
)
def test_a_file_that_is_not_of_seeds_is_reported(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises(CompileError, match=message):
        stateful_plan(PETSTORE, seed_data=tmp_path)


def test_valid_examples_of_the_list_are_seeds(with_examples: Path) -> None:
    with stateful(with_examples) as pets:
        assert [pet["id"] for pet in pets("GET", "/pets").json()["items"]] == [5]
        assert pets("GET", "/pets/5").json()["name"] == "Rex"


def test_without_seed_examples_a_resource_is_empty(with_examples: Path) -> None:
    with stateful(with_examples, seed_examples=False) as pets:
        assert pets("GET", "/pets").json()["total"] == 0


def test_the_exported_data_is_a_folder_of_seeds(tmp_path: Path) -> None:
    with MockServer(PETSTORE, stateful=True, cache=False) as server:
        import urllib.request

        def ask(method: str, path: str, body: object = None) -> object:
            data = None if body is None else json.dumps(body).encode()
            headers = {"content-type": "application/json"}
            request = urllib.request.Request(server.url + path, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=20) as reply:
                return json.load(reply)

        created = ask("POST", "/pets", {"name": "Zed", "status": "sold", "secret": "s"})
        ask("PATCH", "/settings", {"theme": "dark"})
        exported = ask("GET", "/__admin/data")
    assert isinstance(exported, dict)
    assert exported["pets"][0]["secret"] == "s"
    for name, content in exported.items():
        (tmp_path / f"{name}.yaml").write_text(json.dumps(content), "utf-8")
    with stateful(seed_data=tmp_path) as pets:
        assert pets("GET", "/pets/1").json() == created
        assert pets("GET", "/settings").json()["theme"] == "dark"
