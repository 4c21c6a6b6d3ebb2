"""The code blocks of Markdown pages, as a reader would copy them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "examples" / "README.md"]
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
        return f"{self.page.relative_to(ROOT).with_suffix('')}:{self.line}"


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


def recipes() -> list[str]:
    """The commands for curl in the tables of the first page."""
    lines = [each for each in PAGES[0].read_text("utf-8").splitlines() if each.startswith("| ")]
    return [found for line in lines for found in re.findall(r"`(curl [^`]*)`", line)]


def variables(block: Block) -> str:
    """What the page has set before the block, as lines of a shell script."""
    before = [each for each in blocks("console") if each.page == block.page and each.line < block.line]
    texts = [command.text for each in before for command in commands(each)]
    return "".join(f"{text}\n" for text in texts if is_variable(text))


def is_variable(command: str) -> bool:
    return re.fullmatch(r"[A-Z]+=\S+", command) is not None


def commands(block: Block) -> Iterator[Command]:
    """Lines that begin with ``$`` are commands; what follows each is what it prints."""
    for part in re.split(r"^\$ (?:\.venv/bin/)?", block.text, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        text = re.sub(r"\s{2,}#.*$", "", command)
        yield Command(text, output if output.strip() else None)
