"""The command line: ``python -m benchmarks``, what ``make bench`` runs."""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from benchmarks import (
    answers,
    bodies,
    budgets,
    data,
    first_requests,
    many,
    packages,
    polls,
    report,
    sharing,
    starts,
    trial,
)
from benchmarks.bench import CORPUS, Bench
from benchmarks.budgets import Budget
from benchmarks.peers import SERVERS, Server
from benchmarks.process import LOAD_CORE, pin
from benchmarks.trial import Results

RESULTS = Path(__file__).parent / "results"
TRIALS = {
    "polls": polls.trials,
    "answers": answers.trials,
    "bodies": bodies.trials,
    "data": data.trials,
    "sharing": sharing.trials,
}
ROUNDS = {"starts": starts.run, "first-requests": first_requests.run}
PARTS = ("polls", "answers", "bodies", "data", "starts", "first-requests", "many", "sharing")


@click.command()
@click.option("--only", default=",".join(SERVERS), help="Servers to run, comma-separated.", show_default=True)
@click.option("--seconds", default=5, show_default=True, help="Length of each measured load.")
@click.option("--connections", default=16, show_default=True, help="Connections that the load keeps open.")
@click.option("--repeat", default=3, show_default=True, help="Rounds; their medians are reported.")
@click.option(
    "--keys",
    multiple=True,
    type=click.IntRange(min=2000),
    default=(10_000, 100_000, 300_000, 1_000_000),
    show_default=True,
    help="Numbers of keys at which to look at the memory they take; may be given several times.",
)
@click.option(
    "--part", "chosen", type=click.Choice(PARTS), multiple=True, help="Parts to run.  [default: all]"
)
@click.option(
    "--documents", type=click.Path(path_type=Path), default=CORPUS, help="Folder of published documents."
)
def main(
    only: str,
    seconds: int,
    connections: int,
    repeat: int,
    keys: tuple[int, ...],
    chosen: tuple[str, ...],
    documents: Path,
) -> None:
    """Measure this mock server next to its peers and hold the ratios against the budgets."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    if unknown := set(names) - set(SERVERS):
        raise click.UsageError(
            f"No such server: {', '.join(sorted(unknown))}; there are {', '.join(SERVERS)}."
        )
    parts = [part for part in PARTS if part in chosen or not chosen]
    # In the table's order: ours first, whose answers nginx and WireMock then give.
    servers = [server for name, server in SERVERS.items() if name in names]
    is_whole = parts == list(PARTS) and servers == list(SERVERS.values())
    try:
        packages.provide(servers, redis="sharing" in parts, chart=is_whole)
    except packages.MissingError as reason:
        raise click.ClickException(str(reason)) from reason

    pin(LOAD_CORE)
    RESULTS.mkdir(exist_ok=True)
    found: dict[str, Results] = {}
    judged: list[Budget] = []
    with tempfile.TemporaryDirectory(prefix="benchmarks-") as folder:
        bench = Bench(Path(folder), RESULTS / "logs", documents, seconds, connections, repeat, _say)
        click.echo(report.conditions(bench))
        for part in parts:
            found[part] = Results()
            _measure(part, bench, servers, sorted(keys), found[part])
            budgets_of_part = budgets.judge(part, found[part])
            judged += budgets_of_part
            click.echo(report.markdown(part, found[part], budgets_of_part))
    faults = any(results.faults for results in found.values())
    is_whole = is_whole and not faults
    written = RESULTS / ("latest.json" if is_whole else "partial.json")
    written.write_text(json.dumps(report.record(bench, found, judged), indent=2) + "\n")
    _say(f"Written to {written}")
    if is_whole:
        from benchmarks import plot  # matplotlib, which the environment may do without

        plot.draw({name: load for results in found.values() for name, load in results.loads.items()})
    else:
        _say("Not all parts and servers ran without a fault: the chart stays as it is.")
    if faults:
        sys.exit(1)


def _measure(
    part: str, bench: Bench, servers: Sequence[Server], keys: Sequence[int], results: Results
) -> None:
    """All rounds of a part."""
    if part in ROUNDS:
        rounds = [partial(ROUNDS[part], bench, servers, results)]
    else:
        made = many.trials(bench, servers, keys) if part == "many" else TRIALS[part](bench, servers)
        rounds = [partial(trial.run, each, bench, results) for each in made]
    for number in range(1, bench.rounds + 1):
        for each in rounds:
            each(number)


def _say(text: str) -> None:
    click.echo(text, err=True)


if __name__ == "__main__":
    main()
