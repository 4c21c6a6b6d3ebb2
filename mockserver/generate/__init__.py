"""Generation of valid, plausible values for a schema."""

from mockserver.generate.attempt import Unsatisfiable
from mockserver.generate.fakes import NOW_MS, Fakes

__all__ = ["NOW_MS", "Fakes", "Unsatisfiable"]
