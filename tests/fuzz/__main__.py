"""Fuzz: ``python -m tests.fuzz [--seconds N] [TARGET]...``, or ``--replay FILE TARGET`` for one input again.

Each target has a process of its own and so many seconds. Octets are made by
atheris (libFuzzer), which is led by the lines that an input reaches; where there
is no atheris for the interpreter, by Hypothesis, which is not. What makes a target
fail is kept under ``.fuzz/``, and how to run it again is told.
"""

from __future__ import annotations

import argparse
import pkgutil
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import click

from tests.fuzz import targets
from tests.fuzz.readers import READERS

KEPT = Path(".fuzz")
_NO_TARGETS = ("mutation",)


_COST = "cost-"


def names() -> list[str]:
    modules = (each.name for each in pkgutil.iter_modules(targets.__path__))
    return sorted(
        [*(each for each in modules if each not in _NO_TARGETS), *(_COST + each for each in READERS)]
    )


def main() -> int:
    known = names()
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the server's readers.")
    parser.add_argument(
        "targets", nargs="*", metavar="TARGET", help=f"one or more of {', '.join(known)}; else all"
    )
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default: 60)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="run this input alone")
    given = parser.parse_args()
    if unknown := [name for name in given.targets if name not in known]:
        parser.error(f"no such target: {', '.join(unknown)}; there are {', '.join(known)}")
    if given.replay is not None:
        if len(given.targets) != 1:
            parser.error("--replay takes the one TARGET that the input is for")
        (target,), data = given.targets, given.replay.read_bytes()
        if target.startswith(_COST):
            return 0 if import_module("tests.fuzz.costs").replay(target.removeprefix(_COST), data) else 1
        import_module(f"tests.fuzz.targets.{target}").check(data)
        click.echo("nothing is wrong with it")
        return 0
    guided = find_spec("atheris") is not None
    if not guided:
        click.echo(
            f"there is no atheris here for Python {sys.version_info[0]}.{sys.version_info[1]}: Hypothesis "
            "makes the inputs, without regard to what they reach."
        )
    found = [name for name in given.targets or known if not _fuzzed(name, given.seconds, guided=guided)]
    click.echo(f"findings: {', '.join(found)}" if found else "no findings")
    return 1 if found else 0


def _fuzzed(name: str, seconds: int, *, guided: bool) -> bool:
    """Whether ``name`` stood ``seconds`` of it."""
    findings = KEPT / "findings" / name
    findings.mkdir(parents=True, exist_ok=True)
    before = set(findings.iterdir())
    if name.startswith(_COST):
        module = "tests.fuzz.costs"
    else:
        module = "tests.fuzz.unguided" if name == "control" or not guided else "tests.fuzz.guided"
    click.echo(f"{name}: {seconds} s by {module.rpartition('.')[2]} means")
    command = [sys.executable, "-m", module, name.removeprefix(_COST), str(seconds)]
    code = subprocess.run(command, check=False).returncode
    for each in sorted(set(findings.iterdir()) - before):
        click.echo(f"  found: python -m tests.fuzz --replay {each} {name}")
    return code == 0


if __name__ == "__main__":
    sys.exit(main())
