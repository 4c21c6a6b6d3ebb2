"""Convert a command line of Prism to ``mockserver serve``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mockserver.diagnostics import Diagnostic, Location, UsageError
from mockserver.migrate.stubs import Diagnostics

_PORT = "4010"
"""Default port of Prism."""
_SHORT = {"-p": "--port", "-h": "--host", "-d": "--dynamic", "-m": "--multiprocess", "-v": "--verboseLevel"}
_SWITCHES = frozenset(["--dynamic", "--errors", "--multiprocess", "--cors", "--ignoreExamples"])
_REMEDIES = {
    "--dynamic": "send `Prefer: dynamic=true`; without an example, responses are always generated.",
    "--errors": "remove it: a request that breaks the document is always rejected.",
    "--multiprocess": "remove it: one process is enough.",
    "--ignoreExamples": "send `Prefer: dynamic=true`.",
    "--json-schema-faker-fillProperties": "remove it: optional fields are always generated.",
    "--upstream-proxy": "remove it: requests are never forwarded.",
}
_LEVELS = {"silent": "error", "fatal": "error", "success": "info", "trace": "debug"}


def command(arguments: Sequence[str], found: Diagnostics) -> str:
    """Return the command line for ``prism mock …``. Report options without a counterpart.

    Raises UsageError for a command other than ``mock``.
    """
    words = _words(arguments)
    documents: list[str] = []
    options: dict[str, str] = {"--port": _PORT, "--cors": "*"}
    while words:
        word = words.pop(0)
        name, equals, value = _SHORT.get(word, word).partition("=")
        if not word.startswith("-"):
            documents.append(word)
            continue
        name, off = (f"--{name[5:]}", True) if name.startswith("--no-") else (name, False)
        if name in _SWITCHES:
            if not equals and words and words[0] in ("true", "false"):
                value = words.pop(0)
            off = off or value == "false"
        elif not equals and words:
            value = words.pop(0)
        _translate_option(name, value, off, options, found)
    if len(documents) != 1:
        raise UsageError("give the whole command: prism mock [OPTIONS] DOCUMENT.")
    given = [f"{option}={value}" if value.startswith("-") else f"{option} {shlex.quote(value)}"
             for option, value in options.items()]  # fmt: skip
    return " ".join(["mockserver serve", shlex.quote(documents[0]), *given])


def _words(arguments: Sequence[str]) -> list[str]:
    words = list(arguments)
    while words and words[0] in ("npx", "prism", "@stoplight/prism-cli"):
        words.pop(0)
    if words and words[0] == "proxy":
        raise UsageError("prism proxy has no counterpart: this server does not forward requests.")
    return words[1:] if words and words[0] == "mock" else words


def _translate_option(name: str, value: str, off: bool, options: dict[str, str], found: Diagnostics) -> None:
    match name:
        case "--port" | "--host" | "--seed":
            options[name] = value
        case "--cors":
            if off:
                del options["--cors"]
        case "--verboseLevel":
            options["--log-level"] = _LEVELS.get(value, value)
        case _:
            if not off:
                remedy = _REMEDIES.get(name, "see `mockserver serve --help`.")
                where = Location("prism")
                found.append(Diagnostic("M105", f"{name} has no counterpart", where, remedy, "warning"))
