"""The diagnostic codes: what each means, as ``codes.md`` beside this module tells it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_SECTION = re.compile(r"^## ([DMS]\d{3}) (.+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Code:
    """One section: ``text`` is Markdown, with an example of the wrong and of the right."""

    name: str
    title: str
    text: str


@cache
def codes() -> Mapping[str, Code]:
    """Every code by its name, in the order of ``codes.md``."""
    text = files("mockserver").joinpath("codes.md").read_text("utf-8")
    found = list(_SECTION.finditer(text))
    ends = [each.start() for each in found[1:]] + [len(text)]
    sections = zip(found, ends, strict=True)
    return {each[1]: Code(each[1], each[2], text[each.end() : end].strip()) for each, end in sections}
