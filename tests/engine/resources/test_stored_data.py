"""Scenario files with stored data: operations update it, states write it, and the timeline goes before it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.live import Process, Reply
from tests.redis import Redis
from tests.workers import Line, Workers

ORDERS = Path(__file__).with_name("orders.yaml")
NOON = "2026-01-01T12:00:00Z"
FILE = """
resource: order
key: path.orderId
operations:
  read: readOrder
  create: {operation: createOrder, creates: body.id}
  list: {operation: listOrders, lists: body, items: read}
  replace: {operation: replaceOrder, updates: replace}
  change: {operation: changeOrder, updates: merge}
  cancel: cancelOrder
  delete: {operation: deleteOrder, deletes: true}
unknown: 404
unanswered: 409
states:
  open:
    set: {status: open}
    read: {}
    create: {}
    replace: {}
    change: {}
    cancel: {}
    delete: {}
  shipped:
    set: {status: shipped, amount: 7, closedAt: "{{ resource.changed_at }}"}
    read: {}
    delete: {}
  cancelled:
    set:
      status: cancelled
      note: null
      reason: "{{ request.body.reason | default('none', true) }} of {{ resource.data.amount }}"
    read: {}
    cancel: {}
    change: {status: 409}
    delete: {}
  locked: {create: {}, read: {body: {status: packed}}, change: {}}
scenarios:
  usual: [{state: open, until: {after: 30s}, next: shipped, on: {cancel: cancelled}}, shipped, cancelled]
  polled: [open: 2, {state: shipped}]
  locked: [locked]
select:
  - {header.X-Case: polled, scenario: polled}
  - {header.X-Case: locked, scenario: locked}
  - {scenario: usual}
"""
PART = """
resource: order
key: path.orderId
operations:
  read: readOrder
  cancel: cancelOrder
states:
  open: {read: {}, cancel: {}}
  shipped: {set: {status: shipped}, read: {}}
  cancelled: {set: {status: cancelled}, read: {}, cancel: {}}
scenarios:
  usual: [{state: open, until: {after: 30s}, next: shipped, on: {cancel: cancelled}}, shipped, cancelled]
