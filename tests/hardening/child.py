"""A command as a process of its own: how long it takes, how much memory, what it asks of the network.

*Seconds* run from the moment before the process is made to the moment it is
gone, so that Python's start and the first imports count. *Memory* is the peak
resident set of the largest process among the command and those it waited for
(``wait4``). *Network* is what Python's audit events tell from the first line on
(``audit/sitecustomize.py``), children included.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer

_AUDIT = Path(__file__).parent / "audit"


@dataclass
class Ran:
    code: int
    """As the shell has it, negative for a signal."""
    seconds: float
    worked: float
    """Seconds of processor time, of all its threads and of the processes that it waited for."""
    peak: int
    """Bytes."""
    out: str
    err: str
    asked: list[str] = field(default_factory=list)
    """What was asked of the network."""
    attempts: int = 1


def run(
    *arguments: str | Path,
    folder: Path,
    serving: Callable[[int], None] | None = None,
    cache: Path | None = None,
    patience: float = 120.0,
) -> Ran:
    """``mockserver`` to its end. One that comes to serve is handed to ``serving`` by its port, then ended.

    ``cache`` is where compiled documents are kept; after ``patience`` seconds the process is killed.
    """
    with tempfile.TemporaryDirectory() as notes:
        err, audit = Path(notes, "err"), Path(notes, "audit")
        audit.touch()
        environment = {**os.environ, "PYTHONPATH": str(_AUDIT), "AUDIT": str(audit)}
        environment["XDG_CACHE_HOME"] = str(cache or notes)
        began = time.perf_counter()
        with err.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "mockserver", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
                env=environment,
            )
        assert process.stdout is not None
        giving_up = Timer(patience, process.kill)
        giving_up.start()
        try:
            first = process.stdout.readline()
            if found := re.search(rb" answers on http://\S+:(\d+)$", first.strip()):
                if serving is not None:
                    serving(int(found[1]))
                process.terminate()
            rest = process.stdout.read()
            _, status, used = os.wait4(process.pid, 0)
        finally:
            giving_up.cancel()
            process.stdout.close()
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        return Ran(
            process.returncode,
            seconds,
            used.ru_utime + used.ru_stime,
            used.ru_maxrss * 1024,
            (first + rest).decode("utf-8", "replace"),
            err.read_text("utf-8", "replace"),
            audit.read_text("utf-8").splitlines(),
        )
