#!/bin/sh
# Wait for a certificate with curl and jq: with_curl.sh URL REQUEST_ID
#
# Exits with 0 when it is issued, 1 when it failed, 2 for an error, 3 when it takes too long.
set -eu

url="$1/api/v1/cert-manager/certificates/certificate-requests/$2"
attempts="${ATTEMPTS:-30}"
attempt=0

while [ "$attempt" -lt "$attempts" ]; do
    [ "$attempt" -eq 0 ] || sleep "${INTERVAL:-2}"
    attempt=$((attempt + 1))
    # The body, and the status on a line of its own.
    answer=$(curl -s -w '\n%{http_code}' -H "Authorization: Bearer ${TOKEN:-token}" "$url")
    status=${answer##*
}
    body=${answer%
*}
    case "$status" in
    2*) ;;
    429 | 5*) continue ;;
    *)
        echo "error $status: $(printf %s "$body" | jq -r .message)"
        exit 2
        ;;
    esac
    # A certificate that was deleted later leaves "issued" without one.
    case "$(printf %s "$body" | jq -r 'if .certificate then .status else "without " + .status end')" in
    issued)
        echo "issued $(printf %s "$body" | jq -r .serialNumber)"
        exit 0
        ;;
    *failed)
        echo "failed: $(printf %s "$body" | jq -r .errorMessage)"
        exit 1
        ;;
    esac
done
echo "no certificate after $attempts polls"
exit 3
