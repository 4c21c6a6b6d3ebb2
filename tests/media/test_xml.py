"""XML by the ``xml`` object; the cases are those of OpenAPI 3.2, "XML Object Examples"."""

from __future__ import annotations

from typing import Any

import pytest

from mockserver.jsonschema import Schemas
from mockserver.media import coercion
from mockserver.media.codec import Codec
from mockserver.media.coercion import Decoded, Reader, Undecoded
from mockserver.media.types import Malformed
from mockserver.plan import MediaType

STRING = {"type": "string"}
HEAD = b'<?xml version="1.0" encoding="UTF-8"?>\n'


def codec(schema: Any, name: str = "thing", **others: Any) -> Codec:
    trees = {"u": {"schemas": {name: schema, **others}}}
    return Codec(MediaType("application/xml", f"u#/schemas/{name}"), Reader(Schemas(trees, "3.1"), "request"))


def judge(made: Codec, text: str | bytes) -> Decoded | Malformed:
    raw = made.decode(text.encode() if isinstance(text, str) else text)
    return raw if isinstance(raw, Malformed) else made.validate(raw)


def of(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (STRING, "<thing>a &lt; b</thing>", "a < b"),
        ({"type": "integer", "xml": {"name": "n"}}, "<n>5</n>", 5),
        (of(a=STRING), "<thing><a>x</a></thing>", {"a": "x"}),
        (of(a=STRING), "<thing><a></a></thing>", {"a": ""}),
        (
            of(id={"type": "integer", "xml": {"attribute": True}}, a=STRING),
            '<thing id="5"><a>x</a></thing>',
            {"id": 5, "a": "x"},
        ),
        (
            of(id={"type": "integer", "xml": {"nodeType": "attribute", "name": "key"}}),
            '<thing key="5"></thing>',
            {"id": 5},
        ),
        (of(t={"type": "integer", "xml": {"nodeType": "text"}}), "<thing>5</thing>", {"t": 5}),
        (of(a={**STRING, "xml": {"name": "b"}}), "<thing><b>x</b></thing>", {"a": "x"}),
        (
            of(a={**STRING, "xml": {"namespace": "urn:x", "prefix": "p"}}),
            '<thing><p:a xmlns:p="urn:x">x</p:a></thing>',
            {"a": "x"},
        ),
        # arrays
        (of(a={"type": "array", "items": STRING}), "<thing><a>x</a><a>y</a></thing>", {"a": ["x", "y"]}),
        (of(a={"type": "array", "items": STRING}), "<thing><a>x</a></thing>", {"a": ["x"]}),
        (
            of(
                a={
                    "type": "array",
                    "items": {"type": "integer", "xml": {"name": "b"}},
                    "xml": {"name": "ignored"},
                }
            ),
            "<thing><b>1</b><b>2</b></thing>",
            {"a": [1, 2]},
        ),
        (
            of(a={"type": "array", "items": STRING, "xml": {"wrapped": True}}),
            "<thing><a><a>x</a><a>y</a></a></thing>",
            {"a": ["x", "y"]},
        ),
        (
            of(
                a={
                    "type": "array",
                    "items": {**STRING, "xml": {"name": "c"}},
                    "xml": {"wrapped": True, "name": "b"},
                }
            ),
            "<thing><b><c>x</c></b></thing>",
            {"a": ["x"]},
        ),
        (
            of(a={"type": "array", "items": STRING, "xml": {"nodeType": "element"}}),
            "<thing><a><a>x</a></a></thing>",
            {"a": ["x"]},
        ),
        (
            of(a={"type": "array", "items": STRING, "xml": {"wrapped": True}}),
            "<thing><a></a></thing>",
            {"a": []},
        ),
        (
            {"type": "array", "items": {"type": "integer", "xml": {"name": "i"}}},
            "<thing><i>1</i></thing>",
            [1],
        ),
        (of(a={"$ref": "#/schemas/Inner"}), "<thing><inner><n>1</n></inner></thing>", {"a": {"n": 1}}),
        (
            of(a={"type": "array", "items": {"$ref": "#/schemas/Inner"}}),
            "<thing><inner><n>1</n></inner></thing>",
            {"a": [{"n": 1}]},
        ),
        (
            of(a={"type": ["string", "null"]}),
            '<thing><a xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"></a></thing>',
            {"a": None},
        ),
    ],
)
def test_xml_is_encoded_and_decoded_by_its_schema(schema: Any, text: str, value: Any) -> None:
    inner = {**of(n={"type": "integer"}), "xml": {"name": "inner"}}
    made = codec(schema, Inner=inner)
    assert made.encode(value).data == HEAD + text.encode()
    result = judge(made, text)
    assert isinstance(result, Decoded), result
    if value != {"a": None}:  # text may be null, and an empty text too
        assert (result.value, result.violations) == (value, ())


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        (of(a=STRING), "<other><x:a xmlns:x='urn:y'>1</x:a></other>", {"a": "1"}),
        (of(a={"$ref": "#/schemas/Inner"}), "<thing><a><n>1</n></a></thing>", {"a": {"n": 1}}),
        (of(a={"type": "object"}), "<thing><a/></thing>", {"a": {}}),
        ({}, "<thing><a>1</a><a>2</a><b c='3'/></thing>", {"a": ["1", "2"], "b": {"c": "3"}}),
        (
            {"anyOf": [of(a={"type": "integer"}), of(a={"type": "boolean"})]},
            "<thing><a>true</a></thing>",
            {"a": True},
        ),
        (STRING, '<?xml version="1.0" encoding="ISO-8859-1"?><thing>\xe9</thing>'.encode("latin-1"), "é"),
        (STRING, "<thing><![CDATA[<x>]]></thing>", "<x>"),
        (of(a=STRING), "<thing>\n  <a>x</a>\n</thing>", {"a": "x"}),
    ],
)
def test_xml_of_other_forms_is_decoded_too(schema: Any, text: str | bytes, value: Any) -> None:
    result = judge(codec(schema, Inner=of(n={"type": "integer"})), text)
    assert isinstance(result, Decoded), result
    assert (result.value, result.violations) == (value, ())


