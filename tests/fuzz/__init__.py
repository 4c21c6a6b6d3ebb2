"""Fuzzing: inputs made by chance, guided by what they reach. ``python -m tests.fuzz --help``."""
