"""Parameters: every style read and written, and the two as inverses of each other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mockserver.engine.request.parameters import ABSENT, Forgiven, ParameterReader, Refused
from mockserver.jsonschema import Schemas
from mockserver.media.coercion import Reader
from mockserver.media.form import parse_cookies, parse_fields
from mockserver.plan import Dialect, MediaType, Parameter, ParameterLocation
from tests.engine.request.parameter_writer import write_parameter

INTEGERS = {"type": "array", "items": {"type": "integer"}}
STRINGS = {"type": "array", "items": {"type": "string"}}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "integer"}, "y": {"type": "string"}},
    "additionalProperties": False,
}
INTEGER = {"type": "integer"}
STRING = {"type": "string"}

DEFAULTS = {"path": "simple", "header": "simple", "query": "form", "cookie": "form", "querystring": "form"}


def parameter(
    location: ParameterLocation, style: str = "", explode: bool | None = None, name: str = "a", **more: Any
) -> Parameter:
    style = style or DEFAULTS[location]
    explode = style in ("form", "deepObject") if explode is None else explode
    return Parameter(name, location, style=style, explode=explode, schema="u#/s", **more)


def reader_of(schema: Any, described: Parameter, dialect: Dialect = "3.1") -> ParameterReader:
    return ParameterReader(described, Reader(Schemas({"u": {"s": schema}}, dialect), "request"))


def source_of(described: Parameter, text: str) -> Any:
    """What the checker would hand over for a text as sent."""
    if described.location == "query":
        return parse_fields(text)
    if described.location == "cookie":
        return parse_cookies(text)
    return {described.name.lower(): text} if described.location == "header" else text


def read(schema: Any, described: Parameter, text: str, dialect: Dialect = "3.1") -> Any:
    return reader_of(schema, described, dialect).read(source_of(described, text))


def keywords(result: Any) -> list[str]:
    assert isinstance(result, Refused), result
    return [each.keyword for each in result.violations]


@pytest.mark.parametrize(
    ("schema", "described", "text", "value"),
    [
        # path
        (STRING, parameter("path"), "abc", "abc"),
        (STRING, parameter("path"), "a%2Fb%20c%C3%A9", "a/b cé"),
        (STRING, parameter("path"), "a+b", "a+b"),
        (STRING, parameter("path"), "%00", "\0"),
        (STRING, parameter("path"), "Ã©", "é"),
        (STRING, parameter("path"), "%2541", "%41"),
        (INTEGER, parameter("path"), "42", 42),
        (INTEGER, parameter("path"), "-0", 0),
        (INTEGER, parameter("path"), "%34%32", 42),
        (INTEGER, parameter("path"), "123456789012345678901234567890", 123456789012345678901234567890),
        (INTEGERS, parameter("path"), "1,2", [1, 2]),
        (STRINGS, parameter("path"), "a%2Cb,c", ["a,b", "c"]),
        (INTEGERS, parameter("path"), "1%2C2", [1, 2]),
        (POINT, parameter("path"), "x,1,y,b", {"x": 1, "y": "b"}),
        (POINT, parameter("path", explode=True), "x=1,y=b%3Dc", {"x": 1, "y": "b=c"}),
        (STRING, parameter("path", "label"), ".a.b", "a.b"),
        (INTEGERS, parameter("path", "label"), ".1,2", [1, 2]),
        (INTEGERS, parameter("path", "label", True), ".1.2", [1, 2]),
        (POINT, parameter("path", "label"), ".x,1,y,b", {"x": 1, "y": "b"}),
        (POINT, parameter("path", "label", True), ".x=1.y=b", {"x": 1, "y": "b"}),
        (INTEGER, parameter("path", "matrix"), ";a=5", 5),
        (STRING, parameter("path", "matrix"), ";a", ""),
        (INTEGERS, parameter("path", "matrix"), ";a=1,2", [1, 2]),
        (INTEGERS, parameter("path", "matrix", True), ";a=1;a=2", [1, 2]),
        (INTEGERS, parameter("path", "matrix", True), ";a=1", [1]),
        (POINT, parameter("path", "matrix"), ";a=x,1,y,b", {"x": 1, "y": "b"}),
        (POINT, parameter("path", "matrix", True), ";x=1;y=b", {"x": 1, "y": "b"}),
        # query
        (INTEGER, parameter("query"), "a=5", 5),
        (STRING, parameter("query"), "a=b+c%2Bd", "b c+d"),
        (STRING, parameter("query"), "a=", ""),
        (STRING, parameter("query"), "a=b=c", "b=c"),
        (STRING, parameter("query", name="a[b]"), "a%5Bb%5D=1", "1"),
        (STRING, parameter("query", allow_reserved=True), "a=/?:@!$'()*,;", "/?:@!$'()*,;"),
        ({"type": "boolean"}, parameter("query"), "a=true", True),
        ({"type": "number"}, parameter("query"), "a=1.5e3", 1500.0),
        ({"type": ["integer", "null"]}, parameter("query"), "a=null", None),
        ({"type": ["integer", "null"]}, parameter("query"), "a=", None),
        ({"type": ["string", "null"]}, parameter("query"), "a=null", "null"),
        ({"anyOf": [INTEGER, STRING]}, parameter("query"), "a=5", 5),
        (
            {"oneOf": [{**INTEGER, "minimum": 9}, {**STRING, "pattern": "^5$"}]},
            parameter("query"),
            "a=5",
            "5",
        ),
        ({"allOf": [STRING, {"minLength": 1}]}, parameter("query"), "a=5", "5"),
        ({"enum": [1, "x"]}, parameter("query"), "a=1", 1),
        ({}, parameter("query"), "a=5", "5"),
        (INTEGERS, parameter("query"), "a=1&a=2", [1, 2]),
        (INTEGERS, parameter("query"), "a=1&b=7&a=2", [1, 2]),
        (INTEGERS, parameter("query", explode=False), "a=", []),
        (
            {"type": "object", "additionalProperties": INTEGER},
            parameter("query"),
            "a=x=1,y=2",
            {"x": 1, "y": 2},
        ),
        ({"type": "object", "additionalProperties": STRING}, parameter("query"), "a=", {"a": ""}),
        ({"type": "object", "additionalProperties": STRING}, parameter("cookie"), "a=", {"a": ""}),
        ({"type": "object", "additionalProperties": INTEGER}, parameter("query"), "a=", {}),
        ({**POINT, "properties": {"a": STRING, "x": STRING}}, parameter("query"), "a=x=1", {"a": "x=1"}),
        (STRINGS, parameter("query"), "a=", [""]),
        (STRINGS, parameter("query"), "a=1,2", ["1,2"]),
        (INTEGERS, parameter("query", explode=False), "a=1,2", [1, 2]),
        (INTEGERS, parameter("query", explode=False), "a=1%2C2", [1, 2]),
        (STRINGS, parameter("query", explode=False), "a=1%2C2", ["1,2"]),
        (INTEGERS, parameter("query", "spaceDelimited", False), "a=1%202", [1, 2]),
        (INTEGERS, parameter("query", "spaceDelimited", False), "a=1+2", [1, 2]),
        (INTEGERS, parameter("query", "spaceDelimited", True), "a=1&a=2", [1, 2]),
        (INTEGERS, parameter("query", "pipeDelimited", False), "a=1|2", [1, 2]),
        (INTEGERS, parameter("query", "pipeDelimited", False), "a=1%7C2", [1, 2]),
        (INTEGERS, parameter("query", "tabDelimited", False), "a=1%092", [1, 2]),
        (POINT, parameter("query", "pipeDelimited", False), "a=x%7C1%7Cy%7Cb", {"x": 1, "y": "b"}),
        (POINT, parameter("query"), "x=1&y=b&z=9", {"x": 1, "y": "b"}),
        (POINT, parameter("query", explode=False), "a=x,1,y,b", {"x": 1, "y": "b"}),
        ({"anyOf": [INTEGER, INTEGERS]}, parameter("query"), "a=1&a=2", [1, 2]),
        ({"anyOf": [INTEGER, INTEGERS]}, parameter("query"), "a=1", 1),
        ({"anyOf": [STRING, INTEGERS]}, parameter("query", explode=False), "a=1,2", [1, 2]),
        # deepObject
        (POINT, parameter("query", "deepObject"), "a[x]=1&a%5By%5D=b", {"x": 1, "y": "b"}),
        (
            {"type": "object", "properties": {"p": POINT, "q": INTEGERS}},
            parameter("query", "deepObject"),
            "a[p][x]=1&a[q][]=2&a[q][]=3",
            {"p": {"x": 1}, "q": [2, 3]},
        ),
        (
            {"type": "object", "properties": {"q": {"type": "array", "items": POINT}}},
            parameter("query", "deepObject"),
            "a[q][1][x]=2&a[q][0][x]=1",
            {"q": [{"x": 1}, {"x": 2}]},
        ),
        (
            {"type": "object", "properties": {"q": INTEGERS}},
            parameter("query", "deepObject"),
            "a[q]=1&a[q]=2",
            {"q": [1, 2]},
        ),
        # header
        (INTEGER, parameter("header"), " 5", 5),
        (STRING, parameter("header"), "100%", "100%"),
        (INTEGERS, parameter("header"), "1, 2", [1, 2]),
        (POINT, parameter("header"), "x,1,y,b", {"x": 1, "y": "b"}),
        (POINT, parameter("header", explode=True), "x=1,y=b", {"x": 1, "y": "b"}),
        # cookie
        (INTEGER, parameter("cookie"), "b=1; a=5", 5),
        (STRING, parameter("cookie"), "a=b%20c=", "b c="),
        (STRING, parameter("cookie"), "a=100%", "100%"),
        (STRING, parameter("cookie", "cookie"), "a=b%20c", "b%20c"),
        (INTEGERS, parameter("cookie", explode=False), "a=1,2", [1, 2]),
        (INTEGERS, parameter("cookie"), "a=1&a=2", [1, 2]),
        (INTEGERS, parameter("cookie"), "a=1; a=2", [1, 2]),
        (POINT, parameter("cookie"), "x=1&y=b", {"x": 1, "y": "b"}),
    ],
)
def test_parameter_is_read_by_its_style(schema: Any, described: Parameter, text: str, value: Any) -> None:
    result = read(schema, described, text)
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("schema", "described", "text", "keyword"),
    [
        (STRING, parameter("path"), "%zz", "syntax"),
        (STRING, parameter("path"), "%", "syntax"),
        (STRING, parameter("path"), "%ff", "syntax"),
        (STRING, parameter("path"), "%ed%a0%80", "syntax"),
        (STRING, parameter("path"), "ÿ", "syntax"),
        (INTEGER, parameter("path"), "007", "type"),
        (INTEGER, parameter("path"), "+5", "type"),
        (INTEGER, parameter("path"), "5.", "type"),
        (INTEGER, parameter("path"), "1.5", "type"),
        (INTEGER, parameter("path"), "٥", "syntax"),
        (INTEGER, parameter("path"), "%D9%A5", "type"),
        (INTEGER, parameter("path"), "9" * 5000, "type"),
        (INTEGER, parameter("path"), "true", "type"),
        ({"type": "number"}, parameter("path"), "NaN", "type"),
        ({"type": "number"}, parameter("path"), "Infinity", "type"),
        ({"type": "number"}, parameter("path"), "1e999", "type"),
        ({"type": "boolean"}, parameter("path"), "True", "type"),
        ({"type": "boolean"}, parameter("path"), "1", "type"),
        ({**STRING, "format": "uuid"}, parameter("path"), "x", "format"),
        (INTEGERS, parameter("path"), "1,x", "type"),
        (POINT, parameter("path"), "x,1,y", "type"),
        (POINT, parameter("path", explode=True), "x=1,y", "type"),
        (INTEGER, parameter("path", "label"), "5", "style"),
        (INTEGER, parameter("path", "matrix"), "5", "style"),
        (INTEGER, parameter("path", "matrix"), ";b=5", "style"),
        (INTEGER, parameter("path", "matrix"), ";a=%zz", "syntax"),
        (INTEGER, parameter("query"), "a=", "type"),
        (INTEGERS, parameter("query"), "a=", "type"),
        (INTEGER, parameter("query"), "a=1&a=2", "type"),
        (STRING, parameter("query"), "a=%zz", "syntax"),
        (STRINGS, parameter("query"), "a=b&a=%zz", "syntax"),
        (INTEGERS, parameter("query"), "a=1,2", "type"),
        (POINT, parameter("query"), "x=z", "type"),
        (POINT, parameter("query"), "a=5", "type"),
        (POINT, parameter("query", "deepObject"), "a[x]=z", "type"),
        (POINT, parameter("query", "deepObject"), "a[z]=1", "additionalProperties"),
        (POINT, parameter("query", "deepObject"), "a=1", "style"),
        (POINT, parameter("query", "deepObject"), "a[x=1", "style"),
        (POINT, parameter("query", "deepObject"), "a[x]y=1", "style"),
        (POINT, parameter("query", "deepObject"), "a[x]=1&a[x][y]=2", "style"),
        (POINT, parameter("query", "deepObject"), "a[x]=%zz", "syntax"),
        (POINT, parameter("query", "deepObject"), "a" + "[x]" * 10_000 + "=1", "style"),
        ({**POINT, "required": ["x"]}, parameter("query", required=True), "y=1", "required"),
        (INTEGER, parameter("header"), "1, 2", "type"),
    ],
)
def test_what_is_wrong_is_told(schema: Any, described: Parameter, text: str, keyword: str) -> None:
    assert keyword in keywords(read(schema, described, text))


def test_numbers_in_brackets_allocate_nothing() -> None:
    schema = {"type": "object", "properties": {"q": INTEGERS}}
    result = read(schema, parameter("query", "deepObject"), "a[q][999999999]=1")
    assert keywords(result) == ["type"]


def test_violations_point_into_the_value() -> None:
    result = read(INTEGERS, parameter("query"), "a=1&a=x&a=y")
    assert isinstance(result, Refused)
    assert [(each.location, each.name, each.pointer, each.value) for each in result.violations] == [
        ("query", "a", "/1", "x"),
        ("query", "a", "/2", "y"),
    ]


@pytest.mark.parametrize("location", ["query", "header", "cookie"])
def test_absent_parameter_gives_its_default_or_a_violation(location: ParameterLocation) -> None:
    assert read(STRING, parameter(location), "") in (ABSENT, "")
    described = parameter(location)
    empty: dict[str, Any] = {}
    assert reader_of(STRING, described).read(empty) is ABSENT
    assert reader_of({**INTEGER, "default": 7}, described).read(empty) == 7
    assert keywords(reader_of(STRING, parameter(location, required=True)).read(empty)) == ["required"]


def test_an_empty_object_spread_over_the_query_is_nothing() -> None:
    assert reader_of(POINT, parameter("query", required=True)).read({}) == {}
    demanding = {**POINT, "required": ["x"]}
    assert keywords(reader_of(demanding, parameter("query", required=True)).read({})) == ["required"]


def test_empty_values_are_allowed_where_the_document_says_so() -> None:
    assert read(INTEGER, parameter("query", allow_empty_value=True), "a=") == ""
    assert read(INTEGER, parameter("query", allow_empty_value=True), "a") == ""
    assert read(INTEGER, parameter("query", allow_empty_value=True), "a=5") == 5
    assert keywords(read(INTEGER, parameter("query", allow_empty_value=True), "a=x")) == ["type"]


def test_members_of_an_exploded_object_are_not_taken_from_others() -> None:
    schema = {"type": "object", "additionalProperties": INTEGER}
    reader = Reader(Schemas({"u": {"s": schema}}, "3.1"), "request")
    compiled = ParameterReader(parameter("query"), reader, claimed=("page",))
    assert compiled.read(parse_fields("x=1&page=z")) == {"x": 1}


@pytest.mark.parametrize(("separator", "mark"), [("pipes", "|"), ("ssv", " "), ("tsv", "\t")])
def test_arrays_in_arrays_of_swagger(separator: str, mark: str) -> None:
    inner = {"type": "array", "collectionFormat": separator, "items": STRING}
    result = read({"type": "array", "items": inner}, parameter("header"), f"1{mark}2,3", "2.0")
    assert result == [["1", "2"], ["3"]]


CONTENT = MediaType("application/json", "u#/s")


@pytest.mark.parametrize(
    ("location", "text", "value"),
    [
        ("query", "a=%7B%22x%22%3A1%7D", {"x": 1}),
        ("query", "a={%22x%22:1}", {"x": 1}),
        ("path", "%7B%22x%22%3A1%7D", {"x": 1}),
        ("header", '{"x": 1, "y": "a,b"}', {"x": 1, "y": "a,b"}),
        ("cookie", "a=%7B%22x%22%3A1%7D", {"x": 1}),
        ("querystring", "%7B%22x%22%3A1%7D", {"x": 1}),
    ],
)
def test_content_is_json_in_a_parameter(location: ParameterLocation, text: str, value: Any) -> None:
    described = Parameter("a", location, content=CONTENT)
    assert read(POINT, described, text) == value


@pytest.mark.parametrize(
    ("text", "keyword"),
    [
        ("a={", "syntax"),
        ("a=%zz", "syntax"),
        ('a={"x":"z"}', "type"),
        ("a=1&a=2", "style"),
        ("a=NaN", "syntax"),
    ],
)
def test_invalid_content_of_a_parameter_is_refused(text: str, keyword: str) -> None:
    assert keywords(read(POINT, Parameter("a", "query", content=CONTENT), text)) == [keyword]


def test_a_querystring_may_be_a_form() -> None:
    content = MediaType("application/x-www-form-urlencoded", "u#/s")
    described = Parameter("q", "querystring", content=content)
    assert read(POINT, described, "x=1&y=a%26b") == {"x": 1, "y": "a&b"}
    assert keywords(read(POINT, described, "x=z")) == ["type"]
    assert keywords(read(POINT, described, "y=%zz")) == ["syntax"]


# Serialise → parse is identity

NAME = st.text(st.characters(codec="utf-8"), min_size=1, max_size=6)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)
PLAIN = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters=',;=&%| "+\\'), min_size=1
)

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": TEXT,
    "integer": st.integers(),
    "number": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
}
STYLES: list[tuple[ParameterLocation, str, bool]] = [
    ("path", "simple", False),
    ("path", "simple", True),
    ("path", "label", False),
    ("path", "label", True),
    ("path", "matrix", False),
    ("path", "matrix", True),
    ("query", "form", False),
    ("query", "form", True),
    ("query", "deepObject", True),
    ("query", "pipeDelimited", False),
    ("query", "spaceDelimited", False),
    ("query", "tabDelimited", False),
    ("header", "simple", False),
    ("header", "simple", True),
    ("cookie", "form", False),
    ("cookie", "form", True),
]


def texts_for(location: str, style: str) -> st.SearchStrategy[str]:
    """Texts that a style can hold: fields of headers are bare, and a delimiter is never data."""
    if location in ("header", "cookie"):
        return PLAIN
    marks = {"pipeDelimited": "|", "spaceDelimited": " ", "tabDelimited": "\t"}.get(style, "")
    return st.text(st.characters(codec="utf-8", exclude_characters=marks), max_size=8)


@st.composite
def parameters_with_values(draw: st.DrawFn) -> tuple[Any, Parameter, Any]:
    location, style, explode = draw(st.sampled_from(STYLES))
    kind = draw(st.sampled_from([*SCALARS]))
    texts = texts_for(location, style)
    scalar = texts if kind == "string" else SCALARS[kind]
    form = draw(st.sampled_from(["scalar", "array", "object"]))
    name = draw(
        PLAIN.filter(lambda each: "[" not in each)
        if location in ("header", "cookie")
        else NAME.filter(lambda each: "[" not in each)
    )
    described = Parameter(name, location, style=style, explode=explode, schema="u#/s")
    if form == "array" and style != "deepObject":
        return (
            {"type": "array", "items": {"type": kind}},
            described,
            draw(st.lists(scalar, min_size=1, max_size=4)),
        )
    if form == "object" or style == "deepObject":
        # ``read_leniently`` claims "b" for another parameter
        names = texts.filter(lambda each: each not in ("", "b") and not set("[]") & set(each))
        value = draw(st.dictionaries(names, scalar, min_size=1, max_size=4))
        return {"type": "object", "additionalProperties": {"type": kind}}, described, value
    return {"type": kind}, described, draw(scalar)


@given(parameters_with_values())
def test_written_parameter_is_read_as_the_same_value(case: tuple[Any, Parameter, Any]) -> None:
    schema, described, value = case
    sent = write_parameter(described, value)
    assert sent.isascii()
    assert read(schema, described, sent) == value


TREES: st.SearchStrategy[Any] = st.recursive(
    TEXT,
    lambda each: st.dictionaries(
        NAME.filter(lambda name: not set("[]") & set(name) and not name.isdigit()),
        each,
        min_size=1,
        max_size=3,
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from("xyz"), TREES, min_size=1))
def test_written_deep_object_is_read_as_the_same_value(value: Any) -> None:
    described = parameter("query", "deepObject")
    assert read({"type": "object"}, described, write_parameter(described, value)) == value


@given(
    st.text(st.characters(max_codepoint=255), max_size=30),
    st.sampled_from(STYLES),
    st.sampled_from([INTEGER, INTEGERS, POINT, {}]),
)
def test_no_text_makes_a_reader_raise(
    text: str, style: tuple[ParameterLocation, str, bool], schema: Any
) -> None:
    described = Parameter("a", style[0], style=style[1], explode=style[2], schema="u#/s")
    read(schema, described, text)
    read(schema, described, f"a={text}&a[{text}]=1")


# Other styles than the documented one

OBJECTS = {"type": "array", "items": POINT}
DEEP = {"type": "object", "properties": {"p": POINT, "q": INTEGERS}, "additionalProperties": False}


def read_leniently(schema: Any, described: Parameter, text: str) -> Any:
    reader = Reader(Schemas({"u": {"s": schema}}, "3.1"), "request", lenient=True)
    return ParameterReader(described, reader, claimed=("b", "a[claimed]")).read(source_of(described, text))


@pytest.mark.parametrize(
    ("schema", "described", "text", "value"),
    [
        (STRINGS, parameter("query"), "a[]=x&a[]=y", ["x", "y"]),
        (STRINGS, parameter("query"), "a%5B%5D=x", ["x"]),
        (INTEGERS, parameter("query"), "a[1]=2&a[0]=1", [1, 2]),
        (INTEGERS, parameter("query"), "a=1,2", [1, 2]),
        (INTEGERS, parameter("query"), "a=1%2C2", [1, 2]),
        (INTEGERS, parameter("query"), "a=1|2", [1, 2]),
        (INTEGERS, parameter("query"), "a=1%202", [1, 2]),
        (INTEGERS, parameter("query"), "a=[1,2]", [1, 2]),
        (INTEGERS, parameter("query", explode=False), "a=1&a=2", [1, 2]),
        (INTEGERS, parameter("query", explode=False), "a[]=1&a[]=2", [1, 2]),
        (INTEGERS, parameter("query", "pipeDelimited", False), "a=1,2", [1, 2]),
        (INTEGERS, parameter("query", "pipeDelimited", False), "a=1&a=2", [1, 2]),
        (STRINGS, parameter("query", name="a[]"), "a=x&a=y", ["x", "y"]),
        (STRINGS, parameter("query", name="a[]"), "a[0]=x&a[1]=y", ["x", "y"]),
        (POINT, parameter("query", required=True), "a[x]=1", {"x": 1}),
        (POINT, parameter("query"), "a.x=1&a.y=b", {"x": 1, "y": "b"}),
        (POINT, parameter("query"), "a=x,1,y,b", {"x": 1, "y": "b"}),
        (POINT, parameter("query", explode=False), "a[x]=1", {"x": 1}),
        (POINT, parameter("query", "deepObject", required=True), "a=x,1", {"x": 1}),
        (DEEP, parameter("query"), "a[p][x]=1&a[q][]=2&a[q][]=3", {"p": {"x": 1}, "q": [2, 3]}),
        (DEEP, parameter("query", "deepObject"), "a.p.x=1", {"p": {"x": 1}}),
        (OBJECTS, parameter("query"), "a[0][x]=1&a[1][x]=2", [{"x": 1}, {"x": 2}]),
        (OBJECTS, parameter("query"), "a[][x]=1&a[][x]=2", [{"x": 1}, {"x": 2}]),
        (INTEGERS, parameter("cookie", explode=False), "a=1; a=2", [1, 2]),
    ],
)
def test_parameter_in_another_style_is_read_with_a_warning(
    schema: Any, described: Parameter, text: str, value: Any
) -> None:
    result = read_leniently(schema, described, text)
    assert isinstance(result, Forgiven), result
    assert result.value == value
    (warning,) = result.warnings
    assert f"{described.location} parameter {described.name!r}" in warning
    assert f"documented: style {described.style}" in warning
    assert not isinstance(read(schema, described, text), Forgiven)


def test_field_of_another_parameter_is_not_read_in_another_style() -> None:
    assert read_leniently(STRINGS, parameter("query", name="b[]"), "b=x") is ABSENT


@pytest.mark.parametrize(
    ("schema", "described", "text", "value"),
    [
        (STRINGS, parameter("query"), "a=1,2", ["1,2"]),
        (STRINGS, parameter("query"), "a=x&a[]=y", ["x"]),
        (INTEGERS, parameter("query"), "a[claimed]=1", ABSENT),
        (INTEGERS, parameter("query"), "a[]=x", ABSENT),
        (INTEGERS, parameter("query"), "ab[]=1", ABSENT),
        (STRING, parameter("query"), "a[]=1", ABSENT),
    ],
)
def test_the_documented_style_goes_first_and_other_fields_are_left_alone(
    schema: Any, described: Parameter, text: str, value: Any
) -> None:
    assert read_leniently(schema, described, text) == value


@pytest.mark.parametrize(
    ("schema", "described", "text", "keyword"),
    [
        (INTEGERS, parameter("query"), "a=1,x", "type"),
        (INTEGERS, parameter("query"), "a=", "type"),
        (INTEGERS, parameter("query", required=True), "a[]=x", "required"),
        (INTEGERS, parameter("query", explode=False), "a=1&a=x", "style"),
        (POINT, parameter("query", "deepObject"), "a=1", "style"),
        (INTEGER, parameter("query"), "a=1&a=2", "type"),
        (INTEGER, parameter("query"), "a=1,2", "type"),
    ],
)
def test_parameter_that_is_invalid_in_every_style_is_refused(
    schema: Any, described: Parameter, text: str, keyword: str
) -> None:
    assert keyword in keywords(read_leniently(schema, described, text))


@given(parameters_with_values())
@example(
    (
        {"type": "object", "additionalProperties": STRING},
        Parameter("0", "query", style="form", explode=True, schema="u#/s"),
        {"0": ""},
    )
)
def test_parameter_in_its_documented_style_is_read_without_a_warning(
    case: tuple[Any, Parameter, Any],
) -> None:
    schema, described, value = case
    assert read_leniently(schema, described, write_parameter(described, value)) == value


# Formats as people write them

MOMENT = {**STRING, "format": "date-time"}


@pytest.mark.parametrize(
    "text",
    ["2026-01-02 03:04:05Z", "2026-01-02 03:04:05.678+01:00", "2026-01-02T03:04:05", "2026-01-02 03:04:05"],
)
def test_a_date_time_as_people_write_it_is_read_and_named(text: str) -> None:
    result = read(MOMENT, parameter("query"), f"a={text}".replace("+", "%2B"))
    assert isinstance(result, Forgiven)
    assert result.value == text
    assert "RFC 3339" in result.warnings[0]


@pytest.mark.parametrize("text", ["2026-01-02t03:04:05z", "2026-01-02T03:04:05+01:00"])
def test_a_date_time_of_the_standard_needs_no_forgiving(text: str) -> None:
    assert read(MOMENT, parameter("path"), text) == text


@pytest.mark.parametrize(
    "text",
    ["2026-01-02", "2026-02-30 03:04:05", "2026-01-02_03:04:05Z", "2026-01-02T25:00:00", "now", "03:04:05"],
)
def test_what_is_no_date_time_is_refused(text: str) -> None:
    assert keywords(read(MOMENT, parameter("path"), text)) == ["format"]
