"""Bytes that no polite client sends: answered by 4xx or a close, never by a crash or a 500 of ours."""

from __future__ import annotations

import re
import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mockserver.plan import Plan
from tests.hardening.probes import PROBES
from tests.hardening.probes.asking import ask, sentence
from tests.hardening.probes.probe import CLOSE, HOST, LENGTH, LIMITS, Probe, echo, post
from tests.live import Live, Wire, engine_of, get, serving, serving_engine


@pytest.fixture(scope="module")
def echoing() -> Iterator[Live]:
    with serving(echo, limits=LIMITS) as live:
        yield live


@pytest.fixture(scope="module")
def real(mission: Plan) -> Iterator[Live]:
    """The document and scenarios that are served by default."""
    with serving_engine(engine_of(mission), limits=LIMITS) as live:
        yield live


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_a_probe_is_answered_or_closed_and_the_next_client_is_served(echoing: Live, probe: Probe) -> None:
    told = sentence(ask(echoing.port, probe))
    assert re.fullmatch(probe.expected, told), told
    assert get(echoing.port, "/next").body == b"GET /next  0"


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_a_probe_byte_by_byte_is_answered_the_same(echoing: Live, probe: Probe) -> None:
    """The parser's events come in any grouping; long probes are cut into larger pieces."""
    told = sentence(ask(echoing.port, probe, in_pieces=True))
    assert re.fullmatch(probe.expected, told), told


@pytest.mark.parametrize("probe", PROBES, ids=[probe.name for probe in PROBES])
def test_the_engine_answers_what_is_read_and_never_by_a_fault(
    echoing: Live, real: Live, probe: Probe
) -> None:
    """What could not be read is refused as by any other handler; all else gets one answer of the engine's."""
    told = ask(real.port, probe)
    assert [each.status if each.refuses else 0 for each in told if each.status != 100] == [
        each.status if each.refuses else 0 for each in ask(echoing.port, probe) if each.status != 100
    ]
    assert [each for each in told if each.status >= 500 and not each.refuses] == []
    assert get(real.port, "/__admin/health").status == 200


def test_octets_of_whole_requests_do_not_count_for_the_head_that_follows_them(echoing: Live) -> None:
    """One piece that ends a head, has whole requests and begins a head: more than a head may have."""
    request = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
    many = 2 * LIMITS.head // len(request)
    with Wire(echoing.port) as wire:
        wire.send(request + request[:9])
        assert wire.reply().body == b"GET /a  0"
        wire.send(request[9:] + request * many + request[:9])
        assert {wire.reply().body for _ in range(1 + many)} == {b"GET /a  0"}
        wire.send(request[9:])
        assert wire.reply().body == b"GET /a  0"


def test_there_are_enough_probes() -> None:
    assert len({probe.name for probe in PROBES}) == len(PROBES) >= 300


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(PROBES).map(lambda probe: probe.sent[:3000]),
    st.lists(st.tuples(st.floats(0, 1), st.binary(max_size=4)), max_size=4),
)
def test_damaged_probes(echoing: Live, sent: bytes, damages: list[tuple[float, bytes]]) -> None:
    for place, noise in damages:
        start = int(place * len(sent))
        sent = sent[:start] + noise + sent[start + len(noise) :]
    with Wire(echoing.port) as wire:
        try:
            wire.send(sent)
            wire.finish()
        except OSError:
            pass
        for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", wire.rest()):
            assert status == b"501" or status == b"505" or status < b"500"
    assert get(echoing.port, "/next").status == 200


def test_a_refusal_reaches_a_client_that_is_still_sending(echoing: Live) -> None:
    with Wire(echoing.port) as wire:
        wire.send(post(LENGTH + b"50000000"))
        for _ in range(50):
            wire.send(b"x" * 20_000)
        assert wire.reply().status == 413


def test_a_reset_mid_body_harms_nobody(echoing: Live) -> None:
    for _ in range(20):
        with Wire(echoing.port) as wire:
            wire.send(post(LENGTH + b"10", body=b"he"))
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    assert get(echoing.port, "/next").status == 200


def test_a_client_that_leaves_during_a_delay_harms_nobody(echoing: Live) -> None:
    for _ in range(20):
        with Wire(echoing.port) as wire:
            wire.send(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n" * 2)
    assert get(echoing.port, "/next").status == 200


def test_a_batch_of_requests_with_half_a_request_at_its_end(echoing: Live) -> None:
    """What is complete in a read does not count as the head that is not."""
    one = b"GET /a HTTP/1.1\r\n" + HOST + b"\r\n"
    with Wire(echoing.port) as wire:
        wire.send(one * 500 + one[:20])
        for _ in range(500):
            assert wire.reply().status == 200
        wire.send(one[20:])
        assert wire.reply().status == 200


def test_hundreds_of_connections_at_once(echoing: Live) -> None:
    wires = [Wire(echoing.port) for _ in range(300)]
    for wire in wires:
        wire.send(b"GET /a HTTP/1.1\r\n" + CLOSE + b"\r\n")
    for wire in wires:
        assert wire.reply().status == 200
        wire.socket.close()
