"""``MockServer``: a server for tests, in this process or another one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from mockserver.diagnostics import UsageError
from mockserver.testing.control import Control, raises_at_caller
from mockserver.testing.namespace import DEFAULT, Namespace

if TYPE_CHECKING:
    from mockserver.testing.asgi import AsgiBridge
    from mockserver.testing.host import Host
    from mockserver.testing.requests_adapter import MockAdapter

_LOG = logging.getLogger("mockserver.document")
VALIDATIONS = ("strict", "warn", "off")
STYLES = ("any", "strict")
SECURITIES = {True: "presence", False: "off", "presence": "presence", "strict": "strict", "off": "off"}
Paths = str | PathLike[str] | Iterable[str | PathLike[str]]


class MockServer(Namespace):
    """A server that runs during its ``with`` (or ``async with``) block.

    The object is also the default namespace; ``namespace`` returns others.
    """

    def __init__(
        self,
        document: Paths | None = None,
        *,
        scenarios: Paths = (),
        seed: str = "0",
        clock: str | None = None,
        validation: str = "strict",
        security: bool | str = "presence",
        styles: str = "any",
        base_path: str | None = None,
        host: str = "127.0.0.1",
        port: int = 0,
        cache: bool = True,
        strict_document: bool = False,
        stateful: bool | str = False,
        seed_data: str | PathLike[str] | None = None,
        seed_examples: bool = True,
    ) -> None:
        """Without a document, serve the certificate-request example of the package.

        ``clock``: an ISO 8601 date-time at which the clock is frozen. ``validation``: strict, warn or
        off. ``security``: presence, strict or off (True is presence, False is off). ``styles``: any or
        strict. ``strict_document``: refuse a document in which ``mockserver check`` finds an error.
        ``stateful``: store what clients create, change and delete, so that later requests read it;
        "strict": refuse requests that name an item that does not exist.
        ``seed_data``: the folder of the data at first; ``seed_examples``: without a folder, the examples
        of the document are that data.
        They mean the same as the options of ``mockserver serve``.
        """
        super().__init__(DEFAULT, self._running)
        self._documents = None if document is None else _paths(document)
        self._scenarios = _paths(scenarios)
        self._seed = seed
        self._frozen_at = clock
        self._validation = validation
        self._security = security
        self._styles = styles
        self._base_path = base_path
        self._address = host, port
        self._cached = cache
        self._strict_document = strict_document
        self._stateful = stateful
        self._seed_data = None if seed_data is None else Path(seed_data)
        self._seed_examples = seed_examples
        self._control: Control | None = None
        self._host: Host | None = None

    @classmethod
    @raises_at_caller
    def connect(cls, url: str, *, token: str | None = None, timeout: float = 30.0) -> Self:
        """Return an object for a running server at ``url``, which it controls by the control plane.

        ``token``: the ``--admin-token`` of the server. ``timeout``: seconds of a control request.
        Raise UsageError if no server responds.
        """
        from mockserver.testing.remote import Remote

        server = cls()
        remote = Remote(url, token, timeout)
        remote.request("GET", "/health")
        server._control = remote
        return server

    @raises_at_caller
    def start(self) -> Self:
        """Compile and start the server, unless it runs.

        Raise CompileError with all diagnostics, UsageError for an invalid argument.
        """
        if self._control is None:
            from mockserver.testing.local import Local  # heavy; not for servers elsewhere

            self._host = self._start_host()
            self._control = Local(self._host)
        return self

    def stop(self) -> None:
        """Stop the server, unless it runs elsewhere. ``start`` starts a new one."""
        if self._host is not None:
            self._host.stop()
            self._host = self._control = None

    def namespace(self, name: str) -> Namespace:
        """Return a namespace with its own state, calls and clock. The first use creates it."""
        return Namespace(name, self._running)

    @property
    @raises_at_caller
    def asgi(self) -> AsgiBridge:
        """The server as an ASGI application without a socket, for ``httpx.ASGITransport`` and others."""
        from mockserver.testing.asgi import AsgiBridge  # only for its users

        return AsgiBridge(self._in_process())

    @raises_at_caller
    def adapter(self) -> MockAdapter:
        """Return a transport adapter without a socket, for ``requests.Session.mount``."""
        from mockserver.testing.requests_adapter import MockAdapter  # needs the optional ``requests``

        return MockAdapter(self._in_process())

    def __enter__(self) -> Self:
        __tracebackhide__ = True
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    async def __aenter__(self) -> Self:
        return await asyncio.to_thread(self.start)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.to_thread(self.stop)

    def _running(self) -> Control:
        if self._control is None:
            raise UsageError("the mock server does not run. Use it in a `with` block, or call start().")
        return self._control

    def _in_process(self) -> Host:
        self._running()
        if self._host is None:
            raise UsageError("the mock server runs in another process. Use its url.")
        return self._host

    def _start_host(self) -> Host:
        # Heavy; a test that only imports this module does not need it
        from mockserver.compile.process import compiled
        from mockserver.engine.engine import Options
        from mockserver.inputs import DOCUMENT, SCENARIOS, Inputs, fault_summary
        from mockserver.namespaces.clock import parse_time
        from mockserver.testing.host import Address, Host

        if self._validation not in VALIDATIONS:
            known = ", ".join(VALIDATIONS)
            raise UsageError(f"validation={self._validation!r} is not one of {known}.")
        security = SECURITIES.get(self._security)
        if security is None:
            raise UsageError(f"security={self._security!r} is not one of {', '.join(map(str, SECURITIES))}.")
        if self._stateful not in (True, False, "strict"):
            raise UsageError(f"stateful={self._stateful!r} is not one of True, False, strict.")
        try:
            frozen_at = parse_time(self._frozen_at) if self._frozen_at else None
        except (ValueError, OverflowError) as error:
            raise UsageError(f"clock: {error}.") from None
        documents, scenarios = self._documents, self._scenarios
        if documents is None:
            documents, scenarios = (DOCUMENT,), scenarios or (SCENARIOS,)
        inputs = Inputs(
            documents,
            scenarios,
            self._seed,
            strict_document=self._strict_document,
            stateful=bool(self._stateful),
            seed_data=self._seed_data,
            seed_examples=self._seed_examples,
        )
        found = compiled(inputs, cached=self._cached)
        if forgiven := fault_summary(found.forgiven):
            _LOG.warning("%s", forgiven)
        if self._styles not in STYLES:
            raise UsageError(f"styles={self._styles!r} is not one of {', '.join(STYLES)}.")
        options = Options(
            self._validation,
            security,
            base_path=self._base_path,
            styles=self._styles,
            references=self._stateful == "strict",
        )
        return Host(found.plan, inputs, options, frozen_at, Address(*self._address))


def _paths(given: Paths) -> tuple[Path, ...]:
    if isinstance(given, str | PathLike):
        return (Path(given),)
    return tuple(Path(path) for path in given)
