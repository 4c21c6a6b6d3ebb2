"""WireMock's stubs, carried over: what is answered then is what WireMock would have answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.diagnostics import Diagnostic
from mockserver.engine.engine import Engine
from mockserver.messages import Response
from mockserver.migrate.stubs import read_stubs
from mockserver.migrate.wiremock import scenario_files
from mockserver.plan import Document
from tests.live import Write, ask, engine_of

DOCUMENT = """
    openapi: 3.0.3
    info: {title: orders, version: "1"}
    servers: [{url: /v1}]
    paths:
      /orders:
        post: &open
          responses: {"200": &any {description: any, content: {application/json: {schema: {}}}}, "404": *any}
      /orders/{id}:
        parameters: [{name: id, in: path, required: true, schema: {type: string}}]
        get: *open
        delete: *open
      /status:
        get: *open
    """


class Carried:
    """Stubs as scenario files, and a server of them."""

    def __init__(self, write: Write) -> None:
        self.document = write("orders.yaml", DOCUMENT)
        self.write = write
        self.found: list[Diagnostic] = []
        self.files: dict[str, dict[str, Any]] = {}
        self._engine: Engine | None = None

    def over(self, *stubs: dict[str, Any]) -> Carried:
        mappings = self.write("stubs.json", json.dumps({"mappings": stubs}))
        return self.read(mappings)

    def read(self, mappings: Path) -> Carried:
        [document] = compile_plan(Inputs((self.document,))).plan.documents
        self.files = scenario_files(read_stubs(mappings, self.found), document, self.found)
        paths = [
            self.write(f"scenarios/{name}.yaml", yaml.safe_dump(file)) for name, file in self.files.items()
        ]
        self._engine = engine_of(compile_plan(Inputs((self.document,), tuple(paths))).plan)
        return self

    def call(self, method: str, path: str, **headers: str) -> Response:
        assert self._engine is not None
        named = {"host": "localhost"} | {
            name.lower().replace("_", "-"): value for name, value in headers.items()
        }
        return ask(self._engine, method, f"/v1{path}", named)

    def said(self, method: str, path: str, **headers: str) -> Any:
        return json.loads(self.call(method, path, **headers).body)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(diagnostic.code, diagnostic.message) for diagnostic in self.found]


@pytest.fixture
def carried(write: Write) -> Carried:
    return Carried(write)


def stub(
    method: str = "GET", says: Any = None, machine: tuple[str, str, str] | None = None, **more: Any
) -> dict[str, Any]:
    """A mapping; ``machine`` is a scenario's name, the state it is for, and the state it leads to."""
    request = {"method": method, "urlPathTemplate": "/v1/orders/{id}", **more.pop("request", {})}
    mapping: dict[str, Any] = {"request": request, "response": {"jsonBody": says, **more.pop("response", {})}}
    if machine:
        name, required, following = machine
        mapping |= {"scenarioName": name}
        mapping |= {"requiredScenarioState": required} if required else {}
        mapping |= {"newScenarioState": following} if following else {}
    return mapping | more


def literal(path: str) -> dict[str, Any]:
    return {"urlPathTemplate": None, "urlPath": path}


