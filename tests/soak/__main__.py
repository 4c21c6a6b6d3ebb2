"""Hold the server to exactness under load and faults: ``python -m tests.soak``; see ``--help``."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from tests.soak.report import report, write
from tests.soak.run import Run, Settings, run
from tests.verdict import Verdict

VERDICT = "verdict.json"


@click.command(context_settings={"show_default": True})
@click.option("--workers", default=Settings.workers, help="Processes of the server.")
@click.option("--connections", default=Settings.connections, help="Clients, each with one connection.")
@click.option(
    "--keys", default=Settings.keys, help="Resources that are polled, each by one client at a time."
)
@click.option("--polls", default=Settings.polls, help="Answers to them, all together.")
@click.option("--crowded", default=Settings.crowded, help="Further resources that all clients poll at once.")
@click.option("--restarts", default=Settings.restarts, help="How often Redis is killed and started again.")
@click.option("--kills", default=Settings.kills, help="How often a worker is killed.")
@click.option("--cuts", default=Settings.cuts, help="How often all connections to Redis are cut.")
@click.option(
    "--freezes", default=Settings.freezes, help="How often Redis is frozen until calls are refused."
)
@click.option("--down", default=Settings.down, type=click.Choice(["fail", "wait"]), help="As --store-down.")
@click.option("--timeout", default=Settings.timeout, metavar="MS", help="As --store-timeout.")
@click.option("--seed", default=Settings.seed, help="Of the order in which keys are polled.")
@click.option(
    "--out", default="soak", type=click.Path(path_type=Path, file_okay=False), help="Folder to write to."
)
def main(out: Path, **settings: Any) -> None:
    """Poll a server of several workers while Redis restarts and workers die, and judge every answer."""
    out.mkdir(parents=True, exist_ok=True)
    ran = run(Settings(**settings), out)
    command = "python -m tests.soak " + shlex.join(sys.argv[1:])
    said = report(ran, command.strip(), out)
    write(said, out / VERDICT)
    verdict = judged(ran, said["answered per second"])
    click.echo(f"{verdict}\nsee {out / VERDICT}")
    sys.exit(0 if verdict.met else 1)


def judged(ran: Run, rate: object) -> Verdict:
    """The lines that are printed, and whether every key had the exact sequence."""
    found = ran.judgement
    verdict = Verdict("Every key has the exact sequence, though Redis and workers fail")
    outcomes = ", ".join(f"{count:,} {name}" for name, count in found.outcomes.most_common())
    verdict.say(f"{found.keys:,} keys, {outcomes}; {rate} answers/s")
    for fault in ran.faults:
        verdict.say(f"after {fault.at:,} answers: {fault.what} ({fault.seconds:.1f} s)")
    verdict.hold(found.exact, f"{len(found.violations)} violations {found.kinds or ''}".rstrip())
    return verdict


if __name__ == "__main__":
    main()
