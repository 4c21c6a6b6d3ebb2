"""Calls as JSON: WireMock's serve events, with the data of this server under ``mock``."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cached_property
from urllib.parse import parse_qsl, unquote

from mockserver import problem
from mockserver.engine.resources import conditions
from mockserver.namespaces.clock import iso
from mockserver.namespaces.journal import Call, TruncatedBody
from mockserver.plan import JSON

_ID = re.compile(r"([0-9a-f]{8})-0000-4000-8000-([0-9a-f]{12})$")


def call_id(namespace: str, number: int) -> str:
    """Return the id of a call: a UUID, as WireMock's clients expect, of its namespace and number."""
    return f"{_mark(namespace)}-0000-4000-8000-{number:012x}"


def call_number(namespace: str, text: str) -> int | None:
    """Return the number of the call with this id; None for an id of another namespace."""
    found = _ID.match(text.lower())
    return int(found[2], 16) if found and found[1] == _mark(namespace) else None


def _mark(namespace: str) -> str:
    return hashlib.blake2b(namespace.encode(), digest_size=4).hexdigest()


class CallView:
    """The decoded parts of a call that patterns read. Each part is decoded on first use."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.request = call.request

    @property
    def path(self) -> str:
        """The path as sent."""
        return self.request.raw_path

    @cached_property
    def query(self) -> dict[str, list[str]]:
        """The values of each query parameter."""
        return _fields(self.request.query_string)

    @cached_property
    def form(self) -> dict[str, list[str]]:
        """The values of each field of a form."""
        return _fields(self.body)

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        return conditions.cookies(self.request)

    @cached_property
    def body(self) -> str:
        """The body as text."""
        return self.request.body.decode("utf-8", "replace")

    @cached_property
    def credentials(self) -> tuple[str, str] | None:
        """Return the user and password of ``Authorization: Basic`` (RFC 7617), or None."""
        scheme, _, token = self.request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, separator, password = base64.b64decode(token).decode("utf-8", "replace").partition(":")
        except ValueError:
            return None
        return (user, password) if separator else None


def _fields(text: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        found.setdefault(name, []).append(value)
    return found


def request_json(call: Call) -> dict[str, JSON]:
    """Return the request of a call as a LoggedRequest of WireMock."""
    view, request = CallView(call), call.request
    host = request.headers.get("host", "")
    shown: dict[str, JSON] = {
        "url": call.url,
        "absoluteUrl": f"http://{host}{call.url}" if host else call.url,
        "method": request.method,
        "clientIp": "",
        "headers": request.headers,
        "cookies": view.cookies,
        "queryParams": {name: {"key": name, "values": values} for name, values in view.query.items()},
        "browserProxyRequest": False,
        "loggedDate": call.when,
        "loggedDateString": iso(call.when),
        "body": view.body,
        "bodyAsBase64": base64.b64encode(request.body).decode(),
    }
    if isinstance(request.body, TruncatedBody):
        shown["bodyLength"] = request.body.length
    return shown


def event_json(namespace: str, call: Call) -> dict[str, JSON]:
    """Return a call as a ServeEvent of WireMock."""
    response = call.response
    headers: dict[str, str] = {}
    for name, value in response.headers:
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    sent: dict[str, JSON] = {
        "status": response.status,
        "headers": headers,
        "body": response.body.decode("utf-8", "replace"),
        "bodyAsBase64": base64.b64encode(response.body).decode(),
    }
    if isinstance(response.body, TruncatedBody):
        sent["bodyLength"] = response.body.length
    milliseconds = round(call.seconds * 1000, 3)
    return {
        "id": call_id(namespace, call.number),
        "request": request_json(call),
        "responseDefinition": {"status": response.status, "fromConfiguredStub": bool(response.operation)},
        "response": sent,
        "wasMatched": bool(response.operation),
        "timing": {
            "addedDelay": response.delay,
            "processTime": milliseconds,
            "totalTime": round(milliseconds + response.delay, 3),
        },
        "mock": {
            "namespace": namespace,
            "number": call.number,
            "operation": response.operation,
            "resource": response.resource,
            "key": response.key,
            "decision": response.decision,
            "scenario": call.decided("scenario"),
            "state": call.decided("state"),
            "fault": response.fault,
            "diagnostics": problem.listed(response.violations),
        },
    }


def summary_json(namespace: str, call: Call) -> dict[str, JSON]:
    """Return the main data of a call, for near misses and events."""
    response = call.response
    return {
        "id": call_id(namespace, call.number),
        "when": iso(call.when),
        "method": call.request.method,
        "url": problem.shortened(call.url, 1000),
        "status": response.status,
        "operation": response.operation,
        "resource": response.resource,
        "key": response.key,
        "decision": response.decision,
    }


def segments(path: str) -> list[str]:
    """Return the decoded segments of a raw path."""
    return [unquote(segment, errors="replace") for segment in path.split("/")]
