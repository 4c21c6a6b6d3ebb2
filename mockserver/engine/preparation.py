"""Prepare an idle server for its first requests.

What a request needs is compiled when it is first asked for: a validator, the writer of a response. The
first request to an operation takes ten times as long as the next one, and the first text of a response
a tenth of a second. So a server that has no requests makes these in small steps.
"""

from __future__ import annotations

import asyncio
import logging
from time import thread_time

from mockserver.engine.engine import Engine

_LOG = logging.getLogger("mockserver.preparation")
_QUIET = 0.1
"""Seconds without a request after which the server is idle."""
_TURN = 0.001
"""Seconds of processor time between two turns of the event loop, if no single step takes longer."""
_MAX_SECONDS = 2.0
"""Seconds of processor time in all. What is left then, the first requests make."""


async def prepare_when_idle(engine: Engine) -> None:
    """Prepare the operations of an engine while nobody calls them."""
    journal = engine.namespaces.default.journal
    generating = [
        service for service in engine.services
        if any(route.runtime is None and route.data is None for route in service.routes)
    ]  # fmt: skip
    steps = (step for service in engine.services for step in service.prepare())
    spent = 0.0
    try:
        await asyncio.sleep(_QUIET)
        for service in generating[:1]:
            await asyncio.to_thread(service.fakes.load)
        while spent < _MAX_SECONDS:
            number = journal.number
            await asyncio.sleep(_QUIET)
            while journal.number == number and spent < _MAX_SECONDS:
                started = thread_time()
                while True:
                    if next(steps, steps) is steps:
                        return
                    if (taken := thread_time() - started) >= _TURN:
                        break
                spent += taken
                await asyncio.sleep(0)
    except Exception:  # noqa: BLE001 - a schema may cause any error; its first request handles it
        _LOG.debug("the preparation stopped", exc_info=True)
