"""Identifiers: stable ones are stable everywhere, fresh ones follow from seed and order."""

from __future__ import annotations

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mockserver.providers.ids import ALPHABET, Tokens, derive_identity, join, uuid

TEXT = st.text(st.characters(), max_size=8)


@given(st.lists(TEXT, max_size=4), st.lists(TEXT, max_size=4))
def test_joined_parts_never_collide(one: list[str], other: list[str]) -> None:
    assert (join(*one) == join(*other)) == (one == other)


def test_identity_changes_with_each_of_its_parts() -> None:
    parts = ("seed", "default", "certificate-request", "5b1c0a52")
    changed = [(*parts[:index], "x", *parts[index + 1 :]) for index in range(len(parts))]
    identities = {derive_identity(*each) for each in [parts, *changed]}
    assert len(identities) == 5
    assert all(re.fullmatch(r"[0-9a-f]{64}", each) for each in identities)


# Written down: these may not change from one release to the next, or a client's recorded ids break.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("certificate", "a0eec1bd-9488-43dc-8f26-d1496738a6e4"),
        ("", "a94683cf-580b-4989-942c-eb81591027e0"),
    ],
)
def test_uuids_stay_what_they_are(name: str, expected: str) -> None:
    assert uuid(derive_identity("seed", "default", "r", "k"), name) == expected


@given(TEXT, TEXT)
def test_uuid_has_the_shape_of_version_4(of: str, name: str) -> None:
    parsed = UUID(uuid(of, name))
    assert (parsed.version, parsed.variant) == (4, "specified in RFC 4122")
    assert str(parsed) == uuid(of, name)


@pytest.mark.parametrize("length", [0, 1, 14, 300])
def test_token_is_made_of_the_alphabet(length: int) -> None:
    token = Tokens("seed").token(length)
    assert len(token) == length
    assert set(token) <= set(ALPHABET)


def test_every_character_of_the_alphabet_comes_up() -> None:
    assert set(Tokens("seed").token(10_000)) == set(ALPHABET)


def test_tokens_repeat_only_with_the_seed_and_the_stream() -> None:
    def run(*scope: str) -> list[str]:
        tokens = Tokens(*scope)
        return [tokens.token(14) for _ in range(50)]

    runs = [
        run("seed"),
        run("other"),
        run("seed", "default"),
        run("seed", "default", "1"),
        run("seed", "default1"),
    ]
    assert run("seed", "default") == runs[2]
    assert len({token for each in runs for token in each}) == 5 * 50
