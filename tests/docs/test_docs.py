"""What the documentation shows is what happens: each of its code blocks is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatchcase
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from mockserver import default
from mockserver.cli.commands import cli
from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.testing import MockServer
from tests.docs.blocks import ROOT, Block, blocks, commands, languages

_PATIENCE = 120
"""Seconds until a block that hangs is given up; nothing is measured by it."""
_ELSEWHERE = frozenset(["pip", "docker", "make"])
"""Commands that change the machine: they are not run here."""
_BIN = Path(sys.executable).parent
STUB = {
    "request": {
        "method": "GET",
        "urlPathPattern": "/api/v1/cert-manager/certificates/certificate-requests/[^/]+",
    },
    "response": {"status": 404},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MockServer]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        with MockServer() as found:
            yield found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader is: a document, a scenario file, stubs, the examples."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "mappings").mkdir()
    shutil.copy(default.DOCUMENT, tmp_path / "openapi.yaml")
    shutil.copy(default.SCENARIOS, tmp_path / "scenarios")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "mappings" / "gone.json").write_text(json.dumps(STUB))
    for block in blocks("yaml"):
        if block.title.endswith(".yaml") and "/" not in block.title:
            (tmp_path / block.title).write_text(block.text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{_BIN}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_every_language_is_looked_at() -> None:
    assert languages() <= {"console", "python", "toml", "yaml", "text"}


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_scenario_files_can_be_served(block: Block) -> None:
    assert "resource" in yaml.safe_load(block.text)
    path = Path("shown.yaml")
    compiled = compile_plan(Inputs((default.DOCUMENT,), (path,), texts={path: block.text}))
    assert compiled.warnings == ()


@pytest.mark.parametrize("block", blocks("toml"), ids=str)
def test_settings_are_options_of_the_plugin(block: Block, pytestconfig: pytest.Config) -> None:
    for name in tomllib.loads(block.text)["tool"]["pytest"]["ini_options"]:
        pytestconfig.getini(name)


@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python(block: Block, folder: Path) -> None:
    (folder / "test_shown.py").write_text(block.text)
    command = [sys.executable, "test_shown.py"]
    if "def test_" in block.text:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "mockserver.testing.plugin", "test_shown.py"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_consoles(block: Block, folder: Path, server: MockServer) -> None:
    server.reset()
    server.namespace("t1").drop()
    variables = ""
    for command in commands(block):
        words = shlex.split(command.text.removesuffix(" &"))
        if words[0] in _ELSEWHERE:
            continue
        if words[:2] == ["mockserver", "serve"]:
            understood(words[1:])
            continue
        if re.fullmatch(r"[A-Z]+=\S+", command.text):
            variables += f"{command.text}\n"
        script = (variables + command.text).replace("http://127.0.0.1:8080", server.url)
        done = subprocess.run(
            ["sh", "-c", script], capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        wanted = command.output
        if wanted is not None:
            said = done.stdout.replace(server.url, "http://127.0.0.1:8080").strip()
            assert alike(said, wanted.strip()), f"{command.text}\n{said}\n{done.stderr}"
        if words[0] == "mockserver":
            assert done.returncode == 0, done.stderr


def understood(words: list[str]) -> None:
    """That a command to serve has no option that there is not."""
    context = cli.make_context("mockserver", list(words))
    command = cli.get_command(context, words[0])
    assert command is not None
    command.make_context(words[0], words[1:])


def alike(said: str, wanted: str) -> bool:
    """Whether the output is as shown, where … stands for anything."""
    literal = re.sub(r"([\[\]*?])", r"[\1]", wanted).replace("…", "*")
    return fnmatchcase(said, literal)


@pytest.mark.skipif(find_spec("mkdocs") is None, reason="mkdocs is not installed")
def test_the_pages_are_built_and_their_links_lead_somewhere(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", tmp_path / "site"],
        cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    control = (tmp_path / "site" / "control" / "index.html").read_text()
    paths = yaml.safe_load(default.ADMIN_DOCUMENT.read_text())["paths"]
    assert [each for each in paths if f"/__admin{each}</code>" not in control] == []
    scenarios = (tmp_path / "site" / "scenarios" / "index.html").read_text()
    assert "<code>certify</code>" in scenarios
    assert "S304" in (tmp_path / "site" / "codes" / "index.html").read_text()
