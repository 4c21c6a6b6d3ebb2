"""Operations that differ behind ``?`` or ``#`` are told apart by what a request carries."""

from __future__ import annotations

import pytest

from mockserver.engine.routing import has_mark, path_of
from tests.live import Write, ask, compiled, engine_of

ANSWER = 'responses: {{"200": {{description: ok, content: {{application/json: {{example: {0}}}}}}}}}'
ID = "{name: id, in: path, required: true, schema: {type: string}}"
PATHS = {
    "/r": ("get", "", "plain"),
    "/r?beta=true": ("get", "", "beta"),
    "/#X-Amz-Target=S.A": ("post", "", "A"),
    "/#X-Amz-Target=S.B": ("post", "", "B"),
    "/#Action": ("get", "parameters: [{name: Action, in: query, schema: {enum: [List]}}], ", "list"),
    "/up/{id}?convert={convert}": (
        "put",
        f"parameters: [{ID}, {{name: convert, in: path, required: true, schema: {{type: string}}}}], ",
        "converted",
    ),
    "/up/{id}": ("put", f"parameters: [{ID}], ", "unconverted"),
    "/events#x-amz-Client-Context": ("post", "", "event"),
}


@pytest.mark.parametrize(
    ("method", "target", "headers", "expected"),
    [
        ("GET", "/r", {}, b'"plain"'),
        ("GET", "/r?beta=true", {}, b'"beta"'),
        ("GET", "/r?a=1&beta=true", {}, b'"beta"'),
        ("GET", "/r?beta=false", {}, b'"plain"'),
        ("GET", "/r?b%65ta=tru%65", {}, b'"beta"'),
        ("HEAD", "/r?beta=true", {}, b""),
        ("POST", "/", {"x-amz-target": "S.B"}, b'"B"'),
        ("POST", "/?X-Amz-Target=S.B", {}, b'"B"'),
        ("POST", "/", {"x-amz-target": "S.A"}, b'"A"'),
        ("POST", "/", {}, b'"A"'),
        ("GET", "/?Action=List", {}, b'"list"'),
        ("PUT", "/up/3?convert=pdf", {}, b'"converted"'),
        ("PUT", "/up/3", {}, b'"unconverted"'),
        ("POST", "/events", {}, b'"event"'),
    ],
)
def test_a_request_reaches_the_operation_whose_conditions_it_meets(
    method: str, target: str, headers: dict[str, str], expected: bytes, write: Write
) -> None:
    lines = ["openapi: 3.1.0", 'info: {title: t, version: "1"}', "paths:"]
    lines += [
        f'  "{path}": {{{verb}: {{{more}{ANSWER.format(word)}}}}}'
        for path, (verb, more, word) in PATHS.items()
    ]
    engine = engine_of(compiled(write("api.yaml", "\n".join(lines))))
    response = ask(engine, method, target, headers)
    assert (response.status, response.body if method != "HEAD" else b"") == (200, expected)


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("/a", "/a"),
        ("/a?b=c", "/a"),
        ("/a#b", "/a"),
        ("/#b", "/"),
        ("/{a?}/b", "/{a?}/b"),
        ("/a{?b,c}", "/a"),
        ("/a/{id}?x={x}", "/a/{id}"),
    ],
)
def test_the_path_ends_before_the_mark(template: str, path: str) -> None:
    assert path_of(template) == path
    assert has_mark(template) is (path != template)
