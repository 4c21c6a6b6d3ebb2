"""Documents made to break the reader: each is refused with a reason, or served when it is harmless."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.command import run

HEAD = 'openapi: 3.0.3\ninfo: {title: t, version: "1"}\n'
PING = "paths: {/ping: {get: {responses: {'200': {description: ok}}}}}\n"
SECRET = "swordfish-4711"


def schemas(text: str) -> str:
    return f"{HEAD}{PING}components:\n  schemas:\n{text}"


def referring(target: str) -> str:
    return schemas(f'    A: {{$ref: "{target}"}}\n')


def bomb(levels: int = 9) -> str:
    first = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    return first + "".join(
        f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, levels)
    )


# Name: document, diagnostic code, and where it points (line:column), where there is such a place
REFUSED: dict[str, tuple[str | bytes, str, str]] = {
    "an unclosed bracket": ("openapi: [3.0.3\ninfo: {}\n", "D106", r"2:\d+"),
    "a tab as indentation": ("openapi: 3.0.3\ninfo:\n\ttitle: t\n", "D106", r"3:\d+"),
    "a colon in a plain text": ("info: a: b\n", "D106", r"1:\d+"),
    "unclosed quotes": ('openapi: "3.0.3\n', "D106", r"\d+:\d+"),
    "broken JSON": ('{"openapi": "3.0.3", "info": {,}}', "D106", r"1:\d+"),
    "NUL bytes": (b"openapi: 3.0.3\ninfo: {title: \x00, version: '1'}\n", "D106", r"2:\d+"),
    "nothing but NUL bytes": (b"\x00" * 64, "D106", "1:1"),
    "an ELF header": (b"\x7fELF\x02\x01\x01" + b"\x00" * 64, "D106", "1:1"),
    "an unknown alias": ("openapi: *nowhere\n", "D106", r"1:\d+"),
    "empty": ("", "D105", ""),
    "white space": (" \n\n \t\n", "D105", ""),
    "a byte order mark and nothing": (b"\xef\xbb\xbf", "D105", ""),
    "Latin-1": ("openapi: 3.0.3\ninfo: {title: Grüße}\n".encode("latin-1"), "D103", ""),
    "UTF-16": ("openapi: 3.0.3\n".encode("utf-16"), "D103", ""),
    "random bytes": (bytes(range(256)), "D103", ""),
    "an alias bomb": (bomb(), "D108", r"\d+:\d+"),
    "an alias bomb in a document": (
        HEAD + PING + "x-bomb:\n  " + bomb().replace("\n", "\n  "),
        "D108",
        r"\d+:\d+",
    ),
    "a recursive alias": ("openapi: &a [*a]\n", "D108", r"1:\d+"),
    "a recursive alias in a mapping": (HEAD + "paths: &p\n  /x: *p\n", "D108", r"\d+:\d+"),
    "brackets 100,000 deep": ("[" * 100_000, "D106", ""),
    "closed brackets 100,000 deep": ("[" * 100_000 + "]" * 100_000, "D10[67]", ""),
    "JSON objects 100,000 deep": ('{"a":' * 100_000 + "1" + "}" * 100_000, "D10[67]", ""),
    "an example 100,000 deep": (
        HEAD + PING + "x-deep: " + "[" * 100_000 + "]" * 100_000 + "\n",
        "D10[67]",
        "",
    ),
    "indentation 1,000 deep": (
        "openapi: 3.0.3\n" + "".join(" " * n + f"k{n}:\n" for n in range(1_000)),
        "D107",
        "",
    ),
    "a number": ("42\n", "D111", "1:1"),
    "a text": ("hello\n", "D111", "1:1"),
    "a list": ("- openapi: 3.0.3\n", "D111", "1:1"),
    "null": ("null\n", "D111", "1:1"),
    "no version": ("info: {title: t, version: '1'}\npaths: {}\n", "D111", "1:1"),
    "a version to come": ("openapi: 4.0.0\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", "1:1"),
    "a version gone": ("swagger: '1.2'\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", "1:1"),
    "a number as version": ("swagger: 2.0\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", "1:1"),
    "a list as version": ("openapi: [3, 0, 3]\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", "1:1"),
    "a long version": (f"openapi: '{'3.' * 50_000}'\n", "D112", "1:1"),
    "a list as paths": (HEAD + "paths: []\n", "D301", r"3:\d+"),
    "a text as paths": (HEAD + "paths: none\n", "D301", r"3:\d+"),
    "a text as info": ("openapi: 3.0.3\ninfo: t\npaths: {}\n", "D301", r"2:\d+"),
    "no info": ("openapi: 3.0.3\npaths: {}\n", "D301", r"1:1"),
    "a path without a slash": (HEAD + PING.replace("/ping", "ping"), "D301", r"3:\d+"),
    "an operation without responses": (HEAD + "paths: {/ping: {get: {}}}\n", "D301", r"3:\d+"),
    "a number as operation": (HEAD + "paths: {/ping: {get: 1}}\n", "D301", r"3:\d+"),
    "an infinite number": (HEAD + PING + "x-most: .inf\n", "D109", ""),
    "no number": (HEAD + PING + "x-most: .nan\n", "D109", ""),
    "a number that no float holds": (HEAD + PING + f"x-most: {'9' * 400}\n", "D109", ""),
    "a list as key": (HEAD + PING + "? [a, b]\n: c\n", "D110", ""),
    "a reference to nothing": (referring("#/components/schemas/B"), "D201", r"6:\d+"),
    "a reference to a missing file": (referring("gone.yaml"), "D101", r"6:\d+"),
    "a reference to a folder": (referring("."), "D102", r"6:\d+"),
    "two references in a circle": (
        schemas('    A: {$ref: "#/components/schemas/B"}\n    B: {$ref: "#/components/schemas/A"}\n'),
        "D205",
        r"[67]:\d+",
    ),
    "a reference to itself": (referring("#/components/schemas/A"), "D205", r"6:\d+"),
    "a circle of parameters": (
        HEAD + PING + 'components: {parameters: {A: {$ref: "#/components/parameters/A"}}}\n',
        "D205",
        r"4:\d+",
    ),
    "a climbing reference": (referring("../outside/secret.yaml"), "D203", r"6:\d+"),
    "a percent-encoded climb": (referring("%2e%2e/outside/secret.yaml"), "D203", r"6:\d+"),
    "an encoded slash in a climb": (referring("..%2Foutside%2Fsecret.yaml"), "D203", r"6:\d+"),
    "a climb through a folder": (referring("sub/../../outside/secret.yaml"), "D203", r"6:\d+"),
    "an absolute path": (referring("/etc/passwd"), "D203", r"6:\d+"),
    "a file URI": (referring("file:///etc/passwd"), "D203", r"6:\d+"),
    "a file URI with a host": (referring("file://localhost/etc/passwd"), "D203", r"6:\d+"),
    "another scheme": (referring("ftp://127.0.0.1/secret.yaml"), "D203", r"6:\d+"),
    "data in a URI": (referring("data:application/json,{}"), "D203", r"6:\d+"),
    "a backslash": (referring("..\\\\outside\\\\secret.yaml"), "D(101|203)", r"6:\d+"),
    "a NUL in a reference": (referring("a%00.yaml"), "D(101|203)", r"6:\d+"),
    "a name that no disk takes": (referring("a" * 5_000 + ".yaml"), "D(101|203)", r"6:\d+"),
    "a link out of the folder": (referring("link.yaml"), "D203", r"6:\d+"),
    "a link to a folder outside": (referring("linked/secret.yaml"), "D203", r"6:\d+"),
}  # fmt: skip

SERVED: dict[str, str | bytes] = {
    "a byte order mark": b"\xef\xbb\xbf" + (HEAD + PING).encode(),
    "Windows line ends": (HEAD + PING).replace("\n", "\r\n"),
    "a schema that contains itself": schemas(
        '    A: {type: object, properties: {a: {$ref: "#/components/schemas/A"}}}\n'
    ),
    "aliases in measure": HEAD + PING + "x-a: &a {b: c}\nx-d: [*a, *a]\n",
    "huge numbers": HEAD + PING + f"x-most: {'9' * 300}\nx-least: -{'9' * 25}\n",
    "a huge integer as a bound": schemas(f"    A: {{type: integer, maximum: {10**30}}}\n"),
    "a scheme of Jinja": HEAD.replace("title: t", 'title: "{{ 7 * 7 }}{% for x in y %}"') + PING,
    "templates that are none": HEAD + PING + "x-t: \"{{ cycler.__init__.__globals__.os.system('id') }}\"\n",
    "a pattern that backtracks": schemas('    A: {type: string, pattern: "^(a+)+$"}\n'),
    "a merge key": HEAD + PING + "x-a: {<<: {b: c}}\n",
    "no paths at all": HEAD + "paths: {}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder to serve from, beside one that must not be read."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text(f"type: string\nexample: {SECRET}\n")
    inside = tmp_path / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "link.yaml").symlink_to(outside / "secret.yaml")
    (inside / "linked").symlink_to(outside)
    return inside


@pytest.mark.parametrize("name", REFUSED)
def test_is_refused(name: str, folder: Path) -> None:
    text, code, place = REFUSED[name]
    (folder / "hostile.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = run("serve", "hostile.yaml", "--port", "0", "--no-cache", folder=folder)
    assert (ran.code, ran.out) == (2, ""), ran
    found = re.match(rf"hostile\.yaml(:\d+:\d+|#\S*)?: error {code}: .+\n    .+", ran.err)
    assert found, ran.err
    assert re.search(rf"^hostile\.yaml:{place}: error {code}", ran.err, re.MULTILINE) or not place, ran.err
    assert re.search(r"^\d+ errors?(, \d+ warnings?)?; nothing is served\.$", ran.err, re.MULTILINE), ran.err
    assert SECRET not in ran.err
    assert "root:" not in ran.err
    assert max(map(len, ran.err.splitlines())) < 6_000


@pytest.mark.parametrize("name", SERVED)
def test_is_served(name: str, folder: Path) -> None:
    text = SERVED[name]
    (folder / "harmless.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    ran = run("serve", "harmless.yaml", "--port", "0", "--no-cache", folder=folder)
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
def test_path_is_refused(name: str, folder: Path) -> None:
    build, code = PATHS[name]
    ran = run("serve", build(folder), "--port", "0", "--no-cache", folder=folder)
    assert ran.code == 2, ran
    assert f": error {code}: " in ran.err, ran.err


@pytest.mark.parametrize(
    "target",
    ["http://127.0.0.1:{port}/a.yaml", "//127.0.0.1:{port}/a.yaml", "HTTP://127.0.0.1:{port}/a.yaml#/A"],
)
@pytest.mark.parametrize("version", ["3.0.3", "3.1.0"])
def test_nothing_is_fetched(target: str, version: str, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        text = referring(target.format(port=port)).replace("3.0.3", version)
        (folder / "hostile.yaml").write_text(text)
        for command in ("serve", "check"):
            options = ["--port", "0", "--no-cache"] if command == "serve" else []
            ran = run(command, "hostile.yaml", *options, folder=folder)
            assert ran.code == (2 if command == "serve" else 1), ran
            assert "D202" in ran.err + ran.out
        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_file_that_refers_out_is_refused_where_it_does(folder: Path) -> None:
    (folder / "main.yaml").write_text(referring("sub/part.yaml"))
    (folder / "sub" / "part.yaml").write_text(
        'type: object\nproperties:\n  a: {$ref: "../../outside/secret.yaml"}\n'
    )
    ran = run("serve", "main.yaml", "--port", "0", "--no-cache", folder=folder)
    assert ran.code == 2
    assert re.match(r"sub/part\.yaml:3:\d+: error D203: ", ran.err), ran.err
    assert SECRET not in ran.err
    ran = run("serve", "main.yaml", "--port", "0", "--no-cache", "--ref-root", "..", folder=folder)
    assert ran.code == 0, ran
