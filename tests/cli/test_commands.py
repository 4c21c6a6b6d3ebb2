"""The commands by name: each can be had, helps, and completes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from mockserver import __version__
from mockserver.cli.commands import _COMMANDS, cli


@pytest.mark.parametrize("name", _COMMANDS)
def test_each_command_helps(name: str) -> None:
    ran = CliRunner().invoke(cli, [name, "--help"])
    assert ran.exit_code == 0
    assert ran.output.startswith(f"Usage: cli {name}")
    assert "--help " in ran.output


def test_help_lists_the_commands() -> None:
    ran = CliRunner().invoke(cli, ["-h"])
    for name, line in _COMMANDS.items():
        assert name in ran.output
        assert line in ran.output


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
