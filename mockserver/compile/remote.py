"""Texts of other hosts, which ``--allow-remote-refs`` lets a document refer to.

Like ``urllib.request.urlopen``, but that a redirection leads to http and https
alone: ``file:`` and ``ftp:`` are known to nothing here.
"""

from __future__ import annotations

import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError

from mockserver.diagnostics import MockServerError, reason

MOST_BYTES = 16 * 1024 * 1024
TIME = 10.0
"""Seconds without an octet, after which it is given up."""


class Unreachable(MockServerError):  # noqa: N818 - what it is
    """There is no text at a URI; says why."""


def text_at(uri: str) -> str:
    """The text at a URI of http or https. Raises Unreachable."""
    try:
        with _opener().open(uri, timeout=TIME) as response:
            data: bytes = response.read(MOST_BYTES + 1)
        if len(data) > MOST_BYTES:
            raise Unreachable(f"it is over {MOST_BYTES:,} bytes")
        return data.decode("utf-8-sig")
    except HTTPError as error:
        with error:  # which holds the answer
            raise Unreachable(str(error)) from None
    except (OSError, ValueError, HTTPException) as error:
        raise Unreachable(reason(error)) from None


def _opener() -> urllib.request.OpenerDirector:
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
        urllib.request.HTTPRedirectHandler,
        urllib.request.UnknownHandler,
    ):
        opener.add_handler(handler())
    return opener
