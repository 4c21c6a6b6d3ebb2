"""Fetch texts of other hosts, if ``--allow-remote-refs`` allows it.

Works like ``urllib.request.urlopen``, but follows redirections only to http and
https, never to ``file:`` or ``ftp:``.
"""

from __future__ import annotations

import urllib.request
from http.client import HTTPException
from urllib.error import HTTPError

from mockserver.diagnostics import MockServerError, reason

MAX_BYTES = 16 * 1024 * 1024
TIMEOUT = 10.0
"""Seconds without a byte before a fetch fails."""


class FetchError(MockServerError):
    """A text cannot be fetched; the message says why."""


def fetch_text(uri: str) -> str:
    """Return the text at an http or https URI. Raises FetchError."""
    try:
        with _opener().open(uri, timeout=TIMEOUT) as response:
            data: bytes = response.read(MAX_BYTES + 1)
        if len(data) > MAX_BYTES:
            raise FetchError(f"it is over {MAX_BYTES:,} bytes")
        return data.decode("utf-8-sig")
    except HTTPError as error:
        with error:  # closes the response
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
