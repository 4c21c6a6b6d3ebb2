from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.engine.resources.context import Providers, RenderContext
from mockserver.engine.resources.render import (
    Renderer,
    RenderError,
    ResponseSpec,
    Verdict,
    merge,
    response_cache,
)
from mockserver.media.codec import Encoded
from mockserver.media.json import encode_json
from mockserver.messages import Request
from mockserver.plan import JSON, ResponseTemplate

NOW = 1_767_225_600_000
BARE = ResponseSpec(None, None, None, None)


def context(key: str = "k", *, now: int = NOW, changed: int = NOW, call: int = 1) -> RenderContext:
    return RenderContext(
        "default", "thing", key, "made", "story", call, NOW, changed, now, Request("GET", "/"), {}
    )


def renderer(recipe: ResponseTemplate, ground: ResponseSpec = BARE) -> Renderer:
    return Renderer("thing.made", recipe, ground, Providers("0"), response_cache())


def recipe(body: JSON, **more: Any) -> ResponseTemplate:
    return ResponseTemplate(
        200, has_body=True, body=body, media_type="application/json", location="x.yaml:1:1", **more
    )


OWN = [
    "{{ resource.created_at }}",
    "{{ now }}",
    "{{ uuid('a') }}",
    "req-{{ token(3) }}",
    "{{ x509.serial_number }}",
]
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(max_size=5), st.sampled_from(OWN)
)
BODIES = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@given(BODIES)
def test_joined_pieces_are_what_building_the_whole_gives(body: JSON) -> None:
    """The quick way of an answer whose templates are all our own, against the plain one."""
    plain = ResponseSpec(
        None, lambda value: Verdict(), lambda value: Encoded(encode_json(value), "application/json"), None
    )
    whole = renderer(recipe(body), plain)
    joined = renderer(recipe(body))
    assert json.loads(joined.render(context()).body) == json.loads(whole.render(context()).body)


def test_a_constant_body_keeps_its_order_and_its_characters() -> None:
    body = {"b": 1, "a": ["é", "\u2028", '"', "\\", "\x00"], "c": {"z": None, "y": 1.5, "x": True}}
    assert (
        renderer(recipe(body)).render(context()).body
        == json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
    )


@pytest.mark.parametrize("text", ["\x000", "\x001", "\\u00000", '"\\u00000"'])
def test_a_text_that_looks_like_a_placeholder_stays(text: str) -> None:
    body = {"a": text, "b": "{{ uuid('x') }}", "c": text}
    rendered = json.loads(renderer(recipe(body)).render(context()).body)
    assert (rendered["a"], rendered["c"]) == (text, text)
    assert len(rendered["b"]) == 36


def fake(key: str, hints: Mapping[str, JSON], now: int) -> JSON:
    return {"a": {"x": 1, "y": 2}, "b": [1, 2, 3], "c": key[:2]}


def test_a_partial_body_is_laid_over_a_fake() -> None:
    partial = renderer(
        recipe({"a": {"y": 5}, "b": [9], "d": None}), ResponseSpec(fake, lambda value: Verdict(), None, None)
    )
    rendered = json.loads(partial.render(context()).body)
    assert rendered.pop("c")
    assert rendered == {"a": {"x": 1, "y": 5}, "b": [9], "d": None}


@pytest.mark.parametrize(
    ("base", "over", "expected"),
    [
        (1, 2, 2),
        ({"a": 1}, 2, 2),
        ({"a": 1}, None, None),
        ([1, 2], [3], [3]),
        ({"a": 1}, {}, {"a": 1}),
        ({"a": 1, "b": 2}, {"b": 3}, {"a": 1, "b": 3}),
        ({"a": {"b": 1}}, {"a": {"c": 2}}, {"a": {"b": 1, "c": 2}}),
        ({"a": {"b": 1}}, {"a": []}, {"a": []}),
        ({}, {"a": {"b": {}}}, {"a": {"b": {}}}),
    ],
)
def test_a_body_is_merged_over_its_base(base: JSON, over: JSON, expected: JSON) -> None:
    assert merge(base, over) == expected


class Broken:
    pointer = "/a"
    keyword = "type"
    message = "is wrong"
    value = 1


def test_what_breaks_the_document_is_refused_with_its_place() -> None:
    judged = ResponseSpec(fake, lambda value: Verdict((Broken(),)), None, None)
    with pytest.raises(RenderError, match=r"x.yaml:1:1: thing.made breaks the document at /a: is wrong"):
        renderer(recipe({"a": 1}), judged).render(context())


def test_an_answer_is_rendered_once_for_a_key_and_a_change() -> None:
    calls: list[str] = []

    def counted(key: str, hints: Mapping[str, JSON], now: int) -> JSON:
        calls.append(key)
        return {}

    made = renderer(recipe({}), ResponseSpec(counted, None, None, None))
    made.render(context())
    made.render(context(now=NOW + 5, call=2))
    assert len(calls) == 1
    made.render(context("other"))
    made.render(context(changed=NOW + 1))
    assert len(calls) == 3
    fleeting = renderer(recipe({}, is_cacheable=False), ResponseSpec(counted, None, None, None))
    fleeting.render(context())
    fleeting.render(context())
    assert len(calls) == 5


def test_headers_are_rendered() -> None:
    headers = {"Retry-After": "30", "X-Key": "{{ resource.key }}"}
    documented = ResponseSpec(None, None, None, lambda key, now: [("x-key", "made"), ("x-more", "made")])
    made = renderer(ResponseTemplate(204, headers=headers), documented).render(context())
    assert dict(made.headers) == {"x-more": "made", "retry-after": "30", "x-key": "k"}
    assert made.body == b""


def test_a_content_type_of_the_file_is_sent_once() -> None:
    own = ResponseTemplate(
        200, headers={"Content-Type": "text/x"}, has_body=True, body="a", media_type="text/plain"
    )
    made = renderer(own, ResponseSpec(None, None, None, None)).render(context())
    assert made.headers == (("content-type", "text/x"),)


@pytest.mark.parametrize(
    ("key", "sent"),
    [
        ("a\r\nX-Evil: 1", "a%0D%0AX-Evil: 1"),
        ("a\nb%", "a%0Ab%"),
        ("a\x00", "a%00"),
        ("\x1b\x7f", "%1B%7F"),
        ("日\ud800", "%E6%97%A5%ED%A0%80"),
    ],
)
def test_what_no_header_can_carry_is_percent_encoded_and_told(key: str, sent: str) -> None:
    made = renderer(ResponseTemplate(204, headers={"X-Key": "{{ resource.key }}"})).render(context(key))
    assert made.headers == (("x-key", sent),)
    assert made.warnings == ("the header x-key has invalid characters, which are percent-encoded",)


@pytest.mark.parametrize("key", ["", "a b\tc", "é%0a"])
def test_what_a_header_can_carry_is_sent_as_it_is(key: str) -> None:
    made = renderer(ResponseTemplate(204, headers={"X-Key": "{{ resource.key }}"})).render(context(key))
    assert (made.headers, made.warnings) == ((("x-key", key),), ())
