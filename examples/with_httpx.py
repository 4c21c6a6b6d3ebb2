"""Wait for a certificate with httpx, and tenacity for the waiting: ``with_httpx.py URL REQUEST_ID``.

Exits with 0 when it is issued, 1 when it failed, 2 for an error, 3 when it takes too long.
"""

import os
import sys
from typing import Any

import httpx
from tenacity import RetryError, Retrying, retry_if_exception, retry_if_result, stop_after_attempt, wait_fixed

PATH = "/api/v1/cert-manager/certificates/certificate-requests/"
INTERVAL = float(os.environ.get("INTERVAL", "2"))
ATTEMPTS = int(os.environ.get("ATTEMPTS", "30"))


def poll(client: httpx.Client, request_id: str) -> dict[str, Any]:
    """The request as it is now."""
    return client.get(PATH + request_id).raise_for_status().json()


def is_waiting(said: dict[str, Any]) -> bool:
    """A certificate that was deleted later leaves "issued" without one."""
    return said["status"] != "failed" and not (said["status"] == "issued" and said["certificate"])


def is_transient(error: BaseException) -> bool:
    """Whether it may be otherwise the next time."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code == 429 or error.response.status_code >= 500
    return isinstance(error, httpx.TransportError)


def wait(client: httpx.Client, request_id: str) -> tuple[int, str]:
    """The exit code, and what to say."""
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_fixed(INTERVAL),
        retry=retry_if_result(is_waiting) | retry_if_exception(is_transient),
    )
    try:
        said = retrying(poll, client, request_id)
    except RetryError:
        return 3, f"no certificate after {ATTEMPTS} polls"
    except httpx.HTTPStatusError as error:
        return 2, f"error {error.response.status_code}: {error.response.json()['message']}"
    if said["status"] == "failed":
        return 1, f"failed: {said['errorMessage']}"
    return 0, f"issued {said['serialNumber']}"


if __name__ == "__main__":
    url, request_id = sys.argv[1:]
    headers = {"Authorization": f"Bearer {os.environ.get('TOKEN', 'token')}"}
    with httpx.Client(base_url=url, headers=headers) as client:
        code, text = wait(client, request_id)
    print(text)
    sys.exit(code)
