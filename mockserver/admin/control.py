"""The one way from the control plane's threads to what the engine serves.

The engine's state belongs to the thread of its event loop: that is what makes
its counts exact. Whoever wants to read or change it hands a function over, and
the loop runs it between two requests, as one atomic step.
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
    """Runs functions on the engine's loop. Made there."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()

    def run(self, work: Callable[[], Result]) -> Result:
        """What ``work`` returns or raises. Waits, unless this is the loop's own thread."""
        if threading.get_ident() == self._thread:
            return work()
        return self._wait(work)

    def wait(self, work: Coroutine[None, None, Result]) -> Result:
        """What a coroutine of the loop comes to; for other threads."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_TIMEOUT)
        except Unavailable as error:
            raise ControlError(503, str(error)) from None

    def _wait(self, work: Callable[[], Result], *needs: tuple[str, ...]) -> Result:
        sharing = self.engine.sharing
        doer = self.engine.store if sharing is None else sharing
        return self.wait(doer.atomically(work, *needs))

    def namespace(self, name: str) -> Namespace:
        """The namespace of that name, made if need be. On the loop only."""
        try:
            namespace = self.engine.worlds.control(name)
        except NamespacesFull as error:
            raise ControlError(503, str(error)) from None
        if namespace is None:
            raise ControlError(400, f"X-Mock-Namespace: {name[:200]} is no name for a namespace")
        return namespace

    def in_namespace(self, name: str, work: Callable[[Namespace], Result]) -> Result:
        """``work`` with a namespace, on the loop, as one atomic step."""
        if threading.get_ident() == self._thread:
            return work(self.namespace(name))
        return self._wait(lambda: work(self.namespace(name)), ("meta", name))
