"""``example``: the example that comes with the server, as files of the user's own."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mockserver.cli.init import example
from mockserver.cli.inspect import check
from tests.live import MISSION, Process, get

FILES = [
    "openapi/certificate-lifecycle.yaml",
    "openapi/certificate-request.yaml",
    "scenarios/certificate-lifecycle.yaml",
    "scenarios/certificate-request.yaml",
    "scenarios/scenario.schema.json",
]


def laid_out(folder: Path | str) -> Result:
    return CliRunner().invoke(example, [str(folder)])


def files(folder: Path) -> list[str]:
    return sorted(str(each.relative_to(folder)) for each in folder.rglob("*") if each.is_file())


def test_a_new_folder_has_the_documents_and_scenario_files(tmp_path: Path) -> None:
    done = laid_out(tmp_path / "new" / "shop")
    assert done.exit_code == 0, done.output
    assert files(tmp_path / "new" / "shop") == FILES
    assert [name for name in FILES if str(tmp_path / "new" / "shop" / name) not in done.output] == []


def test_the_command_that_is_said_serves_the_files(cache: Path, tmp_path: Path) -> None:
    said = laid_out(tmp_path / "with space").output
    [command] = [line.strip() for line in said.splitlines() if line.startswith("    mockserver serve ")]
    with Process(*shlex.split(command)[2:], cache=cache) as server:
        assert (
            get(server.port, f"{MISSION}/11111111-1111-4111-8111-111111111111").json()["status"] == "pending"
        )


@pytest.mark.parametrize("name", ["certificate-request", "certificate-lifecycle"])
def test_each_document_with_its_scenarios_has_no_fault(tmp_path: Path, name: str) -> None:
    laid_out(tmp_path)
    words = [f"{tmp_path}/openapi/{name}.yaml", "--scenarios", f"{tmp_path}/scenarios/{name}.yaml"]
    done = CliRunner().invoke(check, words)
    assert done.exit_code == 0, done.output
    assert "no errors" in done.output


def test_a_file_that_exists_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    theirs = tmp_path / FILES[3]
    theirs.parent.mkdir()
    theirs.write_text("mine")
    done = laid_out(tmp_path)
    assert done.exit_code != 0
    assert str(done.exception) == f"{theirs} exists. Nothing was written. Choose another folder."
    assert files(tmp_path) == [FILES[3]]
    assert theirs.read_text() == "mine"


def test_a_link_that_leads_nowhere_is_not_written_through(tmp_path: Path) -> None:
    (tmp_path / "openapi").mkdir()
    (tmp_path / FILES[1]).symlink_to(tmp_path / "elsewhere")
    assert laid_out(tmp_path).exit_code != 0
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_is_a_file_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = laid_out(tmp_path / "file")
    assert done.exit_code == 2
    assert "is a file" in done.output


def test_a_folder_that_cannot_be_written_is_refused_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "openapi").write_text("")
    done = laid_out(tmp_path)
    assert done.exit_code != 0
    assert str(done.exception).startswith(f"{tmp_path / 'openapi'} cannot be written: ")
