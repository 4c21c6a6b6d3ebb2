"""Hints for values: from the name of a property, and from the values in the request."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Literal

from mockserver.plan import JSON
from mockserver.providers.ids import DAY

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")

TEXTS: Mapping[str, str] = {
    # the last words of a name: a provider of Faker
    "email": "safe_email",
    "mail": "safe_email",
    "email address": "safe_email",
    "login": "user_name",
    "user": "user_name",
    "username": "user_name",
    "user name": "user_name",
    "nickname": "user_name",
    "handle": "user_name",
    "name": "name",
    "full name": "name",
    "display name": "name",
    "author": "name",
    "owner": "name",
    "customer": "name",
    "contact": "name",
    "first name": "first_name",
    "given name": "first_name",
    "firstname": "first_name",
    "last name": "last_name",
    "family name": "last_name",
    "lastname": "last_name",
    "surname": "last_name",
    "company": "company",
    "company name": "company",
    "organization": "company",
    "organisation": "company",
    "organization name": "company",
    "brand": "company",
    "manufacturer": "company",
    "vendor": "company",
    "job": "job",
    "job title": "job",
    "occupation": "job",
    "phone": "basic_phone_number",
    "phone number": "basic_phone_number",
    "mobile": "basic_phone_number",
    "telephone": "basic_phone_number",
    "fax": "basic_phone_number",
    "address": "street_address",
    "street": "street_address",
    "address line 1": "street_address",
    "address line 2": "secondary_address",
    "city": "city",
    "town": "city",
    "province": "state",
    "region": "state",
    "country": "country",
    "country name": "country",
    "country code": "country_code",
    "zip": "postcode",
    "zip code": "postcode",
    "zipcode": "postcode",
    "postcode": "postcode",
    "postal code": "postcode",
    "currency": "currency_code",
    "currency code": "currency_code",
    "language": "language_code",
    "language code": "language_code",
    "locale": "locale",
    "timezone": "timezone",
    "time zone": "timezone",
    "description": "sentence",
    "summary": "sentence",
    "message": "sentence",
    "comment": "sentence",
    "note": "sentence",
    "notes": "sentence",
    "reason": "sentence",
    "detail": "sentence",
    "bio": "sentence",
    "body": "paragraph",
    "content": "paragraph",
    "text": "sentence",
    "title": "catch_phrase",
    "subject": "catch_phrase",
    "headline": "catch_phrase",
    "slogan": "catch_phrase",
    "slug": "slug",
    "color": "safe_color_name",
    "colour": "safe_color_name",
    "ip": "ipv4",
    "ip address": "ipv4",
    "mac address": "mac_address",
    "host": "domain_name",
    "hostname": "domain_name",
    "domain": "domain_name",
    "user agent": "user_agent",
    "file": "file_name",
    "filename": "file_name",
    "file name": "file_name",
    "mime type": "mime_type",
    "content type": "mime_type",
    "media type": "mime_type",
    "iban": "iban",
    "isbn": "isbn13",
    "license plate": "license_plate",
    "vin": "vin",
    "sha1": "sha1",
    "sha256": "sha256",
    "md5": "md5",
    "hash": "sha256",
    "checksum": "sha256",
    "password": "password",
}

WORDS: Mapping[str, tuple[str, ...]] = {
    # the last word of a name: typical words
    "status": ("active", "pending", "completed"),
    "state": ("active", "pending", "completed"),
    "type": ("standard", "basic", "custom"),
    "kind": ("standard", "basic", "custom"),
    "category": ("general", "books", "garden", "music"),
    "role": ("member", "admin", "viewer"),
    "gender": ("female", "male", "other"),
    "level": ("low", "medium", "high"),
    "priority": ("low", "medium", "high"),
    "severity": ("low", "medium", "high"),
    "size": ("small", "medium", "large"),
    "version": ("1.0.0", "1.4.2", "2.1.0"),
    "tag": ("new", "featured", "sale"),
    "tags": ("new", "featured", "sale"),
    "unit": ("kg", "m", "piece"),
    "method": ("GET", "POST"),
    "error": ("InvalidRequest", "NotFound", "Conflict"),
    "breed": ("Beagle", "Siamese", "Poodle"),
    "species": ("dog", "cat", "rabbit"),
}

LINKS = frozenset(
    (
        "url",
        "uri",
        "href",
        "link",
        "links",
        "website",
        "homepage",
        "avatar",
        "image",
        "photo",
        "icon",
        "logo",
        "callback",
    )
)
IMAGES = frozenset(("avatar", "image", "photo", "icon", "logo", "thumbnail"))
IDENTIFIERS = frozenset(
    ("id", "uid", "guid", "key", "sid", "identifier", "reference", "ref", "number", "code", "token")
)

NUMBERS: Mapping[str, tuple[float, float]] = {
    # the last word of a name: the usual range of its numbers
    "age": (18, 80),
    "year": (1990, 2025),
    "month": (1, 12),
    "day": (1, 28),
    "hour": (0, 23),
    "minute": (0, 59),
    "percent": (0, 100),
    "percentage": (0, 100),
    "progress": (0, 100),
    "ratio": (0, 1),
    "rate": (0, 1),
    "probability": (0, 1),
    "score": (0, 100),
    "rating": (1, 5),
    "price": (1, 500),
    "amount": (1, 1000),
    "total": (1, 1000),
    "cost": (1, 500),
    "fee": (1, 50),
    "balance": (0, 10000),
    "discount": (0, 50),
    "tax": (0, 100),
    "lat": (-90, 90),
    "latitude": (-90, 90),
    "lon": (-180, 180),
    "lng": (-180, 180),
    "long": (-180, 180),
    "longitude": (-180, 180),
    "width": (1, 1920),
    "height": (1, 1080),
    "size": (1, 65536),
    "length": (1, 500),
    "weight": (1, 100),
    "port": (1024, 65535),
    "status": (200, 200),
    "page": (1, 1),
    "limit": (10, 100),
    "offset": (0, 0),
    "position": (1, 20),
    "priority": (1, 5),
    "version": (1, 9),
    "quantity": (1, 10),
    "count": (1, 100),
    "id": (1, 9999),
}

_PAST = frozenset(
    (
        "created",
        "create",
        "added",
        "joined",
        "registered",
        "born",
        "start",
        "started",
        "begin",
        "issued",
        "from",
        "birth",
    )
)
_RECENT = frozenset(
    ("updated", "update", "modified", "changed", "edited", "last", "seen", "synced", "finished", "completed")
)
_FUTURE = frozenset(
    (
        "expires",
        "expire",
        "expiry",
        "expiration",
        "expired",
        "until",
        "due",
        "end",
        "ends",
        "deadline",
        "next",
        "valid",
        "to",
    )
)

TextSource = tuple[Literal["words", "faker", "link", "identifier", "time", "word"], str]
"""The kind of texts for a name, and the last word, the provider or the format."""

TimeRange = tuple[int, int]
"""The earliest and the latest time, in milliseconds from now."""

TIME_RANGES: Mapping[str, TimeRange] = {
    "past": (-40 * DAY, -10 * DAY),
    "": (-9 * DAY, -3 * DAY),
    "recent": (-2 * DAY, -60_000),
    "future": (DAY, 90 * DAY),
}


@lru_cache(maxsize=4096)
def words(name: str) -> tuple[str, ...]:
    """Return the words of a name in lower case: billing, address for ``billingAddress``."""
    return tuple(word.lower() for word in _WORD.findall(name))


@lru_cache(maxsize=4096)
def last_word(name: str) -> str:
    """Return the last word of a name, which says what the value is, or an empty text."""
    return words(name)[-1] if words(name) else ""


@lru_cache(maxsize=4096)
def faker_provider(name: str) -> str | None:
    """Return Faker's provider for texts with this name, or None."""
    all_words = words(name)
    for count in (3, 2, 1):
        if found := TEXTS.get(" ".join(all_words[-count:])):
            return found
    return None


