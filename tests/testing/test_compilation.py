from __future__ import annotations

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from mockserver import inputs
from mockserver.cache import Cache, unpack
from mockserver.compile import process
from mockserver.compile.process import compile_in_process, compiled
from mockserver.diagnostics import CompileError
from mockserver.inputs import Compiled, Inputs
from mockserver.plan import Plan

INPUTS = Inputs((inputs.DOCUMENT,), (inputs.SCENARIOS,))


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[int]:
    """Stands for the compiler; counts how often it was called, and by how many at once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    seen: list[int] = []
    under_way: set[int] = set()

    def compile_in_process(inputs: Inputs) -> Compiled:
        under_way.add(threading.get_ident())
        seen.append(len(under_way))
        under_way.discard(threading.get_ident())
        return Compiled(Plan(hash=str(len(seen)), documents=()))

    def keep(self: Cache, key: object, data: bytes) -> None:
        kept.append(data)

    def find(self: Cache, key: object) -> Compiled | None:
        return unpack(kept[0]) if kept else None

    kept: list[bytes] = []
    monkeypatch.setattr(process, "compile_in_process", compile_in_process)
    monkeypatch.setattr(Cache, "store", keep)
    monkeypatch.setattr(Cache, "find", find)
    return seen


def test_servers_that_start_together_compile_once(compiler: list[int]) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: compiled(INPUTS, cached=True).plan.hash, range(8)))
    assert found == ["1"] * 8
    assert compiler == [1]


def test_without_a_cache_each_compiles(compiler: list[int]) -> None:
    assert [compiled(INPUTS, cached=False).plan.hash for _ in range(2)] == ["1", "2"]


def test_unusable_cache_folder_is_ignored(
    compiler: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert compiled(INPUTS, cached=True).plan.hash == "1"


def test_inputs_that_cannot_be_read_are_left_to_the_compiler(compiler: list[int], tmp_path: Path) -> None:
    assert compiled(Inputs((tmp_path / "none.yaml",)), cached=True).plan.hash == "1"


CROWD = """
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from mockserver.cache import pack, unpack
from mockserver.inputs import Compiled
from mockserver.plan import Plan

sys.setswitchinterval(1e-6)
data, barrier = pack(Compiled(Plan(hash="1", documents=()))), Barrier(8)

def first(_):
    barrier.wait()
    return unpack(data).plan.hash

with ThreadPoolExecutor(8) as pool:
    print(*pool.map(first, range(8)))
"""


def test_servers_may_start_at_once_in_a_process_that_has_started_none() -> None:
    done = subprocess.run([sys.executable, "-c", CROWD], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()) == (0, ["1"] * 8), done.stderr


@pytest.mark.parametrize(
    ("ending", "code"),
    [
        ("raise MemoryError", "D901"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGXCPU)", "D901"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "D901"),
        ("pass", "D901"),
        ("raise KeyError('state')", "D902"),
        ("import os; os._exit(3)", "D902"),
    ],
)
def test_compiler_that_ends_without_a_plan_is_reported_by_its_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, ending: str, code: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "if 'mockserver.compile.process' in sys.orig_argv:\n"
        "    import mockserver.compile.compiler as compiler\n"
        "    def compile_plan(inputs):\n"
        f"        {ending}\n"
        "    compiler.compile_plan = compile_plan\n"
    )
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{Path.cwd()}")
    monkeypatch.setattr(process, "MAX_SECONDS", 0.01 if ending == "pass" else 60)
    with pytest.raises(CompileError) as caught:
        compile_in_process(INPUTS)
    [found] = caught.value.diagnostics
    assert found.code == code
    assert ("KeyError" in found.message) == ("KeyError" in ending)
