"""JSON (RFC 8259): integers of any size, no NaN, no lone surrogates, limited depth."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import msgspec

from mockserver.media.types import Malformed
from mockserver.plan import JSON

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_BOM = b"\xef\xbb\xbf"
MAX_DEPTH = 255
"""The maximum depth of nesting, which is that of jsonschema-rs."""
_NO_BRACKETS = bytes(set(range(256)).difference(b'[]{}"'))
_TO_SQUARE = bytes.maketrans(b"{}", b"[]")
_STEP = {ord("["): 1, ord("]"): -1}
_BLOCK = 64


def decode_json(data: bytes) -> JSON | Malformed:
    """Decode JSON. The last of duplicate members counts. A byte order mark is ignored (section 8.1)."""
    try:
        value = _decoder.decode(data[3:] if data.startswith(_BOM) else data)
    except UnicodeDecodeError:
        return Malformed("The body is not JSON: it is not UTF-8")
    except RecursionError:
        return Malformed("The body is JSON nested too deeply")
    except msgspec.MsgspecError as error:
        return Malformed(f"The body is not JSON: {str(error).removeprefix('JSON is malformed: ')}")
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(data):
        return Malformed("The body is JSON nested too deeply")
    return value


def _is_deep(data: bytes) -> bool:
    """Return whether a JSON text is nested more than MAX_DEPTH deep. Only its brackets are looked at."""
    quoted = without_escapes(data).translate(_TO_SQUARE, _NO_BRACKETS)
    brackets = quoted.replace(b'""', b"")  # the strings that hold no bracket
    if b'"' in brackets:
        brackets = b"".join(quoted.split(b'"')[::2])
    depth = 0
    for start in range(0, len(brackets), _BLOCK):
        block = brackets[start : start + _BLOCK]
        opened = block.count(b"[")
        if (
            depth + opened > MAX_DEPTH
            and max(accumulate(map(_STEP.__getitem__, block), initial=depth)) > MAX_DEPTH
        ):
            return True
        depth += 2 * opened - len(block)
    return False


def without_escapes(text: bytes) -> bytes:
    """Return a JSON text in which each quote begins or ends a string: without escaped ones."""
    return text.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in text else text


def merge_patch(value: JSON, patch: JSON, *, keep_null: bool = False) -> Any:
    """Return ``value`` after a merge patch: null removes a member, objects are merged (RFC 7396).

    With ``keep_null``, null is a value like others.
    """
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, member in patch.items():
        if member is None and not keep_null:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), member, keep_null=keep_null)
    return result


def encode_json(value: JSON) -> bytes:
    """Return JSON without spaces. Raises ValueError or TypeError if the value is not JSON."""
    return _encoder.encode(value)
