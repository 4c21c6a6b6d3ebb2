"""The code blocks of Markdown pages, as a reader would copy them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]
_BLOCK = re.compile(r"^```(\w+)(?: title=\"([^\"]*)\")?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """``line`` is that of its first line of code."""

    page: Path
    line: int
    language: str
    title: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.stem}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what the page says that it prints; None where it says nothing."""

    text: str
    output: str | None


def blocks(language: str) -> list[Block]:
    """Those of a language, in the order of the pages."""
    found = []
    for page in PAGES:
        text = page.read_text("utf-8")
        for match in _BLOCK.finditer(text):
            if match[1] == language:
                line = text.count("\n", 0, match.start(3)) + 1
                found.append(Block(page, line, match[1], match[2] or "", match[3]))
    return found


def languages() -> set[str]:
    return {match[1] for page in PAGES for match in _BLOCK.finditer(page.read_text("utf-8"))}


def commands(block: Block) -> Iterator[Command]:
    """Lines that begin with ``$`` are commands; what follows each is what it prints."""
    for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        text = re.sub(r"\s{2,}#.*$", "", command)
        yield Command(text, output if output.strip() else None)
