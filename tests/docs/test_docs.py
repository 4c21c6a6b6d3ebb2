"""What the documentation shows is what happens: each of its code blocks is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pytest
import yaml
from jsonschema import Draft202012Validator

from mockserver import inputs
from mockserver.cli.commands import cli
from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.diagnostics import codes
from mockserver.testing import MockServer
from tests import programs
from tests.docs.blocks import (
    CONTROL,
    DOCS,
    LESSONS,
    PAGES,
    ROOT,
    Block,
    Command,
    blocks,
    blocks_of,
    commands,
    is_document,
    is_variable,
    languages,
    parsed,
    recipes,
    sections,
    variables,
    whole_file,
)
from tests.live import CERTIFICATES, MISSION, Process

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_PATIENCE = 120
"""Seconds until a block that hangs is given up; nothing is measured by it."""
_ELSEWHERE = frozenset(["pip", "docker", "make"])
"""Commands that change the machine: they are not run here."""
SHOWN_URL = "http://127.0.0.1:8080"
RECIPE_KEY = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"
_BIN = Path(sys.executable).parent
LIFECYCLE = inputs.DOCUMENT.with_name("certificate-lifecycle.yaml")
LIFECYCLE_SCENARIOS = inputs.SCENARIOS.with_name("certificate-lifecycle.yaml")
STUB = {
    "request": {
        "method": "GET",
        "urlPathPattern": "/api/v1/cert-manager/certificates/certificate-requests/[^/]+",
    },
    "response": {"status": 404},
}


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Compiled Plans of these tests, apart from the user's."""
    found = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(found))
        yield found


