from __future__ import annotations

import shlex

import pytest

from mockserver.cli.serve import serve
from mockserver.diagnostics import Diagnostic, UsageError
from mockserver.migrate.prism import command


@pytest.mark.parametrize(
    ("prism", "ours", "lost"),
    [
        ("prism mock a.yaml", "a.yaml --port 4010 --cors '*'", []),
        ("npx @stoplight/prism-cli mock a.yaml -p 9000", "a.yaml --port 9000 --cors '*'", []),
        ("mock --port=9000 -h 0.0.0.0 a.yaml", "a.yaml --port 9000 --cors '*' --host 0.0.0.0", []),
        ("mock a.yaml --cors false", "a.yaml --port 4010", []),
        ("mock a.yaml --no-cors", "a.yaml --port 4010", []),
        ("mock a.yaml --cors", "a.yaml --port 4010 --cors '*'", []),
        ("mock a.yaml --seed x", "a.yaml --port 4010 --cors '*' --seed x", []),
        ("mock a.yaml -v trace", "a.yaml --port 4010 --cors '*' --log-level debug", []),
        ("mock a.yaml -v info", "a.yaml --port 4010 --cors '*' --log-level info", []),
        ("mock -d --errors a.yaml", "a.yaml --port 4010 --cors '*'", ["--dynamic", "--errors"]),
        ("mock -d false a.yaml", "a.yaml --port 4010 --cors '*'", []),
        ("mock -m 'a b.yaml'", "'a b.yaml' --port 4010 --cors '*'", ["--multiprocess"]),
        ("mock a.yaml --upstream-proxy http://b", "a.yaml --port 4010 --cors '*'", ["--upstream-proxy"]),
        ("mock a.yaml --colour red", "a.yaml --port 4010 --cors '*'", ["--colour"]),
    ],
)
def test_prism_command_is_converted(prism: str, ours: str, lost: list[str]) -> None:
    found: list[Diagnostic] = []
    translated = command(shlex.split(prism), found)
    assert translated == f"mockserver serve {ours}"
    assert [diagnostic.message for diagnostic in found] == [f"{option} has no counterpart" for option in lost]
    serve.make_context("serve", shlex.split(translated)[2:])


@pytest.mark.parametrize(
    "prism", ["", "prism mock", "prism proxy a.yaml http://b", "prism mock a.yaml b.yaml"]
)
def test_other_prism_command_is_rejected(prism: str) -> None:
    with pytest.raises(UsageError):
        command(shlex.split(prism), [])
