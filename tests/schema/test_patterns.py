from __future__ import annotations

import pytest

from mockserver.schema.patterns import strict


@pytest.mark.parametrize(
    ("written", "run"),
    [
        (r"^[a-z]{2,3}$", r"^[a-z]{2,3}$"),
        (r"[\w-.]", r"[\w\-.]"),
        (r"[.-\w]", r"[.\-\w]"),
        (r"[a-c-e]", r"[a-c\-e]"),
        (r"[-a]", r"[\-a]"),
        (r"[^\]a]", r"[^\]a]"),
        (r"[[:alpha:]]", r"[\[:alpha:]\]"),
        (r"[\b\0]", r"[\x08\x00]"),
        ("[^]", r"[\s\S]"),
        ("[]", "(?!)"),
        ("{a}", r"\{a\}"),
        ("a{,3}", r"a\{,3\}"),
        (r"\p{L}{2}", r"\p{L}{2}"),
        (r"\A\d\z", r"^\d$"),
        ("[a", "[a"),
        ("a\\", "a\\"),
    ],
)
def test_strict(written: str, run: str) -> None:
    assert strict(written) == run
