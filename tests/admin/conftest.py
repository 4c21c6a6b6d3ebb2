from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from mockserver.cache import pack, unpack
from mockserver.compile.compiler import compile_plan
from mockserver.compile.process import Job
from mockserver.inputs import DOCUMENT, SCENARIOS, Compiled, Inputs
from mockserver.plan import Plan
from tests.admin.mocking import Mock, mocking
from tests.live import engine_of


@pytest.fixture(scope="session")
def shared(mission: Plan) -> Iterator[Mock]:
    """One server for all: its control plane takes a while to come into being."""
    with mocking(engine_of(mission)) as found:
        yield found


@pytest.fixture
def mock(shared: Mock) -> Mock:
    """The default inputs, on a clock that stands still, with nothing called yet."""
    shared.begin_anew()
    return shared


@pytest.fixture
def changeable(mission: Plan) -> Iterator[Mock]:
    """A server of its own, because what it serves changes."""
    with mocking(engine_of(mission), inputs=Inputs((DOCUMENT,), (SCENARIOS,))) as found:
        yield found


@pytest.fixture
def compiles_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Documents are compiled in this process, for tests of what is served then: another one takes a second.

    What is compiled and what comes of it are packed as for the process of the compiler.
    """

    def compile_here(inputs: Inputs) -> Compiled:
        job = msgspec.msgpack.decode(Job.of(inputs).packed(), type=Job)
        return unpack(pack(compile_plan(job.inputs())))

    monkeypatch.setattr("mockserver.admin.reloader.compile_in_process", compile_here)
