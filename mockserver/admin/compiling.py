"""Compiling in a process of its own: what it costs, and whether it ends, cannot touch what is served.

Templates run while answers are rehearsed. Those that arrive over HTTP may not
run for ever or fill the memory: the process has limits of both and is killed
at the end of its time.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import msgspec

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.errors import CompileError, Diagnostic, Location, UsageError
from mockserver.plan import Plan

MOST_SECONDS = 60
_MOST_MEMORY = 4 * 1024**3


class _Job(msgspec.Struct):
    documents: list[str]
    scenarios: list[str]
    seed: str
    allow_remote: bool
    ref_root: str | None
    texts: dict[str, str]


class _Outcome(msgspec.Struct):
    plan: Plan | None
    diagnostics: list[Diagnostic]


def compile_apart(inputs: Inputs) -> tuple[Plan, list[Diagnostic]]:
    """The Plan, and what it warns of. Raises CompileError as the compiler does, or for taking too long."""
    job = _Job(
        [str(path) for path in inputs.documents],
        [str(path) for path in inputs.scenarios],
        inputs.seed,
        inputs.allow_remote,
        str(inputs.ref_root) if inputs.ref_root else None,
        {str(path): text for path, text in inputs.texts.items()},
    )
    command = [sys.executable, "-m", "mockserver.admin.compiling"]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this module
            command, input=msgspec.json.encode(job), stdout=subprocess.PIPE, timeout=MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _gave_up(f"compiling takes longer than {MOST_SECONDS} s") from None
    if done.returncode:
        raise _gave_up(f"compiling ended with code {done.returncode}: it takes too much time or memory")
    outcome = msgspec.json.decode(done.stdout, type=_Outcome)
    if outcome.plan is None:
        raise CompileError(outcome.diagnostics)
    return outcome.plan, outcome.diagnostics


def _gave_up(message: str) -> CompileError:
    remedy = "look for templates that loop, and for a document that grows when it is expanded."
    return CompileError([Diagnostic("D901", message, Location(), remedy)])


def main() -> None:
    """One job from standard input, its outcome to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_MEMORY, _MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    job = msgspec.json.decode(sys.stdin.buffer.read(), type=_Job)
    inputs = Inputs(
        tuple(Path(each) for each in job.documents),
        tuple(Path(each) for each in job.scenarios),
        job.seed,
        job.allow_remote,
        Path(job.ref_root) if job.ref_root else None,
        {Path(path): text for path, text in job.texts.items()},
    )
    try:
        compiled = compile_plan(inputs)
        outcome = _Outcome(compiled.plan, list(compiled.warnings))
    except CompileError as error:
        outcome = _Outcome(None, list(error.diagnostics))
    except UsageError as error:
        outcome = _Outcome(None, [Diagnostic("D902", str(error), Location())])
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    main()
