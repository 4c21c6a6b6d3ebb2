"""What is written from prepared pieces: valid by itself, one form of a value, the same everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
import yaml12
from hypothesis import HealthCheck, given, settings

from mockserver.generate import NOW_MS, Fakes, Unsatisfiable
from mockserver.jsonschema import Schemas
from mockserver.plan import Dialect
from tests.documents import DOCUMENTS
from tests.generate.schema_strategies import TREE, schemas
from tests.generate.test_random_schemas import response_schemas

URI = "file:///api.yaml"
REF = f"{URI}#/x"
DAY = 86_400_000
UUID_4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
KEYS = tuple(f"key {number}" for number in range(12))

Make = Callable[[Any], Fakes]


@pytest.fixture
def unproven(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Generators that trust every writer, so that nothing hides a wrong one."""
    monkeypatch.setattr("mockserver.generate.fakes._SAMPLES", ())
    return lambda schema: Fakes(Schemas({URI: {"x": schema}}, "3.1"), seed=7)


def written(fakes: Fakes, key: str = "k", **options: Any) -> bytes:
    found = fakes.written(REF, key=key, **options)
    assert found is not None
    return found


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_written_without_validation_is_valid(dialect: Dialect, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.generate.fakes._SAMPLES", ())
    counts = {True: 0, False: 0}

    @settings(
        max_examples=2 * settings().max_examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(schemas(draft_4=dialect == "3.0"))
    def check(schema: Any) -> None:
        these = Schemas({URI: {"x": schema, "defs": {"tree": TREE}}}, dialect)
        one, other = Fakes(these), Fakes(these)
        for key in KEYS:
            try:
                octets = one.written(REF, key=key)
            except Unsatisfiable:
                octets = None
            counts[octets is not None] += 1
            if octets is None:
                return
            value = msgspec.json.decode(octets)
            assert these.validator(REF, "response").is_valid(value), octets
            assert msgspec.json.encode(value) == octets
            assert one.value(REF, key=key) == value
        assert [other.written(REF, key=key) for key in reversed(KEYS)] == [
            one.written(REF, key=key) for key in reversed(KEYS)
        ]

    check()
    assert counts[True] > 2 * counts[False]


def test_responses_of_public_documents_are_written_and_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.generate.fakes._SAMPLES", ())
    count = 0
    for path in DOCUMENTS:
        document: Any = yaml12.parse_yaml(path.read_text(encoding="utf-8"))
        these = Schemas({URI: document}, document.get("swagger") or document["openapi"][:3])
        fakes = Fakes(these)
        for pointer in response_schemas(document):
            ref = f"{URI}#{pointer}"
            for key in KEYS[:4]:
                octets = fakes.written(ref, key=key)
                assert octets is not None, ref
                value = msgspec.json.decode(octets)
                assert all(check.is_valid(value) for check in these.validators(ref, "response")), ref
            count += 1
    assert count >= 54


def test_members_in_every_combination_are_separated_by_commas(unproven: Make) -> None:
    child = {"type": "object", "properties": {"v": {"type": "array", "items": {"type": "string"}}}}
    schema = {
        "type": "object",
        "properties": {
            "next": {"$ref": "#/x"},  # left out inside of itself, and it is the first one
            "child": child,
            "z": {"type": "integer"},
        },
    }
    value = json.loads(written(unproven(schema)))
    assert list(value) == ["next", "child", "z"] or list(value) == ["child", "z"]
    assert all(list(inner) == ["child", "z"] for name, inner in value.items() if name == "next")


def test_text_with_percent_signs_is_written_as_it_is(unproven: Make) -> None:
    schema = {
        "type": "object",
        "required": ["100%b", "share"],
        "properties": {"100%b": {"type": "boolean"}, "share": {"const": "50 %d"}},
    }
    value = json.loads(written(unproven(schema)))
    assert value["share"] == "50 %d"
    assert isinstance(value["100%b"], bool)


def test_a_valid_hint_sets_its_member_and_an_invalid_one_does_not(unproven: Make) -> None:
    schema = {
        "type": "object",
        "required": ["id", "size"],
        "properties": {"id": {"type": "string"}, "size": {"enum": ["small", "large"]}},
    }
    fakes = unproven(schema)
    value = json.loads(written(fakes, hints={"petId": 'a"b', "size": "small"}))
    assert value == {"id": 'a"b', "size": "small"}
    value = json.loads(written(fakes, hints={"petId": "17", "size": "huge"}))
    assert value["id"] == "17"
    assert value["size"] in ("small", "large")


def test_a_hint_for_a_number_is_a_number(unproven: Make) -> None:
    fakes = unproven({"type": "object", "properties": {"id": {"type": "integer"}, "n": {"type": "string"}}})
    assert json.loads(written(fakes, hints={"orderId": "42"}))["id"] == 42


def test_identifiers_of_many_keys_differ(unproven: Make) -> None:
    schema = {
        "type": "object",
        "required": ["id", "key", "orderId"],
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "key": {"type": "string"},
            "orderId": {"type": "integer"},
        },
    }
    fakes = unproven(schema)
    values = [json.loads(written(fakes, key=str(key))) for key in range(1000)]
    assert len({value["id"] for value in values}) == 1000
    assert len({value["key"] for value in values}) == 1000
    assert len({value["orderId"] for value in values}) > 700
    assert all(UUID_4.fullmatch(value["id"]) for value in values)


def test_items_of_a_long_list_are_those_of_the_stream(unproven: Make) -> None:
    item = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string", "format": "uuid"}}}
    schema = {"type": "array", "minItems": 100, "maxItems": 100, "items": item}
    value = json.loads(written(unproven(schema)))
    assert len({each["id"] for each in value}) == 100


def test_unique_items_use_up_a_small_enum(unproven: Make) -> None:
    schema = {"type": "array", "uniqueItems": True, "minItems": 4, "items": {"enum": [1, 2, 3, 4]}}
    for key in KEYS:
        assert sorted(json.loads(written(unproven(schema), key))) == [1, 2, 3, 4]


def test_times_of_one_object_are_in_the_order_of_their_names(unproven: Make) -> None:
    time = {"type": "string", "format": "date-time"}
    names = ("startedAt", "createdAt", "updatedAt", "modifiedAt", "expiresAt")
    fakes = unproven({"type": "object", "properties": dict.fromkeys(names, time)})
    for key in KEYS:
        value = json.loads(written(fakes, key))
        assert value["startedAt"] <= value["createdAt"] <= value["updatedAt"]
        assert value["updatedAt"] <= value["modifiedAt"] <= value["expiresAt"]


def test_times_change_with_the_day_and_are_the_same_again(unproven: Make) -> None:
    fakes = unproven(
        {"type": "object", "properties": {"createdAt": {"type": "string", "format": "date-time"}}}
    )
    days = [NOW_MS + number * DAY for number in range(8)]
    first = [written(fakes, now_ms=day) for day in days]
    assert len(set(first)) == len(days)
    assert [written(fakes, now_ms=day + DAY - 1) for day in days] == first


def test_exclusive_branches_are_written_and_overlapping_ones_are_still_valid(unproven: Make) -> None:
    def pet(kind: str) -> dict[str, Any]:
        return {"type": "object", "required": ["kind"], "properties": {"kind": {"const": kind}, "name": {}}}

    named = {"type": "object", "properties": {"a": {"type": "string"}}}
    both = {"type": "object", "properties": {"b": {"type": "integer"}}}
    for branches in ([pet("cat"), pet("dog")], [{"type": "null"}, pet("cat")], [named, both]):
        schema = {"type": "object", "required": ["pet"], "properties": {"pet": {"oneOf": branches}}}
        fakes = unproven(schema)
        validator = Schemas({URI: {"x": schema}}, "3.1").validator(REF, "response")
        for key in KEYS:
            assert validator.is_valid(json.loads(written(fakes, key)))


def test_a_writer_whose_samples_are_invalid_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mockserver.generate.writing.Writers._text", lambda *_: _wrong())
    fakes = Fakes(Schemas({URI: {"x": {"type": "object", "properties": {"a": {"type": "string"}}}}}, "3.1"))
    assert fakes.written(REF, key="k") is None
    assert isinstance(fakes.value(REF, key="k")["a"], str)


def _wrong() -> Any:
    from mockserver.generate.writers import Leaf

    return Leaf(b"17")


def test_pools_are_dropped_above_their_limit_and_the_values_stay_the_same(
    unproven: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    schema = {"type": "object", "properties": {"description": {"type": "string"}, "city": {"type": "string"}}}
    fakes = unproven(schema)
    usual = [written(fakes, key) for key in KEYS]
    monkeypatch.setattr("mockserver.generate.pools.MAX_OCTETS", 500)
    small = unproven(schema)
    assert [written(small, key) for key in KEYS] == usual
    assert small._pools.size <= 500
