"""Codecs in both directions: what bytes say, and that they are said back the same."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.jsonschema import Schemas
from mockserver.media.codec import Codec
from mockserver.media.coercion import Decoded, Literal, Reader
from mockserver.media.types import ContentType, Malformed, parse_content_type
from mockserver.plan import Encoding, MediaType

PET: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "integer"},
        "name": {"type": "string"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "owner": {
            "type": "object",
            "properties": {"age": {"type": "integer"}},
            "additionalProperties": False,
        },
    },
    "additionalProperties": False,
}
FORM = "application/x-www-form-urlencoded"
RESTYLED_PET: dict[str, Any] = {
    **PET,
    "properties": {
        **PET["properties"],
        "ids": {"type": "array", "items": {"type": "integer"}},
        "owners": {"type": "array", "items": PET["properties"]["owner"]},
    },
}
RESTYLED: list[tuple[tuple[tuple[str, str], ...], Any]] = [
    ((("tags[]", "a"), ("tags[]", "b")), {"tags": ["a", "b"]}),
    ((("tags[1]", "b"), ("tags[0]", "a"), ("id", "1")), {"tags": ["a", "b"], "id": 1}),
    ((("ids", "1,2"),), {"ids": [1, 2]}),
    ((("owner[age]", "3"),), {"owner": {"age": 3}}),
    ((("owner.age", "3"),), {"owner": {"age": 3}}),
    ((("owners[0][age]", "3"), ("owners[1][age]", "4")), {"owners": [{"age": 3}, {"age": 4}]}),
    ((("owners[][age]", "3"), ("owners[][age]", "4")), {"owners": [{"age": 3}, {"age": 4}]}),
]
"""Fields in other styles than the documented ones, and what they say."""


def codec(name: str, schema: Any = None, item: Any = None, **encoding: Encoding) -> Codec:
    return codec_of(name, schema, item, encoding, lenient=False)


def lenient_codec(name: str, schema: Any, **encoding: Encoding) -> Codec:
    return codec_of(name, schema, None, encoding, lenient=True)


def codec_of(name: str, schema: Any, item: Any, encoding: dict[str, Encoding], *, lenient: bool) -> Codec:
    trees = {"u": {"schema": schema, "item": item}}
    media = MediaType(
        name,
        None if schema is None else "u#/schema",
        encoding=encoding,
        item_schema=None if item is None else "u#/item",
    )
    return Codec(media, Reader(Schemas(trees, "3.1"), "request", lenient=lenient))


def judged(made: Codec, data: bytes, sent: str | None = None) -> Decoded | Malformed:
    content_type = parse_content_type(sent) if sent else None
    assert not isinstance(content_type, Malformed)
    raw = made.decode(data, content_type)
    return raw if isinstance(raw, Malformed) else made.validate(raw)


def value(made: Codec, data: bytes, sent: str | None = None) -> Any:
    result = judged(made, data, sent)
    assert isinstance(result, Decoded), result
    assert result.violations == ()
    return result.value


def keywords(made: Codec, data: bytes, sent: str | None = None) -> list[str]:
    result = judged(made, data, sent)
    return [result.keyword] if isinstance(result, Malformed) else [each.keyword for each in result.violations]


class TestJson:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b'{"a": 1, "a": 2}', {"a": 2}),
            (b"123456789012345678901234567890", 123456789012345678901234567890),
            (b"\xef\xbb\xbf[]", []),
            (b'"\\u0000"', "\0"),
            (b'"5"', "5"),
        ],
    )
    def test_json_is_decoded_exactly(self, data: bytes, expected: Any) -> None:
        assert value(codec("application/json"), data) == expected
        assert value(codec("application/vnd.a+json"), data) == expected

    @pytest.mark.parametrize(
        "data",
        [
            *(b"", b"{", b"NaN", b"Infinity", b"-Infinity", b"1e999", b"{'a':1}", b"[1,]", b"01", b"1 2"),
            *(
                b'"\xff"',
                b'"\\ud800"',
                b"\xff\xfe1\x00",
                b"[" * 1_000_000,
                b'{"a":' * 1_000_000,
                b"9" * 10_000,
            ),
        ],
    )
    def test_malformed_json_is_a_syntax_error(self, data: bytes) -> None:
        assert keywords(codec("application/json"), data) == ["syntax"]

    def test_text_is_not_given_a_type(self) -> None:
        assert keywords(codec("application/json", {"type": "integer"}), b'"5"') == ["type"]

    def test_json_deeper_than_the_limit_is_a_syntax_error(self) -> None:
        nested = {"type": "array", "uniqueItems": True, "items": {"$ref": "#/schema"}}
        made = codec("application/json", nested)
        assert keywords(made, b"[" * 255 + b"]" * 255) == []
        assert keywords(made, b"[" * 256 + b"]" * 256) == ["syntax"]
        assert keywords(made, b"[" + b"[]," * 1000 + b"1]") == ["uniqueItems", "type"]

    @given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
    def test_encoded_json_is_decoded_as_the_same_value(self, whole: Any) -> None:
        made = codec("application/json")
        assert value(made, made.encode(whole).data) == whole


class TestForm:
    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (b"", {}),
            (b"id=1&name=a+b%26", {"id": 1, "name": "a b&"}),
            (b"name=5&tags=a&tags=b", {"name": "5", "tags": ["a", "b"]}),
            (b"tags=a", {"tags": ["a"]}),
            (b"age=3", {"owner": {"age": 3}}),
            (b"owner=%7B%22age%22%3A3%7D", {"owner": {"age": 3}}),
        ],
    )
    def test_form_is_decoded_by_its_schema(self, data: bytes, expected: Any) -> None:
        assert value(codec(FORM, PET), data) == expected

    @pytest.mark.parametrize(
        ("data", "keyword"),
        [
            (b"id=x", "type"),
            (b"id=1&id=2", "type"),
            (b"zz=1", "additionalProperties"),
            (b"name=%zz", "syntax"),
            (b"zz=%ff", "syntax"),
        ],
    )
    def test_invalid_form_gives_the_broken_keyword(self, data: bytes, keyword: str) -> None:
        assert keywords(codec(FORM, PET), data) == [keyword]

    @pytest.mark.parametrize("type_", ["array", ["array", "null"]])
    def test_an_empty_list_has_no_field(self, type_: Any) -> None:
        made = codec(FORM, {"required": ["tags"], "properties": {"tags": {"type": type_}}})
        assert value(made, b"other=1") == {"tags": [], "other": "1"}

    def test_what_may_be_no_list_is_missed(self) -> None:
        made = codec(FORM, {"required": ["tags"], "properties": {"tags": {"type": ["array", "string"]}}})
        assert keywords(made, b"other=1") == ["required"]

    def test_an_empty_list_that_is_not_valid_is_missed(self) -> None:
        tags = {"type": "array", "minItems": 1}
        made = codec(FORM, {"required": ["tags"], "properties": {"tags": tags}})
        assert keywords(made, b"other=1") == ["required"]

    @pytest.mark.parametrize(("fields", "expected"), RESTYLED)
    def test_another_style_is_read_and_named(
        self, fields: tuple[tuple[str, str], ...], expected: Any
    ) -> None:
        data = urlencode(fields).encode()
        result = judged(lenient_codec(FORM, RESTYLED_PET), data)
        assert isinstance(result, Decoded)
        assert (result.value, result.violations) == (expected, ())
        assert all("documented: style form" in each for each in result.warnings)
        assert result.warnings

    @pytest.mark.parametrize("data", [b"tags[]=a", b"owner[age]=3"])
    def test_other_styles_are_refused_where_styles_are_strict(self, data: bytes) -> None:
        assert keywords(codec(FORM, RESTYLED_PET), data) == ["additionalProperties"]

    @pytest.mark.parametrize(
        ("data", "keyword"), [(b"owner[age]=x", "additionalProperties"), (b"ids=1,x", "type")]
    )
    def test_what_no_style_makes_valid_is_refused(self, data: bytes, keyword: str) -> None:
        assert keyword in keywords(lenient_codec(FORM, RESTYLED_PET), data)

    @pytest.mark.parametrize(
        ("encoding", "name", "data", "expected"),
        [
            (Encoding(explode=False), "tags", b"tags=a,b", ["a", "b"]),
            (Encoding(style="pipeDelimited", explode=False), "tags", b"tags=a%7Cb", ["a", "b"]),
            (Encoding(style="spaceDelimited", explode=False), "tags", b"tags=a+b", ["a", "b"]),
            (Encoding(style="deepObject"), "owner", b"owner[age]=3", {"age": 3}),
            (Encoding(content_type="application/json"), "tags", b"tags=%5B%22a%22%5D", ["a"]),
        ],
    )
    def test_property_with_an_encoding_is_decoded_and_encoded_by_it(
        self, encoding: Encoding, name: str, data: bytes, expected: Any
    ) -> None:
        made = codec(FORM, PET, **{name: encoding})
        assert value(made, data) == {name: expected}
        assert value(made, made.encode({name: expected}).data) == {name: expected}

    def test_form_with_one_of_is_decoded_by_the_branch_that_is_valid(self) -> None:
        kinds = [
            {"properties": {"kind": {"const": kind}, "x": {"type": type_}}, "required": ["kind", "x"]}
            for kind, type_ in (("a", "integer"), ("b", "string"), ("c", "boolean"))
        ]
        made = codec(FORM, {"type": "object", "oneOf": kinds})
        assert value(made, b"kind=a&x=1") == {"kind": "a", "x": 1}
        assert value(made, b"kind=b&x=1") == {"kind": "b", "x": "1"}
        assert value(made, b"kind=c&x=true") == {"kind": "c", "x": True}

    def test_recursive_any_of_is_decoded(self) -> None:
        node: dict[str, Any] = {
            "type": "object",
            "properties": {"n": {"$ref": "u#/schema"}, "v": {"type": "integer"}},
        }
        made = codec(
            FORM,
            {"anyOf": [{**node, "required": ["v"]}, node]},
            n=Encoding(style="deepObject"),
        )
        assert keywords(made, b"n" + b"[n]" * 6 + b"[v]=x")
        assert value(made, b"n[n][n][v]=1") == {"n": {"n": {"n": {"v": 1}}}}

    @given(st.dictionaries(st.sampled_from(("name", "tags")), st.text(min_size=1)))
    def test_encoded_form_is_decoded_as_the_same_value(self, fields: dict[str, str]) -> None:
        whole = {name: [each] if name == "tags" else each for name, each in fields.items()}
        made = codec(FORM, PET)
        assert value(made, made.encode(whole).data) == whole


def parts(*given: tuple[str, str]) -> bytes:
    """Pairs of what follows ``form-data`` in the head, and the data."""
    written = (f"--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{data}\r\n" for head, data in given)
    return ("".join(written) + "--B--\r\n").encode("latin-1")


PHOTOGRAPHED = {
    **PET,
    "properties": {**PET["properties"], "photo": {"type": "string", "contentMediaType": "image/png"}},
}


class TestMultipart:
    SENT = "multipart/form-data; boundary=B"

    @pytest.mark.parametrize(
        ("data", "expected"),
        [
            (parts(), {}),
            (parts(('name="id"', "1"), ('name="name"', "5")), {"id": 1, "name": "5"}),
            (parts(('name="tags"', "a"), ('name="tags"', "b")), {"tags": ["a", "b"]}),
            (parts(('name="tags"', "a")), {"tags": ["a"]}),
            (parts(('name="owner"\r\nContent-Type: application/json', '{"age": 3}')), {"owner": {"age": 3}}),
            (parts(('name="owner"', '{"age": 3}')), {"owner": {"age": 3}}),
            (
                parts(('name="photo"; filename="p.png"\r\nContent-Type: image/png', "\x00\xff\r\n--b")),
                {"photo": "\x00\xff\r\n--b"},
            ),
            (b"preamble\r\n" + parts(('name="id"', "1")) + b"epilogue", {"id": 1}),
            (parts(('name="name"', "")), {"name": ""}),
        ],
    )
    def test_multipart_is_decoded_by_its_schema(self, data: bytes, expected: Any) -> None:
        assert value(codec("multipart/form-data", PHOTOGRAPHED), data, self.SENT) == expected

    @pytest.mark.parametrize(
        ("data", "sent", "keyword"),
        [
            (parts(('name="id"', "x")), SENT, "type"),
            (parts(('name="owner"\r\nContent-Type: application/json', "{")), SENT, "syntax"),
            (parts(('name="id"', "1")), "multipart/form-data", "syntax"),
            (parts(('name="id"', "1")), 'multipart/form-data; boundary=""', "syntax"),
            (parts(('name="id"', "1")), "multipart/form-data; boundary=other", "syntax"),
            (parts(('name="id"', "1"))[:-6], SENT, "syntax"),
            (b"--B\r\n\r\n1\r\n--B--", SENT, "syntax"),
            (b"--B\r\nContent-Disposition: form-data\r\n\r\n1\r\n--B--", SENT, "syntax"),
            (b"--B\r\nContent-Disposition: attachment; name=id\r\n\r\n1\r\n--B--", SENT, "syntax"),
            (b"--B\r\nnonsense\r\n\r\n1\r\n--B--", SENT, "syntax"),
            (b"--B\r\nContent-Disposition: form-data; name=id\r\n--B--", SENT, "syntax"),
            (b"--B\r\nX: " + b"x" * 20_000 + b"\r\n\r\n--B--", SENT, "syntax"),
            (b"--Bx\r\n\r\n--B--", SENT, "syntax"),
            (b"", SENT, "syntax"),
        ],
    )
    def test_invalid_multipart_gives_the_broken_keyword(self, data: bytes, sent: str, keyword: str) -> None:
        assert keywords(codec("multipart/form-data", PHOTOGRAPHED), data, sent) == [keyword]

    def test_part_of_another_media_type_is_a_violation(self) -> None:
        made = codec("multipart/form-data", PHOTOGRAPHED, photo=Encoding("image/png, image/*"))
        photo = 'name="photo"; filename="p"'
        assert value(made, parts((f"{photo}\r\nContent-Type: image/gif", "G")), self.SENT) == {"photo": "G"}
        assert value(made, parts((photo, "G")), self.SENT) == {"photo": "G"}
        assert keywords(made, parts((f"{photo}\r\nContent-Type: text/html", "G")), self.SENT) == ["mediaType"]

    def test_part_with_a_style_is_decoded_by_it(self) -> None:
        made = codec(
            "multipart/form-data", PET, tags=Encoding(explode=False), owner=Encoding(style="deepObject")
        )
        data = parts(('name="tags"', "a,b"), ('name="owner[age]"', "3"))
        assert value(made, data, self.SENT) == {"tags": ["a", "b"], "owner": {"age": 3}}

    @pytest.mark.parametrize(("fields", "expected"), RESTYLED)
    def test_another_style_is_read_and_named(
        self, fields: tuple[tuple[str, str], ...], expected: Any
    ) -> None:
        data = parts(*((f'name="{name}"', text) for name, text in fields))
        result = judged(lenient_codec("multipart/form-data", RESTYLED_PET), data, self.SENT)
        assert isinstance(result, Decoded)
        assert (result.value, result.violations) == (expected, ())
        assert result.warnings

    def test_file_parts_named_with_brackets_are_items_of_the_array(self) -> None:
        files = {"type": "array", "items": {"type": "string", "format": "binary"}}
        schema = {"type": "object", "properties": {"files": files}, "required": ["files"]}
        made = lenient_codec("multipart/form-data", schema, files=Encoding("image/png"))
        head = 'name="files[]"; filename="p"\r\nContent-Type: image/png'
        assert value(made, parts((head, "\x00\xff"), (head, "b")), self.SENT) == {"files": ["\x00\xff", "b"]}
        assert value(made, parts((head, "1,2")), self.SENT) == {"files": ["1,2"]}
        wrong = parts((head.replace("png", "gif"), "b"))
        assert keywords(made, wrong, self.SENT) == ["mediaType"]

    def test_an_empty_list_has_no_part(self) -> None:
        schema = {
            "required": ["tags", "ids"],
            "properties": {"tags": {"type": "array"}, "ids": {"type": "array"}},
        }
        assert value(codec("multipart/form-data", schema), parts(), self.SENT) == {"tags": [], "ids": []}

    def test_encoded_multipart_is_decoded_as_the_same_value(self) -> None:
        made = codec("multipart/form-data", PHOTOGRAPHED, photo=Encoding("image/png"))
        whole = {"id": 1, "name": 'a"b', "tags": ["a", "b"], "owner": {"age": 3}, "photo": "\x89PNG\r\n"}
        encoded = made.encode(whole)
        assert encoded == made.encode(whole)
        assert value(made, encoded.data, encoded.content_type) == whole


class TestText:
    def test_the_schema_gives_text_its_type(self) -> None:
        assert value(codec("text/plain", {"type": "integer"}), b"5") == 5
        assert value(codec("text/plain", {"type": "string"}), b"5") == "5"
        assert keywords(codec("text/plain", {"type": "integer"}), b"x") == ["type"]

    def test_text_is_decoded_by_its_charset(self) -> None:
        made = codec("text/plain", {"type": "string"})
        assert value(made, b"\xe9", "text/plain; charset=ISO-8859-1") == "é"
        assert value(made, "é".encode()) == "é"
        assert keywords(made, b"\xe9") == ["syntax"]
        assert keywords(made, b"x", "text/plain; charset=zlib") == ["syntax"]

    def test_binary_is_one_character_a_byte(self) -> None:
        made = codec("application/octet-stream", {"type": "string", "maxLength": 256})
        data = bytes(range(256))
        assert made.encode(value(made, data)).data == data
        assert keywords(made, data + b"x") == ["maxLength"]

    def test_structures_in_a_syntax_unknown_here_pass(self) -> None:
        assert value(codec("application/yaml", PET), b"id: 1") == "id: 1"


class TestSequences:
    @pytest.mark.parametrize("name", ["application/x-ndjson", "application/jsonl", "application/json-seq"])
    def test_sequence_of_json_lines_is_decoded_and_encoded(self, name: str) -> None:
        made = codec(name, item={"type": "integer"})
        assert value(made, b"1\r\n\n2") == [1, 2]
        assert value(made, made.encode([1, 2]).data) == [1, 2]
        assert keywords(made, b"1\n{") == ["syntax"]
        result = judged(made, b'1\n"x"\n"y"')
        assert isinstance(result, Decoded)
        assert [each.pointer for each in result.violations] == ["/1", "/2"]

    def test_a_schema_is_of_the_whole_or_of_each_item(self) -> None:
        assert value(codec("application/jsonl", {"type": "array", "maxItems": 2}), b"1\n2") == [1, 2]
        assert keywords(codec("application/jsonl", {"type": "array", "maxItems": 1}), b"1\n2") == ["maxItems"]
        assert keywords(codec("application/jsonl", {"type": "integer"}), b"1\n{}") == ["type"]

    @pytest.mark.parametrize(
        ("items", "data"),
        [
            (
                [{"data": "a\nb", "event": "e", "id": "1", "retry": 5}],
                b"id: 1\nevent: e\nretry: 5\ndata: a\ndata: b\n\n",
            ),
            ([{"x": 1}], b'data: {"x":1}\n\n'),
            (["a"], b"data: a\n\n"),
            (["a\u2028b\x0bc"], "data: a\u2028b\x0bc\n\n".encode()),
            (["a\r\nb\n"], b"data: a\ndata: b\ndata: \n\n"),
            ([{"event": "e"}, {"id": 5}], b'event: e\n\ndata: {"id":5}\n\n'),
            ([{"data": {"x": 1}}, {"data": ""}], b'data: {"x":1}\n\ndata: \n\n'),
            ("one", b"data: one\n\n"),
        ],
    )
    def test_events_are_written(self, items: Any, data: bytes) -> None:
        assert codec("text/event-stream").encode(items).data == data

    def test_events_are_read(self) -> None:
        item = {"type": "object", "properties": {"data": {"type": "string"}, "retry": {"type": "integer"}}}
        made = codec("text/event-stream", item=item)
        data = b"\xef\xbb\xbf: comment\r\nretry: 5\r\ndata: a\r\ndata:b\r\n\r\ndata: c"
        assert value(made, data) == [{"retry": 5, "data": "a\nb"}, {"data": "c"}]


def test_a_range_takes_the_format_of_what_was_sent() -> None:
    made = codec("*/*", PET)
    assert value(made, b'{"id": 1}', "application/json") == {"id": 1}
    assert value(made, b"id=1", FORM) == {"id": 1}
    assert made.encode({"id": 1}, "application/json").data == b'{"id":1}'


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            "application/json",
            FORM,
            "multipart/form-data; boundary=B",
            "text/plain",
            "application/xml",
            "application/jsonl",
            "text/event-stream",
        ]
    ),
)
def test_no_bytes_make_a_codec_raise(data: bytes, name: str) -> None:
    made = codec(name, PET)
    content_type = parse_content_type(name)
    assert isinstance(content_type, ContentType)
    raw = made.decode(data, content_type)
    if not isinstance(raw, Malformed):
        made.validate(raw)


def test_an_invalid_value_is_validated_once_as_a_whole() -> None:
    made = Schemas({"u": {"schema": {"type": "array", "items": {"type": "string"}}}}, "3.1")
    validator = made.validator("u#/schema", "request")
    whole = [1] * 1000
    seen: list[Any] = []
    is_valid = validator.is_valid

    def counted(value: Any) -> bool:
        seen.append(value)
        return is_valid(value)

    validator.is_valid = counted
    result = Reader(made, "request").validate([Literal(whole)], "u#/schema")
    assert [each.keyword for each in result.violations] == ["type"] * 20
    assert sum(value is whole for value in seen) == 1
