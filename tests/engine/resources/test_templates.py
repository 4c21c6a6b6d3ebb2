from __future__ import annotations

import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.diagnostics import MockServerError
from mockserver.engine.resources.context import NAMES, Providers, RenderContext, TemplateValues
from mockserver.engine.resources.templates import (
    MAX_OUTPUT,
    MAX_SOURCE,
    TemplateError,
    compile_template,
    is_template,
    is_volatile,
    names,
)
from mockserver.messages import Request


class Thing:
    def __init__(self) -> None:
        self.name = "it"
        self.pem = "line\nline\n"
        self.number = 5

    def twice(self, text: str) -> str:
        return text * 2


def context(**more: Any) -> dict[str, Any]:
    return {
        "thing": Thing(),
        "map": {"a": {"b": 1}, "items": "own"},
        "n": 7,
        "t": "123",
        "none": None,
        **more,
    }


def render(source: str, **more: Any) -> Any:
    return compile_template(source)(context(**more))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ n }}", 7),
        ("{{n}}", 7),
        ("{{ t }}", "123"),
        ("{{ '123' }}", "123"),
        ("{{ 123 }}", 123),
        ("{{ -5 }}", -5),
        ("{{ - n }}", -7),
        ("{{ +5 }}", 5),
        ("{{- n -}}", 7),
        ("{{ n - 2 }}", 5),
        ("{{ n -}}", 7),
        ("{{ 1.5 }}", 1.5),
        ("{{ true }}", True),
        ("{{ none }}", None),
        ("{{ None }}", None),
        ("{{ [n, t] }}", [7, "123"]),
        ("{{ {'a': n} }}", {"a": 7}),
        ("{{ n + 1 }}", 8),
        ("{{ t | int }}", 123),
        ("{{ t|length }}", 3),
        ("{{ 'yes' if n > 5 else 'no' }}", "yes"),
        ("{{ n > 5 }}", True),
        ("{{ map.a.b }}", 1),
        ("{{ map['a'].b }}", 1),
        ("{{ map.items }}", "own"),
        ("{{ map['items'] | upper }}", "OWN"),
        ("{{ (map.items) }}", "own"),
        ("{{ map.keys() }}", ["a", "items"]),
        ("{{ range(3) }}", [0, 1, 2]),
        ("{{ ['a', 'b'] | map('upper') }}", ["A", "B"]),
        ("{{ (1, 2) }}", [1, 2]),
        ("{{ 'a' | escape }}", "a"),
        ("{{ ['a', 'b'] | join(', ') }}", "a, b"),
        ("{{ 'a-b' | replace('-', '+') }}", "a+b"),
        ("{{ 'a-b'.replace('-', '+') }}", "a+b"),
        ("{{ '%05d' | format(n) }}", "00007"),
        ("{{ '%05d' % n }}", "00007"),
        ("{{ '{:>5}'.format(n) }}", "    7"),
        ("{{ 'ab' | center(4) }}", " ab "),
        ("{{ 'x' * 3 }}", "xxx"),
        ("{{ 2 ** 10 }}", 1024),
        ("{{ thing.name }}", "it"),
        ("{{ thing.twice('ab') }}", "abab"),
        ("{{ thing.twice('ab') | upper }}", "ABAB"),
        ("{{ thing.twice(t) }}", "123123"),
        ("{{ n }}{# a comment #}", 7),
        ("{# a comment #}{{ n }}", 7),
        ("{{ '}}' }}", "}}"),
        ("{{ '{{' }}", "{{"),
        ("{{ 'a' ~ 'b' }}", "ab"),
        ("{{ missing | default('x') }}", "x"),
        ("{{ missing is defined }}", False),
    ],
)
def test_one_expression_keeps_its_type(source: str, expected: object) -> None:
    value = render(source)
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ n }}.", "7."),
        ("{{ n }}{{ n }}", "77"),
        ("{{ n }} ", "7 "),
        (" {{ n }}", " 7"),
        (" {{ n | abs }}", " 7"),
        ("{{ n }}\n", "7\n"),
        ("{{ n | abs }}\n", "7\n"),
        ("{{ none }}!", "None!"),
        ("a {{ thing.number }} b {{ thing.name }}", "a 5 b it"),
        ("{% if n > 5 %}yes{% else %}no{% endif %}", "yes"),
        ("{% for i in range(3) %}{{ i }}{% endfor %}", "012"),
        ("{% set x = n * 2 %}{{ x }}", "14"),
        ("{# nothing #}", ""),
        ("{% raw %}{{ n }}{% endraw %}", "{{ n }}"),
        ("<{{ '<b>' }}>", "<<b>>"),
        ("}} {{ n }} {", "}} 7 {"),
    ],
)
def test_a_template_of_several_parts_is_a_text(source: str, expected: str) -> None:
    assert render(source) == expected


