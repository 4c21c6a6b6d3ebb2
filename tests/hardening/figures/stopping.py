"""SIGTERM: an idle server ends within a second, a busy one answers what is in flight, both by code 0."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.live import MISSION, Wire
from tests.measured import Served, served, until
from tests.verdict import Verdict

SECONDS = 1.0
ROUNDS, IN_FLIGHT, IDLE = 5, 10, 100
_DELAY = 1.0
_HEAD = (
    f"GET {MISSION}/00000000-0000-4000-8000-000000000200 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n"
)
_ASKED = f"{_HEAD}\r\n".encode()
_WITH_BODY = f"{_HEAD}Content-Length: 10\r\n\r\nhello".encode()


def run() -> Verdict:
    verdict = Verdict("SIGTERM")
    with TemporaryDirectory() as made:
        cache = Path(made)
        _hold_idle(verdict, cache)
        _hold_busy(verdict, cache)
    return verdict


def _hold_idle(verdict: Verdict, cache: Path) -> None:
    for name, number, idle in (
        ("without a client", signal.SIGTERM, 0),
        (f"with {IDLE} idle connections", signal.SIGTERM, IDLE),
        (f"with {IDLE} idle connections, by SIGINT", signal.SIGINT, IDLE),
    ):
        rounds = [_stop_idle(number, idle, cache) for _ in range(ROUNDS)]
        slowest = max(seconds for seconds, _ in rounds)
        codes = {code for _, code in rounds}
        verdict.hold(
            slowest <= SECONDS and codes == {0},
            f"idle, {name}: ends within {slowest:.2f} s, by code {codes}; the slowest of {ROUNDS}",
        )


def _hold_busy(verdict: Verdict, cache: Path) -> None:
    for name, sent, rest in (
        ("that wait for their answers", _ASKED, b""),
        ("whose bodies are arriving", _WITH_BODY, b"world"),
    ):
        answered = [_stop_busy(sent, rest, cache) for _ in range(ROUNDS)]
        least, codes = min(served for served, _ in answered), {code for _, code in answered}
        verdict.hold(
            least == IN_FLIGHT and codes == {0},
            f"in flight, {name}: {least} of {IN_FLIGHT} are answered 200, by code {codes}; worst of {ROUNDS}",
        )


def _stop_idle(number: signal.Signals, idle: int, cache: Path) -> tuple[float, int]:
    with served(cache=cache) as server:
        wires = [Wire(server.port) for _ in range(idle)]
        for wire in wires:
            wire.send(_ASKED)
            wire.reply()
        began = time.perf_counter()
        code, _ = server.stop(number)
        seconds = time.perf_counter() - began
        for wire in wires:
            wire.socket.close()
        return seconds, code


def _stop_busy(sent: bytes, rest: bytes, cache: Path) -> tuple[int, int]:
    """How many of the requests in flight were answered, and the exit code."""
    with served(f"--delay={_DELAY:g}s", cache=cache) as server:
        wires = [Wire(server.port) for _ in range(IN_FLIGHT)]
        for wire in wires:
            wire.send(sent)
        _has_read(server)
        ended: list[int] = []
        stopping = threading.Thread(target=lambda: ended.append(server.stop(signal.SIGTERM)[0]))
        stopping.start()
        until(lambda: not _takes_more(server))
        answered = 0
        for wire in wires:
            wire.send(rest)
        for wire in wires:
            with suppress(EOFError, OSError):
                answered += wire.reply().status == 200
            wire.socket.close()
        stopping.join()
        return answered, ended[0]


def _has_read(server: Served) -> None:
    """Return when the server has read what was sent so far: it answers one that came later."""
    with Wire(server.port) as wire:
        wire.send(b"GET /__admin/health HTTP/1.1\r\nHost: a\r\n\r\n")
        wire.reply()


def _takes_more(server: Served) -> bool:
    try:
        Wire(server.port).socket.close()
    except ConnectionRefusedError:
        return False
    return True
