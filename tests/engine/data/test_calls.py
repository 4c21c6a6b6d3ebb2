"""What a client writes is what the next one reads: a petstore, over a socket."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live import Write
from tests.stateful import PETSTORE, Client, stateful


@pytest.fixture
def pets() -> Iterator[Client]:
    with stateful() as client:
        yield client


def test_a_created_item_is_read_with_what_was_sent(pets: Client) -> None:
    created = pets("POST", "/pets", {"name": "Zed", "status": "sold"})
    assert created.status == 201
    assert created.headers["location"] == "/pets/1"
    assert created.decision == "data=created"
    assert created.json()["name"] == "Zed"
    read = pets("GET", created.headers["location"])
    assert read.json() == created.json()
    assert read.decision == "data=read"


def test_keys_are_fresh_and_have_the_type_of_the_field(pets: Client) -> None:
    assert [pets("POST", "/pets", {"name": "A"}).json()["id"] for _ in range(3)] == [1, 2, 3]


def test_a_write_only_field_is_never_answered(pets: Client) -> None:
    created = pets("POST", "/pets", {"name": "Zed", "secret": "s3cret"})
    assert b"s3cret" not in created.body
    assert b"s3cret" not in pets("GET", "/pets/1").body
    assert b"s3cret" not in pets("GET", "/pets").body


def test_an_invalid_creation_creates_nothing(pets: Client) -> None:
    assert pets("POST", "/pets", {"name": ""}).status == 400
    assert pets("GET", "/pets").json() == {"items": [], "total": 0}


def test_the_times_of_an_item_follow_the_clock(pets: Client) -> None:
    created = pets("POST", "/pets", {"name": "Zed"}).json()
    assert created["createdAt"] == created["updatedAt"] == "2026-01-01T00:00:00.000Z"
    pets.engine.namespaces.default.clock.advance(60_000)
    changed = pets("PATCH", "/pets/1", {"status": "sold"}).json()
    assert changed["createdAt"] == "2026-01-01T00:00:00.000Z"
    assert changed["updatedAt"] == "2026-01-01T00:01:00.000Z"


def test_a_list_has_pages_and_totals(pets: Client) -> None:
    for name in ("A", "B", "C"):
        pets("POST", "/pets", {"name": name})
    page = pets("GET", "/pets?limit=2&offset=1")
    assert [pet["name"] for pet in page.json()["items"]] == ["B", "C"]
    assert page.json()["total"] == 3
    assert page.decision == "data=listed; 2 of 3"
    assert pets("GET", "/pets?limit=2&offset=9").json() == {"items": [], "total": 3}


def test_a_parameter_with_the_name_of_a_field_filters(pets: Client) -> None:
    pets("POST", "/pets", {"name": "A", "status": "sold"})
    pets("POST", "/pets", {"name": "B", "status": "available"})
    found = pets("GET", "/pets?status=available").json()
    assert [pet["name"] for pet in found["items"]] == ["B"]
    assert found["total"] == 1


def test_a_default_or_an_empty_value_is_no_filter(write: Write) -> None:
    text = PETSTORE.read_text("utf-8")
    before = "- {name: status, in: query, schema: {type: string}}"
    assert before in text
    path = write("pets.yaml", text.replace(before, before.replace("string}", "string, default: none}")))
    with stateful(path) as pets:
        pets("POST", "/pets", {"name": "A", "status": "sold"})
        for target in ("/pets", "/pets?status="):
            assert pets("GET", target).json()["total"] == 1
        assert pets("GET", "/pets?status=none").json()["total"] == 0


@pytest.mark.parametrize(
    ("sort", "names"), [("name", "ABC"), ("-name", "CBA"), ("name:desc", "CBA"), ("unknown", "BCA")]
)
def test_a_documented_order_is_kept(pets: Client, sort: str, names: str) -> None:
    for name in "BCA":
        pets("POST", "/pets", {"name": name})
    assert "".join(pet["name"] for pet in pets("GET", f"/pets?sort={sort}").json()["items"]) == names


def test_a_merge_patch_changes_what_it_names(pets: Client) -> None:
    before = pets("POST", "/pets", {"name": "Zed", "status": "sold"}).json()
    changed = pets("PATCH", "/pets/1", {"name": "Abe"}, content_type="application/merge-patch+json")
    assert changed.json() == before | {"name": "Abe"}
    assert pets("GET", "/pets/1").json() == changed.json()


def test_a_merge_patch_with_null_removes_an_optional_field(pets: Client) -> None:
    pets("POST", "/pets", {"name": "Zed", "status": "sold"})
    assert "status" not in pets("PATCH", "/pets/1", {"status": None}).json()
    assert "status" not in pets("GET", "/pets/1").json()


@pytest.mark.parametrize("change", [{"name": 5}, {"name": None}, {"status": "lost"}])
def test_a_patch_that_breaks_the_schema_is_refused_and_stores_nothing(
    pets: Client, change: dict[str, object]
) -> None:
    before = pets("POST", "/pets", {"name": "Zed"}).json()
    refused = pets("PATCH", "/pets/1", change)
    assert refused.status == 422
    assert refused.json().keys() == {"message"}
    assert pets("GET", "/pets/1").json() == before


def test_a_json_patch_is_applied(pets: Client) -> None:
    pets("POST", "/pets", {"name": "Zed"})
    operations = [{"op": "test", "path": "/name", "value": "Zed"}]
    operations += [{"op": "replace", "path": "/name", "value": "Abe"}]
    changed = pets("PATCH", "/pets/1", operations, content_type="application/json-patch+json")
    assert changed.json()["name"] == "Abe"


@pytest.mark.parametrize(
    "operations",
    [
        [{"op": "test", "path": "/name", "value": "other"}],
        [{"op": "remove", "path": "/nothing"}],
        [{"op": "explode", "path": "/name"}],
        [{}],
        [{"op": "remove", "path": "/name"}],
        [{"op": "replace", "path": "", "value": []}],
    ],
)
def test_a_json_patch_that_fails_is_refused_as_a_whole(
    pets: Client, operations: list[dict[str, object]]
) -> None:
    before = pets("POST", "/pets", {"name": "Zed"}).json()
    first = {"op": "add", "path": "/status", "value": "sold"}
    refused = pets("PATCH", "/pets/1", [first, *operations], content_type="application/json-patch+json")
    assert refused.status == 422
    assert pets("GET", "/pets/1").json() == before


TEMPLATES = """
openapi: 3.0.3
info: {title: Templates, version: '1'}
paths:
  /templates:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Template'}}}}
      responses: {'201': &template {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Template'}}}}}
  /templates/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {responses: {'200': *template, '404': {description: no}}}
    patch:
      requestBody:
        content:
          application/json-patch+json:
            schema:
              type: array
              items:
                type: object
                required: [op]
                properties: {op: {type: string, enum: [addField, replace, remove]}, data: {type: object}, path: {type: string}, value: {}}
      responses: {'200': *template, '404': {description: no}, '422': {description: no}}
components:
  schemas:
    Template: {type: object, required: [id, name], properties: {id: {type: integer, readOnly: true}, name: {type: string}, note: {type: string}}}
"""  # noqa: E501


def test_operations_of_a_patch_that_only_the_document_names_are_accepted_and_change_nothing(
    write: Write,
) -> None:
    with stateful(write("templates.yaml", TEMPLATES)) as client:
        made = client("POST", "/templates", {"name": "a", "note": "n"})
        path, patch = made.headers["location"], {"content_type": "application/json-patch+json"}
        own = [{"op": "addField", "data": {}}, {"op": "replace", "path": "/name", "value": "b"}]
        changed = client("PATCH", path, own, **patch)
        assert (changed.status, changed.json()) == (200, made.json())
        assert "addField" in changed.headers["x-mock-warning"]
        assert client("PATCH", path, own[1:], **patch).json()["name"] == "b"
        failed = client("PATCH", path, [{"op": "remove", "path": "/lost"}], **patch)
        assert (failed.status, failed.decision) == (422, "data=refused")


def test_put_replaces_what_the_client_can_set(pets: Client) -> None:
    before = pets("POST", "/pets", {"name": "Zed", "status": "sold"}).json()
    replaced = pets("PUT", "/pets/1", {"name": "Abe"})
    assert replaced.status == 200
    assert replaced.json() == {key: before[key] for key in ("id", "createdAt", "updatedAt")} | {"name": "Abe"}
    assert pets("GET", "/pets/1").json() == replaced.json()


def test_put_to_an_unknown_key_without_201_is_the_documented_404(pets: Client) -> None:
    refused = pets("PUT", "/pets/7", {"name": "Abe"})
    assert (refused.status, refused.decision) == (404, "data=unknown")
    assert "7" in refused.json()["message"]


def test_a_deleted_item_is_gone(pets: Client) -> None:
    pets("POST", "/pets", {"name": "Zed"})
    assert pets("DELETE", "/pets/1").status == 204
    for method in ("GET", "DELETE"):
        assert pets(method, "/pets/1").status == 404
    assert pets("PATCH", "/pets/1", {}).status == 404
    assert pets("GET", "/pets").json()["total"] == 0
    assert pets("POST", "/pets", {"name": "New"}).json()["id"] == 2


def test_entity_tags_guard_reads_and_changes(pets: Client) -> None:
    pets("POST", "/pets", {"name": "Zed"})
    tag = pets("GET", "/pets/1").headers["etag"]
    assert pets("GET", "/pets/1", if_none_match=tag).status == 304
    assert pets("PATCH", "/pets/1", {"name": "Abe"}, if_match=tag).status == 200
    assert pets("PATCH", "/pets/1", {"name": "Cid"}, if_match=tag).status == 412
    assert pets("GET", "/pets/1", if_none_match=tag).json()["name"] == "Abe"


def test_a_singleton_is_read_and_changed(pets: Client) -> None:
    before = pets("GET", "/settings").json()
    assert pets("PATCH", "/settings", {"theme": "dark"}).json() == before | {"theme": "dark"}
    assert pets("GET", "/settings").json() == before | {"theme": "dark"}


def test_prefer_comes_before_data(pets: Client) -> None:
    pets("POST", "/pets", {"name": "Zed"})
    assert pets("GET", "/pets/1", prefer="code=404").status == 404
    assert pets("GET", "/pets/1").status == 200


def test_namespaces_have_data_of_their_own(pets: Client) -> None:
    pets("POST", "/pets", {"name": "Zed"})
    assert pets("GET", "/pets", x_mock_namespace="other").json()["total"] == 0
    assert pets("POST", "/pets", {"name": "A"}, x_mock_namespace="other").json()["id"] == 1
    assert pets("GET", "/pets").json()["total"] == 1


def test_where_every_possible_key_is_in_use_the_oldest_item_goes(write: Write) -> None:
    text = PETSTORE.read_text("utf-8")
    before = "schema: {type: integer}}\n    get:"
    assert before in text
    few = before.replace("integer}", "integer, minimum: 1, maximum: 2}")
    with stateful(write("pets.yaml", text.replace(before, few))) as pets:
        made = [pets("POST", "/pets", {"name": name}) for name in "ABC"]
        assert [pet.status for pet in made] == [201, 201, 201]
        assert [pet["name"] for pet in pets("GET", "/pets").json()["items"]] == ["B", "C"]
        assert pets("GET", made[2].headers["location"]).json()["name"] == "C"


def test_above_the_limit_the_least_recently_used_items_go() -> None:
    with stateful(most=2) as pets:
        for name in "AB":
            pets("POST", "/pets", {"name": name})
        pets("GET", "/pets/1")
        pets("POST", "/pets", {"name": "C"})
        assert [pet["name"] for pet in pets("GET", "/pets").json()["items"]] == ["A", "C"]


def test_head_is_like_get_without_a_body(pets: Client) -> None:
    pets("POST", "/pets", {"name": "Zed"})
    head = pets("HEAD", "/pets/1")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["etag"] == pets("GET", "/pets/1").headers["etag"]


def test_text_of_digits_is_the_number_that_the_response_documents(write: Write) -> None:
    schema = "{type: object, required: [id], properties: {id: {type: integer}, code: {type: integer}}}"
    document = write(
        "codes.yaml",
        f"""
        openapi: 3.0.3
        info: {{title: Codes, version: '1'}}
        paths:
          /codes:
            post:
              requestBody:
                content:
                  application/json: {{schema: {{type: object, properties: {{code: {{type: string}}}}}}}}
              responses: {{'201': {{description: made, content: {{application/json: {{schema: {schema}}}}}}}}}
          /codes/{{codeId}}:
            parameters: [{{name: codeId, in: path, required: true, schema: {{type: integer}}}}]
            get:
              responses: {{'200': {{description: one, content: {{application/json: {{schema: {schema}}}}}}}}}
        """,
    )
    with stateful(document) as client:
        assert client("POST", "/codes", {"code": "12"}).json()["code"] == 12
        longer = client("POST", "/codes", {"code": "9" * 5000})  # longer than Python converts
        assert longer.status == 201
        assert longer.json().keys() <= {"id", "code"}


FILES = """
openapi: 3.0.3
info: {title: Files, version: '1'}
paths:
  /files:
    get:
      parameters: [{name: status, in: query, required: true, schema: {type: string, enum: [pending]}}]
      responses:
        '200': {description: ok, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/File'}}}}}
    post:
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}, lock: {$ref: '#/components/schemas/Lock'}}}}}}
      responses: {'201': &file {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/File'}}}}}
  /files/{id}:
    parameters: [{name: id, in: path, required: true, schema: {type: integer}}]
    get: {responses: {'200': *file, '404': {description: no}}}
    put:
      requestBody: {content: {application/json: {schema: {type: object, properties: {name: {type: string}, lock: {type: string}, status: {type: string}}}}}}
      responses: {'200': *file, '404': {description: no}}
components:
  schemas:
    Lock: {type: object, required: [by], properties: {by: {type: string}}}
    File:
      type: object
      required: [id, status]
      properties:
        id: {type: integer}
        name: {type: string}
        lock: {$ref: '#/components/schemas/Lock'}
        status: {type: string, enum: [accepted, rejected, pending]}
"""  # noqa: E501


@pytest.fixture
def files(write: Write) -> Iterator[Client]:
    with stateful(write("files.yaml", FILES)) as client:
        yield client


def test_a_new_item_is_in_a_list_with_one_possible_filter(files: Client) -> None:
    made = [files("POST", "/files", {"name": f"n{number}"}).json() for number in range(5)]
    assert files("GET", "/files?status=pending").json() == made
    files("PUT", "/files/1", {"status": "accepted"})
    assert files("GET", "/files?status=pending").json() == made[1:]


def test_a_replacement_that_the_item_cannot_show_keeps_the_field_as_it_was(files: Client) -> None:
    lock = {"by": "Ann"}
    files("POST", "/files", {"name": "a", "lock": lock})
    changed = files("PUT", "/files/1", {"name": "b", "lock": "Bob"})
    assert (changed.status, changed.json()["name"], changed.json()["lock"]) == (200, "b", lock)
    assert "the value of the request: lock" in changed.headers["x-mock-warning"]
    assert files("GET", "/files/1").json() == changed.json()
    assert "x-mock-warning" not in files("GET", "/files/1").headers