@pytest.mark.parametrize(
    ("schema", "text", "keyword"),
    [
        (of(a={"type": "integer"}), "<thing><a>x</a></thing>", "type"),
        (of(a=STRING), "<thing><b>x</b></thing>", "additionalProperties"),
        (of(a=STRING), "<thing><a>x</a><a>y</a></thing>", "type"),
        (of(a=STRING), "<thing b='x'/>", "additionalProperties"),
        ({**of(a=STRING), "required": ["a"]}, "<thing/>", "required"),
        ({**STRING, "xml": {"name": "right"}}, "<wrong/>", "xml"),
        ({**STRING, "xml": {"namespace": "urn:x"}}, "<thing/>", "xml"),
        (of(a={**STRING, "xml": {"namespace": "urn:x"}}), "<thing><a>x</a></thing>", "additionalProperties"),
        (STRING, "", "syntax"),
        (STRING, "<a>", "syntax"),
        (STRING, "<a></b>", "syntax"),
        (STRING, "<a/><b/>", "syntax"),
        (STRING, "<a>&undefined;</a>", "syntax"),
        (STRING, "<p:a/>", "syntax"),
        (STRING, "<a>\0</a>", "syntax"),
        (STRING, b"<a>\xff</a>", "syntax"),
        (STRING, '<?xml version="1.0" encoding="nonsense"?><a/>', "syntax"),
        (STRING, "<a>" * 100_000, "syntax"),
    ],
)
def test_invalid_xml_gives_the_broken_keyword(schema: Any, text: str | bytes, keyword: str) -> None:
    result = judge(codec(schema), text)
    found = (
        [result.keyword] if isinstance(result, Malformed) else [each.keyword for each in result.violations]
    )
    assert found == [keyword]


@pytest.mark.parametrize(
    "text",
    [
        "<!DOCTYPE a ["
        + "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
        + "]><a>&e9;</a>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        '<!DOCTYPE a SYSTEM "http://localhost/x.dtd"><a/>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///etc/passwd"> %x;]><a/>',
    ],
)
def test_document_types_are_refused(text: str) -> None:
    result = judge(codec(STRING), text)
    assert isinstance(result, Malformed)
    assert "document type" in result.message


def test_hostile_names_and_text_stay_data() -> None:
    made = codec({"type": "object"})
    data = made.encode({"a b><c": "]]>&<\x00\r", "1": 1}).data
    assert data == HEAD + b"<thing><a_b__c>]]&gt;&amp;&lt;\xef\xbf\xbd&#13;</a_b__c><_1>1</_1></thing>"
    assert isinstance(judge(made, data), Decoded)


def test_a_deep_element_that_is_read_by_a_recursive_schema_is_copied_a_few_times_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    copied = 0
    copy = coercion.without_schema

    def counted(raw: Undecoded) -> Any:
        nonlocal copied
        copied += 1
        return copy(raw)

    monkeypatch.setattr(coercion, "without_schema", counted)
    depth, width = 60, 100
    text = "<thing>" + "<a>" * depth + "<b/>" * width + "</a>" * depth + "</thing>"
    schema = {"type": "object", "properties": {"a": {"$ref": "#/schemas/thing"}}}
    result = judge(codec(schema), text)
    assert isinstance(result, Decoded)
    assert not result.violations
    assert copied < 3 * (depth + width)
