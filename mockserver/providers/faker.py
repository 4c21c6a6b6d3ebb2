"""Values of Faker's providers, from small pools.

Faker takes 0.1 s to import, its providers are slow, and they share one random
generator. So it is imported on first use. Each provider has a pool of values.
Each value is generated on first use, from its own seed. The caller's random
numbers select from the pool. So a value does not depend on earlier calls.
"""

from __future__ import annotations

import base64
import hashlib
import inspect
import random
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mockserver.diagnostics import MockServerError, did_you_mean
from mockserver.plan import JSON

if TYPE_CHECKING:
    from faker import Faker

POOL_SIZE = 64
_REFUSED = frozenset(
    ("binary", "enum", "fixed_width", "image", "json", "json_bytes", "pyobject", "tar", "time_series", "zip")
)
"""Providers that return files or objects, or that call other providers by their arguments."""
MAX_ITEMS = 1000
"""The maximum number of items (sentences, rows, levels) of one call. Two such arguments are multiplied."""
MAX_TEXT = 10_000
"""The maximum number of characters of one argument."""
_ITEMS = {
    **dict.fromkeys(("deep", "depth", "indent", "levels", "nb", "nb_sentences"), 1.0),
    **dict.fromkeys(("nb_texts", "nb_words", "number", "size"), 1.0),
    **dict.fromkeys(("digits", "left_digits", "length", "max_chars", "max_nb_chars", "min_chars"), 0.1),
    "count": 20.0,
    "num_rows": 1.0,
    "nb_elements": 20.0,
    "right_digits": 0.1,
}
"""Parameters of Faker's providers that set the size of the result, with the number of items per unit."""
_DEAR = {
    **dict.fromkeys(("credit_card_full", "domain_name", "email", "get_words_list", "hostname"), 10.0),
    **dict.fromkeys(("passport_owner", "pytimezone"), 10.0),
    **dict.fromkeys(("uri", "url"), 15.0),
    **dict.fromkeys(("ipv4", "ipv4_public"), 80.0),
    "profile": 100.0,
    "pystruct": 4.5,
    "simple_profile": 40.0,
}
"""Providers that take long, with the number of items that take as long."""
_MIN_CALL = 2.0
"""The number of items that a call with arguments counts as, at least: it prepares the random numbers."""
_MIN_FORMAT = 15.0
"""The number of items that ``{{provider}}`` in a text counts as, at least."""
_CHARACTER = 0.1
"""The number of items that a character of an argument counts as."""
_MAX_FREE = 200.0
"""The items of a call without arguments that are not counted, because its values come from a pool."""
_FORMAT = re.compile(r"\{\{\s*(\w+)")


class UnknownProviderError(MockServerError):
    """The name is not that of a provider, or the provider does not accept the arguments."""


