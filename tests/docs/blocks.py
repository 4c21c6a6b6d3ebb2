"""The code blocks of Markdown pages, as a reader would copy them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml12

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), ROOT / "examples" / "README.md"]
LESSONS = [DOCS / "bodies.md", DOCS / "tutorial.md"]
"""Pages that are read from top to bottom, in a folder that is empty at first."""
CONTROL = DOCS / "control.md"
_PART = re.compile(
    r"^(?P<heading>#+ [^\n]*)$|^```(?P<language>\w+)(?: title=\"(?P<title>[^\"]*)\")?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """``line`` is that of its first line of code, ``prose`` what stands between it and the heading or the
    block of its language before it."""

    page: Path
    line: int
    language: str
    title: str
    text: str
    heading: str
    prose: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT).with_suffix('')}:{self.line}"


@dataclass(frozen=True)
class Command:
    """A command of a console block, and what the page says that it prints; None where it says nothing."""

    text: str
    output: str | None


def blocks(language: str) -> list[Block]:
    """Return the blocks of a language, in the order of the pages."""
    return [block for page in PAGES for block in blocks_of(page) if block.language == language]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in their order."""
    found = []
    text, heading, ends = page.read_text("utf-8"), "", dict[str, int]()
    start = 0
    for match in _PART.finditer(text):
        if match["heading"]:
            heading, start, ends = match["heading"], match.end(), {}
        else:
            language = match["language"]
            line = text.count("\n", 0, match.start("text")) + 1
            prose = text[ends.get(language, start) : match.start()]
            found.append(Block(page, line, language, match["title"] or "", match["text"], heading, prose))
            ends[language] = match.end()
    return found


def sections(language: str) -> list[list[Block]]:
    """The blocks of a language under each heading that has any: what a reader does one after the other."""
    return [list(found) for _, found in groupby(blocks(language), lambda block: (block.page, block.heading))]


def languages() -> set[str]:
    found = (match["language"] for page in PAGES for match in _PART.finditer(page.read_text("utf-8")))
    return {language for language in found if language}


def parsed(block: Block) -> dict[str, Any]:
    found: Any = yaml12.parse_yaml(block.text)
    assert isinstance(found, dict)
    return found


def is_document(block: Block) -> bool:
    return "openapi" in parsed(block)


def whole_file(block: Block) -> dict[str, Any]:
    """Return the scenario file of a block. A part of one is added to the file with a title above it."""
    shown = parsed(block)
    if "resource" in shown:
        return shown
    [*_, file] = [
        found
        for each in blocks_of(block.page)
        if each.language == "yaml" and each.title and each.line < block.line
        if "resource" in (found := parsed(each))
    ]
    return file | {
        name: {**file[name], **value} if isinstance(value, dict) and name in file else value
        for name, value in shown.items()
    }


def recipes() -> list[str]:
    """Return the curl commands in the tables of the page about the control plane."""
    lines = [each for each in CONTROL.read_text("utf-8").splitlines() if each.startswith("| ")]
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
