"""Templates that grow are refused before they do: what a rendering holds and does is bounded."""

from __future__ import annotations

import tracemalloc

import pytest

from mockserver.diagnostics import MockServerError
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues
from mockserver.engine.resources.template_values import MAX_HELD, MAX_SPENT, STEP, Rendering, weigh
from mockserver.engine.resources.templates import TemplateError, compile_template
from mockserver.messages import Request
from tests.hardening.growing_templates import growing

MAX_PEAK = 50_000_000
"""Bytes."""


@pytest.fixture(scope="module")
def providers() -> Providers:
    return Providers("0")


@pytest.fixture
def context(providers: Providers) -> TemplateValues:
    request = Request("GET", "/x", "n=1", {})
    context = RenderContext("default", "thing", "k", "made", "story", 1, 0, 0, 0, request)
    return TemplateValues(context, providers)


@pytest.mark.parametrize("source", list(growing()))
def test_a_template_that_grows_is_refused(source: str, context: TemplateValues) -> None:
    with pytest.raises(MockServerError):
        compile_template(source)(context)


@pytest.mark.parametrize("source", list(growing())[::12])  # all of them: make hardening FIGURES=templates
def test_a_template_that_grows_holds_little_until_it_is_refused(source: str, context: TemplateValues) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(MockServerError):
            compile_template(source)(context)
        assert tracemalloc.get_traced_memory()[1] < MAX_PEAK
    finally:
        tracemalloc.stop()


def test_the_table_of_growing_templates_has_200() -> None:
    assert len(set(growing())) >= 200


def test_a_count_from_the_request_is_bounded_as_a_constant_is() -> None:
    for count, refused in (("3", False), ("100000000", True)):
        request = Request("GET", "/x", f"n={count}", {})
        context = RenderContext("default", "thing", "k", "made", "story", 1, 0, 0, 0, request)
        template = compile_template("{{ (([[1]] * (request.query.n|int))|sum(start=[]))|length }}")
        if refused:
            with pytest.raises(TemplateError, match="over the limit"):
                template(TemplateValues(context, Providers("0")))
        else:
            assert template(TemplateValues(context, Providers("0"))) == int(count)


def test_what_is_held_twice_counts_twice() -> None:
    shared = ["x" * 100] * 3
    assert weigh([shared, shared]) == STEP + 2 * (STEP + 3 * (STEP + 100))
    nested: list[object] = [1]
    for _ in range(40):
        nested = [nested, nested]
    with pytest.raises(Exception, match="over the limit"):
        weigh(nested)


def test_a_budget_is_for_one_rendering() -> None:
    rendering = Rendering({})
    rendering.spend(MAX_SPENT)
    with pytest.raises(Exception, match="too many operations"):
        rendering.spend(1)
    assert Rendering({}).left == MAX_SPENT


def test_a_text_of_the_limit_is_made_and_one_more_character_refused() -> None:
    most = MAX_HELD - STEP
    assert len(compile_template(f"{{{{ 'x' * {most} }}}}")({})) == most
    with pytest.raises(TemplateError, match="over the limit"):
        compile_template(f"{{{{ 'x' * {MAX_HELD} }}}}")({})


def test_names_given_to_fakes_are_bounded_too(context: TemplateValues) -> None:
    assert len(compile_template("{{ fake.words(nb=3) }}")(context)) == 3
    with pytest.raises(MockServerError, match="nb is over 1,000"):
        compile_template("{{ fake.words(nb=100000) }}")(context)


def test_many_fakes_of_one_answer_are_bounded_together(context: TemplateValues) -> None:
    template = compile_template("{{ fake.words(400) }}")
    assert len(template(context)) == 400
    assert len(template(context)) == 400
    with pytest.raises(MockServerError, match="of one response"):
        template(context)


def test_empty_rounds_and_calls_of_macros_are_bounded() -> None:
    assert (
        compile_template("{% for a in range(100) %}{% for b in range(300) %}{% endfor %}{% endfor %}x")({})
        == "x"
    )
    for times, body in (
        (90_000, ""),
        (10_000, "{{ f() }}"),
        (30_000, "{% set c = 1 %}{% with d = 1 %}{% endwith %}"),
        (6_000, "{{ '{}'.format(1) }}"),
    ):
        inner = "{% for b in range(100) %}" + body + "{% endfor %}"
        outer = f"{{% for a in range({times // 100}) %}}{inner}{{% endfor %}}"
        source = "{% macro f() %}{% endmacro %}" + outer
        with pytest.raises(TemplateError, match="too many operations"):
            compile_template(source)({})


def test_the_stored_data_of_a_resource_are_read_once_for_all_places_of_a_response(
    providers: Providers,
) -> None:
    context = RenderContext(
        "default", "thing", "k", "made", "story", 1, 0, 0, 0, data=b'{"list": [{"a": 1}]}'
    )
    resource = TemplateValues(context, providers)["resource"]
    assert resource.data["list"][0]["a"] == 1
    assert resource.data["list"] is resource.data["list"]


@pytest.mark.parametrize(
    "call",
    [
        "lexify('?' * 6000)",
        "pystr_format('{{name}}{{name}}{{name}}{{name}}{{name}}{{name}}')",
        "pystr_format('{{pystruct}}')",
        "profile(['name'])",
        "csv()",
        "texts(9)",
    ],
)
def test_calls_to_fakes_that_take_long_count_as_many_items(call: str, context: TemplateValues) -> None:
    source = "{% for i in range(20) %}{{ fake." + call + " }}{% endfor %}"
    with pytest.raises(MockServerError, match="of one response"):
        compile_template(source)(context)


@pytest.mark.parametrize(
    ("call", "most"),
    [
        ("fake.ipv4(private=False)", 12),
        ("fake.pydict(nb_elements=0)", 50),
        ("fake.pylist(nb_elements=10)", 5),
        ("fake.random_int(1, 9)", 300),
    ],
)
def test_calls_that_take_long_are_few(call: str, most: int, context: TemplateValues) -> None:
    template = "{%% for i in range(%d) %%}{{ %s }}{%% endfor %%}"
    with pytest.raises(MockServerError, match=r"items|operations"):
        compile_template(template % (most + 1, call))(context)