PLAIN = [
    "n",
    "t",
    "thing.name",
    "thing.pem",
    "thing.number",
    "map.a.b",
    "map.items",
    "thing.twice('x')",
    "none",
]


@pytest.mark.parametrize("expression", PLAIN)
def test_plain_expressions_are_what_jinja_makes_of_them(expression: str) -> None:
    """The parentheses are beyond what is read here, so Jinja reads them."""
    assert render(f"{{{{ {expression} }}}}") == render(f"{{{{ ({expression}) }}}}")


@given(st.lists(st.sampled_from(["a", " ", "\n", "é", "}", "%", *(f"{{{{ {each} }}}}" for each in PLAIN)])))
def test_plain_texts_are_what_jinja_makes_of_them(pieces: list[str]) -> None:
    source = "".join(pieces) + "{{ n }}."
    assert render(source) == render(source + "{% if n %}{% endif %}")


@pytest.mark.parametrize(
    "source",
    [
        "{{",
        "{{ }}",
        "{{ n",
        "{{ n }",
        "{% if n %}",
        "{% nonsense %}",
        "{{ n | nonsense }}",
        "{{ n is nonsense }}",
        "{{ 1 + }}",
        "{# never ends",
        "{{ " + "(" * 500 + "n" + ")" * 500 + " }}",
        "{% include 'x' %}{% macro %}",
        "x" * MAX_SOURCE + "{{ n }}",
        "{{ '\\N{nothing}' }}",
    ],
)
def test_an_invalid_template_is_refused(source: str) -> None:
    with pytest.raises(TemplateError, match=r"does not compile|over the limit"):
        compile_template(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ missing }}",
        "{{ missing.name }}",
        "{{ thing.missing }}",
        "{{ map.a.missing }}",
        "{{ thing.twice() }}",
        "{{ thing.name.x }}",
        "{{ thing.twice('a', 'b') }}",
        "{{ n() }}",
        "text {{ missing }}",
        "{{ 1 // 0 }}",
        "{{ thing }}",
        "{{ (thing) }}",
        "{{ thing.twice }}",
        "a {{ thing }}",
        "{{ [thing] }}",
        "{{ 1e308 * 10 }}",
        "{{ missing + 1 }}",
        "{{ [1][5] }}",
        "{{ n | upper | int | nothing.x }}",
        "{% for x in n %}{% endfor %}",
        "{{ range(10**9) | list }}",
        "{% include 'x' %}",
        "{% import 'os' as os %}{{ os }}",
    ],
)
def test_a_template_that_fails_is_an_error(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ thing.__class__ }}",
        "{{ thing.__class__.__mro__ }}",
        "{{ thing['__class__'] }}",
        "{{ thing|attr('__class__') }}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ thing.twice.__globals__ }}",
        "{{ thing.twice.__func__.__code__ }}",
        "{{ (thing.twice).__self__ }}",
        "{{ [].append(1) }}",
        "{{ map.update({'a': 1}) }}",
        "{{ map.clear() }}",
        "{{ map.pop('a') }}",
        "{{ self.__init__ }}",
        "{{ cycler }}",
        "{{ lipsum.__globals__ }}",
        "{{ namespace() }}",
        "{{ '{0.__class__}'.format(thing) }}",
        "{{ '{a.__class__}'.format_map({'a': thing}) }}",
        "{{ open('/etc/passwd') }}",
        "{{ __import__('os') }}",
        "{{ getattr(thing, 'name') }}",
    ],
)
def test_the_sandbox_refuses_what_leads_out_of_it(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x' * 10**9 }}",
        "{{ 10**9 * 'x' }}",
        "{{ [0] * 10**9 }}",
        "{{ 'x' * 10**5 * 10**5 }}",
        "{{ 9**9**9 }}",
        "{{ 2**10000 }}",
        "{{ (2.5)**5000 }}",
        "{% for a in range(99999) %}{% for b in range(99999) %}x{% endfor %}{% endfor %}",
        "{{ 'x'.ljust(10**9) }}",
        "{{ 'x'.center(10**9) }}",
        "{{ '%1000000000d' % 1 }}",
        "{{ '%*d' % (10**9, 1) }}",
        "{{ '{:1000000000d}'.format(1) }}",
        "{{ 'x' | center(10**9) }}",
        "{{ 'a\nb' | indent(10**9) }}",
        "{{ ('a\n' * 2000) | indent(1000) | length }}",
        "{{ ('x' * 100000) | replace('x', 'y' * 100000) }}",
        "{{ ('x' * 100000).replace('x', 'y' * 100000) }}",
        "{{ ('y' * 100000).join('x' * 100000) }}",
        "{{ 'x'.zfill(10**9) }}",
        "{% for a in range(900) %}" * 3 + "{% endfor %}" * 3,
        "{% macro f(n) %}{% if n %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
        "{% for a in range(900) %}{{ 'x' * 10**6 }}{% endfor %}",
        "{% for a in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
        "{% set a = 'x' * 10**6 %}" + "{% set a = a ~ a %}" * 40 + "{{ a | length }}",
        "{% set a %}{{ 'x' * 10**6 }}{{ 'x' * 10**6 }}{% endset %}{{ a | length }}",
        "{{ range(900) | map('string') | sum(start='') }}",
    ],
)
def test_templates_beyond_measure_are_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        render(source)


