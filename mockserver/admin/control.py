"""Access to the engine for the threads of the control plane.

Only the thread of its event loop reads and changes the state of the engine. Other threads pass a
function to ``Control``. The loop runs the function between two requests, as one atomic step.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import TypeVar

from mockserver.admin.http import ControlError
from mockserver.engine.engine import Engine
from mockserver.namespaces.namespaces import Namespace
from mockserver.state.protocol import NamespacesFull, Unavailable

Result = TypeVar("Result")
_TIMEOUT = 60.0


class Control:
    """Runs functions on the engine's loop. Create it on that loop."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def run(self, work: Callable[[], Result]) -> Result:
        """Run ``work`` on the loop. Return or raise what it returns or raises."""
        if threading.get_ident() == self._thread:
            return work()
        return self._wait(work)

    def wait(self, work: Coroutine[None, None, Result]) -> Result:
        """Run a coroutine on the loop and wait for its result. Call it from other threads only."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT)
        except Unavailable as error:
            raise ControlError(503, str(error)) from None

    def _wait(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        cluster = self.engine.cluster
        store = self.engine.store if cluster is None else cluster
        return self.wait(store.atomically(work, *needs))

    def namespace(self, name: str) -> Namespace:
        """Return the namespace ``name``, new if necessary. Call it on the loop only."""
        try:
            namespace = self.engine.namespaces.control(name)
        except NamespacesFull as error:
            raise ControlError(503, str(error)) from None
        if namespace is None:
            raise ControlError(400, f"X-Mock-Namespace: {name[:200]} is not a valid name of a namespace")
        return namespace

    def in_namespace(self, name: str, work: Callable[[Namespace], Result]) -> Result:
        """Run ``work`` with the namespace ``name`` on the loop, as one atomic step."""
        if threading.get_ident() == self._thread:
            return work(self.namespace(name))
        return self._wait(lambda: work(self.namespace(name)), ("meta", name))
