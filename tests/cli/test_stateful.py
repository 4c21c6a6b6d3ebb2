"""``serve --stateful`` and ``routes --stateful`` as users run them."""

from __future__ import annotations

import http.client
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from mockserver.cli.inspect import routes
from mockserver.cli.serve import serve
from tests.live import PATIENCE, Process
from tests.stateful import PETSTORE


def ask(port: int, method: str, target: str, body: object = None) -> tuple[int, object]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    data = None if body is None else json.dumps(body)
    connection.request(method, target, data, {"content-type": "application/json"} if data else {})
    reply = connection.getresponse()
    read = reply.read()
    connection.close()
    return reply.status, json.loads(read) if read else None


@pytest.mark.parametrize(
    "arguments",
    [("--stateful", PETSTORE), (PETSTORE, "--stateful=strict"), (PETSTORE, "--stateful", "--no-supervisor")],
)
def test_a_server_stores_what_clients_write(arguments: tuple[str | Path, ...], cache: Path) -> None:
    with Process(*arguments, cache=cache) as server:
        assert ask(server.port, "POST", "/pets", {"name": "Zed"})[0] == 201
        status, pet = ask(server.port, "GET", "/pets/1")
        assert (status, isinstance(pet, dict) and pet["name"]) == (200, "Zed")
        assert ask(server.port, "GET", "/pets/2")[0] == 404


def test_the_environment_may_ask_for_it(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOCKSERVER_STATEFUL", "true")
    with Process(PETSTORE, cache=cache) as server:
        assert ask(server.port, "GET", "/pets/2")[0] == 404


def test_without_it_nothing_is_stored(cache: Path) -> None:
    with Process(PETSTORE, cache=cache) as server:
        assert ask(server.port, "DELETE", "/pets/1")[0] == 204
        assert ask(server.port, "GET", "/pets/1")[0] == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--stateful=maybe"], "'maybe' is none of on, strict, off"),
        (["--seed-data", "."], "--seed-data needs --stateful"),
    ],
)
def test_a_mistake_is_told_with_a_remedy(arguments: list[str], message: str) -> None:
    ran = CliRunner().invoke(serve, [str(PETSTORE), *arguments])
    assert ran.exit_code != 0
    assert message in ran.output + str(ran.exception)


def test_routes_say_what_was_inferred_and_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr("mockserver.cli.compilation._CAN_FORK", False)
    ran = CliRunner().invoke(routes, [str(PETSTORE), "--stateful", "--format", "json"])
    rows = {f"{row['method']} {row['path']}": row for row in json.loads(ran.stdout)}
    assert rows["GET /pets"] == {
        "method": "GET",
        "path": "/pets",
        "does": "lists",
        "resource": "/pets",
        "key": "id",
        "list": "items",
        "why": "GET on the collection; the list is body.items",
    }
    table = CliRunner().invoke(routes, [str(PETSTORE), "--stateful"]).stdout
    assert table.splitlines()[0].split() == ["METHOD", "PATH", "DOES", "RESOURCE", "KEY", "LIST", "WHY"]
    assert "merges" in table