@lru_cache(maxsize=4096)
def text_source(name: str) -> TextSource:
    """Return the source of texts with this name that have no format and no pattern."""
    last = last_word(name)
    if last in WORDS:
        return "words", last
    if provider := faker_provider(name):
        return "faker", provider
    if last in LINKS:
        return "link", "image" if last in IMAGES else ""
    if last in IDENTIFIERS:
        return "identifier", ""
    if is_time(name):
        return "time", {"date": "date", "time": "time"}.get(last, "date-time")
    return "word", ""


@lru_cache(maxsize=4096)
def time_range(name: str) -> TimeRange:
    """Return the usual time range of an event with this name, so that created ≤ updated ≤ expires."""
    all_words = frozenset(words(name))
    for which, signs in (("recent", _RECENT), ("past", _PAST), ("future", _FUTURE)):
        if all_words & signs:
            return TIME_RANGES[which]
    return TIME_RANGES[""]


@lru_cache(maxsize=4096)
def is_time(name: str) -> bool:
    """Return whether values with this name are points in time: createdAt, updated_on, timestamp."""
    all_words = words(name)
    return bool(all_words) and (
        all_words[-1] in ("timestamp", "datetime", "date", "time")
        or (len(all_words) > 1 and all_words[-1] in ("at", "on") and all_words[-2] != "based")
    )


def apply_hints(
    value: JSON, hints: Mapping[str, JSON], names: Iterable[str], is_valid: Callable[[JSON], bool]
) -> JSON:
    """Return ``value`` with the members that have the name of a hint set to the hint, if that is valid.

    ``names`` are members that the schema allows. If there is one hint like
    ``petId``, it also sets ``id``. A text becomes a number if only that is valid.
    """
    if not isinstance(value, dict):
        return value
    known = [*value, *(name for name in names if name not in value)]
    for name, hint in hint_targets(hints, known):
        for candidate in interpretations(hints[hint], type(value.get(name))):
            changed = {**value, name: candidate}
            if is_valid(changed):
                value = changed
                break
    return value


def hint_targets(hints: Iterable[str], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the members of ``known`` that hints set, each with the name of its hint."""
    hints = tuple(hints)
    by_words = {words(name): name for name in reversed(known)}
    identifiers = [name for name in hints if words(name)[-1:] == ("id",)]
    for name in hints:
        same = name if name in known else by_words.get(words(name))  # user_id is userId
        if same is not None:
            yield same, name
        elif identifiers == [name] and "id" in known:
            yield "id", name


def interpretations(hint: JSON, usual: type) -> Iterator[JSON]:
    """Yield the values that a text of a path may be, first the one of the ``usual`` type."""
    if not isinstance(hint, str):
        yield hint
        return
    for kind in _KINDS.get(usual, _KINDS[str]):
        if kind is str:
            yield hint
        elif kind is bool:
            if hint in ("true", "false"):
                yield hint == "true"
        else:
            try:
                number = kind(hint)
            except (ValueError, OverflowError):
                continue
            if number - number == 0:  # neither infinite nor NaN
                yield number


_KINDS: Mapping[type, Sequence[type]] = {
    kind: (kind, *(other for other in (str, int, float, bool) if other is not kind))
    for kind in (str, int, float, bool)
}
"""The types that a text may have, by the usual one."""
