"""Octets read as changes to a JSON value, so that an engine that knows no YAML still makes documents.

An input that begins with ``MARK`` is: mark, number of the seed, then four octets a
change: what to do, where (two), with what. Any other input is the text itself.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Sequence
from typing import Any

MARK = 0xFE
_WEIRD: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**64, 10**40, 1.5, 1e308, -0.0, "", " ", "a", "/", "#", "#/", "$ref", "{}", "{a}",
    "/{a}", "/{a}/{a}", "%", "%zz", "%2F", "http://[::1", "http://127.0.0.1:1/x", "file:///etc/passwd", "../x", "a.yaml",
    "\x00", "\r\n", "é", "\ud800", "2XX", "200", "999", "default", "string", "object", "array", "integer", "null",
    "date-time", "uuid", "binary", "byte", "^(a+)+$", "(", "[", "\\", "(?<=a)b", "application/json", "*/*", "text/plain",
    "a/b; c=d", "multipart/form-data", "path", "query", "header", "cookie", "body", "formData", "deepObject", "simple",
    "{{ 1 / 0 }}", "{{ x }}", "{{", "{{ request.body }}", "{{ resource.key }}", "{% for i in range(9) %}{% endfor %}",
    "1s", "1d", "0s", "-1s", "reset", "path.requestId", "body.a.b", "issued", "pending", "a*", "[!a]", [], {}, [None],
    [[]], [{}], {"$ref": "#"}, {"$ref": "#/a"}, {"": None}, {"a": {}}, {"type": "object"}, {"type": []}, {"allOf": []},
    {"oneOf": [{}, {}]}, {"not": {}}, {"enum": []}, {"minimum": 5, "maximum": 1}, {"minLength": 10**9}, {"minItems": 10**9},
    {"required": ["a", "a"]}, {"properties": {"$ref": {}}}, {"additionalProperties": False, "required": ["x"]},
    {"discriminator": {"propertyName": "a", "mapping": {"b": "#/c"}}}, {"nullable": True}, {"readOnly": True},
    {"$dynamicRef": "#a"}, {"$id": "http://["}, {"$anchor": "a"}, {"$defs": {"a": True}}, {"if": True, "then": False},
    {"status": 200, "body": {}}, {"status": 99}, {"pending": 2}, {"state": "issued", "until": {"calls": 1}},
    {"when": {"body.a": "b"}, "to": "issued"}, {"weight": 1, "to": "issued"}, {"creates": "body.id"},
]  # fmt: skip

Path = tuple[str | int, ...]


def text(data: bytes, seeds: Sequence[Any]) -> str:
    """The text that an input stands for."""
    if data[:1] != bytes([MARK]) or len(data) < 2:
        return data.decode("utf-8", "replace")
    value = copy.deepcopy(seeds[data[1] % len(seeds)])
    for start in range(2, len(data) - 3, 4):
        value = _changed(value, data[start], data[start + 1] << 8 | data[start + 2], data[start + 3])
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "replace").decode()


def programs(seeds: Sequence[Any]) -> list[bytes]:
    """Inputs to begin with: each seed as it is, and with one change of each kind."""
    return [
        bytes([MARK, i, *change])
        for i in range(len(seeds))
        for change in ((), *((k, 0, 40 * k, 7) for k in range(6)))
    ]


def _changed(value: Any, kind: int, place: int, what: int) -> Any:
    """``value`` with one change: 0 to 2 put something odd, 3 drop, 4 copy from elsewhere, 5 add a member."""
    paths = list(_paths(value, ()))
    path = paths[place % len(paths)]
    if not path:
        return value
    holder = _at(value, path[:-1])
    last: Any = path[-1]
    match kind % 6:
        case 3:
            del holder[last]
        case 4:
            holder[last] = copy.deepcopy(_at(value, paths[(place * 31 + what) % len(paths)]))
        case 5:
            own = holder[last]
            odd = copy.deepcopy(_WEIRD[what % len(_WEIRD)])
            if isinstance(own, dict):
                own.update(odd if isinstance(odd, dict) else {str(odd): None})
            elif isinstance(own, list):
                own.append(odd)
        case _:
            holder[last] = copy.deepcopy(_WEIRD[what % len(_WEIRD)])
    return value


def _at(value: Any, path: Path) -> Any:
    for part in path:
        value = value[part]
    return value


def _paths(value: Any, path: Path) -> Any:
    yield path
    if len(path) < 40:
        members = (
            value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        )
        for key, each in members:
            yield from _paths(each, (*path, key))
