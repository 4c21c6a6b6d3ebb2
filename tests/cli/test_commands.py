"""The commands by name: each can be had, helps, and completes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from mockserver import __version__
from mockserver.cli.commands import COMMANDS, cli


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_helps(name: str) -> None:
    ran = CliRunner().invoke(cli, [name, "--help"])
    assert ran.exit_code == 0
    assert ran.output.startswith(f"Usage: cli {name}")
    assert "--help " in ran.output


def test_help_lists_the_commands() -> None:
    ran = CliRunner().invoke(cli, ["-h"])
    for name, line in COMMANDS.items():
        assert name in ran.output
        assert line in ran.output


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_the_examples_of_help_are_commands(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each parses, with the files that it names there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scenarios").mkdir()
    for file in ("openapi.yaml", "pets.yaml", "shop.yaml"):
        (tmp_path / file).touch()
    ran = CliRunner().invoke(cli, [*([name] if name else []), "--help"], terminal_width=110)
    lines = [line.strip() for line in ran.output.splitlines()]
    examples = [re.split(r" {2,}", line)[0] for line in lines if line.startswith("mockserver ")]
    assert len(examples) >= {"": 5, "serve": 3, "check": 2, "push": 1}.get(name, 0)
    for example in examples:
        words = shlex.split(example)[1:]
        context = cli.make_context("mockserver", list(words))
        command = cli.get_command(context, words[0])
        assert command is not None
        command.make_context(words[0], words[1:], parent=context)


def test_version() -> None:
    assert __version__ in CliRunner().invoke(cli, ["--version"]).output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(shell: str) -> None:
    ran = CliRunner().invoke(cli, ["completion", shell])
    assert ran.exit_code == 0
    assert f"_MOCKSERVER_COMPLETE={shell}_complete" in ran.output


def test_codes_complete() -> None:
    words = {
        "_MOCKSERVER_COMPLETE": "bash_complete",
        "COMP_WORDS": "mockserver explain d30",
        "COMP_CWORD": "2",
    }
    ran = CliRunner().invoke(cli, env=words, complete_var="_MOCKSERVER_COMPLETE", prog_name="mockserver")
    assert ran.output.splitlines()[:2] == ["plain,D301", "plain,D302"]