def test_an_expression_after_one_beyond_measure_is_measured_by_itself() -> None:
    with pytest.raises(TemplateError):
        render("{% for a in range(999) %}{% for b in range(999) %}x{% endfor %}{% endfor %}")
    assert render("{{ range(3) | list }}") == [0, 1, 2]


def test_each_rendering_is_measured_by_itself() -> None:
    source = "{% for a in range(190) %}{% for b in range(190) %}{% endfor %}{% endfor %}{{ 'a' ~ 1 ~ n }}"
    made = compile_template(source)
    for _ in range(3):
        assert made(context(n=2)) == "a12"


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (
            "{% for a in [1, 2] %}{{ loop.index }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}",
            "1/2,2/2",
        ),
        ("{% for a in [] %}x{% else %}none{% endfor %}", "none"),
        ("{% for a in [1, 2, 3] if a != 2 %}{{ a }}{% endfor %}", "13"),
        ("{% for k, v in {'a': 1}.items() %}{{ k ~ v }}{% endfor %}", "a1"),
        ("{{ 'a' ~ none ~ 1.5 ~ [1] }}", "aNone1.5[1]"),
    ],
)
def test_loops_and_texts_are_as_jinja_has_them(source: str, value: str) -> None:
    assert render(source) == value


def test_an_output_beyond_measure_is_refused() -> None:
    half = "x" * (MAX_OUTPUT // 2 + 1)
    with pytest.raises(TemplateError, match="over the limit"):
        render("{{ half ~ half }}", half=half)
    with pytest.raises(TemplateError, match="over the limit"):
        render("{{ half | lower }}{{ half }}", half=half)


def test_an_error_of_a_provider_is_raised_unchanged() -> None:
    class OwnError(MockServerError):
        pass

    def fail(*_: object) -> None:
        raise OwnError("no such provider")

    for source in ("{{ fail() }}", "{{ fail() | upper }}", "{{ fail(n) }}"):
        with pytest.raises(OwnError, match="no such provider"):
            render(source, fail=fail)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("{{ x }}", True),
        ("{% x", True),
        ("{# x", True),
        ("{ x }", False),
        ("", False),
        (5, False),
        (None, False),
    ],
)
def test_a_text_is_a_template_or_not(value: object, expected: bool) -> None:
    assert is_template(value) is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ resource.key }}", False),
        ("{{ resource.created_at }} {{ uuid('a') }} {{ x509.certificate }} {{ fake.name() }}", False),
        ("{{ request.method }}", True),
        ("{{ now }}", True),
        ("req-{{ token(14) }}", True),
        ("{{ violations }}", True),
        ("{{ resource.call }}", True),
        ("{{ resource['call'] }}", True),
        ("{{ resource | attr('call') }}", True),
        ("{% set r = resource %}{{ r.call }}", True),
        ("{{ resource.scenario }}", True),
        ("{% set now = 1 %}{{ now }}", False),
        ("{{ uuid('now') }}", False),
    ],
)
def test_a_template_is_volatile_or_not(source: str, expected: bool) -> None:
    assert is_volatile(source) is expected


def test_the_constants_of_a_template_are_not_computed_to_find_its_names() -> None:
    tracemalloc.start()
    try:
        assert names("{{ 'x' * 100000000 }}{{ a * 2 }}") == {"a"}
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_the_names_that_a_template_reads_are_found() -> None:
    assert names("{{ a.b }} {% set c = d %}{{ c }}") == {"a", "d"}
    with pytest.raises(TemplateError):
        names("{{")


# With the context that answers have

