"""The options of stateful data: what clients write to the resources of a document is what they read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from mockserver.cli.options import field
from mockserver.diagnostics import UsageError

_WORDS = {"on": "on", "true": "on", "yes": "on", "1": "on", "strict": "strict"}
_WORDS |= dict.fromkeys(("off", "false", "no", "0", ""), "off")


_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


def _mode(value: str) -> str:
    """Return on, off or strict; true and false are accepted too, for environment variables."""
    mode = _WORDS.get(value.lower())
    if mode is None:
        raise click.BadParameter(f"{value!r} is none of on, strict, off; write --stateful=strict.")
    return mode


class StatefulCommand(click.Command):
    """A command whose option ``--stateful`` needs no value: the next word is another argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["--stateful=on" if word == "--stateful" else word for word in args])


@dataclass(frozen=True, slots=True, kw_only=True)
class StatefulOptions:
    """What the server does with the data that clients write."""

    stateful: str = field(
        "off",
        "Store what clients create, change and delete, so that later requests read it. The resources are "
        "inferred from the document; `mockserver routes --stateful` lists them. strict: refuse a request "
        "that names a key of another resource that does not exist.",
        type=_mode,
        metavar="[on|strict|off]",
    )

    seed_data: Path | None = field(  # noqa: RUF009 - it calls dataclasses.field
        None,
        "Folder of the data that resources have at first: pets.yaml is a list of the bodies of /pets. The "
        "default is the examples of the document.",
        type=_FOLDER,
        metavar="DIR",
    )
    seed_examples: bool = field(True, "Use the examples of the document as the data at first.")

    def check(self) -> None:
        """Check the options. Raise UsageError for an invalid combination."""
        if self.seed_data is not None and not self.is_stateful:
            raise UsageError("--seed-data needs --stateful.")

    @property
    def is_stateful(self) -> bool:
        """Whether data is stored."""
        return self.stateful != "off"
