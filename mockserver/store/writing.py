"""How texts, states and timelines are written on Redis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from mockserver.plan import Step
from mockserver.scenario import ResourceState


def packed_timeline(steps: Sequence[Step]) -> bytes:
    """A timeline as ``poll.lua`` reads it; states by name."""
    return msgspec.msgpack.encode(
        [
            (
                step.state, step.calls, step.after, step.operation, step.next, step.counted,
                list(step.answers) or False, [(each.operation, each.next) for each in step.branches],
            )
            for step in steps
        ]
    )  # fmt: skip


def written(state: ResourceState) -> bytes:
    """A state as the scripts write it."""
    scenario, step, calls, entered, created, changed, moves = state
    return octets(f"{step} {calls} {entered} {created} {changed} {moves} {scenario}")


def standing(raw: bytes) -> ResourceState:
    """The state that is written so."""
    step, calls, entered, created, changed, moves, scenario = text(raw).split(" ", 6)
    return ResourceState(
        scenario, int(step), int(calls), int(entered), int(created), int(changed), int(moves)
    )


def pairs(flat: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Fields and values of a hash."""
    return zip(flat[::2], flat[1::2], strict=True)


def texts(flat: Sequence[bytes]) -> dict[str, str]:
    """A hash whose values are text."""
    return {text(name): text(value) for name, value in pairs(flat)}


def octets(said: str) -> bytes:
    """Any text as octets: a key may hold what is no Unicode."""
    return said.encode("utf-8", "surrogatepass")


def text(said: bytes) -> str:
    """The text of ``octets``."""
    return said.decode("utf-8", "surrogatepass")
