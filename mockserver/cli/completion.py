"""``mockserver completion``: what a shell needs to complete commands, options and files."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

_WAYS = """\b
    bash  eval "$(mockserver completion bash)"                                      in ~/.bashrc
    zsh   eval "$(mockserver completion zsh)"                                       in ~/.zshrc
    fish  mockserver completion fish > ~/.config/fish/completions/mockserver.fish
"""


@click.command(
    help=f"Print the completion script for SHELL. Load it when the shell starts:\n\n{_WAYS}",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """See the help of the command."""
    found = get_completion_class(shell)
    if found is not None:
        click.echo(found(context.find_root().command, {}, "mockserver", "_MOCKSERVER_COMPLETE").source())
