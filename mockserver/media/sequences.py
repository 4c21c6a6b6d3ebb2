"""Sequential media types: JSON Lines and server-sent events, each a list of items (OpenAPI 3.2)."""

from __future__ import annotations

import re

from mockserver.media.coercion import Literal, Undecoded
from mockserver.media.json import decode_json, encode_json
from mockserver.media.types import ContentType, Malformed
from mockserver.plan import JSON

_EVENT_FIELDS = ("id", "event", "retry", "data")
_END_OF_LINE = re.compile(r"\r\n|\n|\r")
"""The ends of lines of an event stream."""


class JsonLinesFormat:
    """One JSON value per line: application/x-ndjson, application/jsonl. Decodes json-seq too."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode the lines. Blank lines are ignored."""
        items = []
        for number, line in enumerate(data.split(b"\n"), 1):
            text = line.strip(b" \t\r\x1e")
            if not text:
                continue
            item = decode_json(text)
            if isinstance(item, Malformed):
                return Malformed(f"Line {number}: {item.message}")
            items.append(item)
        return Literal(items)

    def encode(self, value: JSON) -> bytes:
        """Encode each item with a line feed after it."""
        return b"".join(encode_json(item) + b"\n" for item in _items(value))


class JsonSequenceFormat(JsonLinesFormat):
    """``application/json-seq`` (RFC 7464): JSON Lines with a record separator before each item."""

    def encode(self, value: JSON) -> bytes:
        """Encode each item with a separator before and a line feed after it."""
        return b"".join(b"\x1e" + encode_json(item) + b"\n" for item in _items(value))


class EventStreamFormat:
    """``text/event-stream`` (HTML, section 9.2): each item an object of id, event, retry and data."""

    def decode(self, data: bytes, content_type: ContentType) -> Undecoded | Malformed:
        """Decode the events. Comments and unknown fields are ignored."""
        try:
            text = data.decode().removeprefix("\ufeff")
        except UnicodeDecodeError:
            return Malformed("The body is not UTF-8, as an event stream is")
        events: list[Undecoded] = []
        for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n"):
            event: dict[str, Undecoded] = {}
            lines: list[str] = []
            for line in block.split("\n"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "data":
                    lines.append(value)
                elif name in _EVENT_FIELDS:
                    event[name] = value
            if lines:
                event["data"] = "\n".join(lines)
            if event:
                events.append(event)
        return events

    def encode(self, value: JSON) -> bytes:
        """Encode events. An item that is not an event becomes the data of one."""
        return "".join(_event(item) for item in _items(value)).encode()


def event_readings(item: Undecoded) -> tuple[list[Undecoded], list[Undecoded]]:
    """Return the interpretations of an item of an event stream: of the whole event, and of its data."""
    if not isinstance(item, Literal):  # a received event
        return [item], [item["data"]] if isinstance(item, dict) and "data" in item else []
    stream = EventStreamFormat()
    read = stream.decode(stream.encode([item.value]), ContentType("text", "event-stream"))
    sent = read if isinstance(read, list) else []
    data: list[Undecoded] = []
    if is_event(item.value) and "data" in item.value:
        texts = [event["data"] for event in sent if isinstance(event, dict) and "data" in event]
        data = [Literal(item.value["data"]), *texts]
    return [item, *sent], data


def is_event(item: JSON) -> bool:
    """Return whether an item is an event, and not the data of one. An ``id`` alone is data."""
    return isinstance(item, dict) and item.keys() <= {*_EVENT_FIELDS} and not item.keys() <= {"id"}


def _items(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else [value]


def _event(item: JSON) -> str:
    fields = item if is_event(item) else {"data": item}
    lines = ""
    for name in _EVENT_FIELDS:
        if (value := fields.get(name)) is not None:
            text = value if isinstance(value, str) else encode_json(value).decode()
            lines += "".join(f"{name}: {line}\n" for line in _END_OF_LINE.split(text))
    return lines + "\n"
