"""Valid documents, broken at random places: served or no document at all, and the rest answers as before.

An input is the seed of what is done: nodes are deleted, renamed, given another type,
or put in the place of others.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from mockserver.cache import pack, unpack
from mockserver.compile.compiler import compile_plan
from mockserver.compile.source import parse
from mockserver.diagnostics import CompileError
from mockserver.inputs import Inputs
from mockserver.plan import Plan
from tests.documents import DOCUMENTS
from tests.fuzz.targets.documents import EVERYTHING
from tests.live import ask, engine_of

_SEEDS = 60
_LARGEST = 40_000
_MAX_BREAKS = 4
_ASKED = 6
_FILE = Path("broken.yaml")
_VALUES: list[Any] = [
    *(None, True, False, 0, -1, 3.5, 10**20, "", "x", "a/b", "true", "get", "#/nowhere", [], {}, [None], [{}], [1]),
    *(["a", "a"], {"a": 1}, {"type": "string"}, {"$ref": "#/nowhere"}, {"$ref": 5}, {"$ref": "#"}, {"$ref": "Pet"}),
]  # fmt: skip
_KEYS = (
    *(
        "type",
        "$ref",
        "x-a",
        "get",
        "GET",
        "200",
        "properties",
        "items",
        "in",
        "name",
        "schema",
        "",
        "a b",
        "paths",
    ),
    *("/x/{y}", "default", "enum", "required", "const", "if", "format", "nullable", "oneOf", "discriminator"),
)
_NO_DOCUMENT = ("D111",)

Place = tuple[Any, Any]
"""A holder, and a key or index of it."""


@cache
def _documents() -> list[tuple[str, Any]]:
    paths = [path for path in DOCUMENTS if path.stat().st_size < _LARGEST]
    return [(path.name, parse(path.read_text("utf-8"), path.name).value) for path in (*paths, EVERYTHING)]


def seeds() -> list[bytes]:
    return [number.to_bytes(2, "big") for number in range(_SEEDS)]


def check(data: bytes) -> None:
    random = Random(data)
    _, sound = random.choice(_documents())
    broken = copy.deepcopy(sound)
    kept = _break(broken, random)
    try:
        compiled = compile_plan(Inputs((_FILE,), (), texts={_FILE: json.dumps(broken)}))
    except CompileError as error:
        assert {each.code for each in error.diagnostics if each.severity == "error"} <= set(_NO_DOCUMENT)
        return
    assert unpack(pack(compiled)) == compiled
    answers = _answers(compiled.plan, None)
    if kept:
        before = _answers(compile_plan(Inputs((_FILE,), (), texts={_FILE: json.dumps(sound)})).plan, kept)
        for operation, response in before.items():
            assert answers[operation] == response


def _break(document: Any, random: Random) -> set[str]:
    """Break a document in one of its paths alone, or anywhere; the paths that this leaves as they were."""
    paths = document.get("paths") or {}
    is_confined = paths and random.random() < 1 / 2 and "#/paths/" not in json.dumps(document)
    path = random.choice(sorted(paths)) if is_confined else ""
    for _ in range(random.randint(1, _MAX_BREAKS)):
        places = _places(paths[path] if is_confined else document)
        if not places:
            break
        _break_at(*random.choice(places), places, random, is_confined=bool(is_confined))
    return set(paths) - {path} if is_confined else set()


def _places(node: Any) -> list[Place]:
    found: list[Place] = []
    pending = [node]
    while pending:
        node = pending.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ()
        found += [(node, key) for key in keys]
        pending += [node[key] for key in keys]
    return found


def _break_at(holder: Any, key: Any, places: list[Place], random: Random, *, is_confined: bool) -> None:
    deed = random.choice(("delete", "rename", "retype", "retype", "add", "duplicate"))
    if deed == "delete":
        del holder[key]
    elif deed == "rename" and isinstance(holder, dict):
        holder[random.choice(_KEYS)] = holder.pop(key)
    elif deed == "add" and isinstance(holder[key], dict):
        holder[key][random.choice(_KEYS)] = copy.deepcopy(random.choice(_VALUES))
    elif deed == "duplicate" and not is_confined:  # an operationId that is given twice is another's, too
        other, name = random.choice(places)
        holder[key] = copy.deepcopy(other[name])
    else:
        holder[key] = copy.deepcopy(random.choice(_VALUES))


def _answers(plan: Plan, kept: set[str] | None) -> dict[tuple[str, str], tuple[int, bytes]]:
    engine = engine_of(plan)
    document = plan.documents[0]
    found = {}
    operations = [each for each in document.operations if kept is None or each.path in kept]
    for operation in operations if kept is None else operations[:_ASKED]:
        # No client sends what comes after a #, and the operations that differ in it share their requests
        path, mark, _ = operation.path.partition("#")
        target = document.base_paths[-1] + (path.replace("{", "").replace("}", "") or "/")
        response = ask(engine, operation.method, target, {"authorization": "Bearer any"}, b"")
        assert 200 <= response.status <= 999
        if kept is None or not mark:
            found[operation.method, operation.path] = response.status, bytes(response.body)
    return found
