"""Texts of other hosts, which ``--allow-remote-refs`` lets a document refer to.

Like ``urllib.request.urlopen``, but that a redirection leads to http and https
alone: ``file:`` and ``ftp:`` are known to nothing here.
"""

from __future__ import annotations

import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError

from mockserver.diagnostics import MockServerError, reason

MAX_BYTES = 16 * 1024 * 1024
TIMEOUT = 10.0
"""Seconds without an octet, after which it is given up."""


class FetchError(MockServerError):
    """There is no text at a URI; says why."""


def fetch_text(uri: str) -> str:
    """The text at a URI of http or https. Raises Unreachable."""
    try:
        with _opener().open(uri, timeout=TIMEOUT) as response:
            data: bytes = response.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise FetchError(f"it is over {MAX_BYTES:,} bytes")
        return data.decode("utf-8-sig")
    except HTTPError as error:
        with error:  # which holds the answer
            raise FetchError(str(error)) from None
    except (OSError, ValueError, HTTPException) as error:
        raise FetchError(reason(error)) from None


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
