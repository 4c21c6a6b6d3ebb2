"""The cache of compiled Plans: what is found again, what is not, and what no tampering makes it do."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from mockserver import cache as cache_module
from mockserver import inputs
from mockserver.cache import Cache, cache_key, pack, unpack, user_folder
from mockserver.compile.compiler import compile_plan
from mockserver.diagnostics import Diagnostic, Location
from mockserver.inputs import Compiled, Inputs

MAIN = """\
openapi: 3.0.3
info: {title: t, version: "1"}
paths: {/ping: {get: {responses: {'200': {description: ok, content: {application/json: {schema:
  {$ref: "part.yaml"}}}}}}}}
"""
LIFE = """\
resource: ping
key: query.id
operations: {ping: GET /ping}
states: {open: {}}
scenarios: {open: [open]}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "main.yaml").write_text(MAIN)
    (tmp_path / "part.yaml").write_text("type: string\n")
    (tmp_path / "lives").mkdir()
    (tmp_path / "lives" / "ping.yaml").write_text(LIFE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache" / "mockserver")


INPUTS = Inputs((Path("main.yaml"),), (Path("lives"),))


def keep(cache: Cache, inputs: Inputs = INPUTS) -> Compiled:
    key = cache_key(inputs)
    assert key is not None
    compiled = compile_plan(inputs)
    cache.store(key, pack(compiled))
    return compiled


def find(cache: Cache, inputs: Inputs = INPUTS) -> Compiled | None:
    key = cache_key(inputs)
    assert key is not None
    return cache.find(key)


def entry(cache: Cache) -> Path:
    [path] = cache.folder.iterdir()
    return path


def test_stored_entry_is_found(folder: Path, cache: Cache) -> None:
    assert find(cache) is None
    compiled = keep(cache)
    assert find(cache) == compiled


def test_plan_is_equal_after_packing() -> None:
    compiled = compile_plan(Inputs((inputs.DOCUMENT,), (inputs.SCENARIOS,)))
    warned = replace(compiled, warnings=(Diagnostic("D303", "m", Location("a", 1, 2), "r", "warning"),))
    assert unpack(pack(warned)) == warned


def test_integers_above_64_bits_are_equal_after_packing(folder: Path, cache: Cache) -> None:
    Path("part.yaml").write_text('{"type": "integer", "maximum": 123456789012345678901234567890}')
    compiled = keep(cache)
    found = find(cache)
    assert found == compiled
    assert found.plan.documents[0].trees.popitem()[1]["maximum"] == 123456789012345678901234567890


CHANGES: dict[str, Callable[[], object]] = {
    "the document": lambda: Path("main.yaml").write_text(MAIN + "\n"),
    "a scenario file": lambda: Path("lives/ping.yaml").write_text(LIFE + "\n"),
    "one more scenario file": lambda: Path("lives/more.yaml").write_text(LIFE.replace("ping", "pong")),
    "a scenario file less": lambda: Path("lives/ping.yaml").unlink(),
    "a scenario file's name": lambda: Path("lives/ping.yaml").rename("lives/pong.yaml"),
    "a file that is referred to": lambda: Path("part.yaml").write_text("type: integer\n"),
    "a file that is referred to, gone": lambda: Path("part.yaml").unlink(),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_file_is_a_miss(name: str, folder: Path, cache: Cache) -> None:
    keep(cache)
    CHANGES[name]()
    assert find(cache) is None


@pytest.mark.parametrize(
    "change",
    [{"seed": "1"}, {"allow_remote": True}, {"ref_root": Path()}, {"scenarios": ()}],
    ids=lambda change: next(iter(change)),
)
def test_other_options_are_a_miss(change: dict[str, object], folder: Path, cache: Cache) -> None:
    keep(cache)
    assert find(cache, replace(INPUTS, **change)) is None


def test_other_build_of_the_package_is_a_miss(
    folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep(cache)
    monkeypatch.setattr(cache_module, "_build_id", lambda: "another")
    assert find(cache) is None
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    assert find(cache) is not None
    monkeypatch.setattr(cache_module, "__version__", "0.0.0")
    assert find(cache) is None


def damaged(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def linked(path: Path) -> None:
    path.rename(path.with_suffix(".old"))
    path.symlink_to(path.with_suffix(".old"))


def turned_into_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: damaged(path, lambda _: b""),
    "cut short": lambda path: damaged(path, lambda data: data[:-1]),
    "longer": lambda path: damaged(path, lambda data: data + b"\x00"),
    "a bit turned over": lambda path: damaged(
        path, lambda data: data[:-9] + bytes([data[-9] ^ 1]) + data[-8:]
    ),
    "another checksum": lambda path: damaged(path, lambda data: data[:20] + b"\x00" + data[21:]),
    "another format": lambda path: damaged(path, lambda data: data.replace(b"plan 1", b"plan 0", 1)),
    "a pickle": lambda path: damaged(path, lambda _: b"cos\nsystem\n(S'false'\ntR."),
    "writable by the group": lambda path: path.chmod(0o620),
    "writable by all": lambda path: path.chmod(0o606),
    "a folder writable by all": lambda path: path.parent.chmod(0o777),
    "a link": linked,
    "a folder": turned_into_a_folder,
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_or_writable_entry_is_a_miss(name: str, folder: Path, cache: Cache) -> None:
    keep(cache)
    DAMAGE[name](entry(cache))
    assert find(cache) is None


@pytest.mark.parametrize(
    "data", [b"", b"m", b"m\xc1", b"j{", b"m" + msgspec.msgpack.encode({"plan": 1}), b"m" + b"\x91" * 100_000]
)
def test_entry_of_the_wrong_structure_is_a_miss(data: bytes, folder: Path, cache: Cache) -> None:
    keep(cache)
    path = entry(cache)
    path.write_bytes(cache_module._MAGIC + cache_module._checksum(data) + data)
    assert find(cache) is None


def test_plan_of_the_wrong_type_is_a_miss(folder: Path, cache: Cache) -> None:
    compiled = keep(cache)
    [document] = compiled.plan.documents
    wrong = msgspec.structs.replace(document, operations=("GET /",))
    key = cache_key(INPUTS)
    assert key is not None
    cache.store(key, pack(replace(compiled, plan=msgspec.structs.replace(compiled.plan, documents=(wrong,)))))
    assert find(cache) is None


def test_entry_of_another_user_is_a_miss(folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(cache)
    owner = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: owner)
    assert find(cache) is None
    compiled = compile_plan(replace(INPUTS, seed="1"))
    key = cache_key(replace(INPUTS, seed="1"))
    assert key is not None
    cache.store(key, pack(compiled))
    assert len(list(cache.folder.iterdir())) == 1


def test_entry_is_readable_only_by_the_user(folder: Path, cache: Cache) -> None:
    before = os.umask(0)
    try:
        keep(cache)
    finally:
        os.umask(before)
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(entry(cache).stat().st_mode) == 0o600


def test_file_changed_during_compilation_is_not_stored(folder: Path, cache: Cache) -> None:
    key = cache_key(INPUTS)
    assert key is not None
    Path("main.yaml").write_text(MAIN.replace("title: t", "title: u"))
    cache.store(key, pack(compile_plan(INPUTS)))
    assert not cache.folder.exists()


def test_plan_with_remote_files_is_not_stored(folder: Path, cache: Cache) -> None:
    key = cache_key(INPUTS)
    assert key is not None
    compiled = compile_plan(INPUTS)
    remote = {**compiled.files, "https://example.com/part.yaml": "0"}
    cache.store(key, pack(replace(compiled, files=remote)))
    assert not cache.folder.exists()


def test_least_recently_used_entries_are_deleted_first(
    folder: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache_module, "MAX_ENTRIES", 3)
    compiled = compile_plan(INPUTS)
    inputs = [replace(INPUTS, seed=str(number)) for number in range(4)]
    keys = [key for given in inputs if (key := cache_key(given)) is not None]
    for age, key in enumerate(keys[:3]):
        cache.store(key, pack(compiled))
        os.utime(cache.folder / f"{key.name}.plan", (1_000_000 + age, 1_000_000 + age))
    assert cache.find(keys[0]) is not None
    cache.store(keys[3], pack(compiled))
    assert [cache.find(key) is not None for key in keys] == [True, False, True, True]


def test_unusable_folder_is_not_an_error(folder: Path) -> None:
    (folder / "file").write_text("")
    cache = Cache(folder / "file" / "cache")
    keep(cache)
    assert find(cache) is None


def test_unreadable_file_has_no_key(folder: Path) -> None:
    assert cache_key(replace(INPUTS, documents=(Path("gone.yaml"),))) is None
    assert cache_key(replace(INPUTS, scenarios=(Path("gone.yaml"),))) is None


@pytest.mark.parametrize(("named", "wanted"), [("/x", Path("/x/mockserver")), ("", None), ("relative", None)])
def test_cache_folder_follows_the_environment(
    named: str, wanted: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", named)
    assert user_folder() == wanted or (wanted is None and user_folder().is_relative_to(Path.home()))


@pytest.mark.parametrize("name", ["main.yaml", "lives/ping.yaml", "part.yaml"])
def test_pipe_instead_of_a_file_does_not_block(name: str, folder: Path, cache: Cache) -> None:
    keep(cache)
    key = cache_key(INPUTS)
    assert key is not None
    (folder / name).unlink()
    os.mkfifo(folder / name)
    if name == "part.yaml":
        assert cache.find(key) is None
    else:
        assert cache_key(INPUTS) is None


def test_pipe_instead_of_an_entry_is_a_miss(folder: Path, cache: Cache) -> None:
    keep(cache)
    key = cache_key(INPUTS)
    assert key is not None
    entry = cache.folder / f"{key.name}.plan"
    entry.unlink()
    os.mkfifo(entry, 0o600)
    assert cache.find(key) is None
