"""What the names of a template are made from: the same resource, the same values."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.resources.context import NAMES, Providers, RenderContext, TemplateValues
from mockserver.engine.resources.templates import compile_template
from mockserver.engine.response.cause import Cause

CREATED = 1_767_225_600_000


def context(
    key: str = "k",
    *,
    seed: str = "0",
    namespace: str = "default",
    resource: str = "thing",
    state: str = "made",
    call: int = 1,
    created: int = CREATED,
) -> TemplateValues:
    context = RenderContext(namespace, resource, key, state, "story", call, created, created, created)
    return TemplateValues(context, Providers(seed))


def value(source: str, found: TemplateValues) -> Any:
    return compile_template(f"{{{{ {source} }}}}")(found)


STABLE = ["uuid('a')", "uuid()", "fake.name()", "x509.serial_number", "x509.private_key"]


@pytest.mark.parametrize("source", STABLE)
def test_values_are_those_of_the_resource_whatever_its_state(source: str) -> None:
    assert value(source, context()) == value(source, context(state="other", call=7, created=CREATED + 5))


@pytest.mark.parametrize("source", [each for each in STABLE if not each.startswith("fake")])
@pytest.mark.parametrize(
    "changed", [{"key": "l"}, {"seed": "1"}, {"namespace": "another"}, {"resource": "other"}]
)
def test_values_differ_from_one_resource_to_another(source: str, changed: dict[str, str]) -> None:
    assert value(source, context()) != value(source, context(**changed))  # type: ignore[arg-type]


def test_values_of_a_name_differ_from_one_label_or_provider_to_another() -> None:
    found = context()
    assert value("uuid('a')", found) != value("uuid('b')", found)
    names = {value("fake.name()", context(str(key))) for key in range(40)}
    assert len(names) > 10


def test_a_certificate_belongs_together() -> None:
    found = context()
    leaf = value("x509.certificate", found)
    assert leaf.startswith("-----BEGIN CERTIFICATE-----\n")
    assert leaf not in value("x509.chain", found)
    assert value("x509.issuing_ca_certificate", found) in value("x509.chain", found)


def test_tokens_are_fresh_and_run_the_same_in_every_world() -> None:
    providers = Providers("0")

    def run(namespace: str) -> list[str]:
        context = RenderContext(namespace, "thing", "k", "made", "", 1, CREATED, CREATED, CREATED)
        return [value("token(14)", TemplateValues(context, providers)) for _ in range(3)]

    first = run("default")
    assert len(set(first)) == 3
    assert set(run("default")).isdisjoint(first)
    assert set(run("another")).isdisjoint(first)
    providers.restart("default")
    assert run("default") == first


@pytest.mark.parametrize(
    "source", ["token(-1)", "token('a')", "fake.nothing()", "fake.name('a', 'b', 'c')", "x509.other"]
)
def test_a_value_that_cannot_be_generated_is_an_error(source: str) -> None:
    with pytest.raises(MockServerError):
        value(source, context())


def test_the_context_has_the_documented_names_alone() -> None:
    found = context()
    for name in NAMES:
        assert found[name] is not None
    with pytest.raises(KeyError):
        found["other"]


@pytest.mark.parametrize(
    ("violation", "expected"),
    [
        (
            Violation("path", "requestId", "", "format", "…", "x", "uuid"),
            {
                "validation": "uuid",
                "code": "invalid_string",
                "message": "Invalid uuid",
                "path": ["requestId"],
            },
        ),
        (
            Violation("body", "", "/pets/0/name", "type", "7 is no string", 7, "string"),
            {"code": "invalid_type", "message": "7 is no string", "path": ["pets", 0, "name"]},
        ),
        (
            Violation("query", "filter", "/a~1b~0", "pattern", "no match", "x", "y"),
            {
                "validation": "regex",
                "code": "invalid_string",
                "message": "no match",
                "path": ["filter", "a/b~"],
            },
        ),
        (
            Violation("body", "", "", "required", "it is required"),
            {"code": "invalid_type", "message": "it is required", "path": []},
        ),
    ],
)
def test_violations_are_the_issues_of_a_refusal(violation: Violation, expected: dict[str, Any]) -> None:
    changed = context().context._replace(violations=(violation,))
    assert value("violations", TemplateValues(changed, Providers("0"))) == [expected]
    assert next(Cause(422, (violation,)).says("list", in_prose=False)) == [expected]
