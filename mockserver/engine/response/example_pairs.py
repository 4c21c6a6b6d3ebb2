"""Request and response examples of one name, which belong together.

A request that has the values of the request examples ``NAME``, of the body and of the parameters, is
answered with the response example ``NAME``.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

from mockserver.plan import JSON, Example, Operation

if TYPE_CHECKING:
    from mockserver.engine.request.validation import Checked

_UNNAMED = "default"
"""The name of an ``example``."""
_BODY = ("body", "")
_Part = tuple[str, str]
"""The location and the name of a parameter, or ``_BODY``."""


class ExamplePairs:
    """The pairs of one operation."""

    __slots__ = ("_examples", "_requests")

    def __init__(self, examples: dict[str, list[tuple[_Part, JSON]]]) -> None:
        """``examples``: the values of the request that belong together, by their name."""
        self._examples = examples
        self._requests: list[tuple[str, list[tuple[_Part, Hashable]]]] | None = None

    def find(self, checked: Checked) -> str | None:
        """Return the name of the response example for a request; None if no request example is equal."""
        if self._requests is None:
            found = [
                (name, [(part, _comparable(value, part)) for part, value in values])
                for name, values in self._examples.items()
            ]
            self._requests = sorted(found, key=lambda request: -len(request[1]))  # most parts first
        seen: dict[_Part, Hashable] = {}
        for name, values in self._requests:
            for part, value in values:
                if part not in seen:
                    seen[part] = _comparable(_value(checked, part), part)
                if seen[part] != value:
                    break
            else:
                return name
        return None


def pairs_of(operation: Operation) -> ExamplePairs | None:
    """Return the pairs of an operation; None if it has none."""
    contents = operation.body.content if operation.body is not None else ()
    stated: list[tuple[_Part, Sequence[Example]]] = [
        *((_BODY, media.examples) for media in contents if media.examples),
        *(((each.location, each.name), each.examples) for each in operation.parameters if each.examples),
    ]
    if not stated:
        return None
    answers = {
        example.name
        for response in operation.responses
        for media in response.content
        for example in media.examples
    } - {_UNNAMED}
    found: dict[str, dict[_Part, JSON]] = {}
    for part, examples in stated:
        for example in examples:
            if example.name in answers and not example.serialized:
                found.setdefault(example.name, {}).setdefault(part, example.value)
    return ExamplePairs({name: [*values.items()] for name, values in found.items()}) if found else None


def _value(checked: Checked, part: _Part) -> JSON:
    location, name = part
    if location == "body":
        return checked.body
    values = {
        "path": checked.path, "query": checked.query, "header": checked.header, "cookie": checked.cookie,
    }.get(location, checked.query)  # fmt: skip
    return values.get(name)


def _comparable(value: JSON, part: _Part) -> Hashable:
    """Return what is equal for equal values. The text of a parameter may be a number."""
    from mockserver.generate.constraints import equality_key  # heavy; only pairs need it

    if part != _BODY and isinstance(value, int | float) and not isinstance(value, bool):
        value = str(value)
    return equality_key(value)
