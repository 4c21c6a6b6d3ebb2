"""Raw HTTP probes: no crash, no 500 of ours; framing that can be read in two ways and bad hosts are 400.

Each probe is put to ``mockserver serve`` with the default document, whole and
byte by byte, and to a handler that echoes what it understood, as the table
expects it. Both sides have the same connection, so that what one refuses the
other must; what is read is answered by the engine.
"""

from __future__ import annotations

import re
import signal

from tests.hardening.probes import PROBES, hosts, smuggling
from tests.hardening.probes.asking import Told, ask, sentence
from tests.hardening.probes.probe import LIMITS, Probe, echo
from tests.live import get, serving
from tests.measured import MEBI, Served, served
from tests.verdict import Verdict

WANTED = 300
_OPTIONS = (
    f"--max-head={LIMITS.head}",
    f"--max-headers={LIMITS.headers}",
    f"--max-target={LIMITS.target}",
    f"--max-body={LIMITS.body}",
    "--hosts=*",  # as the echoing server, which serves every host
)


def run() -> Verdict:
    verdict = Verdict(f"Raw HTTP probes ({WANTED} are wanted)")
    verdict.hold(len(PROBES) >= WANTED, f"there are {len(PROBES)} probes, each of its own octets")
    with served(*_OPTIONS) as server, serving(echo, limits=LIMITS) as echoing:
        told = {probe.name: ask(echoing.port, probe) for probe in PROBES}
        odd = [
            name
            for name, probe in _by_name().items()
            if not re.fullmatch(probe.expected, sentence(told[name]))
        ]
        verdict.hold(not odd, f"{len(PROBES) - len(odd)} are answered as the table has it{_listed(odd)}")
        get(server.port, "/__admin/requests")  # has the control plane made, which some of the probes ask for
        descriptors, memory = server.descriptors, server.memory
        for in_pieces in (False, True):
            _put(verdict, server, told, in_pieces=in_pieces)
        verdict.hold(server.lives, "the process lives")
        back = server.comes_back_to(descriptors)
        verdict.hold(back, f"descriptors: {descriptors} before, {server.descriptors} after")
        verdict.say(f"memory: {memory / MEBI:.0f} MiB before, {server.memory / MEBI:.0f} MiB after")
        code, errors = server.stop(signal.SIGTERM)
        verdict.hold(
            code == 0 and not errors, f"it ends with {code} and told on standard error: {errors or 'nothing'}"
        )
    return verdict


def _put(verdict: Verdict, server: Served, expected: dict[str, list[Told]], *, in_pieces: bool) -> None:
    differ, faults, failing, refused = [], [], [], 0
    strict = [probe.name for probe in (*hosts.PROBES, *smuggling.PROBES) if probe.expected.startswith("400")]
    for name, probe in _by_name().items():
        told = ask(server.port, probe, in_pieces=in_pieces)
        if _refusals(told) != _refusals(expected[name]):
            differ.append(name)
        if any(each.status >= 500 and not each.refuses for each in told):
            faults.append(name)
        refused += name in strict and [each.status for each in told] == [400]
        if get(server.port, "/__admin/health").status != 200:
            failing.append(name)
    how = "byte by byte" if in_pieces else "whole"
    same = len(PROBES) - len(differ)
    verdict.hold(not differ, f"{how}: {same} have as many answers, and the same refused{_listed(differ)}")
    verdict.hold(not faults, f"{how}: {len(faults)} were answered by a 5xx of the engine{_listed(faults)}")
    verdict.hold(
        refused == len(strict),
        f"{how}: {refused} of {len(strict)} with a missing, second or bad Host, or two framings, are 400",
    )
    verdict.hold(not failing, f"{how}: after each the next client was served{_listed(failing)}")


def _by_name() -> dict[str, Probe]:
    return {probe.name: probe for probe in PROBES}


def _refusals(told: list[Told]) -> list[int]:
    """One number an answer: the status of those that the connection gave."""
    return [each.status if each.refuses else 0 for each in told if each.status != 100]


def _listed(names: list[str]) -> str:
    return f": {', '.join(names[:10])}{' …' if len(names) > 10 else ''}" if names else ""
