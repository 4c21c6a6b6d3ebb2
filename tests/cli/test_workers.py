"""The parent of workers, with work of the tests' own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass

import pytest

from tests.live import PATIENCE

PROGRAM = """
import os, signal, sys, time
from pathlib import Path
from mockserver.cli import workers
from mockserver.cli.workers import Supervisor

def once(name):
    "Whether this is the first time that anybody asks."
    try:
        Path(name).touch(exist_ok=False)
    except FileExistsError:
        return False
    return True

def work(index, ready, leash):
    {work}
    signal.pause()

def announce():
    print("up", flush=True)
    {then}

{first}
work(*Supervisor({count}).run(announce))
"""


@dataclass(frozen=True)
class Ran:
    code: int
    out: list[str]
    errors: list[str]


def supervised(
    folder: object,
    work: str,
    then: str = "os.kill(os.getpid(), signal.SIGTERM)",
    first: str = "",
    count: int = 2,
) -> Ran:
    program = PROGRAM.format(work=work.replace("\n", "\n    "), then=then, first=first, count=count)
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=str(folder), capture_output=True, text=True, timeout=PATIENCE
    )
    return Ran(ran.returncode, ran.stdout.splitlines(), ran.stderr.splitlines())


def test_supervisor_announces_when_all_workers_are_ready(tmp_path: object) -> None:
    ran = supervised(tmp_path, "ready()")
    assert (ran.code, ran.out, ran.errors) == (0, ["up"], [])


def test_one_that_dies_before_it_can_answer_is_replaced_before_it_is_told(tmp_path: object) -> None:
    ran = supervised(tmp_path, "if index == 1 and once('died'):\n    os._exit(3)\nready()")
    assert (ran.code, ran.out) == (0, ["up"])
    assert ran.errors == ["worker 1 ended with code 3; it is replaced"]


@pytest.mark.parametrize(
    "work", ["os._exit(3)", "ready()\nos._exit(3)", "os.kill(os.getpid(), signal.SIGKILL)"]
)
def test_workers_that_die_by_their_own_fault_again_and_again_are_given_up(
    tmp_path: object, work: str
) -> None:
    ran = supervised(tmp_path, work, "pass")
    assert ran.code == 1
    assert len([line for line in ran.errors if "it is replaced" in line]) == 4
    assert "too many times; the server stops." in ran.errors[-1]


def test_workers_that_are_killed_are_replaced_however_often(tmp_path: object) -> None:
    work = "ready()\nif index == 0:\n"
    work += (
        "    if any(once(f'kill-{n}') for n in range(12)):\n        os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    work += "    os.kill(os.getppid(), signal.SIGTERM)"
    ran = supervised(tmp_path, work, "pass")
    assert ran.code == 0
    assert ran.errors == ["worker 0 was killed by SIGKILL; it is replaced"] * 12


def test_a_worker_that_is_told_to_stop_as_soon_as_it_is_there_stops(tmp_path: object) -> None:
    told = "once('told') and os.kill(os.getpid(), signal.SIGTERM)"
    ran = supervised(tmp_path, "ready()", first=f"os.register_at_fork(after_in_child=lambda: {told})")
    assert (ran.code, ran.out) == (0, ["up"])
    [error] = ran.errors  # of the one that came first
    assert error[len("worker 0") :] == " was killed by SIGTERM; it is replaced"


QUICK = "workers._BEAT = 0.02"
STANDS_STILL = "ready()\nif once('stuck'):\n    sum(iter(int, 1))\n"


def test_blocked_worker_is_killed_and_replaced(tmp_path: object) -> None:
    work = STANDS_STILL + "while True:\n    ready(); time.sleep(0.001); os.kill(os.getppid(), signal.SIGTERM)"
    ran = supervised(tmp_path, work, "pass", QUICK, count=1)
    assert ran.code == 0
    assert ran.errors[0].startswith("worker 0 was blocked for")
    assert ran.errors[1] == "worker 0 was killed by SIGKILL; it is replaced"


def test_blocked_worker_is_killed_after_sigterm(tmp_path: object) -> None:
    work = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STANDS_STILL
    ran = supervised(tmp_path, work, first=QUICK, count=1)
    assert ran.code == 0
    assert [line.split(" for ")[0] for line in ran.errors] == ["worker 0 was blocked"]


def test_the_only_worker_that_ends_before_it_can_answer_has_said_why_and_gives_its_code(
    tmp_path: object,
) -> None:
    ran = supervised(tmp_path, "print('no such file', file=sys.stderr)\nsys.exit(2)", count=1)
    assert (ran.code, ran.out, ran.errors) == (2, [], ["no such file"])


def test_stack_of_a_blocked_loop_is_written(tmp_path: object) -> None:
    work = "watchdog = workers.Watchdog(ready)\nwatchdog.beat()\nif once('stuck'):\n    sum(iter(int, 1))"
    first = "workers._BEAT, workers.STUCK, workers._LOST = 0.05, 1, 10"
    then = "Path('stuck').exists() or time.sleep(0)"
    program = work + "\nos.kill(os.getppid(), signal.SIGTERM)"
    ran = supervised(tmp_path, program, then, first, count=1)
    assert any("most recent call first" in line for line in ran.errors)
    assert any("in work" in line for line in ran.errors)
