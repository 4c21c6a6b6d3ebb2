"""The mission's document, alive: what a client of the real service would see, over a real socket."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import count
from threading import Barrier
from typing import Any

import pytest
import yaml
from openapi_schema_validator import OAS30Validator

from mockserver import inputs
from mockserver.engine.engine import Engine, Options
from mockserver.namespaces.clock import iso, parse_time
from mockserver.plan import Plan
from tests.live import MISSION, NOON, Live, Reply, Wire, engine_of, get, mission_plan, serving_engine

_numbers = count(1)

ERRORS: dict[str, tuple[int, Any, str]] = {
    "bad-request": (400, "Certificate data not available", "BadRequest"),
    "unauthorized": (401, "Token missing", "UnauthorizedError"),
    "stale-session": (401, "User session is stale, please re-authenticate", "StaleSession"),
    "forbidden": (403, "You are not allowed to read on certificates", "PermissionDenied"),
    "token-expired": (403, "Your token has expired. Please re-authenticate.", "TokenError"),
    "not-found": (404, "Certificate request not found", "NotFound"),
    "unprocessable": (
        422,
        [{"validation": "uuid", "code": "invalid_string", "message": "Invalid uuid", "path": ["requestId"]}],
        "ValidationFailure",
    ),
    "server-error": (500, "Something went wrong", "InternalServerError"),
    "rate-limited": (429, "Rate limit exceeded. Please try again in 30 seconds", "RateLimitExceeded"),
}
"""Scenario and state of the same name → status, message and error of Infisical's own."""
BY_STATUS = {status: state for state, (status, _, _) in reversed(ERRORS.items())}
"""Status → the first state that answers with it."""
GIVEN = "d1dd540c0a275c1cf27964e83926ab47fccc4c25dbc7a6d4de0c31bfd9dd2461"
"""SHA-256 of the mission's document as it was given."""
FIELDS = ["status", "certificate", "certificateId", "privateKey", "serialNumber", "errorMessage"]
FIELDS += ["createdAt", "updatedAt"]


@pytest.fixture(scope="module")
def port(mission: Plan) -> Iterator[int]:
    with serving_engine(engine_of(mission)) as live:
        yield live.port


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(inputs.DOCUMENT.read_text("utf-8"))


@pytest.fixture(scope="module")
def validators(document: Any) -> dict[int, Any]:
    """An independent judge of each documented status."""
    [item] = document["paths"].values()
    return {
        int(status): OAS30Validator(response["content"]["application/json"]["schema"])
        for status, response in item["get"]["responses"].items()
    }


def new_id() -> str:
    return str(uuid.UUID(int=next(_numbers) << 80 | 4 << 76 | 0b10 << 62))


def reserved(suffix: str) -> str:
    return f"00000000-0000-4000-8000-{suffix:0>12}"


def poll(port: int, key: str, *fields: str) -> Reply:
    reply = get(port, f"{MISSION}/{key}", *fields)
    assert reply.headers["content-type"] == "application/json"
    return reply


def statuses(port: int, key: str, times: int, *fields: str) -> list[Any]:
    """What each of some polls answers: the status of the request, or that of HTTP where it is an error."""
    replies = [poll(port, key, *fields) for _ in range(times)]
    return [reply.json()["status"] if reply.status == 200 else reply.status for reply in replies]


def is_error(reply: Reply, state: str, validators: dict[int, Any]) -> None:
    """``reply`` is the error of ``state``, in Infisical's words and order."""
    status, message, error = ERRORS[state]
    body = reply.json()
    assert reply.status == status
    assert (body["statusCode"], body["message"], body["error"]) == (status, message, error)
    assert re.fullmatch(r"req-[0-9A-Za-z]{14}", body["reqId"])
    details = ["details"] if state == "forbidden" else []
    assert list(body) == ["reqId", "statusCode", "message", *details, "error"]
    if status in validators:
        validators[status].validate(body)
    else:
        assert reply.headers["retry-after"] == "30"


def test_the_document_is_served_as_given() -> None:
    assert hashlib.sha256(inputs.DOCUMENT.read_bytes()).hexdigest() == GIVEN


