"""References that links of the document state, and lists of keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.redis import Redis
from tests.stateful import Ask, in_namespace, stateful_on

TEAMS = """
openapi: 3.0.3
info: {title: Teams, version: '1'}
paths:
  /members:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/NewMember'}}}}
      responses:
        '201':
          description: ok
          content: {application/json: {schema: {$ref: '#/components/schemas/Member'}}}
          links: {self: {$ref: '#/components/links/Member'}}
  /members/{member}:
    parameters: [{name: member, in: path, required: true, schema: {type: string}}]
    get:
      operationId: getMember
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Member'}}}}
        '404': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
    delete: {responses: {'204': {description: gone}}}
  /teams:
    post:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/NewTeam'}}}}
      responses:
        '201': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Team'}}}}
        '422': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
  /teams/{teamId}:
    parameters: [{name: teamId, in: path, required: true, schema: {type: integer}}]
    get:
      responses:
        '200':
          description: ok
          content: {application/json: {schema: {$ref: '#/components/schemas/Team'}}}
          links:
            lead: {operationId: getMember, parameters: {path.member: '$response.body#/lead'}}
            deputy:
              operationRef: '#/paths/~1members~1{member}/get'
              parameters: {member: '$response.body#/deputies/0'}
            strange: {operationId: nobody, parameters: {member: 7}}
            constant: {operationId: getMember, parameters: {member: 7, other: '$response.body#/id'}}
            missing: {$ref: '#/components/links/None'}
            broken: 7
    patch:
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/NewTeam'}}}}
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Team'}}}}
        '422': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
  /boards:
    post: &board
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/NewBoard'}}}}
      responses:
        '201': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Board'}}}}
        '422': {description: no, content: {application/json: {schema: {$ref: '#/components/schemas/Error'}}}}
  /boards/{boardId}:
    parameters: [{name: boardId, in: path, required: true, schema: {type: integer}}]
    patch: *board
    get:
      responses:
        '200': {description: ok, content: {application/json: {schema: {$ref: '#/components/schemas/Board'}}}}
components:
  links:
    Member: {operationId: getMember, parameters: {member: '$response.body#/badge'}}
  schemas:
    Error: {type: object, required: [message], properties: {message: {type: string}}}
    NewMember: {type: object, properties: {name: {type: string}}}
    Member:
      type: object
      required: [badge, id]
      properties: {id: {type: string}, badge: {type: string}, name: {type: string}}
    NewTeam:
      type: object
      properties: {lead: {type: string}, deputies: {type: array, items: {type: string}}}
    NewBoard:
      type: object
      properties:
        teamIds: {type: array, items: {type: integer}}
        name: {type: string}
    Team:
      type: object
      required: [id, lead, deputies]
      properties:
        id: {type: integer, readOnly: true}
        lead: {type: string}
        deputies: {type: array, items: {type: string}, minItems: 1, maxItems: 2}
    Board:
      type: object
      required: [id, teamIds, team_ids]
      properties:
        id: {type: integer, readOnly: true}
        teamIds: {type: array, minItems: 2, maxItems: 3, items: {type: integer}}
        team_ids: {type: array, maxItems: 3, items: {type: integer}}
"""


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("teams") / "teams.yaml"
    path.write_text(TEAMS, "utf-8")
    return path


@pytest.fixture(scope="module", params=["memory", "redis"])
def server(request: pytest.FixtureRequest, redis: Redis, document: Path) -> Iterator[Ask]:
    """A strict server: it refuses references to items that do not exist."""
    with stateful_on(request.param, redis, document, strict=True) as ask:
        yield ask


@pytest.fixture
def ask(server: Ask, request: pytest.FixtureRequest) -> Ask:
    """The server, in a namespace of the test."""
    return in_namespace(server, request.node.originalname)


def test_a_link_of_the_creation_says_which_field_is_the_key(ask: Ask) -> None:
    made = ask("POST", "/members", {"name": "Ann"})
    assert made.headers["location"] == f"/members/{made.json()['badge']}"
    assert ask("GET", made.headers["location"]).json() == made.json()


def test_a_field_that_a_link_names_has_a_key_that_exists(ask: Ask) -> None:
    ann, bob = (ask("POST", "/members", {"name": name}).json()["badge"] for name in ("Ann", "Bob"))
    team = ask("POST", "/teams", {}).json()
    assert team["lead"] == ann
    assert team["deputies"] in ([ann], [ann, bob])


def test_an_unknown_key_in_a_field_that_a_link_names_is_refused(ask: Ask) -> None:
    ann = ask("POST", "/members", {}).json()["badge"]
    refused = ask("POST", "/teams", {"lead": ann, "deputies": [ann, "nobody"]})
    assert (refused.status, refused.json()["message"]) == (422, "/members has no item with the key nobody")
    assert ask("POST", "/teams", {"lead": "nobody", "deputies": [ann]}).status == 422
    team = ask("POST", "/teams", {"lead": ann, "deputies": [ann]})
    assert team.status == 201
    assert ask("PATCH", f"/teams/{team.json()['id']}", {"deputies": ["nobody"]}).status == 422
    assert ask("GET", f"/teams/{team.json()['id']}").json() == team.json()


def test_a_generated_list_of_keys_has_keys_that_exist(ask: Ask) -> None:
    ask("POST", "/members", {})
    assert ask("POST", "/boards", {"name": "a"}).json()["team_ids"] == []
    teams = [ask("POST", "/teams", {}).json()["id"] for _ in range(4)]
    board = ask("POST", "/boards", {"name": "b"}).json()
    assert board["teamIds"] in (teams[:2], teams[:3])
    assert board["team_ids"] == teams[: len(board["team_ids"])]


def test_a_list_that_names_an_item_that_does_not_exist_is_refused(ask: Ask) -> None:
    ask("POST", "/members", {})
    team = ask("POST", "/teams", {}).json()["id"]
    other = ask("POST", "/teams", {}).json()["id"]
    refused = ask("POST", "/boards", {"teamIds": [team, 99]})
    assert (refused.status, refused.json()["message"]) == (422, "/teams has no item with the key 99")
    board = ask("POST", "/boards", {"teamIds": [other, team]})
    assert (board.status, board.json()["teamIds"]) == (201, [other, team])
    changed = f"/boards/{board.json()['id']}"
    assert ask("PATCH", changed, {"teamIds": [team, 99]}).status == 422
    assert ask("PATCH", changed, {"teamIds": [team, other]}).json()["teamIds"] == [team, other]


def test_without_items_a_generated_list_of_keys_is_left_where_it_may_not_be_empty(ask: Ask) -> None:
    assert len(ask("POST", "/boards", {"name": "a"}).json()["teamIds"]) >= 2
