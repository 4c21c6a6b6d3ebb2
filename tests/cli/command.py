"""The command line as users run it: a process of its own, held to limits that keep a failure harmless.

``run_here`` runs it in this process, for commands of which only the output and the code matter.
"""

from __future__ import annotations

import io
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from mockserver.cli import main

MEMORY = 1536 * 1024 * 1024
PATIENCE = 120.0
"""Seconds until a test gives up; nothing is measured by it."""


@dataclass(frozen=True, slots=True)
class Ran:
    code: int
    out: str
    err: str


def run(
    *arguments: str | Path, folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> Ran:
    """Run ``mockserver`` to its end. Python's warnings are errors, and tracebacks fail the test.

    A server that comes to serve is told to stop there and then.
    """
    with tempfile.TemporaryFile("w+") as errors:  # a file takes all there is while the output is read
        process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "mockserver", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env={**os.environ, **(environment or {})},
            preexec_fn=_limit,
        )
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            if " answers on http://" in first:
                process.terminate()
            rest = process.stdout.read()  # not communicate, which knows not what readline has read ahead
            process.wait(timeout=PATIENCE)
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
        errors.seek(0)
        err = errors.read()
    assert "Traceback" not in err, err
    return Ran(process.returncode, first + rest, err)


def run_here(*arguments: str | Path, folder: Path | None = None) -> Ran:
    """Run ``mockserver`` to its end in this process. It must not be a command that serves."""
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(out),
        redirect_stderr(err),
        chdir(folder or Path.cwd()),
    ):
        patch.setattr(sys, "argv", ["mockserver", *map(str, arguments)])
        patch.setattr("mockserver.cli.compilation._CAN_FORK", False)
        with pytest.raises(SystemExit) as ended:
            main()
    assert isinstance(ended.value.code, int)
    return Ran(ended.value.code, out.getvalue(), err.getvalue())


def _limit() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
