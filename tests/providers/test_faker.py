from __future__ import annotations

import json
import random
import subprocess
import sys

import pytest

from mockserver.providers.faker import FakeValues, UnknownProviderError


def test_values_depend_on_the_seed_and_the_dice_alone() -> None:
    one, other = FakeValues(1), FakeValues(1)
    other.value("name", random.Random(9))
    other.value("city", random.Random(9))
    assert one.value("email", random.Random(5)) == other.value("email", random.Random(5))
    assert {FakeValues(seed).value("name", random.Random(5)) for seed in range(5)} != {
        one.value("name", random.Random(5))
    }


def test_values_are_json() -> None:
    values = FakeValues()
    for provider in (
        "date_of_birth",
        "pydecimal",
        "profile",
        "time_delta",
        "words",
        "boolean",
        "latlng",
        "pyset",
    ):
        json.dumps(values.value(provider, random.Random(0)))


def test_arguments_are_passed_to_the_provider() -> None:
    values = FakeValues()
    assert values.value("random_int", random.Random(0), 5, 5) == 5
    assert values.value("bothify", random.Random(0), "??") == values.value("bothify", random.Random(0), "??")


@pytest.mark.parametrize(
    "name", ["emial", "seed_instance", "add_provider", "__class__", "random", "zip", "binary"]
)
def test_unknown_providers_are_refused(name: str) -> None:
    with pytest.raises(UnknownProviderError, match=name):
        FakeValues().value(name, random.Random(0))


def test_a_refused_provider_is_refused_in_a_format_too() -> None:
    with pytest.raises(UnknownProviderError, match="no provider 'binary'"):
        FakeValues().count_items("pystr_format", "{{binary}}")


def test_a_near_name_is_suggested() -> None:
    with pytest.raises(UnknownProviderError, match="did you mean 'email'"):
        FakeValues().value("emial", random.Random(0))


def test_wrong_arguments_are_told() -> None:
    with pytest.raises(UnknownProviderError, match="does not take"):
        FakeValues().value("random_int", random.Random(0), "many")


def test_neither_faker_nor_the_validator_is_imported_before_it_is_needed() -> None:
    program = (
        "import sys; import mockserver.generate, mockserver.jsonschema, mockserver.providers.faker;"
        "sys.exit(bool({'faker', 'jsonschema_rs', 'hypothesis'} & sys.modules.keys()))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
