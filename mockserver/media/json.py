"""JSON (RFC 8259), exactly: integers of any size, no NaN, no lone surrogates, bounded depth."""

from __future__ import annotations

import msgspec

from mockserver.media.types import Malformed
from mockserver.plan import JSON

_decoder = msgspec.json.Decoder()
_encoder = msgspec.json.Encoder()
_BOM = b"\xef\xbb\xbf"
DEEPEST = 255
"""What jsonschema-rs judges; nothing that is deeper comes in."""


def decode_json(data: bytes) -> JSON | Malformed:
    """Of duplicate members the last counts; a byte order mark is passed over (section 8.1)."""
    try:
        value = _decoder.decode(data[3:] if data.startswith(_BOM) else data)
    except UnicodeDecodeError:
        return Malformed("The body is not JSON: it is not UTF-8")
    except RecursionError:
        return Malformed("The body is JSON nested too deeply")
    except msgspec.MsgspecError as error:
        return Malformed(f"The body is not JSON: {str(error).removeprefix('JSON is malformed: ')}")
    if data.count(b"[") + data.count(b"{") > DEEPEST and _is_deep(value):
        return Malformed("The body is JSON nested too deeply")
    return value


def _is_deep(value: JSON) -> bool:
    level = [value] if isinstance(value, (dict, list)) else []
    for _ in range(DEEPEST):
        inner = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for each in inner for item in each if isinstance(item, (dict, list))]
        if not level:
            return False
    return True


def encode_json(value: JSON) -> bytes:
    """Compact JSON. Raises ValueError or TypeError for what is not JSON."""
    return _encoder.encode(value)