class TestScenarios:
    def test_states_follow_one_another(self, carried: Carried) -> None:
        carried.over(
            stub(says="third", machine=("life", "done", "")),
            stub(says="first", machine=("life", "Started", "between")),
            stub(says="second", machine=("life", "between", "done")),
        )
        assert [carried.said("GET", "/orders/1") for _ in range(4)] == ["first", "second", "third", "third"]
        assert carried.said("GET", "/orders/2") == "first"
        assert carried.files["order"]["scenarios"] == {"life": [{"started": 1}, {"between": 1}, "done"]}
        assert carried.told == [
            ("M104", "the scenario 'life' was one for all requests; here each key goes through it by itself")
        ]

    def test_states_that_answer_alike_are_one(self, carried: Carried) -> None:
        carried.over(
            stub(says="pending", machine=("life", "Started", "again")),
            stub(says="pending", machine=("life", "again", "done")),
            stub(says="issued", machine=("life", "done", "")),
        )
        assert carried.files["order"]["scenarios"] == {"life": [{"started": 2}, "done"]}
        assert [carried.said("GET", "/orders/1") for _ in range(3)] == ["pending", "pending", "issued"]

    def test_a_scenario_goes_round(self, carried: Carried) -> None:
        carried.over(
            stub(says="tick", machine=("clock", "Started", "tock")),
            stub(says="tock", machine=("clock", "tock", "Started")),
        )
        assert [carried.said("GET", "/orders/1") for _ in range(4)] == ["tick", "tock", "tick", "tock"]

    def test_another_operation_leads_on(self, carried: Carried) -> None:
        carried.over(
            stub(says="there", machine=("life", "Started", "")),
            stub("DELETE", says="deleted", machine=("life", "Started", "gone")),
            stub(says="gone", response={"status": 404}, machine=("life", "gone", "")),
            stub("DELETE", says="gone", response={"status": 404}, machine=("life", "gone", "")),
        )
        for _ in range(2):
            assert carried.said("GET", "/orders/1") == "there"
        assert carried.said("DELETE", "/orders/1") == "deleted"
        assert [carried.call(method, "/orders/1").status for method in ("GET", "DELETE")] == [404, 404]

    def test_a_stub_of_a_scenario_without_a_state_is_for_all_of_them(self, carried: Carried) -> None:
        carried.over(
            stub(says="first", machine=("life", "Started", "done")),
            stub(says="last", machine=("life", "done", "")),
            stub("DELETE", says="deleted", machine=("life", "", "")),
        )
        assert [carried.said("DELETE", "/orders/1") for _ in range(2)] == ["deleted", "deleted"]
        assert [carried.said("GET", "/orders/1") for _ in range(2)] == ["first", "last"]

    def test_a_state_that_leads_on_twice_is_told(self, carried: Carried) -> None:
        carried.over(
            stub(says="a", machine=("life", "Started", "b")),
            stub("DELETE", says="d", machine=("life", "Started", "c")),
            stub(says="b", machine=("life", "b", "")),
            stub(says="c", machine=("life", "c", "")),
        )
        assert ("M102", "stubs: the transition to c has no counterpart and is left out") in carried.told


class TestStubs:
    def test_the_narrower_goes_first(self, carried: Carried) -> None:
        carried.over(
            stub(says="one", request=literal("/v1/orders/1")),
            stub(says="any"),
            stub(says="acme", priority=1, request={"headers": {"X-Tenant": {"contains": "acme"}}}),
            stub(says="plan", request={"queryParameters": {"plan": {"matches": "gold|silver"}}}),
        )
        assert carried.said("GET", "/orders/1") == "one"
        assert carried.said("GET", "/orders/2") == "any"
        assert carried.said("GET", "/orders/3", x_tenant="the-acme-corporation") == "acme"
        assert carried.said("GET", "/orders/4?plan=silver") == "plan"
        assert carried.told == []

    def test_one_that_others_hide_is_kept_and_told(self, carried: Carried) -> None:
        carried.over(stub(says="older", name="older"), stub(says="newer", name="newer"))
        assert carried.said("GET", "/orders/1") == "newer"
        assert carried.said("GET", "/orders/2", prefer="scenario=older") == "older"
        assert carried.told == [("M104", "older: another stub of the same requests goes before it")]

    @pytest.mark.parametrize(
        ("request_", "path"),
        [
            ({"urlPathTemplate": "/v1/orders/{number}"}, "/orders/1"),
            ({"urlPathTemplate": None, "urlPathPattern": "/v1/orders/[0-9]+"}, "/orders/1"),
            ({"urlPathTemplate": None, "urlPattern": "/v1/orders/.*"}, "/orders/1"),
            ({"urlPathTemplate": None, "url": "/v1/orders/a%20b?x=1"}, "/orders/a%20b?x=1"),
            ({"urlPathTemplate": None, "urlPath": "/v1/status"}, "/status"),
            ({"pathParameters": {"id": {"equalTo": "a*b"}}}, "/orders/a*b"),
            ({"cookies": {"session": {"equalTo": "7"}}}, "/orders/1"),
        ],
    )
    def test_every_way_to_say_which_request(
        self, carried: Carried, request_: dict[str, Any], path: str
    ) -> None:
        carried.over(stub(says="meant", request=request_))
        assert carried.said("GET", path, cookie="session=7") == "meant"
        assert [entry for entry in carried.told if entry[0] != "M104"] == []

    def test_resources_are_files_of_their_own(self, carried: Carried) -> None:
        carried.over(
            stub(says="order"),
            stub(says="fine", request={"urlPathTemplate": "/v1/status"}),
            stub("POST", says="new", request={"urlPathTemplate": "/v1/orders"}),
        )
        assert [*carried.files] == ["order", "status", "order-2"]
        assert carried.said("GET", "/status") == "fine"
        assert carried.said("POST", "/orders") == "new"


