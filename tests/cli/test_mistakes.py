"""Scenario files with mistakes: every one is told, at its place, in one run, and nothing is served."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import pytest

from mockserver import inputs
from tests.cli.command import run

TEN = """\
resource: certificate-request
key: path.requestld
operations:
  poll: GET /api/v1/cert-manager/certificates/certificate-requests/{requestId}
  cancel: DELETE /api/v1/cert-manager/certificates/certificate-requests/{requestId}
states:
  pending: {body: {status: waiting}}
  issued: {body: {status: issued, certificat: "{{ x509.certificate }}"}}
  failed: {body: {status: failed, errorMessage: "{{ oops"}}
  gone: {status: 410}
  broken: {sttus: 500}
scenarios:
  issued: [pending: 2, isued]
  slow: [pending: soon, issued]
  failed: [failed, pending]
select:
  - scenario: isued
"""
FOUND = {
    "S207": (2, 6),
    "S206": (5, 11),
    "S503": (7, 28),
    "S311": (8, 35),
    "S312": (9, 49),
    "S307": (10, 18),
    "S201": (11, 12),
    "S203": (13, 24),
    "S302": (14, 19),
    "S304": (15, 20),
    "S402": (17, 15),
}


def served(folder: Path, scenarios: str) -> tuple[int, str]:
    (folder / "mistaken.yaml").write_text(scenarios)
    ran = run(
        "serve", inputs.DOCUMENT, "--scenarios", "mistaken.yaml", "--port", "0", "--no-cache", folder=folder
    )
    assert ran.code == 2 or " answers on http://" in ran.out
    return ran.code, ran.err


def test_every_mistake_is_told_with_its_place_and_a_remedy(tmp_path: Path) -> None:
    code, err = served(tmp_path, TEN)
    assert code == 2
    found = re.findall(r"^mistaken\.yaml:(\d+):(\d+): error (\S+): .+\n    .+", err, re.MULTILINE)
    assert {code: (int(line), int(column)) for line, column, code in found} == FOUND
    assert len(found) == len(FOUND) >= 10
    assert err.endswith(f"{len(FOUND)} errors; nothing is served.\n")


# An answer that would take a server down is a diagnostic of its state
DEADLY = {
    "status 0": ("{status: 0}", "S306"),
    "status 99": ("{status: 99}", "S306"),
    "status 1000": ("{status: 1000}", "S306"),
    "status 65535": ("{status: 65535}", "S306"),
    "status -200": ("{status: -200}", "S306"),
    "status true": ("{status: true}", "S306"),
    "status 200.5": ("{status: 200.5}", "S306"),
    "a text as status": ('{status: "404"}', "S306"),
    "a line break in a header": ('{headers: {X-A: "a\\r\\nX-B: b"}}', "S308"),
    "a line feed in a header": ('{headers: {X-A: "a\\nb"}}', "S308"),
    "a NUL in a header": ('{headers: {X-A: "a\\0b"}}', "S308"),
    "a line break in a header's name": ('{headers: {"X-A\\r\\nX-B": b}}', "S308"),
    "an empty header name": ('{headers: {"": b}}', "S308"),
    "a header that frames": ("{headers: {Content-Length: 1}}", "S308"),
    "a header without Latin-1": ('{headers: {X-A: "☃"}}', "S308"),
    "2,000 headers": (f"{{headers: {{{', '.join(f'X-{n}: a' for n in range(2_000))}}}}}", "S308"),
    "a delay without end": ("{delay: -1s}", "S302"),
    "a template that loops": ('{headers: {X-A: "{{ range(10**12) | list }}"}}', "S501"),
}


@pytest.mark.parametrize("rehearsed", [False, True])  # which is done where nothing else is wrong
def test_responses_that_stop_the_compiler_are_diagnostics(rehearsed: bool, tmp_path: Path) -> None:
    deadly = [each for each in DEADLY.values() if (each[1] == "S501") is rehearsed]
    head, operation = TEN.splitlines()[0], TEN.splitlines()[3]
    states = [f"  deadly-{i}: {state}\n" for i, (state, _) in enumerate(deadly)]
    names = [f"deadly-{i}" for i in range(len(states))]
    code, err = served(
        tmp_path,
        f"{head}\nkey: path.requestId\noperations:\n{operation}\n"
        f"states:\n{''.join(states)}scenarios:\n  deadly: [{': 1, '.join(names)}]\n",
    )
    assert code == 2, err
    found = {
        int(line): told
        for line, told in re.findall(r"^mistaken\.yaml:(\d+):\d+: error (\w+): .+\n    .+", err, re.MULTILINE)
    }
    assert found == {6 + i: wanted for i, (_, wanted) in enumerate(deadly)}, err


def test_a_port_that_is_taken_is_told_in_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = run("serve", "--port", str(port), "--no-cache")
    assert (ran.code, ran.out) == (1, "")
    assert re.fullmatch(rf"mockserver: port {port} on 127\.0\.0\.1 is in use; .+\.\n", ran.err), ran.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("serve", "--clock", "yesterday"), 1, "--clock"),
        (("serve", "--host", "no.such.host.invalid", "--no-admin"), 1, "no.such.host.invalid"),
        (("serve", "--port", "70000"), 2, "--port"),
        (("serve", "--nonsense"), 2, "--nonsense"),
        (("serve", "--max-head", "255"), 2, "255 is not in the range 256<=x<=16777216"),
        (("serve", "--max-headers", "many"), 2, "--max-headers"),
        (
            ("serve", "--max-target", "2000", "--max-head", "1000"),
            1,
            "Lower --max-target or raise --max-head",
        ),
        (("serve", "--max-unfinished", "9999"), 1, "Use 10551296 or more"),
        (("serve", "--head-timeout", "soon"), 1, "--head-timeout: 'soon' is not a duration such as 200ms"),
        (("serve", "--body-timeout", "0s"), 1, "--body-timeout 0s is out of range. Use 100ms to 1d"),
        (("serve", "--idle-timeout", "2d"), 1, "--idle-timeout 2d is out of range"),
        (("sreve",), 2, "sreve"),
        (("check", "--format", "xml"), 2, "--format"),
        (("explain", "X1"), 1, "X1"),
        (("completion", "tcsh"), 2, "tcsh"),
    ],
)
def test_wrong_command_lines_are_reported(arguments: tuple[str, ...], code: int, told: str) -> None:
    ran = run(*arguments)
    assert (ran.code, ran.out) == (code, "")
    assert told in ran.err
