from __future__ import annotations

import pytest

from mockserver.serve.engine import Engine
from mockserver.serve.request import Request
from mockserver.serve.world import enter
from tests.live import MISSION, ask

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
    enter(request)
    assert (request.raw_path, request.headers["x-mock-namespace"]) == (rest, name)
    assert headers == {"accept": "*/*"}


def test_another_path_stays_as_it_is() -> None:
    request = Request("GET", "/__nsx/t1/pets")
    enter(request)
    assert request == Request("GET", "/__nsx/t1/pets")


def test_a_namespace_by_path_is_the_one_by_header(engine: Engine) -> None:
    allowed = {"authorization": "Bearer any"}
    by_path = ask(engine, "GET", f"/__ns/t1{MISSION}/{KEY}", allowed)
    by_header = ask(engine, "GET", f"{MISSION}/{KEY}", {**allowed, "x-mock-namespace": "t1"})
    assert by_path.decision.endswith("call=1")
    assert by_header.decision.endswith("call=2")
    assert len(engine.worlds.default.journal) == 0


def test_a_name_that_is_none_is_refused(engine: Engine) -> None:
    assert ask(engine, "GET", f"/__ns/a%20b{MISSION}/{KEY}").status == 400


def test_control_paths_go_by_namespace_too(engine: Engine) -> None:
    assert ask(engine, "GET", "/__ns/t1/__admin/health").status == 200
