from __future__ import annotations

import pytest

from mockserver.engine.engine import Engine, Options
from mockserver.messages import Request, Response
from mockserver.namespaces.namespaces import Namespaces, strip_namespace_prefix
from mockserver.plan import Plan
from mockserver.state.memory import MemoryStore
from tests.live import MISSION, ask, engine_of

KEY = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("path", "rest", "name"),
    [
        ("/__ns/t1/pets", "/pets", "t1"),
        ("/__ns/t1/", "/", "t1"),
        ("/__ns/t1", "/", "t1"),
        ("/__ns/t%3A1/a%2Fb", "/a%2Fb", "t:1"),
        ("/__ns/%ff/pets", "/pets", "%ff"),
    ],
)
def test_a_path_may_name_the_namespace(path: str, rest: str, name: str) -> None:
    headers = {"accept": "*/*"}
    request = Request("GET", path, headers=headers)
    strip_namespace_prefix(request)
    assert (request.raw_path, request.headers["x-mock-namespace"]) == (rest, name)
    assert headers == {"accept": "*/*"}


def test_another_path_stays_as_it_is() -> None:
    request = Request("GET", "/__nsx/t1/pets")
    strip_namespace_prefix(request)
    assert request == Request("GET", "/__nsx/t1/pets")


def test_a_namespace_by_path_is_the_one_by_header(engine: Engine) -> None:
    allowed = {"authorization": "Bearer any"}
    by_path = ask(engine, "GET", f"/__ns/t1{MISSION}/{KEY}", allowed)
    by_header = ask(engine, "GET", f"{MISSION}/{KEY}", {**allowed, "x-mock-namespace": "t1"})
    assert by_path.decision.endswith("call=1")
    assert by_header.decision.endswith("call=2")
    assert len(engine.namespaces.default.journal) == 0


def test_invalid_namespace_name_is_rejected(engine: Engine) -> None:
    assert ask(engine, "GET", f"/__ns/a%20b{MISSION}/{KEY}").status == 400


NOTHING = [
    ("GET", "/nothing", 404),
    ("DELETE", f"{MISSION}/{KEY}", 405),
    ("OPTIONS", f"{MISSION}/{KEY}", 204),
    ("GET", "/nothing/%00", 400),
    ("GET", "", 404),
]


@pytest.mark.parametrize(("method", "path", "status"), NOTHING)
def test_a_request_that_finds_no_operation_makes_no_namespace(
    engine: Engine, method: str, path: str, status: int
) -> None:
    assert ask(engine, method, f"/__ns/t1{path}").status == status
    assert ask(engine, method, path or "/", {"x-mock-namespace": "t1"}).status == status
    assert engine.namespaces.get("t1") is None
    assert engine.unrouted[status][0] == 2


def test_a_request_that_finds_no_operation_is_in_the_journal_of_a_namespace_that_is_there(
    engine: Engine,
) -> None:
    world = engine.namespaces.get_or_create("t1")
    assert world is not None
    assert ask(engine, "GET", "/__ns/t1/nothing").status == 404
    assert len(world.journal) == 1


PAGE = {"authorization": "Bearer any", "sec-fetch-site": "cross-site", "origin": "http://app.example"}


@pytest.mark.parametrize(
    "fields",
    [
        {"sec-fetch-site": "cross-site", "origin": "http://app.example"},
        {"sec-fetch-site": "cross-site"},
        {"origin": "http://app.example", "host": "127.0.0.1:8080"},
        {"origin": "http://127.0.0.1.app.example:8080", "host": "127.0.0.1:8080"},
        {"origin": "http://localhost:8080", "host": "127.0.0.1:8080"},
        {"origin": "null", "host": "localhost"},
    ],
)
def test_a_page_of_another_site_makes_no_namespace_but_calls_in_one(
    engine: Engine, fields: dict[str, str]
) -> None:
    headers = {"authorization": "Bearer any", **fields}
    response = ask(engine, "GET", f"/__ns/t1{MISSION}/{KEY}", headers)
    assert (response.status, engine.namespaces.get("t1")) == (403, None)
    engine.namespaces.get_or_create("t1")
    assert ask(engine, "GET", f"/__ns/t1{MISSION}/{KEY}", headers).status == 200


@pytest.mark.parametrize(
    "fields",
    [
        {"sec-fetch-site": "same-site", "origin": "http://localhost:3000", "host": "localhost:8080"},
        {"origin": "http://localhost:3000", "host": "localhost:8080"},
        {"origin": "http://[::1]:3000", "host": "[::1]:8080"},
        {},
    ],
)
def test_a_page_of_the_same_site_and_what_is_no_page_make_a_namespace(
    engine: Engine, fields: dict[str, str]
) -> None:
    headers = {"authorization": "Bearer any", **fields}
    assert ask(engine, "GET", f"/__ns/t1{MISSION}/{KEY}", headers).status == 200


@pytest.mark.parametrize(
    ("changed", "status"),
    [({}, 200), ({"origin": "http://other.example"}, 403), ({"sec-fetch-site": "same-origin"}, 200)],
)
def test_a_page_of_an_allowed_origin_makes_a_namespace(
    mission: Plan, changed: dict[str, str], status: int
) -> None:
    engine = engine_of(mission, options=Options(cors=("http://app.example",)))
    response = ask(engine, "GET", f"/__ns/t1{MISSION}/{KEY}", {**PAGE, **changed})
    assert response.status == status
    assert (engine.namespaces.get("t1") is not None) == (status == 200)


def test_the_namespace_that_goes_is_none_that_was_controlled() -> None:
    namespaces = Namespaces(max_namespaces=3)
    for name in ("a", "b", "c"):
        namespaces.get_or_create(name)
    namespaces.control("a")
    namespaces.control("c")
    namespaces.get_or_create("d")
    assert [each.name for each in namespaces] == ["default", "a", "c", "d"]
    namespaces.get_or_create("e")
    assert [each.name for each in namespaces] == ["default", "a", "c", "e"]


def test_a_namespace_that_finds_no_room_is_answered_503(mission: Plan) -> None:
    engine = Engine(mission, store=MemoryStore(), namespaces=Namespaces(max_namespaces=2))
    for name in ("a", "b"):
        engine.namespaces.control(name)
    response = ask(engine, "GET", f"/__ns/c{MISSION}/{KEY}", {"authorization": "Bearer any"})
    assert (response.status, dict(response.headers)["retry-after"]) == (503, "1")
    assert b"DELETE /__admin/namespaces/NAME" in response.body
    engine.namespaces.drop("a")
    assert ask(engine, "GET", f"/__ns/c{MISSION}/{KEY}", {"authorization": "Bearer any"}).status == 200


@pytest.mark.parametrize("path", ["/__admin/health", "/__admin", "/__admin/"])
@pytest.mark.parametrize("name", ["t1", "default", "%64efault"])
def test_the_control_plane_has_one_path(engine: Engine, path: str, name: str) -> None:
    asked: list[str] = []
    engine.control = lambda request: asked.append(request.raw_path) or Response(200, [], b"")  # type: ignore[func-returns-value]
    assert ask(engine, "GET", f"/__ns/{name}{path}").status == 404
    assert asked == []
    assert ask(engine, "GET", path).status == 200
