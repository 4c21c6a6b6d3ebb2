"""What the server may take of the machine's memory, as it finds it and as users say."""

from __future__ import annotations

import os
import re
import resource
from pathlib import Path

import pytest

from mockserver.cli.limit_options import available_memory
from tests.cli.command import run
from tests.live import Process, Wire

MEBI = 1024 * 1024
UNLIMITED = resource.RLIM_INFINITY, resource.RLIM_INFINITY
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.fixture(autouse=True)
def unlimited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda kind: UNLIMITED)


def system(folder: Path, files: dict[str, str]) -> Path:
    """A folder with what the system's files say."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


V1 = "5:devices:/\n4:cpu,memory:/docker/one\n0::/\n"
CASES: dict[str, tuple[dict[str, str], int]] = {
    "no control groups": ({}, MACHINE),
    "version 2": (
        {"proc/self/cgroup": "0::/pod/one\n", "sys/fs/cgroup/pod/one/memory.max": f"{64 * MEBI}\n"},
        64 * MEBI,
    ),
    "version 2, bounded further out": (
        {
            "proc/self/cgroup": "0::/pod/one\n",
            "sys/fs/cgroup/pod/one/memory.max": "max\n",
            "sys/fs/cgroup/pod/memory.max": f"{32 * MEBI}\n",
        },
        32 * MEBI,
    ),
    "version 2, in a namespace of its own": (
        {"proc/self/cgroup": "0::/../..\n", "sys/fs/cgroup/memory.max": f"{16 * MEBI}\n"},
        16 * MEBI,
    ),
    "version 1": (
        {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/docker/one/memory.limit_in_bytes": f"{64 * MEBI}\n"},
        64 * MEBI,
    ),
    "version 1, mounted as a container sees it": (
        {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{48 * MEBI}\n"},
        48 * MEBI,
    ),
    "version 1 without a bound": (
        {"proc/self/cgroup": V1, "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n"},
        MACHINE,
    ),
    "nonsense": ({"proc/self/cgroup": "memory\n:::\n\n", "sys/fs/cgroup/memory.max": "much\n"}, MACHINE),
}


@pytest.mark.parametrize("case", CASES)
def test_the_smallest_bound_of_machine_and_container_is_found(case: str, tmp_path: Path) -> None:
    files, expected = CASES[case]
    assert available_memory(system(tmp_path, files)) == expected


def test_limits_of_the_process_count_less_what_it_takes_already(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = {resource.RLIMIT_AS: 300 * MEBI, resource.RLIMIT_DATA: 200 * MEBI}
    monkeypatch.setattr(resource, "getrlimit", lambda kind: (limits[kind], limits[kind]))
    status = "Name:\tpython\nVmSize:\t  204800 kB\nVmData:\t   51200 kB\n"
    assert available_memory(system(tmp_path, {"proc/self/status": status})) == 100 * MEBI


def told(process: Process) -> dict[str, float]:
    with Wire(process.port) as wire:
        wire.send(b"GET /__admin/metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
        text = wire.reply().body.decode()
    found = re.findall(r'^mockserver_memory_limit_bytes\{kind="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {kind: float(value) for kind, value in found}


def test_the_bounds_are_shares_of_what_is_said_and_no_more_than_other_options_say(tmp_path: Path) -> None:
    with Process(f"--max-memory={64 * MEBI}", "--max-body=1000", cache=tmp_path) as process:
        assert told(process) == {
            "journals": 12 * MEBI, "resources": 10 * MEBI, "creations": 8 * MEBI, "counts": 2 * MEBI,
            "cache": 4 * MEBI, "unfinished": 12 * MEBI, "unsent": 8 * MEBI, "delayed": 4 * MEBI,
        }  # fmt: skip
    options = (
        f"--max-memory={64 * MEBI}",
        f"--journal-bytes={MEBI}",
        "--max-unfinished=100000",
        "--max-body=1000",
    )
    with Process(*options, cache=tmp_path) as process:
        found = told(process)
        assert (found["journals"], found["unfinished"]) == (MEBI, 100_000)


def test_largest_allowed_request_always_has_memory(tmp_path: Path) -> None:
    with Process(f"--max-memory={16 * MEBI}", cache=tmp_path) as process:
        assert told(process)["unfinished"] == 10 * MEBI + 64 * 1024


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--max-memory=1", "--max-memory"),
        ("--max-delay=soon", "--max-delay"),
        ("--max-delay=2d", "Use 0s to 1d"),
    ],
)
def test_invalid_limits_are_refused(option: str, told: str, tmp_path: Path) -> None:
    ran = run("serve", option, folder=tmp_path)
    assert ran.code in (1, 2)
    assert told in ran.err


def test_delays_and_those_that_wait_are_bounded_by_options(tmp_path: Path) -> None:
    with (
        Process("--max-delay=100ms", "--max-waiting=0", cache=tmp_path) as process,
        Wire(process.port) as wire,
    ):
        key = "/api/v1/cert-manager/certificates/certificate-requests/1b4e28ba-2fa1-4d3b-a3f5-ef19b5a7633b"
        head = f"GET {key} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer any\r\n"
        wire.send(f"{head}Prefer: wait=5\r\n\r\n".encode())
        assert wire.reply().status == 503
    with Process("--max-delay=100ms", cache=tmp_path) as process, Wire(process.port) as wire:
        wire.send(f"{head}Prefer: wait=5\r\n\r\n".encode())
        assert wire.reply().headers["preference-applied"] == "wait=0.1"
