"""The mock server in tests: ``MockServer``, and a pytest plugin that needs no conftest.

``server`` has the server and ``namespace`` the actions of a test. ``control`` is the protocol of both:
``local`` for a server in this process, ``remote`` for another process. ``plugin`` has the fixtures of
pytest. Names are imported on first use, because each session of pytest imports this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mockserver.admin.http import ControlError
    from mockserver.diagnostics import CompileError, MockServerError, UsageError
    from mockserver.testing.calls import Call, Calls
    from mockserver.testing.namespace import Namespace, Resource
    from mockserver.testing.server import MockServer

__all__ = [
    "Call",
    "Calls",
    "CompileError",
    "ControlError",
    "MockServer",
    "MockServerError",
    "Namespace",
    "Resource",
    "UsageError",
]

_MODULES = {
    "Call": "testing.calls",
    "Calls": "testing.calls",
    "CompileError": "diagnostics",
    "ControlError": "admin.http",
    "MockServer": "testing.server",
    "MockServerError": "diagnostics",
    "Namespace": "testing.namespace",
    "Resource": "testing.namespace",
    "UsageError": "diagnostics",
}


def __getattr__(name: str) -> object:
    """Import and return a name of ``__all__``."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"mockserver.{_MODULES[name]}"), name)