"""


class Client:
    """Sends requests in one namespace, to each of the processes in turn."""

    def __init__(self, lines: list[Line], namespace: str) -> None:
        self._lines = itertools.cycle(lines)
        self._namespace = namespace

    def __call__(self, method: str, target: str, body: Any = None, **fields: str) -> Reply:
        return next(self._lines).ask(method, target, body, X_Mock_Namespace=self._namespace, **fields)

    def create(self, body: dict[str, Any], **fields: str) -> str:
        """Create an order and return its path."""
        reply = self("POST", "/orders", body, **fields)
        assert reply.status == 201
        return f"/orders/{reply.json()['id']}"

    def wait(self, duration: str) -> None:
        assert self("POST", "/__admin/clock/advance", {"by": duration}).status == 200

    def orders(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self("GET", "/__admin/data").json()["orders"]
        return found


Serve = Callable[..., list[Line]]


@pytest.fixture(scope="module", params=["memory", "redis"])
def serve(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serve]:
    """Starts a server of one process, or of two that share a Redis, for a scenario file and options."""
    started: dict[tuple[str, ...], list[Line]] = {}
    servers: list[Process] = []

    def start(text: str, *options: str) -> list[Line]:
        known = text, *options
        if known not in started:
            folder = tmp_path_factory.mktemp("orders")
            (folder / "order.yaml").write_text(text, "utf-8")
            given = str(ORDERS), "--scenarios", str(folder / "order.yaml"), "--clock", NOON, *options
            if request.param == "redis":
                redis: Redis = request.getfixturevalue("redis")
                workers = Workers(redis.url, folder.name, folder, *given, inputs=False)
                servers.append(workers)
                started[known] = workers.lines()
            else:
                servers.append(Process(*given, cache=folder))
                started[known] = [Line(servers[-1].port)]
        return started[known]

    yield start
    for line in itertools.chain.from_iterable(started.values()):
        line.socket.close()
    for server in servers:
        server.__exit__()


@pytest.fixture
def orders(serve: Serve, request: pytest.FixtureRequest) -> Client:
    return Client(serve(FILE), request.node.originalname)


@pytest.fixture
def shared(serve: Serve, request: pytest.FixtureRequest) -> Client:
    """Orders of which the file names two operations; the others are inferred."""
    return Client(serve(PART, "--stateful"), request.node.originalname)


def test_put_replaces_and_patch_merges_what_later_reads_and_lists_show(orders: Client) -> None:
    path = orders.create({"status": "open", "note": "first", "amount": 1})
    changed = orders("PATCH", path, {"note": "second"})
    assert changed.json()["note"] == "second"
    assert changed.headers["x-mock-decision"] == "scenario=usual; state=open; call=1; data=merged"
    assert orders("GET", path).json() == {**changed.json(), "amount": 1}
    replaced = orders("PUT", path, {"status": "open", "note": "third"})
    assert replaced.headers["x-mock-decision"].endswith("data=replaced")
    assert orders("GET", path).json()["note"] == "third"
    assert [order["note"] for order in orders("GET", "/orders").json()] == ["third"]
    assert [order["note"] for order in orders.orders()] == ["third"]


def test_a_result_that_breaks_the_schema_is_the_documented_error_and_nothing_is_stored(
    orders: Client,
) -> None:
    path = orders.create({"status": "open", "note": "first"})
    refused = orders("PATCH", path, {"note": "much too long for it"})
    assert refused.status == 422
    assert "/note" in refused.json()["message"]
    assert orders("GET", path).json()["note"] == "first"
    state = orders("GET", path).headers["x-mock-decision"]
    assert state == "scenario=usual; state=open; call=2"  # the refused call is not counted


def test_a_state_without_a_response_refuses_the_update_and_nothing_is_stored(orders: Client) -> None:
    path = orders.create({"status": "open", "note": "first"})
    orders.wait("30s")
    assert orders("PUT", path, {"status": "open", "note": "late"}).status == 409
    assert orders("GET", path).json()["note"] == "first"


def test_a_state_with_an_error_for_the_update_stores_nothing(orders: Client) -> None:
    path = orders.create({"status": "open", "amount": 3})
    orders("POST", f"{path}/cancel", {"reason": "late"})
    assert orders("PATCH", path, {"amount": 4}).status == 409
    assert orders("GET", path).json()["amount"] == 3


def test_the_timeline_goes_before_the_data(orders: Client) -> None:
    created = orders("PATCH", "/orders/5", {"status": "shipped"}, X_Case="locked")
    assert created.status == 404  # nothing created it
    assert orders("PUT", "/__admin/resources/order/5", {"scenario": "locked"}).status == 200
    orders("PATCH", "/orders/5", {"status": "shipped", "note": "kept"})
    found = orders("GET", "/orders/5").json()
    assert (found["status"], found["note"]) == ("packed", "kept")


def test_an_operation_leads_to_a_state_and_what_that_sets_is_stored(orders: Client) -> None:
    path = orders.create({"status": "open", "note": "first", "amount": 3})
    cancelled = orders("POST", f"{path}/cancel", {"reason": "late"}).json()
    assert (cancelled["status"], cancelled["reason"]) == ("cancelled", "late of 3")
    assert "note" not in cancelled
    for found in (orders("GET", path).json(), *orders("GET", "/orders").json(), *orders.orders()):
        assert (found["status"], found["reason"], found.get("note")) == ("cancelled", "late of 3", None)


def test_time_leads_to_a_state_and_lists_and_exports_show_what_it_sets(orders: Client) -> None:
    path = orders.create({"status": "open", "amount": 1})
    assert orders("GET", "/orders").json()[0]["status"] == "open"
    orders.wait("45s")
    for found in (*orders("GET", "/orders").json(), *orders.orders(), orders("GET", path).json()):
        assert (found["status"], found["amount"]) == ("shipped", 7)
        assert found["closedAt"] == "2026-01-01T12:00:30.000Z"


def test_the_last_call_of_a_state_shows_it_and_the_next_state_is_stored(orders: Client) -> None:
    path = orders.create({"status": "open"}, X_Case="polled")
    assert [orders("GET", path).json()["status"] for _ in range(3)] == ["open", "open", "shipped"]


def test_the_first_state_sets_fields_of_a_creation(orders: Client) -> None:
    assert orders("POST", "/orders", {"status": "cancelled"}).json()["status"] == "open"


def test_a_deleted_resource_has_no_data(orders: Client) -> None:
    path = orders.create({"status": "open"})
    assert orders("DELETE", path).status == 204
    assert orders("GET", path).status == 404
    assert orders.orders() == orders("GET", "/orders").json() == []


def test_the_control_plane_sets_a_state_and_deletes_a_resource_with_its_data(orders: Client) -> None:
    path = orders.create({"status": "open"})
    orders("PUT", f"/__admin/resources/order/{path.rpartition('/')[2]}", {"state": "shipped"})
    assert [order["status"] for order in orders.orders()] == ["shipped"]
    orders("DELETE", f"/__admin/resources/order/{path.rpartition('/')[2]}")
    assert orders.orders() == []


def test_the_entity_tag_of_a_read_guards_an_update(orders: Client) -> None:
    path = orders.create({"status": "open", "note": "first"})
    tag = orders("GET", path).headers["etag"]
    assert orders("PATCH", path, {"note": "second"}, If_Match=tag).status == 200
    assert orders("PATCH", path, {"note": "third"}, If_Match=tag).status == 412
    assert orders("GET", path).json()["note"] == "second"


def test_prefer_shows_a_state_with_the_data(orders: Client) -> None:
    path = orders.create({"status": "open", "note": "first"})
    assert orders("GET", path, Prefer="state=locked").json()["note"] == "first"
    assert orders("HEAD", path).status == 200


def test_updates_at_once_of_different_fields_are_all_stored(orders: Client, serve: Serve) -> None:
    path = orders.create({"status": "open", "note": "none", "amount": 0})
    lines = serve(FILE)
    namespace = {"X_Mock_Namespace": "test_updates_at_once_of_different_fields_are_all_stored"}
    for number in range(10):
        lines[0].put("PATCH", path, {"note": str(number)}, **namespace)
        lines[-1].put("PATCH", path, {"amount": number}, **namespace)
        assert {lines[0].reply().status, lines[-1].reply().status} == {200}
        found = orders("GET", path).json()
        assert (found["note"], found["amount"]) == (str(number), number)


def test_operations_that_the_file_does_not_name_share_the_data(shared: Client) -> None:
    path = shared.create({"status": "open", "note": "first"})
    assert shared("GET", path).json()["note"] == "first"
    shared("PATCH", path, {"note": "second"})
    assert shared("GET", path).json()["note"] == "second"
    shared("POST", f"{path}/cancel", {})
    assert [order["status"] for order in shared("GET", "/orders").json()] == ["cancelled"]
    shared("DELETE", path)
    assert shared("GET", "/orders").json() == []


def test_a_state_without_a_response_shows_the_data_in_reads_and_lists(serve: Serve) -> None:
    text = PART.replace(
        "  shipped: {set: {status: shipped}, read: {}}",
        "  shipped: {set: {status: shipped}, cancel: {status: 409}}",
    )
    text = text.replace(
        "  cancel: cancelOrder\n",
        "  cancel: cancelOrder\n  list: {operation: listOrders, lists: body, items: read}\n",
    )
    orders = Client(serve(text, "--stateful"), "silent")
    path = orders.create({"status": "open", "note": "first"})
    orders.wait("30s")
    assert orders("GET", path).json()["status"] == "open"  # its first call
    orders.wait("30s")
    for found in (*orders("GET", "/orders").json(), orders("GET", path).json()):
        assert (found["status"], found["note"]) == ("shipped", "first")
    assert orders("POST", f"{path}/cancel", {}).status == 409


def test_an_update_after_a_timed_state_is_kept(shared: Client) -> None:
    path = shared.create({"status": "open"})
    shared("GET", path)
    shared.wait("30s")
    assert [order["status"] for order in shared("GET", "/orders").json()] == ["shipped"]
    shared("PATCH", path, {"status": "packed"})
    assert shared("GET", path).json()["status"] == "packed"
    assert [order["status"] for order in shared("GET", "/orders").json()] == ["packed"]
