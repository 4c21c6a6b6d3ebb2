"""Compile in a child process with limits of time and memory, to protect the server from its inputs.

``compile_in_process`` starts the process. ``compiled``, for ``MockServer``, reads the cache first:
concurrent test sessions compile the same inputs once.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import msgspec

from mockserver.cache import Cache, cache_key, pack, unpack
from mockserver.diagnostics import CompileError, Diagnostic, Location
from mockserver.inputs import Compiled, Inputs

MAX_SECONDS = 60
_MAX_MEMORY = 4 * 1024**3
_OUT_OF_MEMORY = 12
"""Exit code of the process after a MemoryError."""
_LIMIT_CODES = (_OUT_OF_MEMORY, -signal.SIGXCPU, -signal.SIGKILL, -signal.SIGABRT)
"""Exit codes of a process that reached a limit. Libraries abort when memory is exhausted."""
_PLAN, _DIAGNOSTICS = b"P", b"D"


class Job(msgspec.Struct):
    """``Inputs`` in a form that msgpack can encode."""

    documents: list[str]
    scenarios: list[str]
    seed: str
    allow_remote: bool
    ref_root: str | None
    texts: dict[str, str]
    added: list[str] = []
    strict_document: bool = False
    stateful: bool = False
    seed_data: str | None = None
    seed_examples: bool = True

    @classmethod
    def of(cls, inputs: Inputs) -> Job:
        """Return the job that compiles ``inputs``."""
        return cls(
            [str(path) for path in inputs.documents],
            [str(path) for path in inputs.scenarios],
            inputs.seed,
            inputs.allow_remote,
            str(inputs.ref_root) if inputs.ref_root else None,
            {str(path): text for path, text in inputs.texts.items()},
            [str(path) for path in inputs.added],
            inputs.strict_document,
            inputs.stateful,
            str(inputs.seed_data) if inputs.seed_data else None,
            inputs.seed_examples,
        )

    def packed(self) -> bytes:
        """Return the job as msgpack."""
        return msgspec.msgpack.encode(self)

    def inputs(self) -> Inputs:
        """Return the inputs of the job."""
        return Inputs(
            tuple(Path(document) for document in self.documents),
            tuple(Path(scenario) for scenario in self.scenarios),
            self.seed,
            self.allow_remote,
            Path(self.ref_root) if self.ref_root else None,
            {Path(path): text for path, text in self.texts.items()},
            tuple(Path(path) for path in self.added),
            self.strict_document,
            self.stateful,
            Path(self.seed_data) if self.seed_data else None,
            self.seed_examples,
        )


def compile_in_process(inputs: Inputs) -> Compiled:
    """Return the Plan and its warnings. Raises CompileError for errors, and at a limit of time or memory."""
    command = [sys.executable, "-m", "mockserver.compile.process"]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this module
            command, input=Job.of(inputs).packed(), stdout=subprocess.PIPE, timeout=MAX_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise _limit_error(f"compiling takes longer than {MAX_SECONDS} s") from None
    if done.returncode in _LIMIT_CODES:
        raise _limit_error("compiling takes too much time or memory")
    if done.returncode or not done.stdout:
        raise CompileError([_failure(f"it ended with code {done.returncode}")])
    if done.stdout[:1] == _DIAGNOSTICS:
        raise CompileError(msgspec.msgpack.decode(done.stdout[1:], type=list[Diagnostic]))
    return unpack(done.stdout[1:])


def _limit_error(message: str) -> CompileError:
    remedy = "look for templates that loop, and for references that expand the document."
    return CompileError([Diagnostic("D901", message, Location(), remedy)])


def _failure(how: str) -> Diagnostic:
    remedy = "this is a bug of the mock server: report it with the traceback in the log."
    return Diagnostic("D902", f"the compiler failed: {how}", Location(), remedy)


def main() -> None:
    """Read one job from standard input, and write its result to standard output."""
    resource.setrlimit(resource.RLIMIT_AS, (_MAX_MEMORY, _MAX_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS))
    # heavy; not needed by processes that only start this one
    from mockserver.compile.compiler import compile_plan

    job = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Job)
    try:
        outcome = _PLAN + pack(compile_plan(job.inputs()))
    except CompileError as error:
        outcome = _DIAGNOSTICS + msgspec.msgpack.encode(list(error.diagnostics))
    except MemoryError:
        sys.exit(_OUT_OF_MEMORY)
    except Exception as error:  # noqa: BLE001 - becomes a diagnostic; the log has the traceback
        traceback.print_exc()
        outcome = _DIAGNOSTICS + msgspec.msgpack.encode([_failure(f"{type(error).__name__}: {error}")])
    sys.stdout.buffer.write(outcome)


if __name__ == "__main__":
    main()


def compiled(inputs: Inputs, *, cached: bool) -> Compiled:
    """Compile ``inputs``, or read the Plan from the cache if ``cached``. Raises CompileError."""
    key = cache_key(inputs) if cached else None
    if key is None:
        return compile_in_process(inputs)
    cache = Cache()
    found = cache.find(key)
    if found is None:
        with compile_lock(cache.folder):
            found = cache.find(key)
            if found is None:
                found = compile_in_process(inputs)
                cache.store(key, pack(found))
    return found


@contextmanager
def compile_lock(folder: Path) -> Iterator[None]:
    """Let one process at a time compile, if the folder and the platform support a lock."""
    file = -1
    with suppress(ImportError, OSError):
        import fcntl  # Unix only

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = os.open(folder / "compiling.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        if file >= 0:
            os.close(file)
