"""Templates that ask for more than a server can give: loops, texts, lists and numbers that grow."""

from __future__ import annotations

from collections.abc import Iterator

_COUNTS = (10**5, 10**7, 10**9)
_LARGE = ("'x' * 1000000", "[1] * 60000", "('a b ' * 200000)")
_FILTERS = (
    "string", "tojson", "list|string", "sort", "unique", "join('xxxxxxxx')", "replace('x','yyyy')", "wordwrap(1)",
    "center(99999999)", "indent(9999999)", "striptags", "urlencode", "escape", "reverse|list", "map('string')|join",
    "groupby(0)|string", "format(1)", "title", "upper", "max", "select('eq', 1)|list", "wordcount", "length|string|center(9999999)",
)  # fmt: skip
_DOUBLINGS = (
    "a ~ a", "a + a", "a * 2", "[a, a]", "{'x': a, 'y': a}", "(a, a)", "a|string + a|string", "[a]*2",
    "a|tojson + a|tojson", "[a]|sum(start=[a])", "'%s%s' % (a, a)", "'{0}{0}'.format(a)", "[a, a]|join",
    "a|string|replace('x', 'xx')|replace('1', '11')",
)  # fmt: skip
_FAKES = (
    "fake.text({n})", "fake.pylist({n})", "fake.dsv(num_rows={n})", "fake.random_elements(['a'], {n})",
    "fake.pystr({n}, {n})", "fake.paragraphs({n})", "fake.pydecimal({n}, {n})", "fake.password({n})",
    "fake.words({n})", "fake.sentence({n})", "fake.random_number({n})", "fake.numerify('#' * {n})",
    "fake.texts({n}, 900)", "fake.hostname({n})", "fake.uri_path({n})", "token({n})",
)  # fmt: skip
_COUNTED = (
    "(([[1]]*{n})|sum(start=[]))|length", "[[[[1]*{n}]*{n}]*{n}]*{n}", "('x'*{n})|upper|lower|title|length",
    "'x'.ljust({n}*1000000)", "'x'.zfill({n}00)", "'%(a b){n}s' % {{'a b': 1}}", "'%.{n}f' % 1.5", "'%*d' % ({n}, 1)",
    "('{{0:9999}}'*{n}).format(1)", "('%9999d' * ({n} // 100)) % range(5)", "(['x'*4000]*{n})|join", "''.join(['x'*4000]*{n})",
    "range({n})|list", "range(900)|map('center', {n})|list", "'{{:>{{}}}}'.format('x', {n})", "{n} ** {n}", "'\\t'.expandtabs({n}00)",
    "('a' * 1000000).replace('a', 'b' * {n})", "('y' * 100000).join('x' * {n})", "[0] * {n} + [0] * {n}", "'x' * {n}0 in 'x' * {n}0",
)  # fmt: skip
_LOOPED = (
    "('x' * 1000000)|length", "'x' * 1000000 == 'x' * 1000000", "('x' * 100000).find('y')", "'y' in 'x' * 1000000",
    "('a b ' * 10000).split()|length", "[1] * 60000 == [1] * 60000", "([1] * 60000)|sum", "('x' * 100000)[::-1]|length",
    "fake.paragraphs(9)", "[9, 8, 7]|sort|sort|sort|string|upper|list|join|length", "(9 ** 80)|string * 9000",
)  # fmt: skip


def growing() -> Iterator[str]:
    """More than 200 sources; each has to be refused."""
    for count in _COUNTS:
        for expression in (*_FAKES, *_COUNTED):
            yield f"{{{{ {expression.format(n=count)} }}}}"
    for large in _LARGE:
        for name in _FILTERS:
            yield (
                f"{{% set a = {large} %}}"
                f"{{% for i in range(900) %}}{{{{ (a|{name})|string|length }}}}{{% endfor %}}"
            )
    for doubling in _DOUBLINGS:
        for start in ("[1, 'x']", "'x1x'"):
            yield f"{{% set a = {start} %}}" + f"{{% set a = {doubling} %}}" * 60 + "{{ a|string|length }}"
    for expression in _LOOPED:
        loops = "{% for i in range(900) %}" * 2 + f"{{{{ {expression} }}}}" + "{% endfor %}" * 2
        yield loops
    yield "{% set n = 3 %}" + "{% set n = n * n %}" * 40 + "{{ n }}"
    yield "{% macro f(n) %}{% for i in range(900) %}{{ f(n) }}{% endfor %}{% endmacro %}{{ f(1) }}"
    yield "{% macro f(n) %}{{ f(n) ~ f(n) }}{% endmacro %}{{ f(1) }}"
    yield "{% filter upper %}{% filter center(10**6) %}x{% endfilter %}{% endfilter %}{{ 'x' * 1000000 }}"
    yield "{% set a %}{{ 'x' * 10**6 }}{{ 'x' * 10**6 }}{% endset %}{{ a }}"
