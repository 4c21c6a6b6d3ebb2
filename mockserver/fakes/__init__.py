"""Schema → valid, plausible value."""

from mockserver.fakes.errors import Unsatisfiable
from mockserver.fakes.fakes import NOW_MS, Fakes

__all__ = ["NOW_MS", "Fakes", "Unsatisfiable"]
