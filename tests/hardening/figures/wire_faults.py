"""Each wire fault a thousand times, fifty at once: all arrive as they should, and nobody else notices.

Bystanders poll a resource of their own on connections that stay open, all the
while, and each of their answers has to be the right one.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import uvloop

from tests.fixtures import DOCUMENT
from tests.live import PATIENCE
from tests.measured import Served, need_descriptors, served
from tests.verdict import Verdict

TIMES = 1000
FAULTS = ("reset", "empty", "garbage", "chunk", "short", "stall", "close")
_AT_ONCE, _BYSTANDERS = 50, 16
_QUIET = 0.2
"""Seconds in which a connection that stalls has to say nothing."""
_FILE = """
resource: thing
key: path.id
operations: {look: look}
states:
  good: {body: {state: good, name: a whole answer}}
""" + "".join(f"  {fault}: {{body: {{state: bad, name: a name}}, fault: {fault}}}\n" for fault in FAULTS)
_FILE += "scenarios: {good: [good]}\n"


def run() -> Verdict:
    need_descriptors(2 * TIMES)
    with TemporaryDirectory() as made:
        document, scenarios = Path(made, "things.yaml"), Path(made, "life.yaml")
        document.write_text(DOCUMENT)
        scenarios.write_text(_FILE)
        with served(document, "--scenarios", scenarios) as server:
            return uvloop.run(_measure(server))


async def _measure(server: Served) -> Verdict:
    verdict = Verdict(f"Wire faults, {TIMES:,} of each")
    await _seen(server.port, "good", 1)
    descriptors = server.descriptors
    for fault in FAULTS:
        bystanders = [asyncio.ensure_future(_stand_by(server.port, number)) for number in range(_BYSTANDERS)]
        egress = asyncio.Semaphore(_AT_ONCE if fault != "stall" else TIMES)

        async def once(number: int, fault: str = fault, egress: asyncio.Semaphore = egress) -> str:
            async with egress:
                return _wrong(fault, *await _seen(server.port, fault, number))

        wrong = [each for each in await asyncio.gather(*map(once, range(1000, 1000 + TIMES))) if each]
        verdict.hold(not wrong, f"{fault}: {TIMES - len(wrong):,} right{': ' + wrong[0] if wrong else ''}")
        for each in bystanders:
            each.cancel()
        polls, hurt = 0, []
        for told in await asyncio.gather(*bystanders):
            polls += told[0]
            hurt += told[1]
        few = polls < _BYSTANDERS
        verdict.hold(
            not hurt and not few,
            f"{fault}: {polls:,} answers of bystanders, {len(hurt)} wrong{hurt[:1] or ''}",
        )
    back = server.comes_back_to(descriptors)
    verdict.hold(back, f"descriptors: {descriptors} before, {server.descriptors} after")
    verdict.hold(server.lives, "the process lives")
    return verdict


def _request(state: str, number: int) -> bytes:
    return f"GET /things/{number} HTTP/1.1\r\nHost: a\r\nPrefer: scenario=state:{state}\r\n\r\n".encode()


async def _seen(port: int, state: str, number: int) -> tuple[bytes, str]:
    """Every byte that arrives, and how it ends: closed, reset, quiet, or open after a whole answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    received = b""
    try:
        writer.write(_request(state, number))
        while True:
            has_head = b"\r\n\r\n" in received
            try:
                data = await asyncio.wait_for(
                    reader.read(65536), _QUIET if state in ("good", "stall") and has_head else PATIENCE
                )
            except TimeoutError:
                return received, "quiet"
            except ConnectionResetError:
                return received, "reset"
            if not data:
                return received, "closed"
            received += data
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _wrong(fault: str, received: bytes, end: str) -> str:
    """What is wrong with what arrived; empty if nothing is."""
    head, found, body = received.partition(b"\r\n\r\n")
    length = (
        int(head.lower().rpartition(b"content-length: ")[2].partition(b"\r\n")[0] or -1)
        if (b"content-length: " in head.lower())
        else -1
    )
    is_head = bool(found) and head.startswith(b"HTTP/1.1 200 ")
    right = {
        "reset": received == b"" and end == "reset",
        "empty": received == b"" and end == "closed",
        "garbage": len(received) > 32 and not received.startswith(b"HTTP/") and end == "closed",
        "chunk": is_head
        and b"chunked" in head
        and not body[:1].isdigit()
        and body != b""
        and end == "closed",
        "short": is_head and 0 < len(body) < length and end == "closed",
        "stall": is_head and body == b"" and length > 0 and end == "quiet",
        "close": is_head and len(body) == length and _is(body, "bad") and end == "closed",
    }[fault]
    return "" if right else f"{end} after {received[:300]!r}"


def _is(body: bytes, state: str) -> bool:
    try:
        return bool(json.loads(body)["state"] == state)
    except (ValueError, KeyError):
        return False


async def _stand_by(port: int, number: int) -> tuple[int, list[str]]:
    """Poll on one connection until cancelled; how many answers came, and what was wrong with any."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers, wrong = 0, []
    try:
        while True:
            writer.write(_request("good", number + 1))
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().rpartition(b"content-length: ")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            answers += 1
            if not head.startswith(b"HTTP/1.1 200 ") or not _is(body, "good"):
                wrong.append(repr(head + body))
            await asyncio.sleep(0.001)
    except asyncio.CancelledError:
        pass
    except (OSError, EOFError, ValueError) as error:
        wrong.append(repr(error))
    writer.close()
    return answers, wrong
