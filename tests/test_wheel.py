"""The package as its users have it: built, installed by itself, and used by a test of ten lines."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks

_PATIENCE = 120
"""Seconds until a command that hangs is given up; nothing is measured by it."""
CONSUMER = """    while (response := httpx.get(mock_api.url + REQUEST).json())["status"] == "pending":
        pass
"""
IMPATIENT = """    response = httpx.get(mock_api.url + REQUEST).json()
"""


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python with the wheel in it; what the wheel needs is taken from the Python that runs the tests."""
    folder = tmp_path_factory.mktemp("installed")
    build = [
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        str(folder / "dist"),
    ]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True, timeout=_PATIENCE)
    [wheel] = (folder / "dist").glob("*.whl")
    venv.create(folder / "venv", symlinks=True)
    [packages] = (folder / "venv" / "lib").glob("python3*/site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "needs.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv" / "bin" / "python"


def consumer_test() -> str:
    """The test of ten lines that the first page shows."""
    [block] = [each for each in blocks("python") if each.page.parent == ROOT and each.title]
    assert len([line for line in block.text.splitlines() if line.strip()]) <= 10
    return block.text


def ran(python: Path, folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_certificate.py").write_text(text)
    return subprocess.run(
        [python, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache"), "PYTHONPATH": ""},
    )  # fmt: skip


def test_it_is_the_wheel_that_is_used(python: Path, tmp_path: Path) -> None:
    script = "import mockserver, mockserver.inputs as d; print(mockserver.__file__, d.DOCUMENT.exists())"
    done = subprocess.run([python, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [
        str(next(python.parents[1].glob("lib/*/site-packages/mockserver/__init__.py"))),
        "True",
    ]


def test_ten_lines_are_a_test(python: Path, tmp_path: Path) -> None:
    done = ran(python, tmp_path, consumer_test())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_a_consumer_that_is_broken_is_told_the_call_and_the_state(python: Path, tmp_path: Path) -> None:
    broken = consumer_test().replace(CONSUMER, IMPATIENT)
    assert broken != consumer_test()
    done = ran(python, tmp_path, broken)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed" in done.stdout
    [call] = [line for line in done.stdout.splitlines() if line.startswith("#")]
    assert call.startswith("#1 GET /api/v1/cert-manager/certificates/certificate-requests/11111111-")
    assert call.endswith("scenario=issued; state=pending; call=1")


def test_what_the_commands_read_is_in_it(python: Path, tmp_path: Path) -> None:
    for words in (["explain", "S304"], ["scenarios", "schema"], ["routes"], ["check"], ["example", "new"]):
        done = subprocess.run(
            [python, "-m", "mockserver", *words], cwd=tmp_path, capture_output=True, text=True, check=False,
            env={**os.environ, "XDG_CACHE_HOME": str(tmp_path)},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert done.stdout
    assert next(python.parents[1].glob("lib/*/site-packages/mockserver/py.typed"), None) is not None
