"""Documents made to break the reader: each is refused with a reason, or served when it is harmless.

Each is compiled in this process, and of each kind a few by ``serve``. ``make hardening FIGURES=documents``
starts processes for all of them.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from mockserver.cli.inspect import check
from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.diagnostics import CompileError
from tests.cli.command import run
from tests.hostile import FORGIVEN, HEAD, REFUSED, SECRET, SERVED, beside_a_secret, referring


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return beside_a_secret(tmp_path)


def written(folder: Path, text: str | bytes) -> str:
    (folder / "hostile.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return "hostile.yaml"


def is_harmless(told: str) -> bool:
    return SECRET not in told and "root:" not in told and max(map(len, told.splitlines())) < 6_000


def checked(folder: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What ``check`` finds in a file, in this process."""
    monkeypatch.chdir(folder)
    found = CliRunner().invoke(check, [name], standalone_mode=False)
    assert found.return_value == 1, found.output
    assert is_harmless(found.output), found.output
    return found.output


@pytest.mark.parametrize("name", REFUSED)
def test_unreadable_document_is_refused_with_code_and_place(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, code, place = REFUSED[name]
    told = checked(folder, written(folder, text), monkeypatch)
    assert re.match(rf"hostile\.yaml(:\d+:\d+|#\S*)?: error {code}: .+\n    .+", told), told
    assert re.search(rf"^hostile\.yaml:{place}: error {code}", told, re.MULTILINE) or not place, told
    with pytest.raises(CompileError):
        compile_plan(Inputs((Path("hostile.yaml"),)))


@pytest.mark.parametrize("name", ["empty", "an alias bomb", "JSON objects 100,000 deep"])
def test_serve_of_an_unreadable_document_exits_with_2(name: str, folder: Path) -> None:
    text, code, _ = REFUSED[name]
    ran = run("serve", written(folder, text), "--port", "0", "--no-cache", folder=folder)
    assert (ran.code, ran.out) == (2, ""), ran
    assert re.match(rf"hostile\.yaml(:\d+:\d+|#\S*)?: error {code}: .+\n    .+", ran.err), ran.err
    assert re.search(r"^\d+ errors?(, \d+ warnings?)?; nothing is served\.$", ran.err, re.MULTILINE), ran.err
    assert is_harmless(ran.err), ran.err


@pytest.mark.parametrize("name", FORGIVEN)
def test_faulty_document_compiles_and_its_faults_are_reported(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text, code, place = FORGIVEN[name]
    told = checked(folder, written(folder, text), monkeypatch)
    found = re.findall(r"^hostile\.yaml(:\d+:\d+|#\S*)?: error (\w+): .+\n    .+", told, re.MULTILINE)
    assert re.search(rf"^hostile\.yaml:{place}: error {code}: ", told, re.MULTILINE), told
    [document] = compile_plan(Inputs((Path("hostile.yaml"),))).plan.documents
    assert len(document.faults) == len(found), told
    with pytest.raises(CompileError) as refused:
        compile_plan(Inputs((Path("hostile.yaml"),), strict_document=True))
    assert any(re.fullmatch(code, each.code) for each in refused.value.diagnostics)


@pytest.mark.parametrize("name", ["a climb through a folder", "a circle of 2,000 references"])
def test_serve_of_a_faulty_document_starts_and_counts_its_faults(name: str, folder: Path) -> None:
    text, _, _ = FORGIVEN[name]
    ran = run("serve", written(folder, text), "--port", "0", "--no-cache", folder=folder)
    assert ran.code == 0, ran
    assert re.search(
        r"^served with \d+ forgiven faults?; `mockserver check` lists them$", ran.err, re.MULTILINE
    ), ran.err
    assert is_harmless(ran.err), ran.err


def test_faulty_document_is_refused_with_strict_document(folder: Path) -> None:
    text, code, _ = next(iter(FORGIVEN.values()))
    strictly = ["--strict-document", "--port", "0", "--no-cache"]
    ran = run("serve", written(folder, text), *strictly, folder=folder)
    assert (ran.code, ran.out) == (2, ""), ran
    assert re.search(rf": error {code}: ", ran.err), ran.err
    assert re.search(r"^\d+ errors?(, \d+ warnings?)?; nothing is served\.$", ran.err, re.MULTILINE), ran.err


@pytest.mark.parametrize("name", SERVED)
def test_harmless_document_compiles(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    [document] = compile_plan(Inputs((Path(written(folder, SERVED[name])),))).plan.documents
    assert document.operations is not None


@pytest.mark.parametrize("name", ["a byte order mark", "ten to the thirty objects"])
def test_serve_of_a_harmless_document_starts(name: str, folder: Path) -> None:
    ran = run("serve", written(folder, SERVED[name]), "--port", "0", "--no-cache", folder=folder)
    assert ran.code == 0, ran


Builder = Callable[[Path], str]

PATHS: dict[str, tuple[Builder, str]] = {
    "missing": (lambda _: "gone.yaml", "D101"),
    "a directory": (lambda _: "sub", "D102"),
    "the folder itself": (lambda _: ".", "D102"),
    "a dangling link": (lambda folder: link(folder, "nowhere"), "D101"),
    "a link in a circle": (lambda folder: link(folder, "circle.yaml"), "D101"),
    "a name that is too long": (lambda _: "a" * 300 + ".yaml", "D101"),
    "a file in a file": (lambda folder: inside_a_file(folder), "D101"),
    "too large": (lambda folder: large(folder), "D104"),
}


def link(folder: Path, target: str) -> str:
    (folder / "circle.yaml").symlink_to(target)
    return "circle.yaml"


def inside_a_file(folder: Path) -> str:
    (folder / "a.yaml").write_text(HEAD)
    return "a.yaml/b.yaml"


def large(folder: Path) -> str:
    with (folder / "large.yaml").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    return "large.yaml"


@pytest.mark.parametrize("name", PATHS)
def test_path_that_cannot_be_read_is_refused_with_a_code(
    name: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build, code = PATHS[name]
    assert f": error {code}: " in checked(folder, build(folder), monkeypatch)


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/a.yaml", "//127.0.0.1:{port}/a.yaml", "HTTP://127.0.0.1:{port}/a.yaml#/A"],
)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_reference_to_an_address_is_not_fetched(
    target: str, version: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with nobody_calls() as port:
        text = referring(target.format(port=port)).replace("3.0.3", version)
        assert "D202" in checked(folder, written(folder, text), monkeypatch)


def test_reference_to_an_address_is_not_fetched_by_a_server(folder: Path) -> None:
    with nobody_calls() as port:
        document = written(folder, referring(f"http://127.0.0.1:{port}/a.yaml"))
        ran = run("serve", document, "--port", "0", "--no-cache", folder=folder)
    assert ran.code == 0, ran
    assert "forgiven" in ran.err


@contextmanager
def nobody_calls() -> Iterator[int]:
    """A port at which no connection may arrive."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_file_with_a_reference_out_of_the_folder_is_refused_at_the_reference(folder: Path) -> None:
    (folder / "main.yaml").write_text(referring("sub/part.yaml"))
    (folder / "sub" / "part.yaml").write_text(
        'type: object\nproperties:\n  a: {$ref: "../../outside/secret.yaml"}\n'
    )
    ran = run("serve", "main.yaml", "--port", "0", "--no-cache", "--strict-document", folder=folder)
    assert ran.code == 2
    assert re.match(r"sub/part\.yaml:3:\d+: error D203: ", ran.err), ran.err
    assert SECRET not in ran.err
    ran = run("serve", "main.yaml", "--port", "0", "--no-cache", "--ref-root", "..", folder=folder)
    assert ran.code == 0, ran
