"""The main command: its subcommands, which are imported when called, its exit codes and shell completion."""

from __future__ import annotations

import importlib
import sys
from keyword import iskeyword

import click
from click.shell_completion import get_completion_class

from mockserver import __version__
from mockserver.cli.report import echo, print_compile_error
from mockserver.diagnostics import CompileError, MockServerError, OptionError

COMMANDS = {
    "serve": "Serve a document and its scenarios.",
    "check": "Check documents and scenario files.",
    "routes": "List operations and what responds to them.",
    "example": "Write the files of the example into a folder.",
    "init": "Write a first scenario file for a document.",
    "scenarios": "Draw a scenario file; print the JSON Schema of the format.",
    "explain": "Explain a diagnostic code.",
    "health": "Check that a running server is ready.",
    "push": "Send documents and scenario files to a running server.",
    "import": "Convert files of WireMock or a command of Prism.",
    "completion": "Print the completion script for a shell.",
}
"""Name → one line of help."""
_MODULES = {
    "serve": "serve",
    "check": "inspect",
    "routes": "inspect",
    "example": "init",
    "init": "init",
    "scenarios": "inspect",
    "explain": "inspect",
    "health": "health",
    "push": "push",
    "import": "init",
    "completion": "commands",
}
"""Name → the module of this package; the function has the same name."""


class _Lazy(click.Group):
    """A group that imports the module of a command only when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return a command, or None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        name = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        module = importlib.import_module(f"mockserver.cli.{_MODULES[cmd_name]}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing their modules."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="mockserver")
def cli() -> None:
    """An OpenAPI-driven mock server with a scenario engine.

    \b
    mockserver serve                            serve the example on http://127.0.0.1:8080
    mockserver serve openapi.yaml               serve your document
    mockserver init openapi.yaml                write a first scenario file to scenarios/
    mockserver check openapi.yaml --scenarios scenarios/
    mockserver serve openapi.yaml --scenarios scenarios/ --watch

    While the server runs, http://127.0.0.1:8080/__admin/ shows calls, resources and the clock. COMMAND
    --help lists the options of a command and their environment variables.

    Exit code: 0 if the command succeeds, 1 if it fails, 2 if its inputs or its command line are wrong.
    """


def main() -> None:
    """Run the command line and exit with its code."""
    try:
        code = cli(standalone_mode=False, prog_name="mockserver")
    except click.exceptions.Abort:
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except CompileError as error:
        print_compile_error(error)
        sys.exit(2)
    except MockServerError as error:
        echo(f"mockserver: {error}", err=True)
        sys.exit(2 if isinstance(error, OptionError) else 1)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    sys.exit(code if isinstance(code, int) else 0)


_COMPLETION_SETUP = """\b
    bash  eval "$(mockserver completion bash)"                                      in ~/.bashrc
    zsh   eval "$(mockserver completion zsh)"                                       in ~/.zshrc
    fish  mockserver completion fish > ~/.config/fish/completions/mockserver.fish
"""


@click.command(
    help=f"Print the completion script for SHELL. Load it when the shell starts:\n\n{_COMPLETION_SETUP}",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(context.find_root().command, {}, "mockserver", "_MOCKSERVER_COMPLETE").source())
