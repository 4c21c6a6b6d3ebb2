"""The command line: ``python -m benchmarks``, what ``make bench`` runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from benchmarks import budgets, mission, packages, report
from benchmarks.peers import SERVERS

RESULTS = Path(__file__).parent / "results"


@click.command()
@click.option("--only", default=",".join(SERVERS), help="Servers to run, comma-separated.", show_default=True)
@click.option("--seconds", default=5, show_default=True, help="Length of each measured load.")
@click.option("--connections", default=16, show_default=True, help="Connections that the load keeps open.")
@click.option("--repeat", default=3, show_default=True, help="Rounds; the medians are reported.")
@click.option("--keys", default=100_000, show_default=True, help="Keys added to see the memory they take.")
def main(only: str, seconds: int, connections: int, repeat: int, keys: int) -> None:
    """Measure this mock server next to its peers and hold the ratios against the budgets."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(names) - set(SERVERS):
        raise click.UsageError(
            f"No such server: {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}."
        )
    # In the table's order: ours first, whose answer nginx and WireMock then give.
    servers = [server for name, server in SERVERS.items() if name in names]
    try:
        packages.provide(servers)
    except packages.MissingError as reason:
        raise click.ClickException(str(reason)) from reason

    plan = mission.Plan(seconds=seconds, connections=connections, rounds=repeat, further_keys=keys)
    outcome = mission.run(servers, plan, logs=RESULTS / "logs", say=lambda text: click.echo(text, err=True))
    judged = budgets.judge(outcome)

    RESULTS.mkdir(exist_ok=True)
    latest = RESULTS / "latest.json"
    latest.write_text(json.dumps(report.record(outcome, judged), indent=2) + "\n")
    click.echo(report.markdown(outcome, judged))
    click.echo(f"Written to {latest}", err=True)
    if outcome.failures:
        sys.exit(1)


if __name__ == "__main__":
    main()