class FakeValues:
    """Faker's providers by name, for one locale and seed."""

    max_items = MAX_ITEMS

    def __init__(self, seed: int | str = 0, locale: str = "en_US") -> None:
        self._seed = seed
        self._locale = locale
        self._faker: Faker | None = None
        self._names: frozenset[str] = frozenset()
        self._pools: dict[str, dict[int, JSON]] = {}
        self._signatures: dict[str, inspect.Signature] = {}
        self._default_items: dict[str, float] = {}

    def value(self, provider: str, rng: random.Random, *args: JSON, **kwargs: JSON) -> JSON:
        """Return a JSON value of a provider such as ``first_name``, selected by ``rng``.

        Raises UnknownProviderError, also if the arguments ask for more than ``MAX_ITEMS`` items.
        """
        if args or kwargs:
            return self._call(provider, str(rng.getrandbits(64)), args, kwargs)
        pool = self._pools.setdefault(provider, {})
        number = int(rng.random() * POOL_SIZE)
        if number not in pool:
            pool[number] = self._call(provider, str(number), (), {})
        return pool[number]

    def count_items(self, provider: str, *args: JSON, **kwargs: JSON) -> float:
        """Return how many items a call asks for; 0 for a small value of a pool. Raises as ``value`` does."""
        if args or kwargs:
            return max(_MIN_CALL, self._count_items(provider, args, kwargs))
        found = self._items_without_arguments(provider)
        return found if found > _MAX_FREE else 0

    def _items_without_arguments(self, provider: str) -> float:
        found = self._default_items.get(provider)
        if found is None:
            try:
                found = self._count_items(provider, (), {})
            except UnknownProviderError:
                if provider not in self._names:
                    raise
                found = 1.0  # its arguments are required: the call says so
            self._default_items[provider] = found
        return found

    def _count_items(self, provider: str, args: tuple[JSON, ...], kwargs: Mapping[str, JSON]) -> float:
        try:
            signature = self._signatures.get(provider)
            if signature is None:
                signature = self._signatures[provider] = inspect.signature(self._provider(provider))
            call = signature.bind(*args, **kwargs)
            call.apply_defaults()
            return _count_items(call.arguments, _DEAR.get(provider, 1.0), self._items_of_formats)
        except (TypeError, ValueError) as error:
            raise _refuse_arguments(provider, args, kwargs, error) from None

    def _items_of_formats(self, text: str) -> float:
        """Return the items of each ``{{provider}}`` in a text. Raises UnknownProviderError."""
        items = 0.0
        for name in _FORMAT.findall(text):
            self._provider(name)
            items += max(_MIN_FORMAT, self._items_without_arguments(name))
        return items

    def _provider(self, name: str) -> Callable[..., object]:
        faker = self.load()
        if name not in self._names:
            hint = did_you_mean(name, self._names)
            raise UnknownProviderError("; ".join(filter(None, (f"Faker has no provider {name!r}", hint))))
        found: Callable[..., object] = getattr(faker, name)
        return found

    def _call(self, provider: str, seed: str, args: tuple[JSON, ...], kwargs: Mapping[str, JSON]) -> JSON:
        call = self._provider(provider)
        text = f"{self._seed}/{provider}/{seed}"
        self.load().seed_instance(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest()))
        try:
            return _to_json(call(*args, **kwargs))
        except (TypeError, ValueError, AttributeError) as error:
            raise _refuse_arguments(provider, args, kwargs, error) from None

    def load(self) -> Faker:
        """Import Faker at the first call. Another thread may do that before a value is needed."""
        if self._faker is None:
            from faker import Faker  # slow to import, and most servers never need it

            faker = Faker(self._locale)
            self._names = frozenset(
                name
                for provider in faker.factories[0].get_providers()
                for name in dir(provider)
                if not name.startswith("_") and callable(getattr(provider, name)) and name not in _REFUSED
            )
            self._faker = faker  # last: it says that the names are known
        return self._faker


def _count_items(arguments: Mapping[str, Any], items: float, count_formats: Callable[[str], float]) -> float:
    """Return how many items the arguments ask for. Raises ValueError above the maximum."""
    characters = 0
    for name, value in arguments.items():
        shown = value if isinstance(value, str) else str(value)
        if len(shown) > MAX_TEXT:
            raise ValueError(f"{name} has over {MAX_TEXT:,} characters")
        if isinstance(value, str):
            characters += len(value)
        if "{{" in shown:
            items *= max(1.0, count_formats(shown))
        if name in _ITEMS and isinstance(value, (int, float)):
            items *= max(1.0, _ITEMS[name] * (max(1, value) if _ITEMS[name] > 1 else value))
            if items > MAX_ITEMS:
                raise ValueError(f"{name} is over {MAX_ITEMS / _ITEMS[name]:,.0f}")
    if items + characters * _CHARACTER > MAX_ITEMS:
        raise ValueError(f"they ask for over {MAX_ITEMS:,} items")
    return items + characters * _CHARACTER


def _refuse_arguments(
    provider: str, args: Sequence[JSON], kwargs: Mapping[str, JSON], error: Exception
) -> UnknownProviderError:
    given = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])
    return UnknownProviderError(
        f"Faker's {provider!r} does not take ({_shorten(given)}): {_shorten(str(error))}"
    )


def _shorten(text: str) -> str:
    return text if len(text) < 200 else f"{text[:200]}…"


def _to_json(value: object) -> JSON:
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
            return {str(key): _to_json(member) for key, member in value.items()}
        case set() | frozenset():
            return sorted((_to_json(item) for item in value), key=str)
        case list() | tuple():
            return [_to_json(item) for item in value]
        case _:
            return str(value)