class TestResponses:
    @pytest.mark.parametrize(
        ("stubbed", "response"),
        [
            ({"status": 404, "jsonBody": {"a": 1}}, {"status": 404, "body": {"a": 1}}),
            ({"jsonBody": None, "body": '{"a": 1}'}, {"status": 200, "body": None}),
            ({"status": 299, "jsonBody": 1}, {"status": 299, "body": 1, "undocumented": True}),
            (
                {"jsonBody": 1, "headers": {"X-A": ["1", "2"], "Content-Length": "1"}},
                {"status": 200, "headers": {"X-A": "1, 2"}, "body": 1},
            ),
            ({"jsonBody": 1, "fixedDelayMilliseconds": 20}, {"status": 200, "body": 1, "delay": "20ms"}),
            (
                {"jsonBody": 1, "delayDistribution": {"type": "uniform", "lower": 1, "upper": 9}},
                {"status": 200, "body": 1, "delay": {"min": "1ms", "max": "9ms"}},
            ),
            (
                {"jsonBody": 1, "delayDistribution": {"type": "lognormal", "median": 80, "sigma": 0.4}},
                {"status": 200, "body": 1, "delay": {"median": "80ms", "sigma": 0.4}},
            ),
            (
                {"jsonBody": 1, "chunkedDribbleDelay": {"numberOfChunks": 5, "totalDuration": 1000}},
                {"status": 200, "body": 1, "dribble": {"chunks": 5, "over": "1000ms"}},
            ),
            (
                {"jsonBody": 1, "fault": "EMPTY_RESPONSE"},
                {"status": 200, "body": 1, "fault": "EMPTY_RESPONSE"},
            ),
        ],
    )
    def test_a_stubbed_response_is_the_response_of_a_state(
        self, carried: Carried, stubbed: dict[str, Any], response: dict[str, Any]
    ) -> None:
        carried.over(stub(response=stubbed))
        assert [*carried.files["order"]["states"].values()] == [response]
        assert carried.told == []

    def test_a_body_of_text_and_none_at_all(self, carried: Carried) -> None:
        plain, none = stub(name="plain", priority=1), stub(name="none")
        plain["response"], none["response"] = {"body": "[1"}, {"status": 200}
        plain["request"]["headers"] = {"X": {"equalTo": "1"}}
        carried.over(plain, none)
        assert carried.said("GET", "/orders/1", x="1") == "[1"
        assert "body" not in carried.files["order"]["states"]["none"]

    @pytest.mark.parametrize(
        ("more", "what"),
        [
            ({"response": {"proxyBaseUrl": "http://a"}}, "response.proxyBaseUrl"),
            ({"response": {"jsonBody": "{{request.path}}"}}, "response templating"),
            ({"response": {"jsonBody": None, "bodyFileName": "no.json"}}, None),
            ({"request": {"bodyPatterns": [{"contains": "a"}]}}, "request.bodyPatterns"),
            ({"request": {"headers": {"X": {"absent": True}}}}, "request.headers.X: {'absent': True}"),
            ({"request": {"method": "ANY"}}, "being for DELETE /orders/{id} too"),
            ({"postServeActions": [{"name": "webhook"}]}, "postServeActions"),
        ],
    )
    def test_what_has_no_counterpart_is_told(
        self, carried: Carried, more: dict[str, Any], what: str | None
    ) -> None:
        carried.over(stub(name="one", **more))
        wanted = [] if what is None else [("M102", f"one: {what} has no counterpart and is left out")]
        assert carried.told == wanted

    def test_an_operation_that_the_document_has_not(self, carried: Carried) -> None:
        carried.over(
            stub(),
            stub("PUT", name="put"),
            stub(name="bad", request={"urlPathTemplate": None, "urlPathPattern": "("}),
        )
        assert carried.told == [
            ("M103", f"{message}; the stub is left out")
            for message in (
                "put: no operation of the document is PUT urlPathTemplate /v1/orders/{id}",
                "bad: no operation of the document is GET urlPathPattern (",
            )
        ]


