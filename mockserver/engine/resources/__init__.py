"""Stateful resources: their states, their templates and their rendered responses."""
