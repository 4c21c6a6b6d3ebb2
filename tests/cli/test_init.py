"""``init``: a first scenario file, valid at once, that tells what the document lets one guess."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

import tests
from mockserver import inputs
from mockserver.cli.init import init
from mockserver.compile.compiler import Inputs, compile_plan, inspect_inputs
from tests.live import engine_of, get, serving_engine
from tests.workers import Line

ORDERS = """\
openapi: 3.1.0
info: {title: t, version: "1"}
paths:
  /orders:
    get: {responses: {'200': {description: ok}}}
    post: {operationId: place, responses: {'201': {description: placed}}}
  /customers/{id}:
    get:
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses: {'200': {description: ok, content: {application/json: {schema: {type: object}}}}}
  /companies/{companyId}/orders/{orderId}:
    parameters:
      - {name: companyId, in: path, required: true, schema: {type: string}}
      - {name: orderId, in: path, required: true, schema: {type: integer}}
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: "#/components/schemas/Order"}}}}
        '404': {description: none, content: {application/json: {schema: {$ref: "#/components/schemas/No"}}}}
        '429': {description: slowly}
        '500': {description: broken}
    delete: {operationId: drop, responses: {'204': {description: dropped}}}
components:
  schemas:
    No: {allOf: [{type: string}, {type: integer}]}
    Order:
      allOf:
        - type: object
          required: [shippedTo, order_status]
          properties:
            order_status: {enum: [IN_PROGRESS, "on hold", shipped, cancelled], type: string}
            shippedTo: {type: [string, "null"]}
            failureReason: {type: [string, "null"]}
            createdAt: {type: string, format: date-time}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "orders.yaml").write_text(ORDERS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def draft(*arguments: str) -> Result:
    return CliRunner().invoke(init, list(arguments))


def written(*arguments: str) -> dict[str, Any]:
    ran = draft(*arguments, "-o", "-")
    assert ran.exit_code == 0, ran.output
    found: dict[str, Any] = yaml.safe_load(ran.stdout)
    return found


def test_the_missions_document() -> None:
    found = written(str(inputs.DOCUMENT))
    assert found["resource"] == "certificate-request"
    assert found["key"] == "path.requestId"
    assert list(found["states"]) == [
        "pending", "issued", "failed",
        "bad-request", "unauthorized", "forbidden", "not-found", "unprocessable", "server-error",
    ]  # fmt: skip
    assert found["states"]["pending"]["body"]["certificate"] is None
    assert found["states"]["issued"]["body"]["privateKey"] == "{{ x509.private_key }}"
    assert found["states"]["failed"]["body"]["errorMessage"]
    assert found["scenarios"]["issued"] == [{"pending": 2}, "issued"]
    assert found["select"][-1] == {"scenario": "issued"}


def test_states_are_the_values_of_a_status_field() -> None:
    found = written("orders.yaml")
    assert found["resource"] == "order"
    assert found["key"] == "path.orderId"
    states = found["states"]
    assert states["in-progress"]["body"] == {
        "order_status": "IN_PROGRESS", "shippedTo": None, "failureReason": None,
    }  # fmt: skip
    assert states["cancelled"]["body"]["failureReason"]
    assert list(states) == [
        "in-progress", "on-hold", "shipped", "cancelled", "not-found", "rate-limited", "server-error",
    ]  # fmt: skip
    assert found["defaults"] == {"createdAt": "{{ resource.created_at }}"}


def test_what_is_written_compiles(folder: Path) -> None:
    ran = draft("orders.yaml", "-o", "lives/order.yaml")
    assert ran.exit_code == 0, ran.output
    assert "mockserver serve orders.yaml --scenarios lives/order.yaml" in ran.output
    assert "GET /customers/{id}" in ran.output
    plan = compile_plan(Inputs((Path("orders.yaml"),), (Path("lives/order.yaml"),))).plan
    assert [resource.name for resource in plan.resources] == ["order"]


def test_operations_can_be_named() -> None:
    found = written("orders.yaml", "--operation", "GET /customers/{id}")
    assert (found["resource"], found["states"]) == ("customer", {"ready": {}})
    path = "/companies/{companyId}/orders/{orderId}"
    found = written("orders.yaml", "--operation", f"GET {path}", "--operation", "drop")
    assert found["operations"] == {"read": f"GET {path}", "delete": f"DELETE {path}"}
    assert found["states"]["shipped"]["delete"] == {}


def test_a_file_is_not_written_over_unless_told(folder: Path) -> None:
    Path("mine.yaml").write_text("mine")
    ran = draft("orders.yaml", "-o", "mine.yaml")
    assert "mine.yaml exists" in str(ran.exception)
    assert Path("mine.yaml").read_text() == "mine"
    assert draft("orders.yaml", "-o", "mine.yaml", "--force").exit_code == 0
    assert Path("mine.yaml").read_text().startswith("# A draft of the lifecycle of an order")


def test_reason_of_a_refusal_is_printed(folder: Path) -> None:
    assert "did you mean 'place'" in str(draft("orders.yaml", "--operation", "plac").exception)
    assert "no path parameter" in str(draft("orders.yaml", "--operation", "place").exception)
    Path("bare.yaml").write_text('openapi: 3.1.0\ninfo: {title: t, version: "1"}\npaths: {}\n')
    assert "--operation" in str(draft("bare.yaml").exception)


WHOLE = """\
openapi: 3.0.3
info: {title: t, version: '1'}
paths:
  /orders:
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}}}}}}
      responses:
        '201': {$ref: '#/components/responses/Made'}
    get:
      responses:
        '200':
          description: all
          content:
            application/json:
              schema:
                type: object
                properties:
                  total: {type: integer}
                  orders: {type: array, items: {$ref: '#/components/schemas/Order'}}
  /orders/{orderId}:
    parameters: [{name: orderId, in: path, required: true, schema: {type: string, format: uuid}}]
    get:
      responses:
        '200': {description: one, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
        '404': {description: none}
    delete: {responses: {'204': {description: gone}, '404': {description: none}}}
components:
  responses:
    Made: {description: made, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
  schemas:
    Order:
      type: object
      required: [id, status]
      properties:
        id: {type: string, format: uuid}
        status: {type: string, enum: [pending, paid]}
"""


def test_creating_listing_and_deleting_operations_are_included(folder: Path) -> None:
    (folder / "whole.yaml").write_text(WHOLE)
    assert CliRunner().invoke(init, ["whole.yaml", "-o", "life.yaml"]).exit_code == 0
    drawn = yaml.safe_load((folder / "life.yaml").read_text())
    assert drawn["operations"] == {
        "read": "GET /orders/{orderId}",
        "create": {"operation": "POST /orders", "creates": "body.id"},
        "list": {"operation": "GET /orders", "lists": "body.orders", "items": "read"},
        "delete": {"operation": "DELETE /orders/{orderId}", "deletes": True},
    }
    plan = compile_plan(Inputs((folder / "whole.yaml",), (folder / "life.yaml",))).plan
    with serving_engine(engine_of(plan)) as live:
        made = json.loads(get(live.port, "/orders", method="POST").body)
        at = f"/orders/{made['id']}"
        assert made["status"] == "pending"
        polls = [json.loads(get(live.port, at).body)["status"] for _ in range(3)]
        assert polls[-1] == "paid"
        assert [each["id"] for each in json.loads(get(live.port, "/orders").body)["orders"]] == [made["id"]]
        assert get(live.port, at, method="DELETE").status == 204
        assert get(live.port, at).status == 404
        assert json.loads(get(live.port, "/orders").body)["orders"] == []


UPDATED = WHOLE.replace(
    "    delete: {responses",
    """\
    put: &update
      requestBody: {content: {application/json: {schema: {type: object, properties: {note: {type: string}}}}}}
      responses: {'200': {$ref: '#/components/responses/Made'}, '404': {description: none}}
    patch: *update
    delete: {responses""",
).replace(
    "[pending, paid]}",
    "[pending, paid]}\n        note: {type: string}\n        paidBy: {type: string, nullable: true}",
)


def test_updating_operations_change_what_reads_and_lists_show(folder: Path) -> None:
    (folder / "whole.yaml").write_text(UPDATED)
    assert CliRunner().invoke(init, ["whole.yaml", "-o", "life.yaml"]).exit_code == 0
    drawn = yaml.safe_load((folder / "life.yaml").read_text())
    path = "/orders/{orderId}"
    assert drawn["operations"]["replace"] == {"operation": f"PUT {path}", "updates": "replace"}
    assert drawn["operations"]["change"] == {"operation": f"PATCH {path}", "updates": "merge"}
    assert drawn["states"]["paid"] == {"set": {"status": "paid"}}
    assert drawn["states"]["not-found"] == {"read": {"status": 404}}
    plan = compile_plan(Inputs((folder / "whole.yaml",), (folder / "life.yaml",))).plan
    with serving_engine(engine_of(plan)) as live, (line := Line(live.port)):
        made = line.ask("POST", "/orders").json()
        at = f"/orders/{made['id']}"
        assert line.ask("PATCH", at, {"note": "mine"}).json() == {**made, "note": "mine"}
        polls = [line.ask("GET", at).json() for _ in range(3)]
        assert (polls[-1]["status"], polls[-1]["note"]) == ("paid", "mine")
        assert line.ask("GET", "/orders").json()["orders"] == [polls[-1]]
        assert line.ask("DELETE", at).status == 204
        assert line.ask("GET", at).status == 404


def test_an_update_of_the_collection_has_the_key_in_its_body(folder: Path) -> None:
    put = """\
    put:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {'200': {$ref: '#/components/responses/Made'}, '404': {description: none}}
"""
    (folder / "whole.yaml").write_text(WHOLE.replace("  /orders/{orderId}:", f"{put}  /orders/{{orderId}}:"))
    assert CliRunner().invoke(init, ["whole.yaml", "-o", "life.yaml"]).exit_code == 0
    drawn = yaml.safe_load((folder / "life.yaml").read_text())
    replaces = {"operation": "PUT /orders", "updates": "replace", "key": "body.id"}
    assert drawn["operations"]["replace"] == replaces
    plan = compile_plan(Inputs((folder / "whole.yaml",), (folder / "life.yaml",))).plan
    with serving_engine(engine_of(plan)) as live, (line := Line(live.port)):
        made = line.ask("POST", "/orders").json()
        assert line.ask("PUT", "/orders", {**made, "status": "paid"}).status == 200
        assert line.ask("GET", f"/orders/{made['id']}").json() == {**made, "status": "paid"}


def test_updating_operations_without_a_creating_one_are_included(folder: Path) -> None:
    (folder / "whole.yaml").write_text(UPDATED.replace("post:", "x-post:"))
    assert CliRunner().invoke(init, ["whole.yaml", "-o", "life.yaml"]).exit_code == 0
    drawn = yaml.safe_load((folder / "life.yaml").read_text())
    assert list(drawn["operations"]) == ["read", "replace", "change"]
    assert "unknown" not in drawn


@pytest.mark.parametrize(
    "path", sorted(Path(tests.__file__).with_name("documents").glob("*petstore*")), ids=str
)
def test_the_file_for_a_published_document_is_checked_without_a_warning(folder: Path, path: Path) -> None:
    assert draft(str(path), "-o", "life.yaml").exit_code == 0
    found = inspect_inputs(Inputs((path,), (Path("life.yaml"),)))
    assert [str(each) for each in found if each.where.source == "life.yaml"] == []


def test_creating_operation_without_a_key_is_omitted(folder: Path) -> None:
    (folder / "whole.yaml").write_text(
        WHOLE.replace("description: made, content:", "description: made, x-no:")
    )
    assert CliRunner().invoke(init, ["whole.yaml", "-o", "life.yaml"]).exit_code == 0
    drawn = yaml.safe_load((folder / "life.yaml").read_text())
    assert drawn["operations"] == {"read": "GET /orders/{orderId}"}
    assert drawn["states"]["pending"] == {"body": {"status": "pending"}}
