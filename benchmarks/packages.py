"""What the benchmarks need installed: programs from Debian, peers from npm."""

from __future__ import annotations

import compileall
import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from pathlib import Path

from benchmarks.peers import MODULES, ROOT, Server

DEBIAN = {
    "wrk": "wrk",
    "nginx": "nginx-light",
    "node": "nodejs",
    "npm": "npm",
    "java": "default-jre-headless",
    "redis-server": "redis-server",
}
"""Program → the Debian package that brings it."""


class MissingError(Exception):
    """Something is not installed and cannot be installed from here; the text says how to."""


def provide(servers: Sequence[Server], *, redis: bool = False, chart: bool = True) -> None:
    """See to it that ``servers`` can be started and put under load, ours as installing it leaves it."""
    if chart and find_spec("matplotlib") is None:
        raise MissingError("matplotlib is not installed: run `make bench`, or pip install --group bench")
    # Where the environment keeps Python from writing bytecode, every start would compile what was edited
    compileall.compile_dir(ROOT / "mockserver", quiet=1)
    provide_servers(servers, "wrk", *(["redis-server"] if redis else []))


def provide_servers(servers: Sequence[Server], *more: str) -> None:
    """See to it that ``servers`` can be started, and that ``more`` programs are there."""
    wanted = [server.npm for server in servers if server.npm and not _installed(server.npm)]
    programs = {*more, *(program for server in servers for program in server.programs)}
    if wanted:
        programs.add("npm")
    provide_programs(programs)
    if wanted:
        prefix = MODULES.parent
        prefix.mkdir(exist_ok=True)
        command = ["npm", "install", "--prefix", str(prefix), "--no-audit", "--no-fund", *wanted]
        if subprocess.run(command, check=False).returncode:
            raise MissingError(f"npm could not install {', '.join(wanted)}: see above.")


def provide_programs(programs: Iterable[str]) -> None:
    """See to it that ``programs``, which are names in ``DEBIAN``, are there."""
    missing = [program for program in sorted(programs) if _path(program) is None]
    if not missing:
        return
    command = ["apt-get", "install", "--yes", "--no-install-recommends", *(DEBIAN[each] for each in missing)]
    if os.geteuid() or shutil.which("apt-get") is None:
        raise MissingError(f"{', '.join(missing)} not found; install with: {' '.join(command)}")
    if subprocess.run(command, check=False).returncode:
        raise MissingError(f"{' '.join(command)} failed: see above. Does it need `apt-get update`?")


def _path(program: str) -> str | None:
    # Debian keeps nginx where an ordinary user's PATH does not look.
    return shutil.which(program, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin")))


def _installed(npm: str) -> bool:
    name, _, version = npm.rpartition("@")
    manifest: Path = MODULES / name / "package.json"
    return manifest.is_file() and json.loads(manifest.read_text())["version"] == version
