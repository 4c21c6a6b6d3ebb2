"""JSON (RFC 8259): integers of any size, no NaN, no lone surrogates, limited depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from mockserver.media.types import Malformed
from mockserver.plan import JSON

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_BOM = b"\xef\xbb\xbf"
MAX_DEPTH = 255
"""The maximum depth of nesting, which is that of jsonschema-rs."""


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
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_deep(value):
        return Malformed("The body is JSON nested too deeply")
    return value


def _is_deep(value: JSON) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(MAX_DEPTH):
        inner = (value.values() if isinstance(value, dict) else value for value in level)
        level = [item for items in inner for item in items if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def merge_patch(value: JSON, patch: JSON) -> Any:
    """Return ``value`` after a merge patch: null removes a member, objects are merged (RFC 7396)."""
    if not isinstance(patch, Mapping):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, member in patch.items():
        if member is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), member)
    return result


def encode_json(value: JSON) -> bytes:
    """Return JSON without spaces. Raises ValueError or TypeError if the value is not JSON."""
    return _encoder.encode(value)
