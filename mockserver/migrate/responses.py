"""A WireMock stub's response as the answer of a state."""

from __future__ import annotations

import re
from typing import Any

from mockserver.migrate.stubs import Found, Stub, body_of
from mockserver.plan import JSON, Operation
from mockserver.serve.responses import response_for

Members = dict[str, Any]
_RESPONSE = frozenset(
    ["status", "statusMessage", "headers", "body", "jsonBody", "bodyFileName", "fixedDelayMilliseconds",
     "delayDistribution", "chunkedDribbleDelay", "fault", "fromConfiguredStub"]
)  # fmt: skip
_DERIVED = frozenset(["content-length", "transfer-encoding", "connection", "date", "content-type"])
"""Headers that follow from the answer itself."""


def read_response(stub: Stub, operation: Operation, found: Found) -> Members:
    """A stub's response as the answer of a state."""
    response = stub.response
    status = _status(stub, found)
    answer: Members = {"status": status}
    given, body = body_of(stub, found)
    headers = response.get("headers")
    kept = {
        name: value
        for name, value in (headers.items() if isinstance(headers, dict) else ())
        if name.lower() not in _DERIVED
    }
    if kept:
        answer["headers"] = {name: ", ".join(map(str, each)) if isinstance(each, list) else each
                             for name, each in kept.items()}  # fmt: skip
    if given:
        answer["body"] = body
    if response_for(operation, status) is None:
        answer["undocumented"] = True
        if media_type := _media_type(answer.get("body"), headers):
            answer["mediaType"] = media_type
    answer |= _delivery(response)
    for name in sorted(response.keys() - _RESPONSE):
        found.append(stub.lost(f"response.{name}", "see the documentation for what scenario files can say."))
    if "{{" in str(body):
        found.append(stub.lost("response templating", "write Jinja2: {{ request.path.id }}."))
    for name in ("postServeActions", "serveEventListeners"):
        if stub.members.get(name):
            found.append(stub.lost(name, "write a notice, if it was a webhook."))
    return answer


def _status(stub: Stub, found: Found) -> int:
    status = stub.response.get("status", 200)
    if isinstance(status, str) and re.fullmatch("[1-5][0-9]{2}", status):
        return int(status)
    if isinstance(status, int) and not isinstance(status, bool) and 100 <= status <= 599:
        return status
    found.append(stub.lost(f"the status {status!r}", "write a number from 100 to 599; it is 200 until then."))
    return 200


def _media_type(body: JSON, headers: Any) -> str:
    """What a body is sent as, which no document says; empty for JSON."""
    stated = headers if isinstance(headers, dict) else {}
    said = next((value for name, value in stated.items() if name.lower() == "content-type"), None)
    if isinstance(said, str):
        return said
    return "text/plain" if isinstance(body, str) else ""


def _delivery(response: Members) -> Members:
    """Delay, dribble and fault."""
    delivery: Members = {}
    if fixed := response.get("fixedDelayMilliseconds"):
        delivery["delay"] = f"{fixed}ms"
    match response.get("delayDistribution"):
        case {"type": "uniform", "lower": lower, "upper": upper}:
            delivery["delay"] = {"min": f"{lower}ms", "max": f"{upper}ms"}
        case {"type": "lognormal", "median": median, "sigma": sigma}:
            delivery["delay"] = {"median": f"{median}ms", "sigma": sigma}
    match response.get("chunkedDribbleDelay"):
        case {"numberOfChunks": chunks, "totalDuration": total}:
            delivery["dribble"] = {"chunks": chunks, "over": f"{total}ms"}
    if fault := response.get("fault"):
        delivery["fault"] = fault
    return delivery
