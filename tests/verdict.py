"""What a measurement found, against what it is held to."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Verdict:
    """Lines of a figure's report, and whether each of its bounds holds."""

    title: str
    lines: list[tuple[bool | None, str]] = field(default_factory=list)

    def say(self, text: str) -> None:
        """A line that holds nothing to anything."""
        self.lines.append((None, text))

    def hold(self, held: bool, text: str) -> None:
        self.lines.append((held, text))

    @property
    def met(self) -> bool:
        held = [line for line, _ in self.lines if line is not None]
        return bool(held) and all(held)

    def __str__(self) -> str:
        marks = {True: "met    ", False: "NOT MET", None: "       "}
        return "\n".join([self.title, *(f"  {marks[held]} {text}" for held, text in self.lines)])
