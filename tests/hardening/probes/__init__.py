"""Requests that no polite client sends, as octets, with what they are to be answered: one table a subject."""

from __future__ import annotations

from tests.hardening.probes import bodies, fields, hosts, lines, sequences, smuggling, targets

PROBES = [
    *lines.PROBES,
    *targets.PROBES,
    *hosts.PROBES,
    *fields.PROBES,
    *bodies.PROBES,
    *smuggling.PROBES,
    *sequences.PROBES,
]
