"""Births, handles and counters on Redis, as the work sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import msgspec

from mockserver.store.births import Birth
from mockserver.store.work import Workbench
from mockserver.store.writing import octets, text


class SharedBirths:
    """Births and handles, as the work sees them."""

    def __init__(self, store: Workbench) -> None:
        self._store = store

    def get(self, namespace: str, resource: str, key: str) -> Birth | None:
        store = self._store
        if store.has_read("births", namespace, resource):
            raw = store.read("births", namespace, resource).get(key)
        else:
            raw = store.read("birth", namespace, resource, key)
        return None if raw is None else Birth(*msgspec.msgpack.decode(raw))

    def name(self, namespace: str, resource: str, key: str, handles: Mapping[str, str]) -> None:
        store = self._store
        names = [octets(f"{name}\0{value}") for name, value in handles.items()]
        told = " ".join(each.hex() for each in names).encode()
        store.write("HSET", store.name("h", namespace, resource), octets(key), told)
        for each in names:
            store.write("HSET", store.name("k", namespace, resource), each, octets(key))
            store.see(octets(key), "named", namespace, resource, text(each))
        store.see(told, "handles", namespace, resource, key)

    def has_name(self, namespace: str, resource: str, key: str) -> bool:
        return self._store.read("handles", namespace, resource, key) is not None

    def named(self, namespace: str, resource: str, handle: str, value: str) -> str | None:
        raw = self._store.read("named", namespace, resource, f"{handle}\0{value}")
        return None if raw is None else text(raw)


class SharedCounters:
    """Counters: a number that was drawn stays drawn, however often the work is begun again."""

    def __init__(self, store: Workbench) -> None:
        self._store = store

    def run(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.drawn("run", namespace, resource, name))

    def tally(self, namespace: str, resource: str, name: str) -> int:
        return int(self._store.drawn("tally", namespace, resource, name))

    def window(self, namespace: str, resource: str, name: str, now: int, length: int) -> tuple[int, int]:
        self._store.read("meta", namespace)  # or the time might be another worker's past
        found = self._store.drawn("window", namespace, resource, name, str(now), str(length))
        return cast("tuple[int, int]", found)
