"""Pages, links, cursors, selected fields and keys that clients choose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import Write
from tests.stateful import Client, stateful

NOTES = """
openapi: 3.1.0
info: {title: Notes, version: '1'}
paths:
  /notes:
    get:
      parameters:
        - {name: page, in: query, schema: {type: integer, minimum: 1}}
        - {name: per_page, in: query, schema: {type: integer, default: 2}}
        - {name: fields, in: query, schema: {type: string}}
        - {name: order, in: query, schema: {type: string, enum: [asc, desc]}}
        - {name: sort_by, in: query, schema: {type: string}}
      responses:
        '200':
          description: ok
          headers: {Link: {schema: {type: string}}}
          content:
            application/json:
              schema:
                type: object
                required: [data, meta]
                properties:
                  data: {type: array, items: {$ref: '#/components/schemas/Note'}}
                  meta: {type: object}
    post:
      requestBody: &note {content: {application/json: {schema: {$ref: '#/components/schemas/Note'}}}}
      responses:
        '201': &one
          description: ok
          content:
            application/json:
              schema: {type: object, required: [data], properties: {data: {$ref: '#/components/schemas/Note'}}}
        '409': {description: taken}
  /notes/{slug}:
    parameters: [{name: slug, in: path, required: true, schema: {type: string, maxLength: 8}}]
    get: {responses: {'200': *one, '404': {description: none}}}
    put: {requestBody: *note, responses: {'200': *one, '201': *one}}
  /logs:
    get:
      parameters:
        - {name: starting_after, in: query, schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer}}
      responses:
        '200':
          description: ok
          content:
            application/json:
              schema:
                type: object
                required: [items, next_cursor, has_more]
                additionalProperties: false
                properties:
                  items: {type: array, items: {$ref: '#/components/schemas/Log'}}
                  next_cursor: {type: [string, 'null']}
                  has_more: {type: boolean}
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Log'}}}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Log'}}}}
  /profile:
    get: {responses: {'200': &profile {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Log'}}}}, '404': {description: none}}}
    put: {requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Log'}}}}, responses: {'200': *profile}}
    delete: {responses: {'204': {description: gone}, '404': {description: none}}}
components:
  schemas:
    Note: {type: object, required: [slug], properties: {slug: {type: string}, text: {type: string}}}
    Log: {type: object, properties: {id: {type: string, readOnly: true}, line: {type: string}}}
"""  # noqa: E501


@pytest.fixture
def notes(write: Write) -> Iterator[Client]:
    path: Path = write("notes.yaml", NOTES)
    with stateful(path) as client:
        yield client


def slugs(found: Any) -> list[str]:
    return [note["slug"] for note in found["data"]]


def test_pages_have_numbers_and_a_link_to_the_next(notes: Client) -> None:
    for slug in "abcde":
        notes("POST", "/notes", {"slug": slug, "text": "t"})
    first = notes("GET", "/notes?sort_by=slug")
    assert slugs(first.json()) == ["a", "b"]
    assert first.headers["link"] == '</notes?sort_by=slug&page=2>; rel="next"'
    target, seen = first.headers["link"].split(">")[0][1:], slugs(first.json())
    while target:
        page = notes("GET", target)
        seen += slugs(page.json())
        target = page.headers.get("link", "").split(">")[0][1:]
    assert seen == list("abcde")


def test_an_order_and_fields_are_selected(notes: Client) -> None:
    for slug in "bca":
        notes("POST", "/notes", {"slug": slug, "text": "t"})
    found = notes("GET", "/notes?sort_by=slug&order=desc&per_page=9&fields=slug").json()
    assert found["data"] == [{"slug": "c"}, {"slug": "b"}, {"slug": "a"}]


def test_a_client_may_choose_the_key_if_the_document_lets_it(notes: Client) -> None:
    created = notes("POST", "/notes", {"slug": "mine", "text": "t"})
    assert created.headers["location"] == "/notes/mine"
    assert notes("GET", "/notes/mine").json() == created.json()
    assert notes("POST", "/notes", {"slug": "mine"}).status == 409


@pytest.mark.parametrize("key", ["much-too-long", "a\0b"])
def test_a_key_that_no_path_can_have_gives_way_to_a_new_one(notes: Client, key: str) -> None:
    created = notes("POST", "/notes", {"slug": key, "text": "t"})
    assert created.status == 201
    assert notes("GET", created.headers["location"]).json() == created.json()


def test_put_to_an_unknown_key_creates_where_201_is_documented(notes: Client) -> None:
    created = notes("PUT", "/notes/new", {"slug": "new", "text": "t"})
    assert (created.status, created.headers["location"]) == (201, "/notes/new")
    assert notes("PUT", "/notes/new", {"slug": "new", "text": "u"}).status == 200
    assert notes("GET", "/notes/new").json() == {"data": {"slug": "new", "text": "u"}}


def test_cursors_lead_through_the_list_and_so_do_keys(notes: Client) -> None:
    keys = [notes("POST", "/logs", {"line": line}).json()["id"] for line in "abc"]
    first = notes("GET", "/logs?limit=2").json()
    assert [log["line"] for log in first["items"]] == ["a", "b"]
    assert first["has_more"] is True
    last = notes("GET", f"/logs?limit=2&starting_after={first['next_cursor']}").json()
    assert [log["line"] for log in last["items"]] == ["c"]
    assert (last["has_more"], last["next_cursor"]) == (False, None)
    assert notes("GET", f"/logs?limit=2&starting_after={keys[1]}").json() == last
    assert notes("GET", "/logs?starting_after=nonsense").status == 422


def test_a_deleted_singleton_is_gone_until_it_is_put(notes: Client) -> None:
    assert notes("GET", "/profile").status == 200
    assert notes("DELETE", "/profile").status == 204
    assert notes("GET", "/profile").status == 404
    assert notes("DELETE", "/profile").status == 404
    assert notes("PUT", "/profile", {"line": "x"}).status == 200
    assert notes("GET", "/profile").json()["line"] == "x"
