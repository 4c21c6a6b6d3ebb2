"""Logging to standard error: text, or one JSON object per line.

Requests are logged at level info. Requests to the control plane are logged at level debug, because its
page sends many.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec

from mockserver.diagnostics import json_printable, printable
from mockserver.messages import Request, Response

_ACCESS = logging.getLogger("mockserver.access")
_LINE = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time, level, logger, message, exception, and the fields of a call."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one JSON object."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry: dict[str, object] = {
            "time": moment.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        entry.update(getattr(record, "call", {}))
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json_printable(msgspec.json.encode(entry).decode())


class TextFormatter(logging.Formatter):
    """Formats a record as one line, and its traceback. Text from a client cannot start a new line."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """Return the message without control characters."""
        return printable(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802 - logging's name
        """Return the traceback without other control characters than line breaks."""
        return "\n".join(map(printable, super().formatException(ei).split("\n")))


def configure(level: str, form: str, *, terminal: bool = False) -> None:
    """Log the records of this package at ``level`` and above to standard error.

    ``form`` is text or json. ``terminal``: a person reads the log, so requests have short lines.
    """
    formatter = JsonFormatter() if form == "json" else TextFormatter(_LINE)
    logger = logging.getLogger("mockserver")
    logger.handlers = [_handler(formatter)]
    logger.propagate = False
    logger.setLevel(level.upper())
    is_short = terminal and form == "text"
    _ACCESS.handlers = [_handler(TextFormatter("%(asctime)s %(message)s", "%H:%M:%S"))] if is_short else []
    _ACCESS.propagate = not is_short


def _handler(formatter: logging.Formatter) -> logging.Handler:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    return handler


def access_logger() -> Callable[[Request, Response, float], None] | None:
    """Return a function that logs a call, given its seconds; None if the level excludes calls."""
    if not _ACCESS.isEnabledFor(logging.INFO):
        return None
    logs_control = _ACCESS.isEnabledFor(logging.DEBUG)

    def log(request: Request, response: Response, seconds: float) -> None:
        is_control = response.decision == "admin"
        if is_control and not logs_control:
            return
        target = request.raw_path + (f"?{request.query_string}" if request.query_string else "")
        call = {
            "method": request.method,
            "url": target,
            "status": response.status,
            "bytes": len(response.body),
            "milliseconds": round(seconds * 1000, 3),
            "decision": response.decision,
        }
        line = printable("{method} {url} {status} {bytes} {milliseconds}ms {decision}".format_map(call))
        _ACCESS.log(logging.DEBUG if is_control else logging.INFO, "%s", line, extra={"call": call})

    return log
