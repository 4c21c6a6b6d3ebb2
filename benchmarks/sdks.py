"""Published SDKs' own tests against ours and Steady: ``python -m benchmarks.sdks``, what ``make sdks`` runs.

Such an SDK is generated from a document. Its source distribution has a test for
each method, which asks a mock of that document and parses the answer strictly;
what a mock refuses or answers wrongly is a failure there.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tarfile
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from benchmarks import packages
from benchmarks.bench import CORPUS, free_port
from benchmarks.peers import MODULES, SERVERS, Server, Start
from benchmarks.process import Process
from mockserver.compile.source import read

FOLDER = MODULES.parent / "sdks"
RIVALS = ("ours", "steady")
_TEST_PACKAGES = (
    "pytest", "pytest-asyncio", "pytest-xdist", "respx", "time-machine", "dirty-equals",
    "importlib-metadata", "rich", "httpx-aiohttp",
)  # fmt: skip
_PATIENCE = 900
"""Seconds that the tests of one SDK may take: one that meets errors tries again and waits."""


@dataclass(frozen=True, slots=True)
class Sdk:
    """A package of the Python package index, and the document in the corpus that it is made from."""

    package: str
    version: str
    document: str
    steady: tuple[str, ...] = ()
    """What Steady has to be told of the styles that the SDK writes."""


SDKS = (
    Sdk("finch-api", "1.42.2", "finch.yml", ("--validator-query-array-format=brackets",)),
    Sdk("anthropic", "0.75.0", "anthropic.yml"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an SDK's tests; ``failures`` are their names with the last line of what they say."""

    passed: int
    failures: Mapping[str, str]
    skipped: int


@click.command()
@click.argument("names", nargs=-1, type=click.Choice([each.package for each in SDKS]))
@click.option(
    "--documents", type=click.Path(path_type=Path), default=CORPUS, help="Folder of their documents."
)
@click.option("--keyword", default="not Async and not async", show_default=True, help="pytest's -k.")
def main(names: tuple[str, ...], documents: Path, keyword: str) -> None:
    """Run the tests of SDKs against each server; exit 1 where ours passes fewer than Steady."""
    servers = [SERVERS[each] for each in RIVALS]
    try:
        packages.provide_servers(servers)
    except packages.MissingError as reason:
        raise click.ClickException(str(reason)) from reason
    is_behind = False
    for sdk in (each for each in SDKS if not names or each.package in names):
        tests = _fetched(sdk)
        document = _document(sdk, documents / sdk.document)
        outcomes = {each.name: _outcome(sdk, each, tests, document, keyword) for each in servers}
        for line in _told(sdk, outcomes):
            click.echo(line)
        is_behind |= outcomes["ours"].passed < outcomes["steady"].passed
    sys.exit(is_behind)


def _fetched(sdk: Sdk) -> Path:
    """The folder of an SDK's source distribution, installed with what its tests need."""
    stem = f"{sdk.package}-{sdk.version}"
    python = FOLDER / stem / "venv/bin/python"
    source = FOLDER / stem / "source"
    if not (source / "done").exists():
        run(sys.executable, "-m", "venv", str(FOLDER / stem / "venv"))
        pip = (str(python), "-m", "pip", "--quiet", "--disable-pip-version-check")
        run(
            *pip, "download", "--no-binary", sdk.package, "--no-deps", "--dest", str(FOLDER),
            f"{sdk.package}=={sdk.version}",
        )  # fmt: skip
        (archive,) = FOLDER.glob(f"{sdk.package.replace('-', '?')}-{sdk.version}.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(source, filter="data")
        run(*pip, "install", str(archive), *_TEST_PACKAGES)
        (source / "done").touch()
    return next(each for each in source.iterdir() if each.is_dir())


def run(*command: str) -> None:
    """Run a program. Raises ClickException where it fails."""
    if subprocess.run(command, check=False).returncode:
        raise click.ClickException(f"{' '.join(command)} failed: see above.")


def _document(sdk: Sdk, path: Path) -> Path:
    """The document without its servers, since an SDK's tests ask for paths alone; as JSON, which all read."""
    if not path.exists():
        raise click.ClickException(f"{path} is missing: it is the document that {sdk.package} is made from.")
    tree = read(path, sdk.document).value
    if isinstance(tree, dict):
        tree.pop("servers", None)
    served = FOLDER / f"{path.stem}.json"
    served.write_text(json.dumps(tree))
    return served


def _outcome(sdk: Sdk, server: Server, tests: Path, document: Path, keyword: str) -> Outcome:
    folder = FOLDER / f"{sdk.package}-{sdk.version}"
    port, report = free_port(), folder / f"{server.name}.xml"
    report.unlink(missing_ok=True)
    command = server.command(Start(port, folder, document=document))
    if server.name == "steady":
        command += sdk.steady
    with Process(command, os.environ, folder / f"{server.name}.log", core=None) as process:
        wait(port, process)
        environment = {**os.environ, "TEST_API_BASE_URL": f"http://127.0.0.1:{port}"}
        # The project's own options ask for parallel runs, and make an error of a warning of any library
        options = [
            "-q", "-o", "addopts=", "-o", "filterwarnings=", "-p", "no:cacheprovider", "-k", keyword,
            f"--junitxml={report}",
        ]  # fmt: skip
        command = [str(folder / "venv/bin/python"), "-m", "pytest", "tests/api_resources", *options]
        with (folder / f"{server.name}.tests.log").open("wb") as log:
            subprocess.run(
                command, cwd=tests, env=environment, stdout=log, stderr=log, timeout=_PATIENCE, check=False
            )
    if not report.exists():
        raise click.ClickException(f"the tests of {sdk.package} did not run: see {log.name}")
    return _read(report)


def wait(port: int, process: Process) -> None:
    """Until something answers on a port. Raises ClickException where the process ends before."""
    while True:
        if not process.running:
            raise click.ClickException(f"the server ended: {process.output()}")
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return


def _read(report: Path) -> Outcome:
    failures: dict[str, str] = {}
    passed = skipped = 0
    for case in ElementTree.parse(report).iter("testcase"):
        wrong = next((each for each in case if each.tag in ("failure", "error")), None)
        if wrong is not None:
            name = f"{case.get('classname', '').removeprefix('tests.api_resources.')}.{case.get('name')}"
            failures[name] = wrong.get("message", "")
        elif case.find("skipped") is not None:
            skipped += 1
        else:
            passed += 1
    return Outcome(passed, failures, skipped)


def _told(sdk: Sdk, outcomes: Mapping[str, Outcome]) -> Iterator[str]:
    yield f"\n### {sdk.package} {sdk.version}\n"
    yield "|        | passed | failed | skipped |"
    yield "|--------|-------:|-------:|--------:|"
    for name, each in outcomes.items():
        yield f"| {name:6} | {each.passed:6,} | {len(each.failures):6,} | {each.skipped:7,} |"
    for name, each in outcomes.items():
        for cause, tests in _by_cause(each.failures).items():
            yield f"\n{name}: {cause}"
            yield from (f"- {test}" for test in tests)


def _by_cause(failures: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    found: dict[str, list[str]] = {}
    for name, cause in failures.items():
        found.setdefault(" ".join(cause.split())[:500], []).append(name)
    return found


if __name__ == "__main__":
    main()
