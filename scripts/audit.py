"""Ask a vulnerability service about what an installed mockserver runs with: ``make audit``.

Every distribution that it needs, and those that they need, as installed here, is
handed to pip-audit by name and version. The exit code is 0 where nothing is known
against any, 1 where something is, 2 where nobody could be asked: then nothing is
known at all, and that is said.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = "mockserver"


def needed() -> dict[str, str]:
    """Name → version of everything that is run with, but for mockserver itself."""
    found: dict[str, str] = {}
    pending: list[tuple[str, frozenset[str]]] = [(ROOT, frozenset())]
    seen: set[tuple[str, frozenset[str]]] = set()
    while pending:
        name, extras = pending.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue  # for another system, or another Python
        found[installed.metadata["Name"]] = installed.version
        for text in installed.requires or ():
            requirement = Requirement(text)
            wanted = extras or {""}
            if requirement.marker is None or any(
                requirement.marker.evaluate({"extra": each}) for each in wanted
            ):
                pending.append((requirement.name, frozenset(requirement.extras)))
    return {name: version for name, version in sorted(found.items()) if name != ROOT}


def main(program: list[str]) -> int:
    """The exit code. ``program`` is pip-audit, or what stands in for it."""
    versions = needed()
    with tempfile.TemporaryDirectory() as made:
        pins = Path(made, "requirements.txt")
        pins.write_text("".join(f"{name}=={version}\n" for name, version in versions.items()))
        options = ["--no-deps", "--disable-pip", "--requirement", str(pins), "--format", "json"]
        asked = subprocess.run(  # noqa: S603 - pip-audit
            [*program, *options, "--progress-spinner", "off"], capture_output=True, text=True, check=False
        )
    try:
        told: list[dict[str, Any]] = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError):
        reason = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return _not_audited(len(versions), len(versions), reason)
    known = [(each, fault) for each in told for fault in each.get("vulns", ())]
    for each, fault in known:
        mended = ", ".join(fault["fix_versions"]) or "none yet"
        sys.stdout.write(f"{each['name']} {each['version']}: {fault['id']}; mended in {mended}\n")
    skipped = [each["skip_reason"] for each in told if "skip_reason" in each]
    if left_out := len(versions) - len(told) + len(skipped):
        return _not_audited(left_out, len(versions), *skipped[:1])
    sys.stdout.write(f"{len(known)} known vulnerabilities in {len(told)} distributions\n")
    return 1 if known else 0


def _not_audited(count: int, of: int, reason: str = "it said nothing of them") -> int:
    sys.stderr.write(
        f"NOT AUDITED: {count} of {of} distributions could not be asked about: nothing is known of them.\n"
        f"  {reason}\n"
        "  The vulnerability service must be reachable from here: pypi.org itself, not a copy of its files.\n"
    )
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or [sys.executable, "-m", "pip_audit"]))