def test_pending_pending_issued(port: int, validators: dict[int, Any]) -> None:
    key = new_id()
    replies = [poll(port, key) for _ in range(4)]
    bodies = [reply.json() for reply in replies]
    for body in bodies:
        validators[200].validate(body)
        assert list(body) == FIELDS
    assert [body["status"] for body in bodies] == ["pending", "pending", "issued", "issued"]
    assert [reply.headers["x-mock-decision"] for reply in replies] == [
        "scenario=issued; state=pending; call=1",
        "scenario=issued; state=pending; call=2",
        "scenario=issued; state=issued; call=1",
        "scenario=issued; state=issued; call=2",
    ]
    assert all(bodies[0][field] is None for field in FIELDS[1:6])
    assert bodies[2] == bodies[3]


def test_another_id_starts_afresh(port: int) -> None:
    first, second = new_id(), new_id()
    assert statuses(port, first, 3) == ["pending", "pending", "issued"]
    assert statuses(port, second, 3) == ["pending", "pending", "issued"]


def test_an_id_is_the_same_in_capitals(port: int) -> None:
    key = "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"
    answers = [statuses(port, each, 1) for each in (key, key.upper(), key.title())]
    assert answers == [["pending"], ["pending"], ["issued"]]


def test_an_id_is_the_same_percent_encoded(port: int) -> None:
    key = new_id()
    encoded = key.replace("-", "%2D")
    assert [statuses(port, each, 1) for each in (key, encoded, key)] == [["pending"], ["pending"], ["issued"]]


def test_the_nil_uuid_is_a_key_like_any_other(port: int) -> None:
    assert statuses(port, str(uuid.UUID(int=0)), 3) == ["pending", "pending", "issued"]


def test_fifty_times_sixteen_concurrent_polls_of_a_new_id(port: int) -> None:
    """Sixteen sockets, each with its request written before any answer is read."""
    wires = [Wire(port) for _ in range(16)]
    start = Barrier(16)

    def one(wire: Wire, key: str) -> str:
        start.wait()
        wire.send(f"GET {MISSION}/{key} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        return str(wire.reply().json()["status"])

    with ThreadPoolExecutor(16) as pool:
        for _ in range(50):
            key = new_id()
            seen = sorted(pool.map(one, wires, [key] * 16))
            assert seen == ["issued"] * 14 + ["pending"] * 2
    for wire in wires:
        wire.socket.close()


# Every status and every error, by every way


@pytest.mark.parametrize("state", BY_STATUS.values())
def test_errors_by_reserved_id(port: int, validators: dict[int, Any], state: str) -> None:
    key = reserved(str(ERRORS[state][0]))
    for _ in range(3):
        reply = poll(port, key)
        is_error(reply, state, validators)
    assert reply.headers["x-mock-decision"] == f"scenario={state}; state={state}; call=3"


@pytest.mark.parametrize(
    ("suffix", "status"), [("200", "issued"), ("202", "pending"), ("fa11", "failed"), ("FA11", "failed")]
)
def test_statuses_by_reserved_id(port: int, validators: dict[int, Any], suffix: str, status: str) -> None:
    for _ in range(3):
        body = poll(port, reserved(suffix)).json()
        validators[200].validate(body)
        assert body["status"] == status


@pytest.mark.parametrize("state", ERRORS)
@pytest.mark.parametrize("preference", ["state", "scenario"])
def test_errors_by_preference(port: int, validators: dict[int, Any], state: str, preference: str) -> None:
    is_error(poll(port, new_id(), f"Prefer: {preference}={state}"), state, validators)


@pytest.mark.parametrize(("status", "state"), BY_STATUS.items())
def test_errors_by_code(port: int, validators: dict[int, Any], status: int, state: str) -> None:
    is_error(poll(port, new_id(), f"Prefer: code={status}"), state, validators)


@pytest.mark.parametrize("state", ["pending", "issued", "failed"])
def test_statuses_by_preference(port: int, validators: dict[int, Any], state: str) -> None:
    reply = poll(port, new_id(), f"Prefer: state={state}")
    validators[200].validate(reply.json())
    assert reply.json()["status"] == state
    assert reply.headers["x-mock-decision"] == f"prefer; state={state}"


@pytest.mark.parametrize("field", ["Prefer: state=issued", "Prefer: code=404", "Prefer: dynamic=true"])
def test_a_preference_for_one_answer_spends_no_call(port: int, field: str) -> None:
    key = new_id()
    poll(port, key, field)
    assert statuses(port, key, 2) == ["pending", "pending"]
    poll(port, key, field)
    assert statuses(port, key, 1) == ["issued"]


def test_a_preference_for_a_scenario_lasts(port: int) -> None:
    key = new_id()
    assert statuses(port, key, 1) == ["pending"]
    assert statuses(port, key, 3, "Prefer: scenario=flaky") == [500, "pending", "issued"]
    assert statuses(port, key, 1) == ["issued"]


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("Prefer: state=isued", "Prefer: state=isued is none of pending, issued"),
        ("Prefer: scenario=isued", "Prefer: scenario=isued is none of issued, issued-at-once"),
        ("Prefer: code=418", "there is 200, 400, 401, 403, 404, 422, 500"),
        ("Prefer: code=1000", "Prefer: code=1000 is not a status from 200 to 999"),
        ("Prefer: example=nice", "Prefer asks for example=nice"),
        ("Prefer: dynamic=perhaps", "Prefer: dynamic=perhaps is neither true nor false"),
    ],
)
def test_a_preference_for_what_is_not_there(port: int, field: str, told: str) -> None:
    key = new_id()
    reply = get(port, f"{MISSION}/{key}", field)
    assert reply.status == 400
    assert reply.headers["content-type"] == "application/problem+json"
    assert told in reply.json()["detail"]
    assert statuses(port, key, 2) == ["pending", "pending"]


