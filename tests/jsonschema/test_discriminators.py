"""Discriminators: which branch a value is meant for, and who reads a schema without them."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.generate import Fakes
from mockserver.jsonschema import Direction, Schemas, Validator
from mockserver.plan import JSON, Dialect

URI = "file:///api.yaml"
BODY = f"{URI}#/x"

COMPONENTS: dict[str, Any] = {
    "Cat": {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string"}}},
    "Dog": {
        "type": "object",
        "required": ["kind"],
        "properties": {"kind": {"type": "string"}, "bark": {"type": "boolean"}},
    },
    "Fish": {"properties": {"kind": {"enum": ["fish"]}, "fins": {"type": "integer"}}, "required": ["kind"]},
    "Base": {"required": ["kind"], "properties": {"kind": {"enum": ["one", "two"]}}},
    "One": {"allOf": [{"$ref": "#/components/schemas/Base"}]},
    "Two": {"allOf": [{"$ref": "#/components/schemas/Base"}]},
    "Pets": {"oneOf": [{"$ref": "#/components/schemas/Eel"}, {"$ref": "#/components/schemas/Fish"}]},
    "Eel": {"properties": {"kind": {"enum": ["eel"]}}, "required": ["kind"]},
}


def ref(name: str) -> JSON:
    return {"$ref": f"#/components/schemas/{name}"}


def choice(*names: str, keyword: str = "oneOf", **discriminator: Any) -> JSON:
    return {
        keyword: [ref(name) for name in names],
        "discriminator": {"propertyName": "kind", **discriminator},
    }


def validator(schema: JSON, dialect: Dialect, direction: Direction = "request") -> Validator:
    trees = {URI: {"x": schema, "components": {"schemas": COMPONENTS}}}
    return Schemas(trees, dialect).validator(BODY, direction)


TABLE: list[tuple[JSON, list[JSON], list[JSON]]] = [
    # Each of these is valid under both branches to those who do not look at the discriminator
    (choice("Cat", "Dog"), [{"kind": "Cat"}, {"kind": "Dog"}], [{"kind": "Bird"}, {"kind": "cat"}, {}]),
    (choice("Cat", "Dog"), [{"kind": "Cat", "bark": 1}], [{"kind": "Dog", "bark": 1}]),
    (
        choice("Cat", "Dog", mapping={"meow": "#/components/schemas/Cat", "woof": "Dog"}),
        [{"kind": "meow"}, {"kind": "woof"}, {"kind": "Cat"}],
        [{"kind": "moo"}, {"kind": "woof", "bark": 1}],
    ),
    (
        choice("Cat", "Dog", mapping=dict.fromkeys(("a", "b"), "#/components/schemas/Cat")),
        [{"kind": "a"}, {"kind": "b"}, {"kind": "Dog"}],
        [{"kind": "c"}],
    ),
    (choice("Cat", "Dog", mapping={"a": "#/nowhere", "b": 3}), [{"kind": "Cat"}], [{"kind": "a"}]),
    (choice("Cat", "Cat"), [{"kind": "Cat"}], [{"kind": "Dog"}]),
    (choice("Cat", "Dog", keyword="anyOf"), [{"kind": "Cat"}], [{"kind": "Bird"}]),
    # Values that a branch spells out are its names
    (
        choice("Cat", "Fish"),
        [{"kind": "fish"}, {"kind": "Cat"}],
        [{"kind": "Fish"}, {"kind": "fish", "fins": ""}],
    ),
    (choice("One", "Two"), [], [{"kind": "one"}, {"kind": "One"}]),
    (
        choice("One", "Two", mapping={"one": "One", "two": "Two"}),
        [{"kind": "one"}, {"kind": "two"}],
        [{"kind": "One"}],
    ),
    # Choices within choices: the inner names count
    (choice("Pets", "Dog"), [{"kind": "fish"}, {"kind": "Dog"}], [{"kind": "fish", "fins": ""}]),
    # An inline branch has no name
    (
        {
            "oneOf": [ref("Cat"), {"required": ["wings"]}],
            "discriminator": {"propertyName": "kind"},
        },
        [{"kind": "Cat"}, {"wings": 2}, {"kind": "Bird", "wings": 2}],
        [{"kind": "Bird"}, {"kind": "Cat", "wings": 2}],
    ),
    (
        choice("Cat", "Dog", defaultMapping="Dog"),
        [{"kind": "Cat"}, {"kind": "Bird"}],
        [{"kind": "Bird", "bark": 1}],
    ),
    # What is no discriminator changes nothing
    (
        {"oneOf": [ref("Cat"), ref("Fish")], "discriminator": {}},
        [{"kind": "fish", "fins": ""}],
        [{"kind": "fish"}],
    ),
    ({"oneOf": [ref("Cat"), ref("Fish")], "discriminator": 3}, [{"kind": "Bird"}], [{"kind": "fish"}]),
]


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
@pytest.mark.parametrize(("schema", "valid", "invalid"), TABLE)
def test_the_branch_is_the_one_that_is_named(
    schema: JSON, valid: list[JSON], invalid: list[JSON], dialect: Dialect
) -> None:
    judge = validator(schema, dialect)
    assert [each for each in valid if not judge.is_valid(each)] == []
    assert [each for each in invalid if judge.is_valid(each)] == []
    assert all(judge.violations(each) for each in invalid)


def test_a_property_name_alone_is_a_discriminator_of_2_0() -> None:
    judge = validator({"oneOf": [ref("Cat"), ref("Dog")], "discriminator": "kind"}, "2.0")
    assert judge.is_valid({"kind": "Cat"})
    assert not judge.is_valid({"kind": "Bird"})


@pytest.mark.parametrize(("spelled", "value"), [("true", True), ("7", 7)])
def test_names_may_spell_other_scalars(spelled: str, value: JSON) -> None:
    trees = {
        URI: {
            "x": choice("Yes", "No", mapping={spelled: "Yes"}),
            "components": {"schemas": {"Yes": {"required": ["kind"]}, "No": {"required": ["kind"]}}},
        }
    }
    assert Schemas(trees, "3.1").validator(BODY, "request").is_valid({"kind": value})


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_violations_are_those_of_the_branch_that_is_meant(dialect: Dialect) -> None:
    judge = validator(choice("Cat", "Dog"), dialect)
    (violation,) = judge.violations({"kind": "Dog", "bark": "loud"})
    assert (violation.pointer, violation.keyword) == ("/bark", "type")
    assert violation.schema == f"{URI}#/components/schemas/Dog/properties/bark/type"


@pytest.mark.parametrize("dialect", ["3.0", "3.1"])
def test_a_value_that_leads_nowhere_is_told_by_the_discriminator(dialect: Dialect) -> None:
    judge = validator({"properties": {"pet": choice("Cat", "Dog")}}, dialect)
    (violation,) = judge.violations({"pet": {"kind": "Bird"}})
    assert (violation.pointer, violation.keyword) == ("/pet/kind", "discriminator")
    assert violation.schema == f"{BODY}/properties/pet/discriminator"
    assert violation.expected["propertyName"] == "kind"
    assert "Bird" in violation.message


FOR_EVERYBODY: list[tuple[JSON, JSON]] = [
    # schema, and a value that some clients would refuse
    (choice("Cat", "Dog"), {"kind": "Cat"}),
    (
        {
            "oneOf": [
                {"required": ["data"], "properties": {"data": {"type": "string"}}},
                {
                    "required": ["data"],
                    "properties": {
                        "data": {"type": "string", "format": "byte"},
                        "isBinary": {"type": "boolean"},
                    },
                },
            ]
        },
        {"data": "Echo response"},
    ),
    ({"not": {"type": "string", "format": "uuid"}, "type": "string"}, "no uuid"),
]


@pytest.mark.parametrize(("schema", "doubtful"), FOR_EVERYBODY[:2])
def test_values_are_valid_in_every_reading(schema: JSON, doubtful: JSON) -> None:
    schemas = Schemas({URI: {"x": schema, "components": {"schemas": COMPONENTS}}}, "3.0")
    validators = [*schemas.validators(BODY, "response")]
    assert [each.is_valid(doubtful) for each in validators].count(False) == 1
    fakes = Fakes(schemas)
    for key in "abcdef":
        value = fakes.value(BODY, key=key)
        assert all(each.is_valid(value) for each in validators), value
    assert fakes.validators(BODY) == tuple(validators)


def test_readings_that_exclude_each_other_leave_the_one_of_openapi() -> None:
    schemas = Schemas({URI: {"x": FOR_EVERYBODY[2][0]}}, "3.0")
    meant, loose = schemas.validators(BODY, "response")
    value = Fakes(schemas).value(BODY, key="")
    assert meant.is_valid(value)
    assert not loose.is_valid(value)
    assert Fakes(schemas).validators(BODY) == (meant,)


def test_a_schema_that_leaves_no_choice_has_one_reading() -> None:
    schemas = Schemas(
        {URI: {"x": {"anyOf": [{"format": "uuid"}, ref("Cat")]}, "components": {"schemas": COMPONENTS}}},
        "3.0",
    )
    assert len([*schemas.validators(BODY, "response")]) == 1
