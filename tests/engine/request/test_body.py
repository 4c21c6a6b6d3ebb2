"""Bodies of requests: media types, content codings, requiredness."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from typing import Any

import pytest

from mockserver.engine.request.body import Body, BodyReader
from mockserver.jsonschema import Schemas
from mockserver.media.coercion import Reader
from mockserver.messages import BodyLimits
from mockserver.plan import MediaType, RequestBody

PET = {
    "type": "object",
    "properties": {"id": {"type": "integer", "readOnly": True}, "name": {"type": "string"}},
    "required": ["id", "name"],
}
JSON_TYPE = {"content-type": "application/json"}
LIMIT = 1000


def reader(*names: str, required: bool = True) -> BodyReader:
    content = tuple(MediaType(name, "u#/s") for name in names)
    return BodyReader(
        RequestBody(required, content),
        Reader(Schemas({"u": {"s": PET}}, "3.0"), "request"),
        BodyLimits(LIMIT),
    )


def told(body: Body) -> tuple[int, list[str]]:
    return body.status, [each.keyword for each in body.violations]


@pytest.mark.parametrize(
    ("headers", "data", "status", "keywords"),
    [
        (JSON_TYPE, b'{"name": "x"}', 0, []),
        ({"content-type": "Application/JSON; charset=utf-8"}, b'{"name": "x"}', 0, []),
        (JSON_TYPE, b'{"name": 1}', 422, ["type"]),
        (JSON_TYPE, b'{"id": 1, "name": "x"}', 0, []),
        (JSON_TYPE, b'{"id": 1, "name": 1}', 422, ["readOnly", "type"]),
        (JSON_TYPE, b"{}", 422, ["required"]),
        (JSON_TYPE, b"{", 422, ["syntax"]),
        (JSON_TYPE, b"", 422, ["required"]),
        ({}, b"", 422, ["required"]),
        ({}, b'{"name": "x"}', 415, ["mediaType"]),
        ({"content-type": "text/plain"}, b'{"name": "x"}', 415, ["mediaType"]),
        ({"content-type": "nonsense"}, b'{"name": "x"}', 415, ["mediaType"]),
        ({"content-type": ""}, b'{"name": "x"}', 415, ["mediaType"]),
    ],
)
def test_body_gives_a_status_and_the_broken_keywords(
    headers: dict[str, str], data: bytes, status: int, keywords: list[str]
) -> None:
    assert told(reader("application/json").read(headers, data)) == (status, keywords)


def test_violation_of_a_body_has_location_and_pointer() -> None:
    body = reader("application/json").read(JSON_TYPE, b'{"id": 1, "name": 2}')
    assert body.value == {"id": 1, "name": 2}
    assert {(each.location, each.pointer, each.keyword) for each in body.violations} == {
        ("body", "/id", "readOnly"),
        ("body", "/name", "type"),
    }


@pytest.mark.parametrize("headers", [{}, JSON_TYPE])
def test_an_optional_body_may_be_left_out(headers: dict[str, str]) -> None:
    assert reader("application/json", required=False).read(headers, b"") == Body()


def test_a_form_may_be_empty() -> None:
    made = reader("application/x-www-form-urlencoded")
    assert told(made.read({"content-type": "application/x-www-form-urlencoded"}, b"")) == (422, ["required"])
    assert made.read({"content-type": "application/x-www-form-urlencoded"}, b"name=").value == {"name": ""}


def test_an_empty_form_is_a_body_where_a_form_is_announced() -> None:
    made = reader("application/x-www-form-urlencoded", required=False)
    assert told(made.read({"content-type": "application/x-www-form-urlencoded"}, b"")) == (422, ["required"])
    assert made.read({"content-type": "text/plain"}, b"") == Body()


def test_without_content_type_a_body_is_bytes() -> None:
    made = BodyReader(
        RequestBody(True, (MediaType("*/*"),)), Reader(Schemas({}, "3.0"), "request"), BodyLimits(LIMIT)
    )
    assert made.read({}, b"\xff").value == "ÿ"


def test_any_body_will_do_where_no_media_type_is_documented() -> None:
    assert reader().read({"content-type": "a/b"}, b"x") == Body()


def test_each_documented_type_has_its_format() -> None:
    made = reader("application/json", "application/x-www-form-urlencoded", "application/xml")
    for content_type, data in (
        ("application/json", b'{"name": "x"}'),
        ("application/x-www-form-urlencoded", b"name=x"),
        ("application/xml", b"<p><name>x</name></p>"),
    ):
        assert made.read({"content-type": content_type}, data) == Body({"name": "x"})


def _raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


WHOLE = b'{"name": "x"}'


@pytest.mark.parametrize(
    ("coding", "data"),
    [
        ("gzip", gzip.compress(WHOLE, mtime=0)),
        ("X-GZIP", gzip.compress(WHOLE, mtime=0)),
        ("gzip", gzip.compress(WHOLE[:5], mtime=0) + gzip.compress(WHOLE[5:], mtime=0)),
        ("deflate", zlib.compress(WHOLE)),
        ("deflate", _raw_deflate(WHOLE)),
        ("identity", WHOLE),
        ("gzip, deflate", zlib.compress(gzip.compress(WHOLE, mtime=0))),
    ],
)
def test_encoded_body_is_decoded(coding: str, data: bytes) -> None:
    assert reader("application/json").read({**JSON_TYPE, "content-encoding": coding}, data) == Body(
        {"name": "x"}
    )


@pytest.mark.parametrize(
    ("coding", "data", "status", "keyword"),
    [
        ("br", WHOLE, 415, "mediaType"),
        ("gzip", WHOLE, 422, "syntax"),
        ("gzip", gzip.compress(WHOLE, mtime=0)[:-1], 422, "syntax"),
        ("gzip", gzip.compress(WHOLE, mtime=0) + b"x", 422, "syntax"),
        ("gzip", gzip.compress(b"", mtime=0) * 100, 422, "syntax"),
        ("deflate", b"", 422, "syntax"),
        ("deflate", b"\xff\xff", 422, "syntax"),
        ("gzip", gzip.compress(b" " * (LIMIT + 1), mtime=0), 413, "size"),
        ("deflate", zlib.compress(b" " * (LIMIT + 1)), 413, "size"),
        ("gzip", gzip.compress(b" " * LIMIT, mtime=0) + gzip.compress(b" ", mtime=0), 413, "size"),
    ],
)
def test_body_with_an_unsupported_or_broken_coding_is_refused(
    coding: str, data: bytes, status: int, keyword: str
) -> None:
    made = reader("application/json")
    headers: dict[str, str] = {**JSON_TYPE, "content-encoding": coding}
    assert told(made.read(headers, data or b"\0")) == (status, [keyword])


def test_body_of_one_octet_more_than_the_limit_is_refused() -> None:
    data = gzip.compress(b'"' + b"x" * (LIMIT - 2) + b'"')
    body = reader("application/json").read({**JSON_TYPE, "content-encoding": "gzip"}, data)
    assert told(body) == (422, ["type"])


def test_a_bomb_is_not_inflated() -> None:
    bomb: Any = gzip.compress(gzip.compress(bytes(100_000_000)))
    made = reader("application/json")
    tracemalloc.start()
    try:
        status, _ = told(made.read({**JSON_TYPE, "content-encoding": "gzip, gzip"}, bomb))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert status == 413
    assert peak < 5_000_000


@pytest.mark.parametrize(
    ("patch", "keywords"),
    [
        (b'{"name": "x", "nick": null}', []),
        (b'{"name": "x", "owner": {"since": null}}', []),
        (b'{"name": null}', ["required"]),
        (b'{"name": 1, "nick": null}', ["type"]),
        (b'{"name": "x", "tags": [null]}', ["type"]),
    ],
)
def test_null_in_a_merge_patch_removes_a_member(patch: bytes, keywords: list[str]) -> None:
    text = {"type": "string"}
    pet = {
        "type": "object",
        "properties": {
            "name": text,
            "nick": text,
            "owner": {"type": "object", "properties": {"since": text}},
            "tags": {"type": "array", "items": text},
        },
        "required": ["name"],
    }
    for name, expected in (("application/merge-patch+json", keywords), ("application/json", None)):
        media = RequestBody(True, (MediaType(name, "u#/s"),))
        made = BodyReader(media, Reader(Schemas({"u": {"s": pet}}, "3.0"), "request"), BodyLimits(LIMIT))
        body = made.read({"content-type": name}, patch)
        if expected is not None:
            assert told(body)[1] == expected
        else:
            assert body.status == 422