REQUEST = Request("GET", "/x/a%20b", "q=1&q=2", {"x-tenant": "acme", "cookie": "s=1"})
SUBJECT = RenderContext(
    "default", "thing", "key", "made", "story", 3, 1_767_225_600_000, 1_767_225_600_250, 1_767_225_601_000,
    REQUEST, {"id": "a b"}, {"name": "n", "items": [1]},
)  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("{{ resource.key }}", "key"),
        ("{{ resource.name }}/{{ resource.namespace }}", "thing/default"),
        ("{{ resource.state }} {{ resource.scenario }}", "made story"),
        ("{{ resource.call }}", 3),
        ("{{ resource.created_at }}", "2026-01-01T00:00:00.000Z"),
        ("{{ resource.changed_at }}", "2026-01-01T00:00:00.250Z"),
        ("{{ now }}", "2026-01-01T00:00:01.000Z"),
        ("{{ request.method }} {{ request.url }}", "GET /x/a%20b?q=1&q=2"),
        ("{{ request.path.id }}", "a b"),
        ("{{ request.query.q }}", "1"),
        ("{{ request.headers['x-tenant'] }}", "acme"),
        ("{{ request.cookies.s }}", "1"),
        ("{{ request.body.name }}", "n"),
        ("{{ request.body['items'][0] }}", 1),
        ("{{ request.headers['x-other'] | default('none') }}", "none"),
        ("{{ violations }}", []),
    ],
)
def test_what_a_template_can_read(source: str, expected: object) -> None:
    assert compile_template(source)(TemplateValues(SUBJECT, Providers("0"))) == expected


def test_every_name_has_a_value_for_jinja_too() -> None:
    for name in NAMES:
        assert (
            compile_template(f"{{{{ ({name}) is defined }}}}")(TemplateValues(SUBJECT, Providers("0")))
            is True
        )


@pytest.mark.parametrize(
    "source",
    [
        "{{ request._request }}",
        "{{ resource._subject }}",
        "{{ x509._leaf }}",
        "{{ (x509)._makers }}",
        "{{ fake._makers }}",
        "{{ fake.__init__ }}",
        "{{ fake.no_such_provider() }}",
        "{{ uuid.__globals__ }}",
    ],
)
def test_a_template_cannot_read_what_is_not_in_its_context(source: str) -> None:
    with pytest.raises(MockServerError):
        compile_template(source)(TemplateValues(SUBJECT, Providers("0")))


RESOURCE = "call, changed_at, created_at, created_by, data, key, name, namespace, scenario, state"


@pytest.mark.parametrize(
    "form", ["{{ %s }}", "{{ %s ~ '' }}", "{% if %s %}{% endif %}"], ids=["plain", "jinja", "statement"]
)
@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("resource.elapsed", f"no 'elapsed'; there is {RESOURCE}"),
        ("resource.creatd_at", f"no 'creatd_at'; did you mean 'created_at'? There is {RESOURCE}"),
        (
            "resorce.key",
            f"no 'resorce'; did you mean 'resource'? There is {', '.join(NAMES)}",
        ),
        (
            "x509.pem",
            "no 'pem'; there is certificate, chain, issuing_ca_certificate, private_key, serial_number",
        ),
        (
            "request.header",
            "no 'header'; did you mean 'headers'? There is body, cookies, headers, method, path, query, url",
        ),
        ("request.body.verb", "no 'verb' in null"),
        ("request.query.page", "no 'page' in an empty mapping"),
        ("resource.key.id", "no 'id' in a text"),
    ],
)
def test_unknown_name_is_told_with_those_that_there_are(form: str, source: str, expected: str) -> None:
    context = SUBJECT._replace(request=Request("GET", "/"), body=None)
    with pytest.raises(TemplateError) as caught:
        compile_template(form.replace("%s", source))(TemplateValues(context, Providers("0")))
    assert str(caught.value).endswith(f": {expected}")


def test_of_many_names_the_first_are_told() -> None:
    context = SUBJECT._replace(body={f"n{number:02}": 1 for number in range(30)})
    with pytest.raises(TemplateError, match=r"no 'other'; there is n00, n01, .*, n19, …$"):
        compile_template("{{ request.body.other }}")(TemplateValues(context, Providers("0")))


@pytest.mark.parametrize(
    "source", ["{{ by.a.b.c | default('x', true) }}", "{{ by['a'].b['c'] | default('x') }}"]
)
def test_what_the_creating_request_had_not_is_absent_on_every_level(source: str) -> None:
    from mockserver.engine.resources.context import Parts

    assert render(source, by=Parts({"other": 1})) == "x"
