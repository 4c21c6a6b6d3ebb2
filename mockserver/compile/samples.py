"""Sample requests of an operation: with all that its document requires, and no more.

Templates may read the request. What they read of it is there in a rehearsal if
it must be there in every request; what may be missing needs a ``default``.
"""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode

from mockserver.compile.answers import Bound
from mockserver.errors import MockServerError
from mockserver.fakes import Fakes
from mockserver.plan import JSON, Operation, Parameter, SchemaRef
from mockserver.serve.request import Request

MOST = 3
"""Samples of a key."""


class Samples:
    """The requests of one operation."""

    def __init__(self, bound: Bound, fakes: Fakes) -> None:
        self._operation: Operation = bound.operation
        self._fakes = fakes

    def keys(self, name: str) -> list[str]:
        """A few keys that the operation's own parameter of that name allows."""
        schema = next(
            (each.schema for each in self._operation.parameters if each.name == name and each.schema), None
        )
        return [self._text(schema, index) for index in range(MOST)]

    def request(self, name: str, key: str) -> tuple[Request, dict[str, str], JSON]:
        """A request for ``key``, told by the path parameter ``name``; its path parameters and its body."""
        operation = self._operation
        path = {each: self._text(None, 0) for each in re.findall(r"\{([^{}]+)\}", operation.path)}
        path |= {each.name: self._parameter(each) for each in self._required("path")}
        path[name] = key
        target = re.sub(r"\{([^{}]+)\}", lambda found: quote(path[found[1]], safe=""), operation.path)
        query = urlencode({each.name: self._parameter(each) for each in self._required("query")})
        headers = {each.name.lower(): self._parameter(each) for each in self._required("header")}
        cookies = [f"{each.name}={quote(self._parameter(each))}" for each in self._required("cookie")]
        if cookies:
            headers["cookie"] = "; ".join(cookies)
        return Request(operation.method, target, query, headers), path, self._body()

    def _required(self, location: str) -> list[Parameter]:
        return [each for each in self._operation.parameters if each.location == location and each.required]

    def _parameter(self, parameter: Parameter) -> str:
        return self._text(parameter.schema, 0)

    def _text(self, schema: SchemaRef | None, index: int) -> str:
        value = self._value(schema, str(index)) if schema else None
        if isinstance(value, bool):
            return "true" if value else "false"
        return f"sample-{index}" if value is None or isinstance(value, (dict, list)) else str(value)

    def _body(self) -> JSON:
        body = self._operation.body
        schema = next((each.schema for each in body.content if each.schema), None) if body else None
        if body is None or not body.required or schema is None:
            return None
        return self._value(schema, "body")

    def _value(self, schema: SchemaRef, key: str) -> JSON:
        try:
            return self._fakes.value(schema, key=key, direction="request")
        except MockServerError:
            return None
