"""What is done to any mapping or list of a document."""

from __future__ import annotations

from typing import Any

from mockserver.compile.mending.structure import Mender
from mockserver.compile.mending.table import At
from mockserver.plan import JSON

Node = dict[str, Any]


def rename(mender: Mender, node: Node, at: At, meant: Any, row: str) -> None:
    """Give keys the names that they should have; what has that name already stays as it is."""
    wanted = {key: meant(key) for key in node}
    if all(key == name for key, name in wanted.items()):
        return
    old = dict(node)
    node.clear()
    for key, value in old.items():
        name = wanted[key]
        if key != name:
            mender.tell(row, (at, key), key, assumed=(name,), key=True)
        if key == name or (name not in old and name not in node):
            node[name] = value


def each_once(mender: Mender, listed: list[JSON], at: At, name: str, identity: Any) -> None:
    """Drop the items of a list that say again what one before says, by their ``identity``."""
    seen = set()
    kept = []
    for i, each in enumerate(listed):
        key = identity(each) if isinstance(each, dict) else None
        if key is not None and not isinstance(key, (list, dict)):
            if key in seen:
                mender.tell("twice", (at, i), name, key[0] if isinstance(key, tuple) else key)
                continue
            seen.add(key)
        kept.append(each)
    if len(kept) < len(listed):
        listed[:] = kept
