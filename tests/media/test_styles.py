"""Percent-encoded texts."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

from hypothesis import example, given
from hypothesis import strategies as st

from mockserver.media.styles import decode, decode_form

PIECES = ("%41", "%3D", "%3d", "%0A", "%C3%A9", "%25", "%FF", "%2", "%", "=", "\n", "\r", " ", "_", "é", "a")


@given(st.lists(st.sampled_from(PIECES)).map("".join))
@example("a%20b =\r\nc_d\t ")
def test_text_is_decoded_as_by_urllib_or_refused(text: str) -> None:
    expected: str | None = None
    if not re.search("%(?![0-9A-Fa-f]{2})", text):
        try:
            expected = unquote_to_bytes(text.encode("latin-1")).decode("utf-8")
        except UnicodeDecodeError:
            expected = None
    assert decode(text) == expected


def test_plus_in_a_form_is_a_space() -> None:
    assert decode_form("a+b%2Bc") == "a b+c"
