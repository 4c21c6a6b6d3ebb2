"""Gets the Plan of inputs from the cache, or compiles it in a child process.

The compiler imports Connexion, two validators and Faker, about 60 MB that the server does not need.
So a child process compiles, while this process imports the server. Output and errors are the same as
without a child process.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import traceback
from types import FrameType
from typing import BinaryIO, NoReturn

import msgspec

from mockserver.cache import Cache, Key, cache_key, pack, unpack
from mockserver.cli.report import Progress
from mockserver.diagnostics import CompileError, Diagnostic, MockServerError
from mockserver.inputs import Compiled, Inputs

_CAN_FORK = hasattr(os, "fork") and sys.platform != "darwin"
"""On macOS the libraries of the system do not work after a fork."""
_PLAN, _DIAGNOSTICS = b"P", b"D"


class CompilerError(MockServerError):
    """The compiler process ended without a result."""


class Compilation:
    """Compiles ``inputs``. It starts at once; ``result`` waits for the end."""

    def __init__(self, inputs: Inputs, *, cached: bool) -> None:
        self._inputs = inputs
        self._cache = Cache() if cached else None
        self._key: Key | None = cache_key(inputs) if cached else None
        self._found = self._cache.find(self._key) if self._cache and self._key else None
        self._child = _CompilerProcess(inputs) if self._found is None and _CAN_FORK else None

    def result(self) -> Compiled:
        """Return the Plan. Raise CompileError with all diagnostics, or CompilerError without a result."""
        if self._found is not None:
            return self._found
        data = self._child.result() if self._child else _compile(self._inputs)
        if data[:1] == _DIAGNOSTICS:
            raise CompileError(msgspec.msgpack.decode(data[1:], type=list[Diagnostic]))
        if self._cache and self._key:
            self._cache.store(self._key, data[1:])
        return unpack(data[1:])


def _compile(inputs: Inputs) -> bytes:
    """Compile and return the result as bytes: a mark, then the packed Plan or the diagnostics."""
    with Progress() as progress:
        progress("loading the compiler")
        # Heavy; only for compiling
        from mockserver.compile.compiler import compile_plan

        try:
            return _PLAN + pack(compile_plan(inputs, progress=progress))
        except CompileError as error:
            return _DIAGNOSTICS + msgspec.msgpack.encode(list(error.diagnostics))


class _CompilerProcess:
    """The child process that compiles."""

    def __init__(self, inputs: Inputs) -> None:
        # Both processes need the engine: import it once, before the fork
        importlib.import_module("mockserver.engine.engine")
        sys.stdout.flush()
        sys.stderr.flush()
        ours, theirs = os.pipe()
        self._process = os.fork()
        if not self._process:
            os.close(ours)
            _run_child(inputs, os.fdopen(theirs, "wb"))
        os.close(theirs)
        self._pipe = os.fdopen(ours, "rb")

    def result(self) -> bytes:
        """Wait for the process and return its result. Raise CompilerError without one."""
        before = signal.signal(signal.SIGTERM, _stop)
        try:
            with self._pipe:
                data = self._pipe.read()
        except BaseException:
            os.kill(self._process, signal.SIGKILL)
            raise
        finally:
            signal.signal(signal.SIGTERM, before)
            _, status = os.waitpid(self._process, 0)
        if status or not data:
            code = os.waitstatus_to_exitcode(status)
            end = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
            raise CompilerError(f"the compiler {end}; nothing is served.")
        return data


def _run_child(inputs: Inputs, pipe: BinaryIO) -> NoReturn:
    """Compile in the child process, and end the process in any case."""
    code = 1
    try:
        data = _compile(inputs)
        with contextlib.suppress(BrokenPipeError), pipe:
            pipe.write(data)
        code = 0
    except KeyboardInterrupt:
        code = 130
    except BaseException:  # noqa: BLE001 - else it would continue as a second server
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


def _stop(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)