@pytest.fixture(scope="module")
def server(own_cache: Path) -> Iterator[MockServer]:
    with MockServer() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a reader is: a document, a scenario file, stubs, the examples."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "mappings").mkdir()
    shutil.copy(inputs.DOCUMENT, tmp_path / "openapi.yaml")
    shutil.copy(inputs.SCENARIOS, tmp_path / "scenarios")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    (tmp_path / "mappings" / "gone.json").write_text(json.dumps(STUB))
    shutil.copytree(ROOT / "openapi", tmp_path / "openapi")
    shutil.copy(LIFECYCLE_SCENARIOS, tmp_path / "scenarios")
    for block in snippets("yaml"):
        if block.title.endswith(".yaml") and "/" not in block.title:
            (tmp_path / block.title).write_text(block.text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{_BIN}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def all_commands(command: click.Command, context: click.Context | None = None) -> Iterator[click.Context]:
    """Return a context for each command that is no group."""
    context = context or cli.make_context("mockserver", [], resilient_parsing=True)
    if not isinstance(command, click.Group):
        yield context
        return
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None
        yield from all_commands(found, click.Context(found, info_name=name, parent=context))


def snippets(language: str) -> list[Block]:
    """Return the blocks of pages on which each block or section stands alone."""
    return [block for block in blocks(language) if block.page not in LESSONS]


def test_every_language_is_looked_at() -> None:
    assert languages() <= {"console", "python", "toml", "yaml", "text"}


@pytest.mark.parametrize("block", [each for each in snippets("yaml") if not is_document(each)], ids=str)
def test_scenario_files_can_be_served(block: Block) -> None:
    shown = whole_file(block)
    Draft202012Validator(json.loads(inputs.SCHEMA.read_text("utf-8"))).validate(shown)
    path = Path("shown.yaml")
    texts = {path: yaml.safe_dump(shown) if shown != parsed(block) else block.text}
    document = inputs.DOCUMENT
    if "document" in shown:
        document = document.with_name(f"{shown['document']}.yaml")
        for other in filter(is_document, blocks("yaml")):
            if other.page == block.page and other.title == document.name:
                document = Path(other.title)
                texts[document] = other.text
    compiled = compile_plan(Inputs((document,), (path,), texts=texts))
    assert [each.name for each in compiled.plan.resources] == [shown["resource"]]
    assert compiled.warnings == ()


def test_every_key_of_the_scenario_format_has_an_example() -> None:
    schema = json.loads(inputs.SCHEMA.read_text("utf-8"))
    page = DOCS / "scenarios.md"
    shown = [parsed(each) for each in blocks_of(page) if each.language == "yaml" and not is_document(each)]
    assert set(keys_of(schema)) - {key for each in shown for key in keys_in(each)} == set()


def keys_of(schema: Any) -> Iterator[str]:
    """Return the names under ``properties``, wherever they are."""
    if isinstance(schema, list):
        for item in schema:
            yield from keys_of(item)
    elif isinstance(schema, dict):
        for name, value in schema.items():
            if name == "properties":
                yield from value
            yield from keys_of(value)


def keys_in(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from keys_in(item)
    elif isinstance(value, dict):
        yield from value
        for member in value.values():
            yield from keys_in(member)


@pytest.mark.parametrize("block", snippets("toml"), ids=str)
def test_settings_are_options_of_the_plugin(block: Block, pytestconfig: pytest.Config) -> None:
    for name in tomllib.loads(block.text)["tool"]["pytest"]["ini_options"]:
        pytestconfig.getini(name)


@pytest.mark.parametrize("block", snippets("python"), ids=str)
def test_python(block: Block, folder: Path) -> None:
    (folder / "test_shown.py").write_text(block.text)
    command = [sys.executable, "test_shown.py"]
    if "def test_" in block.text:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "mockserver.testing.plugin", "test_shown.py"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@dataclass
class Reader:
    """Runs the commands of a page one after the other, in the terminals that the page asks for.

    ``url`` is the server that the page shows as ``SHOWN_URL``; ``known`` are the variables that are set.
    """

    url: str
    known: str
    cache: Path
    served: ExitStack

    def run(self, command: Command) -> None:
        require(command.text)
        words = shlex.split(command.text.removesuffix(" &"))
        if words[0] in _ELSEWHERE:
            return
        if words[:2] == ["mockserver", "serve"]:
            self.served.close()
            process = self.served.enter_context(Process(*words[2:], cache=self.cache))
            self.url = f"http://127.0.0.1:{process.port}"
            return
        text = command.text.replace("-m venv", "-m venv --without-pip")  # nothing is installed into it here
        done = shell((self.known + text).replace(SHOWN_URL, self.url))
        if is_variable(command.text):
            self.known += f"{command.text}\n"
        if command.output is not None:
            said = done.stdout.replace(self.url, SHOWN_URL).strip()
            assert alike(said, command.output.strip()), f"{command.text}\n{said}\n{done.stderr}"
        if command.output is None or words[0] == "mockserver":
            assert done.returncode == 0, f"{command.text}\n{done.stderr}"


@pytest.mark.parametrize(
    "section",
    [section for section in sections("console") if section[0].page not in LESSONS],
    ids=lambda section: str(section[0]),
)
def test_consoles(section: list[Block], folder: Path, server: MockServer, own_cache: Path) -> None:
    """From heading to heading, one after the other, as a reader does."""
    server.reset()
    server.namespace("t1").drop()
    with ExitStack() as served:
        reader = Reader(server.url, variables(section[0]), own_cache, served)
        for block in section:
            for command in commands(block):
                reader.run(command)


@pytest.mark.parametrize("page", LESSONS, ids=lambda page: page.stem)
def test_page_followed_from_top_to_bottom_in_an_empty_folder_works(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    """Blocks with a title are saved as files, and commands run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{_BIN}{os.pathsep}{os.environ['PATH']}")
    with ExitStack() as served:
        reader = Reader(SHOWN_URL, "", own_cache, served)
        for block in blocks_of(page):
            if block.title:
                path = tmp_path / block.title
                path.parent.mkdir(exist_ok=True)
                path.write_text(block.text)
            elif block.language == "console":
                for command in commands(block):
                    reader.run(command)


@pytest.mark.parametrize("section", sections("console"), ids=lambda section: str(section[0]))
def test_a_server_is_stopped_before_another_takes_its_port(section: list[Block]) -> None:
    ports: set[str] = set()
    for block in section:
        if "Ctrl-C" in block.prose:
            ports.clear()
        for text in filter(serves, (command.text for command in commands(block))):
            found = re.search(r"(?:--port |\b-p |PORT=)(\d+)", text)
            port = found[1] if found else SHOWN_URL.rpartition(":")[2]
            assert port not in ports, f"{block}: another server of this section has port {port}"
            ports.add(port)


@pytest.mark.parametrize("block", blocks("console"), ids=str)
def test_nothing_follows_a_server_that_keeps_the_terminal(block: Block) -> None:
    """The block can be pasted as a whole."""
    before_the_last = [command.text for command in commands(block)][:-1]
    assert [text for text in before_the_last if serves(text) and not text.endswith("&")] == []


def serves(command: str) -> bool:
    return re.match(r"make serve\b|(docker run .*)?mockserver serve\b", command) is not None


@pytest.mark.parametrize("recipe", recipes())
def test_recipes(recipe: str, folder: Path, server: MockServer) -> None:
    """Each as it stands, on a key that was polled twice, and answered with a success."""
    require(recipe)
    with ExitStack() as stack:
        if re.search(r"/(document|scenario-files)\b", recipe):  # it changes what is served
            server = stack.enter_context(MockServer())
        server.reset()
        client = stack.enter_context(server.client(verify=CERTIFICATES))
        for _ in range(2):
            assert client.get(f"{MISSION}/{RECIPE_KEY}").status_code == 200
        page = CONTROL.read_text("utf-8")
        [known] = re.findall(r"^`(A=\S+)`, `(J='.*')`, `(ID=\S+)`\.$", page, re.MULTILINE)
        assert known[2] == f"ID={RECIPE_KEY}"
        once = recipe.replace("$A/events", "$A/events?most=0")  # else it goes on for ever
        done = shell("\n".join([*known, f"{once} -sSf"]).replace(SHOWN_URL, server.url))
        assert done.returncode == 0, done.stdout + done.stderr


def require(command: str) -> None:
    """Raises MissingError where the system has not the programs of a command."""
    for name in set(re.findall(r"[\w-]+", command)) & programs.PROGRAMS.keys():
        programs.path(name)


def shell(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=_PATIENCE, check=False
    )


def alike(said: str, wanted: str) -> bool:
    """Whether the output is as shown, where … stands for anything."""
    literal = re.sub(r"([\[\]*?])", r"[\1]", wanted).replace("…", "*")
    return fnmatchcase(said, literal)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages as MkDocs builds them. It finds links that lead nowhere."""
    found = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", found],
        cwd=ROOT, capture_output=True, text=True, timeout=_PATIENCE, check=False,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return found


def test_control_page_has_every_operation_of_the_control_plane(site: Path) -> None:
    page = (site / "control" / "index.html").read_text()
    paths = yaml.safe_load(inputs.ADMIN_DOCUMENT.read_text())["paths"]
    assert [path for path in paths if f"/__admin{path}</code>" not in page] == []


def test_each_diagnostic_code_has_an_anchor_of_its_name(site: Path) -> None:
    page = (site / "codes" / "index.html").read_text()
    assert [code for code in codes() if f'<h2 id="{code.lower()}">{code}: ' not in page] == []


@pytest.mark.parametrize("command", list(all_commands(cli)), ids=lambda command: command.command_path)
def test_command_line_page_has_every_option_with_its_variable(command: click.Context, site: Path) -> None:
    page = (site / "command-line" / "index.html").read_text()
    section = re.split(rf'<h2 id="[^"]*"><code>{command.command_path}</code>', page)[1].partition("<h2")[0]
    for option in command.command.params:
        if isinstance(option, click.Option):
            for name in (*option.opts, *option.secondary_opts):
                assert f"<code>{name}</code>" in section
            assert option.help
            assert option.envvar is None or f"<code>{option.envvar}</code>" in section


@pytest.mark.parametrize("path", [inputs.SCENARIOS, LIFECYCLE_SCENARIOS], ids=lambda path: path.stem)
def test_example_page_has_every_state_and_scenario(path: Path, site: Path) -> None:
    page = (site / "example" / "index.html").read_text()
    section = page.partition(f"Scenarios and states of <code>{path.stem}</code><")[2].partition("<h2")[0]
    file = yaml.safe_load(path.read_text("utf-8"))
    assert [
        name
        for name in (*file["states"], *file["scenarios"])
        if f"<td><code>{name}</code></td>" not in section
    ] == []


def test_reserved_ids_of_the_example_page_are_those_of_the_scenario_file() -> None:
    listed = set(
        re.findall(r"^\| `([0-9a-f-]{36})` \|", (DOCS / "example.md").read_text("utf-8"), re.MULTILINE)
    )
    rules = yaml.safe_load(inputs.SCENARIOS.read_text("utf-8"))["select"]
    assert listed == {rule["requestId"] for rule in rules if "requestId" in rule}


def test_readme_has_at_most_150_lines() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


@pytest.fixture(scope="module")
def site_url(site: Path) -> Iterator[str]:
    handler = partial(QuietHandler, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}"
        http.shutdown()
        thread.join()


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.mark.parametrize(
    "page",
    sorted({block.page for block in blocks("console") if block.page.parent == DOCS}),
    ids=lambda page: page.stem,
)
def test_the_copy_button_copies_commands_alone(page: Path, site_url: str, chromium: Browser) -> None:
    from playwright.sync_api import expect

    name = "" if page.stem == "index" else f"{page.stem}/"
    shown = [block for block in blocks("console") if block.page == page]
    with chromium.new_context(permissions=["clipboard-read", "clipboard-write"]) as context:
        tab = context.new_page()
        tab.goto(f"{site_url}/{name}")
        copied = []
        expect(tab.locator(".language-console [data-md-type=copy]")).to_have_count(len(shown))
        for button in tab.locator(".language-console [data-md-type=copy]").all():
            button.click()
            copied.append(
                [each.rstrip() for each in tab.evaluate("navigator.clipboard.readText()").split("\n")]
            )
    assert copied == [[command.text for command in commands(block)] for block in shown]


@pytest.mark.parametrize("page", [PAGES[0], PAGES[-1]], ids=lambda page: str(page.parent.name))
def test_links_from_pages_that_are_read_in_the_repository(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text("utf-8"))
    assert links
    local = [each for each in links if "://" not in each]
    assert [each for each in local if not (page.parent / each).exists()] == []