SCENARIOS = {
    "issued": ["pending", "pending", "issued", "issued"],
    "issued-at-once": ["issued", "issued"],
    "issued-from-csr": ["pending", "pending", "issued"],
    "pending": ["pending"] * 5,
    "failed": ["pending", "pending", "failed", "failed"],
    "failed-at-once": ["failed", "failed"],
    "rejected": ["pending", "pending", "failed"],
    "retried": ["pending", "failed", "pending", "issued", "issued"],
    "deleted": ["pending", "issued", "issued", "issued"],
    "flaky": [500, "pending", "issued"],
    "limited": [429, "pending", "issued"],
    **{state: [status, status] for state, (status, _, _) in ERRORS.items()},
}


@pytest.mark.parametrize(("scenario", "expected"), SCENARIOS.items())
def test_scenarios(port: int, scenario: str, expected: list[Any]) -> None:
    assert statuses(port, new_id(), len(expected), f"Prefer: scenario={scenario}") == expected


def test_every_scenario_of_the_file_is_tested_here(mission: Plan) -> None:
    [resource] = mission.resources
    named = {name for name in resource.scenarios if not name.startswith("state:")}
    assert named == {*SCENARIOS, "slow", "acme-timeout"}


@pytest.mark.parametrize(
    ("scenario", "hold", "then", "message"),
    [
        ("slow", 30_000, "issued", None),
        ("acme-timeout", 300_000, "failed", "ACME order did not complete within 5 minutes."),
    ],
)
def test_scenarios_by_the_clock(
    live: Live, engine: Engine, scenario: str, hold: int, then: str, message: str | None
) -> None:
    key, field = new_id(), f"Prefer: scenario={scenario}"
    clock = engine.worlds.default.clock
    first = poll(live.port, key, field).json()
    live.run(lambda: clock.advance(hold - 1))
    assert statuses(live.port, key, 5, field) == ["pending"] * 5
    live.run(lambda: clock.advance(1000))
    last = poll(live.port, key, field).json()
    assert last["status"] == then
    assert (last["errorMessage"] or "").startswith(message or "")
    assert last["createdAt"] == first["createdAt"] == first["updatedAt"]
    assert last["updatedAt"] == iso(parse_time(NOON) + hold)


# Fields


def test_failed_then_issued_with_the_stale_message(port: int) -> None:
    key, field = new_id(), "Prefer: scenario=retried"
    bodies = [poll(port, key, field).json() for _ in range(4)]
    assert bodies[1]["errorMessage"].startswith("Certificate issuance failed: ")
    assert bodies[1]["certificate"] is None
    assert bodies[2]["errorMessage"] is None
    assert bodies[3]["errorMessage"] == bodies[1]["errorMessage"]
    assert bodies[3]["certificate"].startswith("-----BEGIN CERTIFICATE-----\n")


