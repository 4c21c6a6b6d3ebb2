"""Measure the hardening figures: ``python -m tests.hardening [NAME]...``, all of them without a name."""

from __future__ import annotations

import pkgutil
import sys
from importlib import import_module

import click

from tests.hardening import figures
from tests.verdict import Verdict


def names() -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules(figures.__path__))


def main(chosen: list[str]) -> int:
    known = names()
    if unknown := [name for name in chosen if name not in known]:
        click.echo(f"no such figure: {', '.join(unknown)}; there are {', '.join(known)}", err=True)
        return 2
    met = True
    for name in chosen or known:
        verdict: Verdict = import_module(f"tests.hardening.figures.{name}").run()
        click.echo(verdict)
        met &= verdict.met
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
