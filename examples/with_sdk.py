"""Wait for a certificate with Infisical's own SDK: ``with_sdk.py URL REQUEST_ID``.

Exits with 0 when it is issued, 1 when it failed, 2 for an error, 3 when it takes too long.
"""

import os
import sys
import time

from infisical_sdk import InfisicalSDKClient
from infisical_sdk.infisical_requests import APIError

PATH = "/api/v1/cert-manager/certificates/certificate-requests/"
INTERVAL = float(os.environ.get("INTERVAL", "2"))
ATTEMPTS = int(os.environ.get("ATTEMPTS", "30"))


def wait(client: InfisicalSDKClient, request_id: str) -> tuple[int, str]:
    """The exit code, and what to say."""
    for attempt in range(ATTEMPTS):
        if attempt:
            time.sleep(INTERVAL)
        try:
            said = client.api.get(PATH + request_id, model=dict).data
        except APIError as error:
            if error.status_code == 429 or error.status_code >= 500:
                continue
            return 2, f"error {error.status_code}: {error.response['message']}"
        # A certificate that was deleted later leaves "issued" without one.
        if said["status"] == "issued" and said["certificate"]:
            return 0, f"issued {said['serialNumber']}"
        if said["status"] == "failed":
            return 1, f"failed: {said['errorMessage']}"
    return 3, f"no certificate after {ATTEMPTS} polls"


if __name__ == "__main__":
    url, request_id = sys.argv[1:]
    with InfisicalSDKClient(host=url, token=os.environ.get("TOKEN", "token"), cache_ttl=None) as client:
        code, text = wait(client, request_id)
    print(text)
    sys.exit(code)
