"""What a request body may cost: few octets on the wire are no few values in memory."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.parsers import expat

import pytest

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.engine.engine import Engine, Options
from mockserver.engine.request.body import Body, BodyReader
from mockserver.jsonschema import Schemas
from mockserver.media.coercion import Reader
from mockserver.messages import BodyLimits, Request
from mockserver.plan import MediaType, RequestBody
from tests.live import engine_of

LIFECYCLE = Path(__file__).parents[3] / "openapi" / "certificate-lifecycle.yaml"
JSON_TYPE = "application/json"
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
MOST = 50
MiB = 1024 * 1024


@pytest.fixture(scope="module")
def engine() -> Engine:
    return engine_of(compile_plan(Inputs((LIFECYCLE,))).plan)


def usages(count: int) -> bytes:
    return b'{"attributes":{"keyUsages":[' + b"1," * (count - 1) + b"1]}}"


def posted(engine: Engine, data: bytes, coding: str = "") -> tuple[int, Any]:
    headers = {"content-type": JSON_TYPE} | ({"content-encoding": coding} if coding else {})
    response = engine.handle(Request("POST", "/api/v1/cert-manager/certificates", "", headers, data))
    return response.status, json.loads(response.body)  # type: ignore[union-attr]


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [200_000, 5_200_000])
def test_a_small_compressed_body_of_many_faults_is_refused_before_it_is_parsed(
    count: int, engine: Engine
) -> None:
    packed = gzip.compress(usages(count))
    told: list[tuple[int, Any]] = []
    assert peak(lambda: told.append(posted(engine, packed, "gzip"))) < 20 * MiB
    assert told[0][0] == 413
    assert "--max-ratio allows more" in str(told[0][1])


def test_a_body_of_many_values_is_refused_before_it_is_parsed(engine: Engine) -> None:
    data = usages(4_000_000)
    told: list[tuple[int, Any]] = []
    assert peak(lambda: told.append(posted(engine, data))) < 2 * MiB
    assert told[0][0] == 413
    assert "over 500,000 values; --max-nodes allows more" in str(told[0][1])


def test_of_many_faults_few_are_collected(engine: Engine) -> None:
    posted(engine, usages(1))
    told: list[tuple[int, Any]] = []
    assert peak(lambda: told.append(posted(engine, usages(100_000)))) < 20 * MiB
    status, body = told[0]
    assert status == 422
    assert len(body["message"]) == 20


def read(schema: Any, content_type: str, data: bytes, limits: BodyLimits, **headers: str) -> Body:
    media = MediaType(content_type.partition(";")[0], "u#/s")
    reader = BodyReader(
        RequestBody(True, (media,)), Reader(Schemas({"u": {"s": schema}}, "3.1"), "request"), limits
    )
    return reader.read({"content-type": content_type, **headers}, data)


def part(name: str, data: bytes, content_type: str = "text/plain") -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"\r\nContent-Type: {content_type}\r\n\r\n'
    return head.encode() + data + b"\r\n"


LIST = {"type": "array", "items": {"type": "integer"}}
LISTS = {"type": "object", "additionalProperties": LIST}
PETS = {"type": "object", "properties": {"a": {"type": "object"}}}


def attributes(count: int) -> bytes:
    return b" ".join(b"b%d='='" % i for i in range(count))


def declarations(count: int) -> bytes:
    return b" ".join(b"xmlns:b%d='='" % i for i in range(count))


def around(before: bytes, signs: int, after: bytes, count: int) -> bytes:
    return before + b"<" * signs + after + b"<b/>" * (count // 5 - 1) + b"</a>"


XML_16 = '<?xml version="1.0" encoding="UTF-16"?>'
AT_MOST: dict[str, tuple[Any, str, Callable[[int], bytes]]] = {
    "items": (LIST, JSON_TYPE, lambda n: b"[" + b",".join([b"1"] * (n - 1)) + b"]"),
    "members": ({}, JSON_TYPE, lambda n: b"{" + b",".join(b'"%d":1' % i for i in range(n - 1)) + b"}"),
    "empty lists": ({}, JSON_TYPE, lambda n: b"[" + b",".join([b"[ ]"] * (n - 1)) + b"]"),
    "lists in lists": ({}, JSON_TYPE, lambda n: b"[" * n + b"]" * n),
    "commas in texts": ({}, JSON_TYPE, lambda n: b"[" + b",".join([rb'"[,\",\\"'] * (n - 1)) + b"]"),
    "lines": ({}, "application/x-ndjson", lambda n: b"1\n" * (n - 1)),
    "fields": ({}, FORM, lambda n: b"&".join(b"a%d=,,[" % i for i in range(n // 5))),
    "levels of fields": (PETS, FORM, lambda n: b"a" + b"[b]" * (n // 5 - 1) + b"=1"),
    "parts": ({}, MULTIPART, lambda n: b"".join(part(f"p{i}", b"[,") for i in range(n // 5 - 1)) + b"--x--"),
    "elements": ({}, "application/xml", lambda n: b"<a>" + b"<b></b>" * (n // 5 - 1) + b"</a>"),
    "attributes": ({}, "application/xml", lambda n: b"<a %b>=</a>" % attributes(n // 5 - 1)),
    "namespaces": ({}, "application/xml", lambda n: b"<a %b>=</a>" % declarations(n // 5 - 1)),
    "comments": ({}, "application/xml", lambda n: around(b"<a><!--", n, b"-->", n)),
    "CDATA": ({}, "application/xml", lambda n: around(b"<a><![CDATA[", n, b"]]>", n)),
    "instruction": ({}, "application/xml", lambda n: around(b"<a><?p ", n, b"?>", n)),
    "instruction at the start": ({}, "application/xml", lambda n: around(b"<?p ", n, b"?><a>", n)),
    "UTF-16": (
        {},
        "application/xml",
        lambda n: (XML_16 + "<a>" + "<b/>" * (n // 5 - 1) + "</a>").encode("utf-16"),
    ),
    "events": ({}, "text/event-stream", lambda n: b"data: 1\n" * (n // 5)),
}  # fmt: skip


@pytest.mark.parametrize("name", AT_MOST)
def test_values_are_counted_exactly_in_each_syntax(name: str) -> None:
    schema, content_type, made = AT_MOST[name]
    limits = BodyLimits(nodes=MOST)
    taken = read(schema, content_type, made(MOST), limits)
    assert taken.status == 0, taken
    refused = read(schema, content_type, made(MOST + 5), limits)
    assert refused.status == 413
    assert [each.keyword for each in refused.violations] == ["size"]
    assert refused.value is None


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """The parsers of XML that are made."""
    made: list[object] = []
    create = expat.ParserCreate

    def counted(*given: Any, **named: Any) -> object:
        made.append(create(*given, **named))
        return made[-1]

    monkeypatch.setattr(expat, "ParserCreate", counted)
    return made


def test_xml_of_nearly_too_many_values_is_parsed_once(parsed: list[object]) -> None:
    data = b"<a>" + b"=<b/>" * (MOST // 5 - 1) + b"</a>"
    assert read({}, "application/xml", data, BodyLimits(nodes=MOST)).status == 0
    assert len(parsed) == 1


def test_xml_of_far_too_many_elements_is_refused_before_it_is_parsed(parsed: list[object]) -> None:
    data = b"<?xml version='1.0'?><a>" + b"<b></b>" * MOST + b"</a>"
    assert read({}, "application/xml", data, BodyLimits(nodes=MOST)).status == 413
    assert not parsed


@pytest.mark.parametrize("attribute", [b" x%d='='", b' xmlns:x%d=">"'])
def test_tag_of_too_many_attributes_is_refused_before_it_is_parsed_to_its_end(
    monkeypatch: pytest.MonkeyPatch, attribute: bytes
) -> None:
    given: list[bytes] = []

    class Parser:
        def __init__(self, **named: Any) -> None:
            self.__dict__["parser"] = create(**named)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.parser, name)

        def __setattr__(self, name: str, value: Any) -> None:
            setattr(self.parser, name, value)

        def Parse(self, data: bytes, is_final: bool) -> int:  # noqa: N802 - the name that expat's has
            given.append(data)
            result: int = self.parser.Parse(data, is_final)
            return result

    create = expat.ParserCreate
    monkeypatch.setattr(expat, "ParserCreate", Parser)
    data = b"<a" + b"".join(attribute % i for i in range(200_000)) + b"/>"
    assert read({}, "application/xml", data, BodyLimits(nodes=1000)).status == 413
    assert sum(map(len, given)) <= MiB < len(data)


@pytest.mark.parametrize(
    "data",
    [
        b"<a b='" + b'="" ' * MiB + b"'/>",
        b"<a><!-- " + b"b='' " * MiB + b"--></a>",
        b"<a><![CDATA[<b " + b"b='' " * MiB + b"]]></a>",
        b"<a><?p " + b"b='' " * MiB + b"?></a>",
        b"<a>" + b"b='' " * MiB + b"</a>",
    ],
    ids=["value", "comment", "CDATA", "instruction", "text"],
)
def test_what_looks_like_attributes_counts_for_nothing(data: bytes) -> None:
    assert read({}, "application/xml", data, BodyLimits(nodes=MOST)).status == 0


@pytest.mark.parametrize(
    ("schema", "content_type", "data"),
    [
        (LISTS, FORM, b"a=" + b",".join([b"1"] * 100)),
        (LISTS, FORM, b"a=[" + b",".join([b"1"] * 200) + b"]"),
        ({}, MULTIPART, part("a", b"[" + b"1," * 200 + b"1]", "application/json") + b"--x--"),
        (LISTS, "application/xml", b"<r><a>" + b"1," * 100 + b"1</a></r>"),
        (LIST, "text/plain", b"1," * 99 + b"1"),
    ],
    ids=[
        "a list in a field",
        "JSON in a field",
        "a part of JSON",
        "a list in an element",
        "a list as a text",
    ],
)
def test_values_within_a_text_are_bounded_too(schema: Any, content_type: str, data: bytes) -> None:
    assert read(schema, content_type, data, BodyLimits(nodes=1000)).status == 0
    assert read(schema, content_type, data, BodyLimits(nodes=MOST)).status == 413


def test_a_text_that_compresses_well_is_taken_where_it_is_small_or_the_ratio_allows_it() -> None:
    def status(size: int, ratio: int) -> int:
        packed = gzip.compress(b'"' + b"a" * (size - 2) + b'"')
        encoded = {"content-encoding": "gzip"}
        return read({}, JSON_TYPE, packed, BodyLimits(ratio=ratio), **encoded).status

    assert status(MiB, 1) == 0
    assert status(MiB + 1, 1) == 413
    assert status(4 * MiB, 100) == 413
    assert status(4 * MiB, 2000) == 0


def test_the_options_reach_the_reader() -> None:
    made = engine_of(compile_plan(Inputs((LIFECYCLE,))).plan, options=Options(max_nodes=10, max_ratio=1))
    assert posted(made, usages(7))[0] == 422
    assert posted(made, usages(8))[0] == 413
