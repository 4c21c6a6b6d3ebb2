"""Data that several processes share: what one worker writes, the other reads; nothing is lost."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from tests.live import Reply, Wire
from tests.redis import Redis
from tests.stateful import PETSTORE, stateful
from tests.workers import Line, Workers

Send = Callable[..., Any]


@pytest.fixture(scope="module")
def lines(redis: Redis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Line]]:
    """A connection to each of two workers that share their data."""
    folder = tmp_path_factory.mktemp("pets")
    arguments = (str(PETSTORE), "--stateful", "--clock", "2026-01-01T00:00:00Z")
    with Workers(redis.url, "pets", folder, *arguments, inputs=False) as workers:
        found = workers.lines()
        yield found
        for line in found:
            line.socket.close()


def test_what_one_worker_writes_the_other_reads(lines: list[Line]) -> None:
    one, other = lines
    created = one.ask("POST", "/pets", {"name": "Zed"})
    assert created.status == 201
    assert other.ask("GET", created.headers["location"]).json() == created.json()
    assert other.ask("GET", "/pets").json()["total"] == 1
    assert other.ask("DELETE", created.headers["location"]).status == 204
    assert one.ask("GET", created.headers["location"]).status == 404


def test_a_hundred_creations_at_once_make_a_hundred_keys(lines: list[Line]) -> None:
    space = {"X_Mock_Namespace": "hundred"}
    for number in range(100):
        lines[number % 2].put("POST", "/pets", {"name": f"n{number}"}, **space)
    made = [lines[number % 2].reply().json() for number in range(100)]
    assert len({pet["id"] for pet in made}) == 100
    listed = lines[0].ask("GET", "/pets?limit=100", **space).json()
    assert listed["total"] == 100
    assert sorted(pet["name"] for pet in listed["items"]) == sorted(pet["name"] for pet in made)


def test_two_patches_of_different_fields_at_once_keep_both(lines: list[Line]) -> None:
    space = {"X_Mock_Namespace": "patches"}
    lines[0].ask("POST", "/pets", {"name": "Zed", "status": "sold"}, **space)
    for turn in range(20):
        name, status = f"n{turn}", ["available", "sold"][turn % 2]
        lines[0].put("PATCH", "/pets/1", {"name": name}, **space)
        lines[1].put("PATCH", "/pets/1", {"status": status}, **space)
        assert [line.reply().status for line in lines] == [200, 200]
        found = lines[turn % 2].ask("GET", "/pets/1", **space).json()
        assert (found["name"], found["status"]) == (name, status)


def test_reset_deletes_the_data_of_every_worker(lines: list[Line]) -> None:
    space = {"X_Mock_Namespace": "reset"}
    lines[0].ask("POST", "/pets", {"name": "Zed"}, **space)
    assert lines[1].ask("POST", "/__admin/reset", **space).status == 200
    assert lines[0].ask("GET", "/pets", **space).json()["total"] == 0


def test_every_worker_has_the_seeds_once_and_again_after_a_reset(redis: Redis, tmp_path: Path) -> None:
    seeds = tmp_path / "seeds"
    seeds.mkdir()
    (seeds / "pets.yaml").write_text("[{id: 7, name: Zed}, {name: Abe}]", "utf-8")
    arguments = (str(PETSTORE), "--stateful", "--seed-data", str(seeds))
    with Workers(redis.url, "seeds", tmp_path, *arguments, inputs=False) as workers:
        one, other = lines = workers.lines()
        for line in (one, other):
            line.put("GET", "/pets")
        assert [line.reply().json()["total"] for line in (one, other)] == [2, 2]
        assert one.ask("DELETE", "/pets/7").status == 204
        assert other.ask("GET", "/pets").json()["total"] == 1
        assert [pet["name"] for pet in other.ask("GET", "/__admin/data").json()["pets"]] == ["Abe"]
        assert one.ask("POST", "/__admin/reset").status == 200
        assert other.ask("GET", "/__admin/data").json()["pets"][0]["id"] == 7
        assert [line.ask("GET", "/pets").json()["total"] for line in (one, other)] == [2, 2]
        for line in lines:
            line.socket.close()


class PetMachine(RuleBasedStateMachine):
    """A petstore and a dictionary do the same."""

    send: Send
    namespaces: Iterator[int]

    @initialize()
    def begin(self) -> None:
        self.namespace = f"machine-{next(self.namespaces)}"
        self.pets: dict[int, dict[str, Any]] = {}

    names = st.text("ab'\"\\é/%", min_size=1, max_size=3)
    bodies = st.fixed_dictionaries(
        {"name": names}, optional={"status": st.sampled_from(["available", "sold"])}
    )
    keys = st.integers(1, 4)

    def ask(self, method: str, target: str, body: Any = None, **fields: str) -> tuple[int, Any]:
        found = self.send(method, target, body, X_Mock_Namespace=self.namespace, **fields)
        return found.status, json.loads(found.body) if found.body else None

    @rule(body=bodies)
    def create(self, body: dict[str, Any]) -> None:
        status, pet = self.ask("POST", "/pets", body)
        assert status == 201
        assert body.items() <= pet.items()
        assert pet["id"] not in self.pets
        self.pets[pet["id"]] = pet

    @rule(key=keys)
    def read(self, key: int) -> None:
        status, pet = self.ask("GET", f"/pets/{key}")
        assert (status, pet if status == 200 else None) == (
            (200, self.pets[key]) if key in self.pets else (404, None)
        )

    @rule(key=keys, change=st.fixed_dictionaries({}, optional={"name": names, "status": st.just("sold")}))
    def merge(self, key: int, change: dict[str, Any]) -> None:
        status, pet = self.ask("PATCH", f"/pets/{key}", change)
        assert status == (200 if key in self.pets else 404)
        if status == 200:
            assert pet == self.pets[key] | change
            self.pets[key] = pet

    @rule(key=keys)
    def break_(self, key: int) -> None:
        status, _ = self.ask("PATCH", f"/pets/{key}", {"name": None})
        assert status == (422 if key in self.pets else 404)

    @rule(key=keys, body=bodies)
    def replace(self, key: int, body: dict[str, Any]) -> None:
        status, pet = self.ask("PUT", f"/pets/{key}", body)
        assert status == (200 if key in self.pets else 404)
        if status == 200:
            kept = {name: value for name, value in self.pets[key].items() if name not in ("name", "status")}
            assert pet == kept | body
            self.pets[key] = pet

    @rule(key=keys)
    def delete(self, key: int) -> None:
        status, _ = self.ask("DELETE", f"/pets/{key}")
        assert status == (204 if self.pets.pop(key, None) else 404)

    @rule(offset=st.integers(0, 3), limit=st.integers(1, 3))
    def page(self, offset: int, limit: int) -> None:
        status, found = self.ask("GET", f"/pets?offset={offset}&limit={limit}")
        assert (status, found["items"]) == (200, list(self.pets.values())[offset : offset + limit])

    @invariant()
    def the_list_is_the_model(self) -> None:
        if hasattr(self, "pets"):
            _, found = self.ask("GET", "/pets")
            assert found == {"items": list(self.pets.values()), "total": len(self.pets)}


def _run(send: Send, examples: int) -> None:
    class Machine(PetMachine):
        namespaces = iter(itertools.count())

    Machine.send = staticmethod(send)
    run_state_machine_as_test(
        Machine, settings=settings(max_examples=examples, stateful_step_count=15, deadline=None)
    )


def test_a_petstore_in_memory_is_a_dictionary() -> None:
    with stateful() as client:

        def send(method: str, target: str, body: Any = None, **fields: str) -> Any:
            return client(method, target, body, **fields)

        _run(send, 40)


def test_a_petstore_of_two_workers_is_a_dictionary(lines: list[Line]) -> None:
    turns = itertools.cycle(lines)

    def send(method: str, target: str, body: Any = None, **fields: str) -> Reply:
        return next(turns).ask(method, target, body, **fields)

    assert isinstance(lines[0], Wire)
    _run(send, 25)