class TestFiles:
    def test_the_root_folder_of_wiremock(self, carried: Carried, write: Write) -> None:
        mapping = stub()
        mapping["response"] = {"bodyFileName": "deep/body.json"}
        root = write("wiremock/mappings/deep/a.json", json.dumps(mapping)).parents[2]
        write("wiremock/__files/deep/body.json", '{"from": "a file"}')
        for place in (root, root / "mappings", root / "mappings" / "deep" / "a.json"):
            if place.suffix:
                continue
            assert carried.read(place).said("GET", "/orders/1") == {"from": "a file"}

    @pytest.mark.parametrize("name", ["../secret.json", "missing.json"])
    def test_body_files_stay_in_their_folder(self, carried: Carried, write: Write, name: str) -> None:
        write("wiremock/secret.json", '"secret"')
        mapping = stub(name="one")
        mapping["response"] = {"bodyFileName": name}
        carried.read(write("wiremock/mappings/a.json", json.dumps(mapping)).parent)
        assert carried.told == [("M102", f"one: the body file {name} has no counterpart and is left out")]

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("{", "cannot be read"),
            ("[1]", "contains an item that is not a stub mapping"),
            ('{"request": 1}', "contains an item that is not a stub mapping"),
            ("[" * 100_000, "cannot be read"),
        ],
    )
    def test_what_is_no_mapping(self, write: Write, text: str, said: str) -> None:
        found: list[Diagnostic] = []
        assert read_stubs(write("a.json", text), found) == []
        assert [diagnostic.code for diagnostic in found] == ["M101"]
        assert said in found[0].message

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        found: list[Diagnostic] = []
        assert read_stubs(tmp_path, found) == []
        assert [diagnostic.message for diagnostic in found] == ["holds no stub mapping"]


def test_no_stubs_give_no_files(write: Write) -> None:
    found: list[Diagnostic] = []
    document: Document = compile_plan(Inputs((write("orders.yaml", DOCUMENT),))).plan.documents[0]
    assert scenario_files([], document, found) == {}


@pytest.mark.parametrize(
    ("headers", "media_type"), [({"Content-Type": "text/html"}, "text/html"), ({}, "text/plain")]
)
def test_undocumented_text_body_is_sent_as_written(
    carried: Carried, headers: dict[str, str], media_type: str
) -> None:
    response = {"status": 503, "body": "<h1>Away</h1>", "headers": headers}
    carried.over({"request": {"method": "GET", **literal("/v1/status")}, "response": response})
    sent = carried.call("GET", "/status")
    assert (sent.status, sent.body) == (503, b"<h1>Away</h1>")
    assert dict(sent.headers)["content-type"] == media_type


def odd(request: dict[str, Any], response: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "odd", "request": {"method": "GET", **request}, "response": response, **more}


def test_backtracking_pattern_ends(carried: Carried) -> None:
    for pattern in ("^(a|aa)+$", "(([^/]+/?)*)*x", "((?=.)[^!]|(?=.)[^!]{2})+!"):
        carried.over(odd({"urlPathPattern": f"/v1/orders/{pattern}"}, {}))
    carried.over(odd({"urlPathPattern": "/v1/orders/[^/]+"}, {"jsonBody": {"a": 1}}))
    assert carried.said("GET", "/orders/7") == {"a": 1}


@pytest.mark.parametrize(
    ("written", "status"), [("x", 200), ("404", 404), (None, 200), (True, 200), (1e9, 200)]
)
def test_invalid_status_is_reported(written: Any, status: int, carried: Carried) -> None:
    carried.over(odd({"urlPath": "/v1/status"}, {"status": written, "jsonBody": {}}))
    assert carried.call("GET", "/status").status == status
    lost = [message for code, message in carried.told if code == "M102" and "the status" in message]
    assert bool(lost) is (written != "404")


def test_state_without_a_response_is_reported(carried: Carried) -> None:
    order = {"urlPathTemplate": "/v1/orders/{id}"}
    carried.over(
        odd(
            order,
            {"jsonBody": {"n": 1}},
            scenarioName="s",
            requiredScenarioState="Started",
            newScenarioState="two",
        )
    )
    assert carried.said("GET", "/orders/7") == {"n": 1}
    assert any("the transition to two, a state without a response," in message for _, message in carried.told)


@pytest.mark.parametrize("path", ["http://[x/v1", "/v1/orders/\0"])
def test_invalid_path_is_reported(path: str, carried: Carried) -> None:
    carried.over(odd({"urlPath": path}, {}), odd({"urlPath": "/v1/status"}, {"bodyFileName": "a\0b"}))
    assert carried.told
