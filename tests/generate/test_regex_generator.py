from __future__ import annotations

import random

import pytest

from mockserver.generate.regex_generator import MAX_LENGTH, generate_match
from mockserver.jsonschema.patterns import matcher

PATTERNS = [
    *(r"^MG[0-9a-fA-F]{32}$", r"a\w+b", r"^(0|[1-9][0-9]*)$", r"^(a|b)\1$", r"^\p{Lu}\p{L}+$"),
    *(r"^[\w-.]+@\w+$", r"^(?!foo)[a-z]{3}$", "^$", "^[^]$", r"\bfoo\b", r"^{\d}$", r"^[ -~]+$"),
    *(r"^[一-龥]{2}$", r"^[^a-z]+$", r"^\S+$", r"^\d{4}-\d{2}(?:-\d{2})?$", "^(?:a|(?:b|c){2})+$"),
    *(r"^\x41\u0042\cA?$", r"^(?=.*\d)(?=.*[a-z])(?=.*[A-Z])(?=.*[!@#]).{8,}$"),
]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_texts_match(pattern: str) -> None:
    for seed in range(10):
        text = generate_match(pattern, random.Random(seed))
        assert text is not None
        assert matcher(pattern)(text)


def test_lengths() -> None:
    rng = random.Random(0)
    assert len(generate_match("^[a-z]*$", rng, 50, 60) or "") in range(50, 61)
    assert len(generate_match("abc", rng, 10) or "") == 10
    assert len(generate_match("abc$", rng, 10) or "") == 10
    assert generate_match("^a{5}$", rng, 6) is None


@pytest.mark.parametrize(
    "pattern",
    [
        "(",
        "[]",
        ".^",
        "a" + "(" * 5000,
        "[z-a]",
        "\\",
        f"^a{{{MAX_LENGTH}0}}$",
        "^((a{99}){99}){99}$",
        "(a+)+$" * 50,
    ],
)
def test_patterns_that_cannot_be_grown_are_given_up(pattern: str) -> None:
    text = generate_match(pattern, random.Random(0), attempts=3)
    assert text is None or matcher(pattern)(text)
