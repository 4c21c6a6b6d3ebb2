"""``make audit`` says what is known, and says so where nothing could be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

AUDIT = Path(__file__).parents[1] / "scripts" / "audit.py"


ASKED = """\
import json, sys
pins = open(sys.argv[sys.argv.index("--requirement") + 1]).read().split()
none = [{"name": pin.split("==")[0], "version": pin.split("==")[1], "vulns": []} for pin in pins]
def tell(told):
    print(json.dumps({"dependencies": told}))
"""


def audit(folder: Path, service: str) -> subprocess.CompletedProcess[str]:
    """The script with a program in pip-audit's place; ``service`` makes what is told of ``names``."""
    program = folder / "asked.py"
    program.write_text(f"{ASKED}{service}\n")
    return subprocess.run(
        [sys.executable, AUDIT, sys.executable, program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


FAULT = '{"name": "flask", "version": "3.1", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3.2"]}]}'
SKIPPED = '{"name": "flask", "skip_reason": "not found"}'


@pytest.mark.parametrize(
    ("service", "code", "said"),
    [
        ("tell(none)", 0, "0 known vulnerabilities in"),
        (f"tell([*none[1:], {FAULT}])", 1, "flask 3.1: PYSEC-1; mended in 3.2"),
        ("tell(none[1:])", 2, "1 of"),
        (
            f"tell([*none[1:], {SKIPPED}])",
            2,
            "could not be asked about: nothing is known of them.\n  not found",
        ),
        ("sys.exit('no route to host')", 2, "NOT AUDITED"),
        ("print('<html>')", 2, "NOT AUDITED"),
    ],
    ids=["nothing known", "something known", "one left out", "one not found", "no network", "another page"],
)
def test_what_is_known_is_told(tmp_path: Path, service: str, code: int, said: str) -> None:
    ran = audit(tmp_path, service)
    assert (ran.returncode, said in ran.stdout + ran.stderr) == (code, True), ran


def test_all_that_is_run_with_is_asked_about(tmp_path: Path) -> None:
    told = audit(tmp_path, "sys.exit(' '.join(pins))").stderr
    for name in ("click==", "connexion==", "Werkzeug==", "jsonschema_rs==", "uvloop=="):
        assert name.lower() in told.lower()
    for name in ("pytest==", "mypy==", "mockserver=="):
        assert name not in told