def test_issued_from_a_csr_has_no_private_key(port: int) -> None:
    body = [poll(port, new_id(), "Prefer: state=issued-from-csr").json()][0]
    assert body["status"] == "issued"
    assert body["privateKey"] is None
    assert None not in [body[field] for field in ("certificate", "certificateId", "serialNumber")]


def test_issued_then_deleted_leaves_issued_with_nothing(port: int) -> None:
    key = new_id()
    bodies = [poll(port, key, "Prefer: scenario=deleted").json() for _ in range(3)]
    assert [body["status"] for body in bodies] == ["pending", "issued", "issued"]
    assert [field for field in FIELDS[1:6] if bodies[1][field] is None] == ["errorMessage"]
    assert [field for field in FIELDS[1:6] if bodies[2][field] is None] == FIELDS[1:6]


def test_formats_of_an_issued_request(port: int) -> None:
    body = poll(port, reserved("200")).json()
    lines = body["certificate"].split("\n")
    assert lines[0] == "-----BEGIN CERTIFICATE-----"
    assert lines[-1] == "-----END CERTIFICATE-----"
    assert {len(line) for line in lines[1:-2]} == {64}
    assert re.fullmatch(
        r"-----BEGIN PRIVATE KEY-----\n.*\n-----END PRIVATE KEY-----\n", body["privateKey"], re.DOTALL
    )
    assert re.fullmatch(r"[0-7][0-9a-f]{39}", body["serialNumber"])
    assert uuid.UUID(body["certificateId"]).version == 4
    for field in ("createdAt", "updatedAt"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", body[field])


def test_updated_at_moves_with_the_status_alone(live: Live, engine: Engine) -> None:
    key, clock = new_id(), engine.worlds.default.clock
    seen = []
    for _ in range(5):
        seen.append(poll(live.port, key).json())
        live.run(lambda: clock.advance(60_000))
    start = parse_time(NOON)
    assert {body["createdAt"] for body in seen} == {iso(start)}
    changed = iso(start + 60_000)  # with the second call, which was the last of pending
    assert [body["updatedAt"] for body in seen] == [iso(start)] * 2 + [changed] * 3


def test_every_call_gets_a_new_request_id(port: int) -> None:
    keys = [reserved(str(status)) for status in BY_STATUS] * 20
    tokens = [poll(port, key).json()["reqId"] for key in keys]
    assert len(set(tokens)) == len(tokens)


# Requests that break the document, and the rest of HTTP


@pytest.mark.parametrize(
    "key",
    [
        "x",
        "5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a1",
        "5b1c0a526a0e4f1c8f4c0d2a1b1e6a11",
        "%7B%7D",
        "%F0%9F%94%91",
        "+",
    ],
)
def test_an_id_that_is_no_uuid(port: int, validators: dict[int, Any], key: str) -> None:
    reply = poll(port, key)
    is_error(reply, "unprocessable", validators)
    assert reply.headers["x-mock-decision"] == "invalid; state=invalid"


def test_bytes_that_are_no_text_are_a_violation_too(port: int, validators: dict[int, Any]) -> None:
    reply = poll(port, "%ff")
    assert reply.status == 422
    validators[422].validate(reply.json())
    [issue] = reply.json()["message"]
    assert issue["path"] == ["requestId"]
    assert "not percent-encoded UTF-8" in issue["message"]


@pytest.mark.parametrize("mode", ["off", "warn"])
def test_a_violation_that_is_not_answered(mission: Plan, mode: str) -> None:
    with serving_engine(engine_of(mission, options=Options(validation=mode))) as live:
        reply = get(live.port, f"{MISSION}/x")
    assert reply.json()["status"] == "pending"
    assert ("x-mock-violations" in reply.headers) == (mode == "warn")


@pytest.mark.parametrize(
    "path", ["/", "/x", f"{MISSION}", f"{MISSION}/", f"{MISSION}/a/b", "/__admin/nothing"]
)
def test_an_unknown_path(port: int, path: str) -> None:
    reply = get(port, path)
    assert reply.status == 404
    assert reply.headers["content-type"] == "application/problem+json"
    nearby = reply.json()["nearby"]
    ours = "/__admin/health" if path.startswith("/__admin") else f"{MISSION}/{{requestId}}"
    assert nearby == [{"method": "GET", "path": ours}]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
def test_a_wrong_method(port: int, method: str) -> None:
    reply = get(port, f"{MISSION}/{new_id()}", "Content-Length: 0", method=method)
    assert reply.status == 405
    assert reply.headers["allow"] == "GET, HEAD, OPTIONS"
    assert reply.json()["allowed"] == ["GET", "HEAD", "OPTIONS"]


def test_options(port: int) -> None:
    for target, status, length in ((f"{MISSION}/{new_id()}", 204, None), ("*", 200, "0")):
        reply = get(port, target, method="OPTIONS")
        assert reply.status == status
        assert "GET, HEAD" in reply.headers["allow"]
        assert reply.headers.get("content-length") == length


@pytest.mark.parametrize("path", ["/%zz", "/%ff", "/%00", "/a%0", f"{MISSION}/%00", f"{MISSION}%00/x"])
def test_a_path_that_is_no_text(port: int, path: str) -> None:
    reply = get(port, path)
    assert reply.status == 400
    assert reply.json()["detail"].endswith("is not percent-encoded UTF-8, or contains NUL")


@pytest.mark.parametrize("end", ["%zz", "%ff", "%", f"{reserved('200')}?%zz", f"{reserved('200')}?a=b&c=%f"])
def test_what_does_not_decode_is_refused_as_documented(port: int, end: str) -> None:
    reply = get(port, f"{MISSION}/{end}")
    assert reply.status == 422
    assert "is not percent-encoded" in reply.json()["message"][0]["message"]


@pytest.mark.parametrize("suffix", ["200", "404", "429"])
def test_head_is_get_without_the_body_and_spends_no_call(port: int, suffix: str) -> None:
    key = reserved(suffix)
    head = get(port, f"{MISSION}/{key}", method="HEAD")
    told = poll(port, key)
    head.headers.pop("date")
    told.headers.pop("date")
    assert head.status == told.status
    assert head.headers == told.headers
    assert head.body == b""


def test_heads_leave_the_timeline_where_it_is(port: int) -> None:
    key = new_id()
    for expected in ("pending", "pending", "issued"):
        for _ in range(3):
            decision = get(port, f"{MISSION}/{key}", method="HEAD").headers["x-mock-decision"]
            assert f"state={expected};" in decision
        assert statuses(port, key, 1) == [expected]


def test_namespaces_are_worlds_apart(port: int) -> None:
    key = new_id()
    assert statuses(port, key, 3) == ["pending", "pending", "issued"]
    assert statuses(port, key, 2, "X-Mock-Namespace: another") == ["pending", "pending"]
    here = poll(port, key, "Prefer: state=issued").json()
    there = poll(port, key, "Prefer: state=issued", "X-Mock-Namespace: another").json()
    assert here["serialNumber"] != there["serialNumber"]
    assert get(port, f"{MISSION}/{key}", "X-Mock-Namespace: no/name").status == 400


def test_health(port: int, mission: Plan) -> None:
    reply = get(port, "/__admin/health")
    assert reply.status == 200
    body = reply.json()
    assert body["status"] == "healthy"
    assert body["plan"] == mission.hash
    assert get(port, "/__admin/health", "Content-Length: 0", method="POST").headers["allow"] == "GET, HEAD"


def test_a_frozen_clock_makes_every_byte_the_same(mission: Plan) -> None:
    """Across two engines in one process; ``test_process`` does it across processes."""

    def story() -> list[tuple[bytes, str]]:
        with serving_engine(engine_of(mission)) as live:
            keys = ["5b1c0a52-6a0e-4f1c-8f4c-0d2a1b1e6a11"] * 3 + [reserved(str(each)) for each in BY_STATUS]
            replies = [poll(live.port, key) for key in keys]
            return [(reply.body, reply.headers["x-mock-decision"]) for reply in replies]

    assert story() == story()


def test_another_seed_is_another_world() -> None:
    bodies = []
    for seed in ("0", "1"):
        with serving_engine(engine_of(mission_plan(seed))) as live:
            bodies.append(poll(live.port, reserved("200")).json())
    for field in ("certificate", "certificateId", "privateKey", "serialNumber"):
        assert bodies[0][field] != bodies[1][field]


def test_dates_are_those_of_the_clock(port: int) -> None:
    created = poll(port, reserved("200")).json()["createdAt"]
    assert datetime.fromisoformat(created) == datetime.fromisoformat(NOON)
    assert json.loads(json.dumps(created)) == "2026-01-01T00:00:00.000Z"
