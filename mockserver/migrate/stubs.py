"""WireMock's stub mappings as they stand in their files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mockserver.errors import Diagnostic, Location
from mockserver.inputs import contents
from mockserver.plan import JSON

STARTED = "Started"
"""WireMock's name for where every scenario begins."""
_NORMAL = 5
"""The priority of a stub that says none; 1 goes first."""
_LARGEST = 10 * 1024 * 1024
Found = list[Diagnostic]


@dataclass(frozen=True, slots=True)
class Stub:
    """One mapping. ``order`` counts them as they were read: of equal priority, the last goes first."""

    order: int
    where: Location
    members: dict[str, JSON]
    files: Path
    """The folder that ``bodyFileName`` is relative to."""

    @property
    def name(self) -> str:
        return str(self.members.get("name") or Path(self.where.source).stem)

    @property
    def request(self) -> dict[str, JSON]:
        return _object(self.members.get("request"))

    @property
    def response(self) -> dict[str, JSON]:
        return _object(self.members.get("response"))

    @property
    def priority(self) -> int:
        found = self.members.get("priority")
        return found if isinstance(found, int) else _NORMAL

    @property
    def scenario(self) -> str:
        return str(self.members.get("scenarioName") or "")

    @property
    def state(self) -> str:
        """The state in which it answers; empty for any."""
        return str(self.members.get("requiredScenarioState") or "")

    @property
    def next(self) -> str:
        """The state that it leaves the scenario in; empty for the same."""
        return str(self.members.get("newScenarioState") or "")

    def lost(self, what: str, remedy: str = "") -> Diagnostic:
        """That a part of it has no counterpart."""
        return Diagnostic(
            "M102", f"{self.name}: {what} has no counterpart and is left out", self.where, remedy, "warning"
        )


def read_stubs(path: Path, found: Found) -> list[Stub]:
    """The stubs of a file, a folder of them, or WireMock's root folder; what is no stub is told."""
    root = path if path.is_dir() else path.parent
    if root.name == "mappings":
        root = root.parent
    folder = path / "mappings" if (path / "mappings").is_dir() else path
    files = sorted(folder.rglob("*.json")) if folder.is_dir() else [path]
    if not files:
        found.append(
            Diagnostic("M101", "holds no stub mapping", Location(str(path)), "give a folder of .json files.")
        )
    stubs: list[Stub] = []
    for file in files:
        for index, members in enumerate(_mappings(file, found)):
            where = Location(str(file), pointer=f"/mappings/{index}" if index else "")
            stubs.append(Stub(len(stubs), where, members, root / "__files"))
    return stubs


def _mappings(file: Path, found: Found) -> Iterator[dict[str, JSON]]:
    """The mappings of one file, which has one or a list of ``mappings``."""
    try:
        if file.stat().st_size > _LARGEST:
            raise ValueError(f"is over {_LARGEST:,} bytes")
        text: Any = json.loads(contents(file).decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        found.append(
            Diagnostic("M101", f"cannot be read: {error}", Location(str(file)), "it is to be JSON, in UTF-8.")
        )
        return
    listed = text.get("mappings", [text]) if isinstance(text, dict) else text
    for each in listed if isinstance(listed, list) else [listed]:
        if isinstance(each, dict) and isinstance(each.get("request"), dict):
            yield each
        else:
            remedy = "a mapping is an object with `request` and `response`."
            found.append(Diagnostic("M101", "holds what is no stub mapping", Location(str(file)), remedy))


def body_of(stub: Stub, found: Found) -> tuple[bool, JSON]:
    """Whether a stub gives a body, and the body."""
    response = stub.response
    if "jsonBody" in response:
        return True, response["jsonBody"]
    text = response.get("body")
    name = response.get("bodyFileName")
    if isinstance(name, str):
        file = (stub.files / name.replace("\0", "")).resolve()
        if not file.is_relative_to(stub.files.resolve()) or not file.is_file():
            found.append(stub.lost(f"the body file {name}", f"there is no such file in {stub.files}."))
            return False, None
        text = file.read_text("utf-8", "replace")
    if not isinstance(text, str):
        return False, None
    try:
        return True, json.loads(text)
    except ValueError:
        return True, text


def _object(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def names(stubs: Sequence[Stub]) -> str:
    """Stubs as a list in words."""
    return ", ".join(each.name for each in stubs)
