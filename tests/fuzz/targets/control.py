"""The control plane: whatever is sent, the answer is one that ``openapi/admin.yaml`` knows, and never a 500.

Schemathesis makes requests from the document, good ones and bad ones; Hypothesis
puts any JSON under the keys of the bodies that are read by hand.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import random
import time
from pathlib import Path
from typing import Any

import click
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks

from mockserver.inputs import DOCUMENT, SCENARIOS, Inputs
from tests.admin.attacking import MODES, OPERATIONS, attack
from tests.admin.mocking import Mock, mocking
from tests.live import engine_of, mission_plan

_WORDS = st.sampled_from(
    ["method", "url", "urlPattern", "urlPathPattern", "urlPathTemplate", "pathParameters", "queryParameters", "headers",
     "cookies", "bodyPatterns", "formParameters", "basicAuthCredentials", "equalTo", "matches", "contains", "absent",
     "equalToJson", "matchesJsonPath", "expression", "and", "or", "not", "state", "status", "key", "scenario", "request",
     "inOrder", "exactly", "atLeast", "by", "at", "username", "password", "ignoreExtraElements", "before", "after",
     "matchesJsonSchema", "equalToXml", "matchesXPath", "doesNotMatch", "caseInsensitive", "binaryEqualTo"]
)  # fmt: skip
_LEAVES = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=10)
    | st.sampled_from(["$", "$..*", "$[?@.a]", "(", ".*", "^(a+)+$", "GET", "ANY", "30s", "2030-01-01T00:00:00Z", "pending",
                       "9999-12-31T23:59:59Z", "-1s", "999999999d", "{}", "[", "<a/>", "//a", "\0"])
)  # fmt: skip
_JSON = st.recursive(
    _LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=5), inner, max_size=4)
    ),
)
_PLACES = ["/requests/count", "/requests/find", "/requests/remove", "/verify", "/clock/set", "/clock/advance",
           "/clock/freeze", "/resources/certificate-request/a", "/assignments/certificate-request",
           "/scenarios/certificate-request/state", "/namespaces"]  # fmt: skip


def run(seconds: float, findings: Path) -> int:
    """The exit code: 1 with the first finding, which is written to ``findings``."""
    load_all_checks()
    end = time.monotonic() + seconds
    made = 0
    inputs = Inputs((DOCUMENT,), (SCENARIOS,))
    with mocking(engine_of(mission_plan()), inputs=inputs) as mock:
        for number in itertools.count(random.SystemRandom().randrange(2**31)):
            for operation, mode in itertools.product(OPERATIONS, MODES):
                if time.monotonic() > end:
                    click.echo(f"  {made:,} rounds")
                    return 0
                made += 1
                try:
                    _round(mock, operation, mode, number)
                    _bodies(mock, number + made)
                except Exception as error:  # noqa: BLE001 - whatever it is, it is the finding
                    told = f"{operation.label} {mode.value}, seed {number}\n{error}"
                    name = hashlib.sha256(told.encode()).hexdigest()[:16]
                    (findings / f"told-{name}.txt").write_text(told)
                    click.echo(told[:2000])
                    return 1
    return 0


def check(data: bytes) -> None:
    """A finding is a text that tells the request; there is nothing to run."""
    click.echo(data.decode())


def _round(mock: Mock, operation: Any, mode: Any, number: int) -> None:
    mock.begin_anew()
    mock.poll()
    attack(mock, operation, mode, number, examples=15, compiling=1)


def _bodies(mock: Mock, number: int) -> None:
    @seed(number)
    @settings(max_examples=10, deadline=None, database=None, phases=[Phase.generate, Phase.shrink],
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(st.sampled_from(_PLACES), _JSON)
    def asking(place: str, body: Any) -> None:
        method = "PUT" if place.startswith(("/resources", "/assignments", "/scenarios")) else "POST"
        response = mock.client.request(
            method, f"/__admin{place}", content=json.dumps(body), headers={"content-type": "application/json"}
        )
        assert response.status_code < 500, (
            f"{method} {place} {json.dumps(body)}: {response.status_code} {response.text[:300]}"
        )

    asking()
