"""The examples for CI, and the container: what they say to ``mockserver`` is what it understands."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mockserver import inputs
from mockserver.cli.commands import COMMANDS, cli
from tests.live import Process

ROOT = Path(__file__).parents[2]
CI = ROOT / "examples" / "ci"
FILES = [
    CI / "github-actions.yaml",
    CI / "gitlab-ci.yaml",
    ROOT / "Dockerfile",
    ROOT / "docker-compose.yaml",
]


def github() -> tuple[dict[str, str], dict[str, str], list[str]]:
    """The environment of the service, that of the steps, and what they run."""
    job = loaded("github-actions.yaml")["jobs"]["test"]
    commands = [each["run"] for each in job["steps"] if "run" in each]
    return job["services"]["mock"]["env"], job["env"], commands


def gitlab() -> tuple[dict[str, str], dict[str, str], list[str]]:
    job = loaded("gitlab-ci.yaml")["test"]
    return job["variables"], job["variables"], job["script"]


def loaded(name: str) -> Any:
    return yaml.safe_load((CI / name).read_text())


def variables() -> set[str]:
    """Every variable of the environment that a command reads."""
    context = cli.make_context("mockserver", ["serve"], resilient_parsing=True)
    commands = [cli.get_command(context, each) for each in COMMANDS]
    return {str(each.envvar) for command in commands if command for each in command.params if each.envvar}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_variables_are_read_by_somebody(path: Path) -> None:
    named = set(re.findall(r"MOCKSERVER_[A-Z_]+", path.read_text()))
    assert named
    assert named <= variables()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A consumer's repository."""
    (tmp_path / "scenarios").mkdir()
    shutil.copy(inputs.DOCUMENT, tmp_path / "openapi.yaml")
    shutil.copy(inputs.SCENARIOS, tmp_path / "scenarios")
    (tmp_path / "test_it.py").write_text("def test_it(mock_api):\n    mock_api.scenario('failed')\n")
    return tmp_path


@pytest.mark.parametrize("example", [github, gitlab])
def test_a_pipeline_goes_through(example: Any, checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    service, job, commands = example()
    for name, value in service.items():
        monkeypatch.setenv(name, value)
    with Process(cache=checkout / "cache") as server:
        here = {"MOCKSERVER_URL": f"http://127.0.0.1:{server.port}"}
        assert here.keys() <= job.keys()
        done = [
            subprocess.run(
                [sys.executable, "-m", *shlex.split(each)], cwd=checkout, check=False, capture_output=True,
                env={**os.environ, **job, **here}, text=True,
            )
            for each in commands
            if not each.startswith("pip ")
        ]  # fmt: skip
    assert [(each.returncode, each.stderr) for each in done] == [(0, ""), (0, "")]
    assert "1 passed" in done[1].stdout


def test_the_container_serves_files_that_are_there() -> None:
    service = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())["services"]["mock"]
    mounted = dict(each.split(":")[:2][::-1] for each in service["volumes"])
    for name in ("MOCKSERVER_DOCUMENT", "MOCKSERVER_SCENARIOS"):
        inside = Path(service["environment"][name])
        assert (ROOT / mounted[str(inside.parent)] / inside.name).is_file()


def test_the_image_holds_what_the_package_is_built_from() -> None:
    copied = set(re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    wanted = {name for each in copied for name in each.split()}
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert wanted == kept
