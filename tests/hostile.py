"""Documents made to break the reader, and the folder that they lie in."""

from __future__ import annotations

from pathlib import Path

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


def answering(schemas: str, version: str = "3.0.3") -> str:
    """A document whose one operation answers with the schema ``A0``."""
    reference = '{schema: {$ref: "#/components/schemas/A0"}}'
    response = f"{{description: ok, content: {{application/json: {reference}}}}}"
    head = HEAD.replace("3.0.3", version)
    paths = f"paths: {{/ping: {{get: {{responses: {{'200': {response}}}}}}}}}\n"
    return f"{head}{paths}components:\n  schemas:\n{schemas}"


def laughs(keyword: str, levels: int = 30) -> str:
    """Schemas that each apply the next one twice to the same value."""

    def twice(level: int) -> str:
        reference = f'{{$ref: "#/components/schemas/A{level + 1}"}}'
        return f"    A{level}: {{{keyword}: [{reference}, {reference}]}}\n"

    return "".join(map(twice, range(levels))) + f"    A{levels}: {{type: object}}\n"


def chain(length: int, *, closed: bool = False) -> str:
    """Schemas that each are nothing but a reference to the next."""
    last = '{$ref: "#/components/schemas/A0"}' if closed else "{type: string}"
    links = (f'    A{i}: {{$ref: "#/components/schemas/A{i + 1}"}}\n' for i in range(length))
    return "".join(links) + f"    A{length}: {last}\n"


def merging(levels: int = 30) -> str:
    """Mappings that each have the one before four times, twice by a merge key."""
    lines = (
        f"x-{i}: &m{i} {{<<: [*m{i - 1}, *m{i - 1}], k: [*m{i - 1}, *m{i - 1}]}}" for i in range(1, levels)
    )
    return "\n".join(["x-0: &m0 {a: b}", *lines, ""])


def required(levels: int = 30, width: int = 10) -> str:
    """Objects of ten required objects each, thirty levels down."""

    def one(level: int) -> str:
        names = [f"p{i}" for i in range(width)]
        reference = f'{{$ref: "#/components/schemas/A{level + 1}"}}'
        members = ", ".join(f"{name}: {reference}" for name in names)
        return f"    A{level}: {{type: object, required: [{', '.join(names)}], properties: {{{members}}}}}\n"

    return "".join(map(one, range(levels))) + f"    A{levels}: {{type: string}}\n"


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
    "a list as paths": (HEAD + "paths: []\n", "D111", "1:1"),
    "a text as paths": (HEAD + "paths: none\n", "D111", "1:1"),
    "a long version": (f"openapi: '{'3.' * 50_000}'\n", "D111", "1:1"),
    "an infinite number": (HEAD + PING + "x-most: .inf\n", "D109", ""),
    "no number": (HEAD + PING + "x-most: .nan\n", "D109", ""),
    "a number that no float holds": (HEAD + PING + f"x-most: {'9' * 400}\n", "D109", ""),
    "a list as key": (HEAD + PING + "? [a, b]\n: c\n", "D110", ""),
    "a bomb of merge keys": (HEAD + PING + merging(), "D108", r"\d+:\d+"),
    "UTF-32": ((HEAD + PING).encode("utf-32"), "D103", ""),
    "overlong UTF-8": (HEAD.encode() + b"x-a: \xc0\xaf\n", "D103", ""),
    "half a pair of surrogates": (HEAD.replace("title: t", r'title: "\ud800"') + PING, "D106", r"2:\d+"),
    "a million digits": (HEAD + PING + f"x-most: {'9' * 1_000_000}\n", "D109", ""),
    "an exponent of nine digits": (HEAD + PING + "x-most: 1e999999999\n", "D109", ""),
}  # fmt: skip

