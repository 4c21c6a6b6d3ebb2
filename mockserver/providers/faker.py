"""Faker's values, from small pools.

Faker takes a tenth of a second to import and its providers are slow and share
one generator. So it is imported when first needed, each provider fills a pool
once from a seed of its own, and whoever wants a value picks from the pool with
dice of his own: quick, and the same whatever was asked before.
"""

from __future__ import annotations

import base64
import difflib
import hashlib
import random
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from mockserver.errors import MockServerError
from mockserver.plan import JSON

if TYPE_CHECKING:
    from faker import Faker

POOL_SIZE = 64
_REFUSED = frozenset(("binary", "enum", "image", "json_bytes", "pyobject", "tar", "zip"))
"""Providers that make files or objects, not values."""


class UnknownProviderError(MockServerError):
    """A name that is not one of Faker's providers, or arguments that it does not take."""


class FakeValues:
    """Faker's providers by name, for one locale and seed."""

    def __init__(self, seed: int | str = 0, locale: str = "en_US") -> None:
        self._seed = seed
        self._locale = locale
        self._faker: Faker | None = None
        self._names: frozenset[str] = frozenset()
        self._pools: dict[str, list[JSON]] = {}

    def value(self, provider: str, rng: random.Random, *args: JSON) -> JSON:
        """A JSON value of a provider such as ``first_name``; ``rng`` decides which.

        Raises UnknownProviderError.
        """
        if args:
            return self._call(provider, str(rng.getrandbits(64)), args)
        pool = self._pools.get(provider)
        if pool is None:
            pool = self._pools[provider] = [self._call(provider, str(i), ()) for i in range(POOL_SIZE)]
        return pool[int(rng.random() * POOL_SIZE)]

    def _call(self, provider: str, seed: str, args: tuple[JSON, ...]) -> JSON:
        faker = self._load()
        if provider not in self._names:
            near = difflib.get_close_matches(provider, self._names, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UnknownProviderError(f"Faker has no provider {provider!r}{hint}")
        text = f"{self._seed}/{provider}/{seed}"
        faker.seed_instance(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()))
        try:
            return _json(getattr(faker, provider)(*args))
        except (TypeError, ValueError, AttributeError) as error:
            raise UnknownProviderError(f"Faker's {provider!r} does not take {list(args)}: {error}") from None

    def _load(self) -> Faker:
        if self._faker is None:
            from faker import Faker

            self._faker = Faker(self._locale)
            self._names = frozenset(
                name
                for provider in self._faker.factories[0].get_providers()
                for name in dir(provider)
                if not name.startswith("_") and callable(getattr(provider, name)) and name not in _REFUSED
            )
        return self._faker


def _json(value: object) -> JSON:
    match value:
        case None | bool() | int() | float() | str():
            return value
        case Decimal():
            return float(value)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case bytes():
            return base64.b64encode(value).decode()
        case dict():
            return {str(key): _json(each) for key, each in value.items()}
        case set() | frozenset():
            return sorted((_json(each) for each in value), key=str)
        case list() | tuple():
            return [_json(each) for each in value]
        case _:
            return str(value)
