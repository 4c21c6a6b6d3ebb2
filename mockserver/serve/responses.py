"""Which documented response belongs to a status, and which one an operation gives by itself.

OpenAPI 3.2, Responses Object: an exact status before its range (``4XX``)
before ``default``. A mock sends final statuses only, so 1xx never counts.
"""

from __future__ import annotations

import re

from mockserver.plan import Operation, Response

_LOWEST, _HIGHEST = 200, 999

_EXACT = re.compile(r"[2-9][0-9][0-9]")
_RANGE = re.compile(r"[2-5]XX")
_UNDOCUMENTED = Response(status="default")


def response_for(operation: Operation, status: int) -> Response | None:
    """The response documented for ``status``: exact, then its range, then ``default``."""
    documented = {response.status: response for response in operation.responses}
    names = (str(status), f"{status // 100}XX", "default")
    return next((documented[name] for name in names if name in documented), None)


def default_response(operation: Operation) -> tuple[Response, int]:
    """The response and status that the operation gives when nothing else is asked for.

    The lowest documented 2xx, ``2XX`` as 200, ``default`` as 200, or the lowest
    3xx. Of errors alone it is the first that the document has. An operation that
    documents nothing that can be sent answers an empty 200.
    """
    ranked = sorted(operation.responses, key=_rank)
    status = _status(ranked[0]) if ranked else None
    return (_UNDOCUMENTED, _LOWEST) if status is None else (ranked[0], status)


def documented_statuses(operation: Operation) -> list[str]:
    """What the document has for the operation, in its own words, to name in a message."""
    return sorted(response.status for response in operation.responses)


def is_sendable(status: int) -> bool:
    """Whether a status is one that a server may be asked to send as its final one."""
    return _LOWEST <= status <= _HIGHEST


def bodiless(status: int) -> bool:
    """Whether HTTP gives the status no content (RFC 9110, sections 15.3.5, 15.3.6 and 15.4.5)."""
    return status < _LOWEST or status in {204, 205, 304}


def _status(response: Response) -> int | None:
    if _EXACT.fullmatch(response.status):
        return int(response.status)
    if _RANGE.fullmatch(response.status):
        return int(response.status[0]) * 100
    return _LOWEST if response.status == "default" else None


def _rank(response: Response) -> tuple[int, bool, int]:
    """Success, default, redirection by number, errors as they stand, what cannot be sent.

    Within a class of numbers exact ones go first.
    """
    status = _status(response)
    if status is None:
        return 4, False, 0
    if response.status == "default":
        return 1, False, 0
    place = {2: 0, 3: 2}.get(status // 100)
    return (3, False, 0) if place is None else (place, response.status.endswith("XX"), status)
