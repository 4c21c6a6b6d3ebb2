"""Wait for a certificate with requests and a loop: ``with_requests.py URL REQUEST_ID``.

Exits with 0 when it is issued, 1 when it failed, 2 for an error, 3 when it takes too long.
"""

import os
import sys
import time

import requests

PATH = "/api/v1/cert-manager/certificates/certificate-requests/"
INTERVAL = float(os.environ.get("INTERVAL", "2"))
ATTEMPTS = int(os.environ.get("ATTEMPTS", "30"))


def wait(session: requests.Session, url: str, request_id: str) -> tuple[int, str]:
    """The exit code, and what to say."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(INTERVAL)
        response = session.get(url + PATH + request_id, timeout=10)
        if response.status_code == 429 or response.status_code >= 500:
            continue
        said = response.json()
        if not response.ok:
            return 2, f"error {response.status_code}: {said['message']}"
        # A certificate that was deleted later leaves "issued" without one.
        if said["status"] == "issued" and said["certificate"]:
            return 0, f"issued {said['serialNumber']}"
        if said["status"] == "failed":
            return 1, f"failed: {said['errorMessage']}"
    return 3, f"no certificate after {ATTEMPTS} polls"


if __name__ == "__main__":
    url, request_id = sys.argv[1:]
    with requests.Session() as session:
        session.headers["Authorization"] = f"Bearer {os.environ.get('TOKEN', 'token')}"
        code, text = wait(session, url, request_id)
    print(text)
    sys.exit(code)
