"""What tests need from the system: installed where it may be, else named, and an error in CI."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.programs import PROGRAMS, main, missing

ROOT = Path(__file__).parents[1]
APT_GET = """#!/bin/sh
echo "$DEBIAN_FRONTEND $@" >> "{log}"
for package; do :; done
case $package in
    {failing}) echo "E: no candidate" >&2; exit 100 ;;
    nodejs) package=node ;;
    chromium-browser) package=chromium ;;
esac
[ "$package" = update ] || ln -s /bin/true "{folder}/$package"
"""
SUDO = """#!/bin/sh
[ "$1" = -n ] && shift && exec "$@"
"""
REFUSING_SUDO = """#!/bin/sh
exit 1
"""


class Machine:
    """A PATH of its own, with nothing but what a test puts there, and a user who is not root."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self.log = folder / "log"
        self.patch = patch
        patch.setenv("PATH", str(self.folder))
        patch.setattr(os, "geteuid", lambda: 1000)
        for name in ("DEBIAN_FRONTEND", "PYTEST_ADDOPTS"):
            patch.delenv(name, raising=False)
        self.is_ci(False)
        self.has("env", "ln")

    def is_ci(self, value: bool) -> None:
        self.patch.setenv("CI", str(value).lower())

    def has(self, *names: str) -> None:
        for name in names:
            (self.folder / name).symlink_to(f"/usr/bin/{name if name in ('env', 'ln') else 'true'}")

    def script(self, name: str, text: str, failing: str = "-") -> None:
        path = self.folder / name
        path.write_text(text.format(log=self.log, folder=self.folder, failing=failing))
        path.chmod(0o755)

    @property
    def logged(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


def test_nothing_missing_runs_no_package_manager(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine.has(*PROGRAMS)
    machine.script("apt-get", APT_GET)
    machine.is_ci(True)
    assert main([]) == 0
    assert capfd.readouterr() == ("", "")
    assert machine.logged == []


@pytest.mark.parametrize("is_root", [False, True])
def test_missing_programs_are_installed_without_a_question(
    machine: Machine, capfd: pytest.CaptureFixture[str], is_root: bool
) -> None:
    machine.has("curl", "openssl")
    machine.script("apt-get", APT_GET)
    if is_root:
        machine.patch.setattr(os, "geteuid", lambda: 0)
    else:
        machine.script("sudo", SUDO)
        machine.has("true")
    machine.is_ci(True)
    assert main([]) == 0
    said = "Installing what tests need from the system: chromium, jq, node, redis-server\n"
    assert capfd.readouterr() == ("", said)
    assert len(machine.logged) == 5
    assert all(line.startswith("noninteractive ") for line in machine.logged)
    assert missing(list(PROGRAMS)) == []


@pytest.mark.parametrize("is_ci", [False, True])
def test_a_package_that_fails_keeps_no_other_away(
    machine: Machine, capfd: pytest.CaptureFixture[str], is_ci: bool
) -> None:
    machine.has("curl", "openssl", "true")
    machine.script("apt-get", APT_GET, failing="chromium*")
    machine.script("sudo", SUDO)
    machine.is_ci(is_ci)
    assert main([]) == int(is_ci)
    assert missing(list(PROGRAMS)) == ["chromium"]
    said = capfd.readouterr().err
    assert "Not installed: chromium; install with `sudo apt-get install chromium" in said
    assert ("are skipped" in said) is not is_ci


@pytest.mark.parametrize("sudo", [None, REFUSING_SUDO])
def test_without_rights_the_command_is_named(
    machine: Machine, capfd: pytest.CaptureFixture[str], sudo: str | None
) -> None:
    machine.script("apt-get", APT_GET)
    if sudo:
        machine.script("sudo", sudo)
    assert main(["jq", "redis-server"]) == 1
    said = "Not installed: jq, redis-server; install with `sudo apt-get install jq redis-server`.\n"
    assert capfd.readouterr() == ("", said)
    assert machine.logged == []


def test_homebrew_installs_them_elsewhere(machine: Machine) -> None:
    machine.script("brew", APT_GET)
    main(["jq", "redis-server"])
    assert [line.strip() for line in machine.logged] == ["install jq", "install redis"]


@pytest.mark.parametrize("is_ci", [False, True])
def test_without_a_package_manager_the_programs_are_named(
    machine: Machine, capfd: pytest.CaptureFixture[str], is_ci: bool
) -> None:
    machine.is_ci(is_ci)
    assert main([]) == int(is_ci)
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert [name for name in PROGRAMS if name not in said] == []


@pytest.mark.parametrize(("is_ci", "outcomes"), [(False, ("skipped",)), (True, ("failed", "error"))])
def test_a_test_whose_program_is_missing(machine: Machine, is_ci: bool, outcomes: tuple[str, ...]) -> None:
    machine.is_ci(is_ci)
    in_the_test = "tests/providers/test_x509.py::test_openssl_reads_what_the_leaf_says"
    in_a_fixture = "tests/state/test_connection.py"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rs", in_the_test, in_a_fixture],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == int(is_ci), done.stdout
    for each in outcomes:
        assert re.search(rf"\b[1-9]\d* {each}", done.stdout), done.stdout
    for each in ("openssl", "redis-server"):
        assert f"{each} is not installed; install with " in done.stdout


def test_no_other_module_looks_for_programs() -> None:
    names = "|".join(map(re.escape, PROGRAMS))
    direct = re.compile(rf'\bwhich\(|\[\s*"(?:{names})"|command -v')
    modules = [each for each in (ROOT / "tests").rglob("*.py") if not each.stem.endswith("programs")]
    assert modules
    found = [str(each.relative_to(ROOT)) for each in modules if direct.search(each.read_text("utf-8"))]
    assert found == []
