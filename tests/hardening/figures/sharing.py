"""Shared state is exact: clients on one loop, racers on one transition, control requests at once."""

from __future__ import annotations

import resource
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.connections import Answer, race, request
from tests.redis import Redis
from tests.verdict import Verdict
from tests.workers import Line, Workers

STATES = ("one", "two", "three", "four")
_PATIENCE = 600.0


def run(
    clients: int = 8,
    calls: int = 10_000,
    racers: int = 1000,
    controls: int = 500,
    replicas: Sequence[int] = (1, 3),
) -> Verdict:
    """``clients`` × ``calls`` on one loop, ``racers`` on one transition, ``controls`` at once, each."""
    verdict = Verdict("State that is shared is exact")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # a racer is a connection; servers inherit it
    try:
        with Redis() as redis, tempfile.TemporaryDirectory() as folder:
            for count in replicas:
                with ExitStack() as stack:
                    servers = [
                        stack.enter_context(Workers(redis.url, f"replicas-{count}", Path(folder), workers=1))
                        for _ in range(count)
                    ]
                    _judge(verdict, [server.port for server in servers], clients, calls, racers, controls)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return verdict


def _judge(
    verdict: Verdict, ports: Sequence[int], clients: int, calls: int, racers: int, controls: int
) -> None:
    who = f"{len(ports)} replica{'s' if len(ports) > 1 else ''}"
    began = time.monotonic()
    counted = _states(race(ports, [[request("GET", "/loops/all")] * calls] * clients, _PATIENCE))
    seconds = time.monotonic() - began
    total = clients * calls
    verdict.hold(
        counted == dict.fromkeys(STATES, total // 4),
        f"{who}: {clients} clients × {calls:,} requests on one loop: {_told(counted)}",
    )
    verdict.say(f"{who}: {total / seconds:,.0f} requests/s, client and Redis on the same machine")
    for port in ports:
        line = Line(port)
        journal = line.ask("GET", "/__admin/namespaces/default").json()["journal"]
        line.socket.close()
        seen = journal["calls"] + journal["lost"]
        verdict.hold(seen == total, f"{who}: the journal by port {port} tells of {seen:,} calls")

    counted = _states(race(ports, [[request("GET", "/loops/once-all")]] * racers, _PATIENCE))
    verdict.hold(
        counted == {"one": 1, "two": racers - 1},
        f"{who}: {racers:,} racers on one transition: {_told(counted)}",
    )

    body = b'{"state": "three"}'
    works = [[request("PUT", f"/__admin/resources/loop/put-{key}", body)] for key in range(controls)]
    done = Counter(response.status for [response] in race(ports, works, _PATIENCE))
    wanted = {f"put-{key}" for key in range(controls)}
    for port in ports:
        line = Line(port)
        found = line.ask("GET", f"/__admin/resources?key=put-*&limit={controls}").json()["resources"]
        line.socket.close()
        present = sum(each["state"] == "three" for each in found)
        verdict.hold(
            {each["key"] for each in found} == wanted and present == controls and done == {200: controls},
            f"{who}: {controls} control requests at once: {done[200]} done, {present} told by port {port}",
        )


def _states(told: list[list[Answer]]) -> dict[str, int]:
    found = Counter(
        response.body.rpartition(b'"state":"')[2].partition(b'"')[0].decode()
        for each in told
        for response in each
    )
    return dict(found)


def _told(counted: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {state or 'of no state'}" for state, count in sorted(counted.items()))
