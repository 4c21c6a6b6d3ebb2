"""How many schemas judge one and the same value, counted before anything judges.

``allOf``, ``oneOf`` and their kin apply their branches in place, and so does
``$ref``: thirty schemas that each refer twice to the next apply the last of them
a billion times to one value. A validator does that, and keeps an error of each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from mockserver.plan import JSON

MOST = 20_000
"""Schemas that may judge one value: a second of work where all of them object."""
_ONE = ("not", "if", "then", "else")
_SEVERAL = ("allOf", "anyOf", "oneOf")
_NAMED = ("dependentSchemas", "dependencies")


def spreads_too_far(schema: JSON, target: Callable[[str], JSON]) -> bool:
    """Whether more than ``MOST`` schemas apply in place of ``schema``.

    ``target`` gives the schema of a ``$ref``. A reference that leads back to where
    it is reached from ends there, as validators have it.
    """
    left = MOST

    def spend(node: JSON, path: frozenset[str]) -> None:
        nonlocal left
        left -= 1
        if left < 0 or not isinstance(node, dict):
            return
        link = node.get("$ref")
        if isinstance(link, str) and link not in path:
            spend(target(link), path | {link})
        for each in _in_place(node):
            spend(each, path)
            if left < 0:
                return

    spend(schema, frozenset())
    return left < 0


def _in_place(node: dict[str, JSON]) -> Iterator[JSON]:
    for keyword in _ONE:
        if keyword in node:
            yield node[keyword]
    for keyword in _SEVERAL:
        if isinstance(parts := node.get(keyword), list):
            yield from parts
    for keyword in _NAMED:
        if isinstance(parts := node.get(keyword), dict):
            yield from parts.values()