# The same of what is served all the same
FORGIVEN: dict[str, tuple[str | bytes, str, str]] = {
    "a version to come": ("openapi: 4.0.0\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", r"1:10"),
    "a version gone": ("swagger: '1.2'\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", r"1:10"),
    "a number as version": ("swagger: 2.0\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", r"1:10"),
    "a list as version": ("openapi: [3, 0, 3]\ninfo: {title: t, version: '1'}\npaths: {}\n", "D112", r"1:10"),
    "a text as info": ("openapi: 3.0.3\ninfo: t\npaths: {}\n", "D311", r"2:\d+"),
    "no info": ("openapi: 3.0.3\npaths: {}\n", "D312", r"1:1"),
    "a path without a slash": (HEAD + PING.replace("/ping", "ping"), "D314", r"3:\d+"),
    "an operation without responses": (HEAD + "paths: {/ping: {get: {}}}\n", "D312", r"3:\d+"),
    "a number as operation": (HEAD + "paths: {/ping: {get: 1}}\n", "D311", r"3:\d+"),
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
    "a device": (referring("/dev/zero"), "D203", r"6:\d+"),
    "the process's own environment": (referring("/proc/self/environ"), "D203", r"6:\d+"),
    "an address that is none": (referring("http://[::1"), "D201", r"6:\d+"),
    "a name and a password in a URI": (referring("http://me:secret@127.0.0.1:9/a.yaml"), "D202", r"6:\d+"),
    "a share of another machine": (referring("//127.0.0.1/share/a.yaml"), "D202", r"6:\d+"),
    "our own base, climbed out of": (
        referring("https://files.mockserver.invalid/../../../etc/passwd"),
        "D203",
        r"6:\d+",
    ),
    "an archive in a URI": (referring("jar:file:///etc/passwd!/x"), "D203", r"6:\d+"),
    "a circle of 2,000 references": (schemas(chain(2_000, closed=True)), "D205", r"\d+:\d+"),
    "a path that is itself": (HEAD + 'paths: {/a: {$ref: "#/paths/~1a"}}\n', "D205", r"3:\d+"),
    "a length that no float holds exactly": (
        schemas(f"    A: {{type: string, minLength: {10**30}}}\n"),
        "D503",
        r"6:\d+",
    ),
    "wrong types everywhere": (
        schemas("    A: {type: 1, properties: 3, required: yes, enum: {}, items: 5, allOf: {}}\n"),
        "D503",
        r"6:\d+",
    ),
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
    "a language's own tag": HEAD + PING + "x-t: !!python/object/apply:os.system ['exit 1']\n",
    "keys given twice": HEAD + PING + PING,
    "a megabyte as key": HEAD + PING + f"x-a: {{? {'k' * 1_000_000}\n: 1}}\n",
    "a chain of 5,000 references": answering(chain(5_000)),
    "a schema that is itself": answering('    A0: {allOf: [{$ref: "#/components/schemas/A0"}]}\n'),
    "a text of a gigabyte": answering("    A0: {type: string, minLength: 1000000000}\n"),
    "a hundred million items": answering(
        "    A0: {type: array, minItems: 100000000, items: {type: string}}\n"
    ),
    "ten to the thirty objects": answering(required()),
    "a billion laughs by allOf": answering(laughs("allOf")),
    "a billion laughs by oneOf": answering(laughs("oneOf")),
    "a billion laughs by anyOf": answering(laughs("anyOf"), "3.1.0"),
    "50,000 choices": answering(
        f"    A0: {{type: string, enum: [{', '.join(f'e{i}' for i in range(50_000))}]}}\n"
    ),
    "a pattern of a billion letters": answering(
        "    A0: {type: string, pattern: '^(((a{1000}){1000}){1000})$'}\n"
    ),
    "a server that refers to itself": HEAD
    + "servers: [{url: 'http://{a}{b}', variables: {a: {default: '{b}'}, b: {default: '{a}'}}}]\n"
    + PING,
    "a dialect on another host": answering(
        "    A0: {$schema: 'http://127.0.0.1:9/x', type: string}\n", "3.1.0"
    ),
}


def beside_a_secret(folder: Path) -> Path:
    """A folder to serve from, beside one that must not be read."""
    outside = folder / "outside"
    outside.mkdir()
    (outside / "secret.yaml").write_text(f"type: string\nexample: {SECRET}\n")
    inside = folder / "inside"
    (inside / "sub").mkdir(parents=True)
    (inside / "link.yaml").symlink_to(outside / "secret.yaml")
    (inside / "linked").symlink_to(outside)
    return inside
