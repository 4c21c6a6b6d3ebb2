"""Namespaces: each has its own state, clock and journal, so that tests do not disturb each other."""
