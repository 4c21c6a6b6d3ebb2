"""How ``serve`` starts: from the cache without the front end, without it by a process of its own."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.command import run
from tests.live import MISSION, Process, get

FRONT_END = {
    "connexion", "cryptography", "faker", "flask", "jinja2", "jsonschema", "openapi_spec_validator",
    "starlette", "yaml", "yaml12",
}  # fmt: skip
WARNED = """\
openapi: 3.0.3
info: {title: t, version: "1"}
paths:
  /a/{x}:
    parameters: [{name: x, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': {description: ok}}}
  /a/{y}:
    parameters: [{name: y, in: path, required: true, schema: {type: string}}]
    get: {responses: {'200': {description: ok}}}
"""


def imported(cache: Path) -> set[str]:
    """The packages that a server has imported once it gave its first answer."""
    command = [sys.executable, "-X", "importtime", "-m", "mockserver", "serve", "--port", "0"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"XDG_CACHE_HOME": str(cache)},
    ) as process:
        assert process.stdout is not None
        found = re.search(r":(\d+)$", process.stdout.readline().strip())
        assert found is not None
        reply = get(int(found[1]), f"{MISSION}/5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11")
        assert reply.json()["status"] == "pending"
        process.terminate()
        _, errors = process.communicate()
    return {name.partition(".")[0] for name in re.findall(r"\| +(\S+)$", errors, re.MULTILINE)}


def test_from_the_cache_nothing_of_the_front_end_is_imported(tmp_path: Path) -> None:
    assert run("routes", environment={"XDG_CACHE_HOME": str(tmp_path)}).code == 0
    assert any(tmp_path.rglob("*.plan"))
    assert not imported(tmp_path) & FRONT_END


@pytest.mark.parametrize("options", [(), ("--no-cache",)])
def test_warnings_are_told_at_every_start(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text(WARNED)
    for _ in range(2):
        ran = run(
            "serve", "api.yaml", "--port", "0", *options,
            folder=tmp_path, environment={"XDG_CACHE_HOME": str(tmp_path / "cache")},
        )  # fmt: skip
        assert ran.code == 0
        assert re.match(r"api\.yaml:9:5: warning D303: .+\n    .+\n", ran.err)
    assert any(tmp_path.rglob("*.plan")) == (not options)


@pytest.mark.parametrize("options", [(), ("--no-cache",)])
def test_forgiven_faults_are_counted_at_every_start(options: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text("owner: me\n" + WARNED.replace("'200'", "2oo"))
    for _ in range(2):
        ran = run(
            "serve", "api.yaml", "--port", "0", *options,
            folder=tmp_path, environment={"XDG_CACHE_HOME": str(tmp_path / "cache")},
        )  # fmt: skip
        assert ran.code == 0
        assert ran.out.startswith("mockserver ")
        assert ran.err.endswith("\nserved with 3 forgiven faults; `mockserver check` lists them\n")
    assert run("check", "api.yaml", folder=tmp_path).out.count(": error D31") == 3


def test_strict_documents_may_be_asked_for_in_the_environment(tmp_path: Path) -> None:
    (tmp_path / "api.yaml").write_text("owner: me\n" + WARNED)
    for value, code in (("1", 2), ("0", 0)):
        ran = run(
            "serve", "api.yaml", "--port", "0",
            folder=tmp_path,
            environment={"XDG_CACHE_HOME": str(tmp_path / "cache"), "MOCKSERVER_STRICT_DOCUMENT": value},
        )  # fmt: skip
        assert ran.code == code, ran


def test_a_cache_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with Process(cache=tmp_path / "file") as server:
        assert get(server.port, "/__admin/health").status == 200
        assert server.stop(signal.SIGTERM) == (0, "")


def test_a_compiler_that_dies_is_told_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import os, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'mockserver.compile.compiler':\n"
        "            os.kill(os.getpid(), 9)\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    ran = run("serve", "--port", "0", "--no-cache", environment={"PYTHONPATH": str(tmp_path)})
    assert ran.code == 1
    assert ran.err == "mockserver: the compiler was ended by signal 9; nothing is served.\n"
