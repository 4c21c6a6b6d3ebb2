"""Fields that name items of other resources, nested collections and actions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockserver.engine.engine import Options
from tests.live import Write
from tests.stateful import Client, stateful

SHOP = """
openapi: 3.0.3
info: {title: Shop, version: '1'}
paths:
  /customers:
    post: &create-customer
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Customer'}}}}
      responses:
        '201': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Customer'}}}}
  /customers/{customerId}:
    parameters: [{name: customerId, in: path, required: true, schema: {type: string}}]
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Customer'}}}}
  /orders:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses:
        '201': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
        '422': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
  /orders/{orderId}:
    parameters: [{name: orderId, in: path, required: true, schema: {type: string}}]
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
        '404': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
    patch:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
        '422': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
    delete:
      responses: {'204': {description: gone}}
  /orders/{orderId}/cancel:
    parameters: [{name: orderId, in: path, required: true, schema: {type: string}}]
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {note: {type: string}}}}}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
        '404': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
  /orders/{orderId}/items:
    parameters: [{name: orderId, in: path, required: true, schema: {type: string}}]
    get:
      responses:
        '200':
          description: ok
          content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Item'}}}}
        '404': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Item'}}}}
      responses:
        '201': {description: made}
        '404': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
  /orders/{orderId}/items/{itemId}:
    parameters:
      - {name: orderId, in: path, required: true, schema: {type: string}}
      - {name: itemId, in: path, required: true, schema: {type: integer}}
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Item'}}}}
        '404': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
components:
  schemas:
    Error: {type: object, required: [message], properties: {message: {type: string}}}
    Customer: {type: object, required: [id], properties: {id: {type: string, readOnly: true}, name: {type: string}}}
    Order:
      type: object
      required: [id, customerId]
      properties:
        id: {type: string, readOnly: true}
        customerId: {type: string}
        note: {type: string}
    Item: {type: object, required: [id], properties: {id: {type: integer, readOnly: true}, sku: {type: string}}}
"""  # noqa: E501


@pytest.fixture
def document(write: Write) -> Path:
    return write("shop.yaml", SHOP.replace("required: [id, customerId]", "required: [id]"))


@pytest.fixture
def shop(document: Path) -> Iterator[Client]:
    with stateful(document) as client:
        yield client


@pytest.fixture
def strict(document: Path) -> Iterator[Client]:
    with stateful(document, options=Options(references=True)) as client:
        yield client


def test_a_generated_reference_names_an_item_that_exists(shop: Client) -> None:
    customer = shop("POST", "/customers", {"name": "Ann"}).json()
    order = shop("POST", "/orders", {"note": "quick"}).json()
    assert order["customerId"] == customer["id"]


def test_an_unknown_reference_is_accepted_by_default(shop: Client) -> None:
    assert shop("POST", "/orders", {"customerId": "nobody"}).json()["customerId"] == "nobody"


def test_an_unknown_reference_is_refused_if_strict(strict: Client) -> None:
    refused = strict("POST", "/orders", {"customerId": "nobody"})
    assert refused.status == 422
    assert refused.json() == {"message": "/customers has no item with the key nobody"}
    customer = strict("POST", "/customers", {"name": "Ann"}).json()
    order = strict("POST", "/orders", {"customerId": customer["id"]})
    assert order.status == 201
    assert strict("PATCH", f"/orders/{order.json()['id']}", {"customerId": "nobody"}).status == 422
    assert strict("PATCH", f"/orders/{order.json()['id']}", {"note": "late"}).status == 200


def test_nested_items_belong_to_their_parent(shop: Client) -> None:
    created = shop("POST", "/orders/a%2Fb/items", {"sku": "x"})
    assert (created.status, created.body) == (201, b"")
    assert created.headers["location"] == "/orders/a%2Fb/items/1"
    assert shop("GET", created.headers["location"]).json() == {"id": 1, "sku": "x"}
    assert shop("GET", "/orders/a%2Fb/items").json() == [{"id": 1, "sku": "x"}]
    assert shop("GET", "/orders/other/items").json() == []
    assert shop("GET", "/orders/other/items/1").status == 404


def test_deleting_an_item_deletes_what_is_nested_below_it(shop: Client) -> None:
    order = shop("POST", "/orders", {}).json()["id"]
    shop("POST", f"/orders/{order}/items", {"sku": "x"})
    assert shop("DELETE", f"/orders/{order}").status == 204
    assert shop("GET", f"/orders/{order}/items").json() == []


def test_a_collection_of_an_unknown_parent_is_refused_if_strict(strict: Client) -> None:
    assert strict("GET", "/orders/none/items").status == 404
    assert strict("POST", "/orders/none/items", {"sku": "x"}).status == 404
    order = strict("POST", "/orders", {}).json()["id"]
    assert strict("POST", f"/orders/{order}/items", {"sku": "x"}).status == 201


def test_an_action_merges_what_it_sends_and_answers_with_the_item(shop: Client) -> None:
    order = shop("POST", "/orders", {"note": "a"}).json()
    cancelled = shop("POST", f"/orders/{order['id']}/cancel", {"note": "b"})
    assert cancelled.json() == order | {"note": "b"}
    assert cancelled.decision == "data=acted"
    assert shop("POST", "/orders/none/cancel", {}).status == 404
