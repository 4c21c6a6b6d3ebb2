"""The programs that tests need from the system: all that is known of them, and how they are installed.

``make test`` begins with ``python -m tests.programs``. It installs what is missing where it may do so without
a password: with apt-get on Debian and Ubuntu, with Homebrew elsewhere. What is missing then is named with the
command that installs it, and the tests that need it are skipped; in CI (``CI=true``) that is an error. With
names of programs as arguments, these alone are installed, and each must be there.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """Any of ``commands`` will do; the packages bring the first, on Debian and with Homebrew."""

    commands: tuple[str, ...]
    debian: str
    homebrew: str


def _is_ubuntu() -> bool:
    try:
        return platform.freedesktop_os_release()["ID"] == "ubuntu"
    except OSError:
        return False


_MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", _MAC_CHROME)
PROGRAMS = {
    "chromium": Program(_CHROMIUM, "chromium-browser" if _is_ubuntu() else "chromium", "google-chrome"),
    "curl": Program(("curl",), "curl", "curl"),
    "jq": Program(("jq",), "jq", "jq"),
    "node": Program(("node",), "nodejs", "node"),
    "openssl": Program(("openssl",), "openssl", "openssl"),
    "redis-server": Program(("redis-server", "valkey-server"), "redis-server", "redis"),
}


class MissingError(Exception):
    """What a test needs is not installed, and how to install it. The test is skipped; in CI it fails."""


def is_ci() -> bool:
    return os.environ.get("CI", "").lower() in ("1", "true")


def path(name: str) -> str:
    """Where a program of PROGRAMS is. Raises MissingError where it is not installed."""
    found = _find(name)
    if found is None:
        raise MissingError(f"{name} is not installed; {_advice([name])}")
    return found


def missing(names: Sequence[str]) -> list[str]:
    return [name for name in names if _find(name) is None]


def install(names: Sequence[str]) -> None:
    """Install programs, each by itself so that one that fails keeps no other away. Asks for no password."""
    runner = _runner()
    if runner is None:
        return
    sys.stderr.write(f"Installing what tests need from the system: {', '.join(names)}\n")
    if runner[-1] == "apt-get":
        _run([*runner, "-qq", "update"])
        runner += ["-qq", "--yes", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120"]
    for name in names:
        _run([*runner, "install", _package(name)])


def main(names: Sequence[str]) -> int:
    """Install what is missing of the programs, all of them without a name. Returns the exit code."""
    wanted = names or sorted(PROGRAMS)
    if absent := missing(wanted):
        install(absent)
    absent = missing(wanted)
    if not absent:
        return 0
    is_error = bool(names) or is_ci()
    outcome = "" if is_error else " Tests that need what is missing are skipped."
    sys.stderr.write(f"Not installed: {', '.join(absent)}; {_advice(absent)}.{outcome}\n")
    return 1 if is_error else 0


def _find(name: str) -> str | None:
    return next((found for found in map(shutil.which, PROGRAMS[name].commands) if found), None)


def _package(name: str) -> str:
    return PROGRAMS[name].debian if shutil.which("apt-get") else PROGRAMS[name].homebrew


def _runner() -> list[str] | None:
    """The package manager's command where it may be run without a password, else None."""
    if shutil.which("apt-get") is None:
        return ["brew"] if shutil.which("brew") and os.geteuid() != 0 else None
    command = ["env", "DEBIAN_FRONTEND=noninteractive", "apt-get"]
    if os.geteuid() == 0:
        return command
    is_allowed = shutil.which("sudo") is not None and _run(["sudo", "-n", "true"], is_quiet=True) == 0
    return ["sudo", "-n", *command] if is_allowed else None


def _run(command: Sequence[str], *, is_quiet: bool = False) -> int:
    errors = subprocess.DEVNULL if is_quiet else None
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, check=False
    ).returncode


def _advice(names: Sequence[str]) -> str:
    packages = " ".join(map(_package, names))
    if shutil.which("apt-get"):
        return f"install with `{'' if os.geteuid() == 0 else 'sudo '}apt-get install {packages}`"
    if shutil.which("brew") or sys.platform == "darwin":
        return f"install with `brew install {packages}`"
    return "install with the package manager of this system"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
