"""Where a resource stands, as a test reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from mockserver.testing.control import Members


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of one namespace, at the moment it was read."""

    name: str
    key: str
    scenario: str
    state: str
    calls: int
    """Calls answered in this state."""
    since: datetime
    """When it entered this state."""
    created: datetime
    changed: datetime
    next: Mapping[str, Any] | None
    """What comes next: ``state``, and ``afterCalls``, ``at``, ``in`` or ``onOperation``; None for nothing."""

    @classmethod
    def of(cls, found: Members) -> Resource:
        """From a ``Resource`` of the control plane."""
        return cls(
            found["resource"],
            found["key"],
            found["scenario"],
            found["state"],
            found["calls"],
            datetime.fromisoformat(found["since"]),
            datetime.fromisoformat(found["created"]),
            datetime.fromisoformat(found["changed"]),
            found["next"],
        )
