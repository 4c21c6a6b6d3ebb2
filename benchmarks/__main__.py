"""The command line: ``python -m benchmarks``, what ``make bench`` runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from benchmarks import budgets, documents, mission, packages, report, sharing
from benchmarks.peers import SERVERS

RESULTS = Path(__file__).parent / "results"
PARTS = ("mission", "documents", "sharing")


@click.command()
@click.option("--only", default=",".join(SERVERS), help="Servers to run, comma-separated.", show_default=True)
@click.option("--seconds", default=5, show_default=True, help="Length of each measured load.")
@click.option("--connections", default=16, show_default=True, help="Connections that the load keeps open.")
@click.option("--repeat", default=3, show_default=True, help="Rounds; the medians are reported.")
@click.option(
    "--keys",
    multiple=True,
    type=int,
    default=(10_000, 100_000, 300_000, 999_000),
    show_default=True,
    help="Keys added to see the memory they take; may be given several times.",
)
@click.option(
    "--part",
    type=click.Choice(["all", *PARTS]),
    default="all",
    show_default=True,
    help="The mission's document, documents of many operations, or state shared on Redis.",
)
def main(only: str, seconds: int, connections: int, repeat: int, keys: tuple[int, ...], part: str) -> None:
    """Measure this mock server next to its peers and hold the ratios against the budgets."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(names) - set(SERVERS):
        raise click.UsageError(
            f"No such server: {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}."
        )
    # In the table's order: ours first, whose answer nginx and WireMock then give.
    servers = [server for name, server in SERVERS.items() if name in names]
    try:
        packages.provide(servers, redis=part in ("all", "sharing"))
    except packages.MissingError as reason:
        raise click.ClickException(str(reason)) from reason

    RESULTS.mkdir(exist_ok=True)
    failed = False
    if part in ("all", "mission"):
        plan = mission.Plan(
            seconds=seconds, connections=connections, rounds=repeat, further_keys=tuple(sorted(keys))
        )
        outcome = mission.run(servers, plan, logs=RESULTS / "logs", say=_say)
        judged = budgets.judge(outcome)
        _tell("latest.json", report.record(outcome, judged), report.markdown(outcome, judged))
        from benchmarks import plot  # matplotlib, which the environment may do without

        plot.draw(RESULTS / "latest.json")
        failed = bool(outcome.failures)
    if part in ("all", "documents"):
        found = documents.run(
            servers,
            seconds=seconds,
            connections=connections,
            rounds=repeat,
            logs=RESULTS / "logs",
            say=_say,
        )
        judged = list(budgets.judge_documents(found))
        record, told = report.documents_record(found, judged), report.documents_markdown(found, judged)
        _tell("documents.json", record, told)
        failed = failed or bool(found.failures)
    if part in ("all", "sharing"):
        shared = sharing.run(
            seconds=seconds, connections=connections, rounds=repeat, logs=RESULTS / "logs", say=_say
        )
        _tell("sharing.json", report.sharing_record(shared), report.sharing_markdown(shared))
    if failed:
        sys.exit(1)


def _say(text: str) -> None:
    click.echo(text, err=True)


def _tell(name: str, record: dict[str, Any], told: str) -> None:
    latest = RESULTS / name
    latest.write_text(json.dumps(record, indent=2) + "\n")
    click.echo(told)
    _say(f"Written to {latest}")


if __name__ == "__main__":
    main()
