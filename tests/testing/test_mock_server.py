from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockserver import inputs
from mockserver.messages import Response
from mockserver.testing import Call, CompileError, ControlError, MockServer, Namespace, UsageError
from tests.live import MISSION, Live, Write, serving
from tests.testing.conftest import KEY, poll

OTHER = "22222222-2222-4222-8222-222222222222"
NOON = datetime(2026, 1, 1, tzinfo=UTC)


class TestWhatATestSetsUp:
    def test_a_scenario_for_a_key(self, api: Namespace) -> None:
        api.scenario("failed-at-once", key=KEY)
        assert [poll(api), poll(api, OTHER)] == ["failed", "pending"]

    def test_a_scenario_for_every_new_key(self, api: Namespace) -> None:
        assert poll(api) == "pending"
        api.scenario("failed-at-once")
        assert [poll(api), poll(api, OTHER)] == ["pending", "failed"]

    def test_a_state(self, api: Namespace) -> None:
        found = api.state("issued", key=KEY)
        assert (found.name, found.key, found.state) == ("certificate-request", KEY, "issued")
        assert poll(api) == "issued"

    def test_a_state_on_a_scenario(self, api: Namespace) -> None:
        assert api.state("failed", key=KEY, scenario="retried").scenario == "retried"
        assert [poll(api), poll(api), poll(api)] == ["failed", "pending", "issued"]

    def test_resource_has_its_state(self, api: Namespace) -> None:
        api.scenario("slow", key=KEY)
        poll(api)
        found = api.resource(KEY)
        assert (found.scenario, found.state, found.calls) == ("slow", "pending", 1)
        assert found.since == found.created == found.changed == NOON
        assert found.next == {"state": "issued", "at": "2026-01-01T00:00:30.000Z", "in": "30s"}

    def test_clock_shows_the_time(self, api: Namespace) -> None:
        api.scenario("slow", key=KEY)
        assert poll(api) == "pending"
        assert api.clock.advance("29s") == NOON + timedelta(seconds=29)
        assert poll(api) == "pending"
        api.clock.advance(timedelta(seconds=1))
        assert poll(api) == "issued"

    def test_clock_freezes_sets_advances_resumes_and_resets(self, api: Namespace) -> None:
        clock = api.clock
        assert (clock.now, clock.frozen) == (NOON, True)
        assert clock.freeze("2027-01-01T00:00:00Z") == datetime(2027, 1, 1, tzinfo=UTC)
        assert clock.set(NOON) == NOON
        assert clock.freeze() == NOON
        assert clock.resume() >= NOON
        assert not clock.frozen
        clock.set(NOON)
        clock.reset()
        assert abs(clock.now - datetime.now(UTC)) < timedelta(days=1)

    def test_a_reset_undoes_all_of_it(self, api: Namespace) -> None:
        api.scenario("failed-at-once")
        api.clock.advance("1h")
        poll(api)
        api.reset()
        assert (len(api.calls), api.clock.now) == (0, NOON)
        assert poll(api) == "pending"

    @pytest.mark.parametrize("name", ["t1", "t.2", "a:b"])
    def test_namespaces_do_not_share_resources(self, server: MockServer, name: str) -> None:
        one, other = server.namespace(name), server.namespace("another")
        one.state("issued", key=KEY)
        assert [poll(one), poll(other)] == ["issued", "pending"]
        assert [len(one.calls), len(other.calls)] == [1, 1]
        one.drop()
        other.drop()
        assert poll(one) == "pending"
        one.drop()

    def test_headers_select_a_namespace(self, api: Namespace, server: MockServer) -> None:
        headers = {"Authorization": "Bearer any", **api.headers}
        httpx.get(f"{server.url}{MISSION}/{KEY}", headers=headers).raise_for_status()
        [call] = api.calls
        assert (call.status, call.key) == (200, KEY)

    @pytest.mark.parametrize(
        ("change", "said"),
        [
            (lambda api: api.scenario("faild", key=KEY), "there is issued"),
            (lambda api: api.scenario("faild"), "there is issued"),
            (lambda api: api.state("faild", key=KEY), "there is pending"),
            (lambda api: api.scenario("failed", key=KEY, resource="order"), "there is certificate-request"),
            (lambda api: api.resource(KEY), "been seen"),
            (lambda api: api.clock.advance("soon"), "is not a duration"),
            (lambda api: api.clock.set("soon"), "not a date-time"),
        ],
    )
    def test_errors_name_what_exists(self, api: Namespace, change: object, said: str) -> None:
        poll(api, OTHER)
        with pytest.raises(ControlError, match=said):
            change(api)  # type: ignore[operator]

    def test_a_namespace_that_was_not_used_may_go(self, server: MockServer) -> None:
        server.namespace("nowhere").drop()

    def test_the_default_namespace_stays(self, server: MockServer) -> None:
        with pytest.raises(ControlError, match="default namespace cannot be deleted"):
            server.drop()


class TestWhatItFinds:
    def test_calls_are_typed(self, api: Namespace) -> None:
        with api.client(headers={"Authorization": "Bearer any"}) as client:
            client.get(f"{MISSION}/{KEY}", params={"a": ["1", "2"]})
        [call] = api.calls
        assert isinstance(call, Call)
        assert (call.number, call.when, call.method) == (1, NOON, "GET")
        assert (call.path, call.url, call.query) == (
            f"{MISSION}/{KEY}",
            f"{MISSION}/{KEY}?a=1&a=2",
            {"a": ["1", "2"]},
        )
        assert call.headers["authorization"] == "Bearer any"
        assert (call.status, call.scenario, call.state) == (200, "issued", "pending")
        assert call.operation == "GET /api/v1/cert-manager/certificates/certificate-requests/{requestId}"
        assert call.response_json()["status"] == "pending"
        assert call.response_headers["content-type"].startswith("application/json")
        assert call.body == b""

    def test_calls_are_filtered(self, api: Namespace) -> None:
        api.scenario("flaky", key=KEY)
        for key in (KEY, OTHER, KEY):
            poll(api, key)
        calls = api.calls
        assert [each.status for each in calls] == [500, 200, 200]
        assert [each.number for each in calls.where(key=KEY)] == [1, 3]
        assert [each.number for each in calls.where(key=KEY, status=200)] == [3]
        assert [each.number for each in calls.where(lambda each: each.number > 1)] == [2, 3]
        assert calls[1:].where(key=KEY) == calls[2:]
        with pytest.raises(AttributeError):
            calls.where(colour="red")

    def test_a_call_that_breaks_the_document_says_how(self, api: Namespace) -> None:
        poll(api, "no-uuid")
        [call] = api.calls
        assert call.status == 422
        assert call.problems == ["path requestId: 'no-uuid' is not a uuid"] or "uuid" in call.problems[0]


class TestConnections:
    def test_a_server_in_this_process_is_controlled_over_http_as_well(
        self, local: MockServer, remote: MockServer
    ) -> None:
        one, same = local.namespace("both"), remote.namespace("both")
        same.scenario("failed-at-once", key=KEY)
        assert poll(one) == "failed"
        assert one.calls == same.calls
        assert one.resource(KEY) == same.resource(KEY)
        assert one.url == same.url
        one.drop()

    def test_a_server_that_is_not_there(self) -> None:
        with pytest.raises(UsageError, match=r"http://127\.0\.0\.1:9 does not respond"):
            MockServer.connect("http://127.0.0.1:9")

    @pytest.mark.parametrize("url", ["", "127.0.0.1:8080", "ftp://a", "http://", "http://a:b"])
    def test_invalid_url_is_refused(self, url: str) -> None:
        with pytest.raises(UsageError, match="is not an http or https URL"):
            MockServer.connect(url)

    def test_other_kind_of_server_is_refused(self) -> None:
        with (
            serving(lambda request: Response(200, [], b"hello")) as live,
            pytest.raises(UsageError, match="it is not a mockserver"),
        ):
            MockServer.connect(live.url)

    def test_a_refusal_without_words(self) -> None:
        with (
            serving(lambda request: Response(503)) as live,
            pytest.raises(ControlError, match="GET /health got status 503"),
        ):
            MockServer.connect(live.url)

    def test_a_token(self) -> None:
        seen: list[str | None] = []

        def handle(request: object) -> Response:
            seen.append(request.headers.get("authorization"))  # type: ignore[attr-defined]
            return Response(200, [], b"{}")

        with serving(handle) as live:
            MockServer.connect(live.url, token="secret")
        assert seen == ["Bearer secret"]

    def test_a_server_elsewhere_has_no_way_around_the_socket(self, remote: MockServer) -> None:
        with pytest.raises(UsageError, match="runs in another process"):
            _ = remote.asgi
        with pytest.raises(UsageError, match="runs in another process"):
            remote.adapter()

    def test_stopping_ends_a_server_of_its_own_only(self, live: Live, remote: MockServer) -> None:
        with remote:
            pass
        assert remote.url


class TestALife:
    def test_it_runs_while_its_block_does(self, own_cache: None) -> None:
        server = MockServer()
        with pytest.raises(UsageError, match="does not run"):
            _ = server.url
        with server as same:
            assert same is server
            url = server.url
            assert server.start() is server
            assert server.url == url
            assert poll(server) == "pending"
        with pytest.raises(UsageError, match="does not run"):
            server.reset()
        with pytest.raises(httpx.ConnectError):
            httpx.get(url)
        with server:
            assert len(server.calls) == 0

    def test_it_runs_in_coroutines(self, own_cache: None) -> None:
        async def work() -> None:
            async with MockServer() as server:
                await server.aio.scenario("failed-at-once", key=KEY)
                assert await asyncio.to_thread(poll, server) == "failed"
                assert await server.aio.verify(key=KEY, state="failed") == 1
                assert [each.key for each in await server.aio.calls()] == [KEY]
                frozen = await server.aio.clock.freeze("2026-01-01T00:00:00Z")
                assert await server.aio.clock.now() == frozen == NOON

        asyncio.run(work())

    def test_inputs_that_cannot_be_served(self, write: Write, own_cache: None) -> None:
        path = write("api.yaml", "openapi: 3.0.3\n")
        with pytest.raises(CompileError) as caught:
            MockServer(path).start()
        assert "api.yaml" in str(caught.value)

    def test_a_document_with_faults_is_served_and_they_are_counted_in_the_log(
        self, write: Write, own_cache: None, caplog: pytest.LogCaptureFixture
    ) -> None:
        path = write(
            "api.yaml", "openapi: 3.0.3\npaths: {a: {get: {responses: {'204': {description: ok}}}}}\n"
        )
        with MockServer(path) as server:
            assert httpx.get(f"{server.url}/a").status_code == 204
        assert caplog.messages == ["served with 2 forgiven faults; `mockserver check` lists them"]
        with pytest.raises(CompileError):
            MockServer(path, strict_document=True).start()

    def test_documents_and_scenarios_of_its_own(self, write: Write, own_cache: None) -> None:
        scenarios = write(
            "scenarios/mine.yaml",
            """
            resource: request
            key: path.requestId
            operations: {poll: "GET /api/v1/cert-manager/certificates/certificate-requests/{requestId}"}
            states: {broken: {status: 500, body: {error: Broken}}}
            scenarios: {broken: [broken]}
            """,
        )
        with MockServer(inputs.DOCUMENT, scenarios=scenarios.parent) as server:
            assert poll(server) == "Broken"
            assert server.resource(KEY).name == "request"

    def test_without_scenarios_there_is_no_resource(self, own_cache: None) -> None:
        with (
            MockServer([inputs.DOCUMENT]) as server,
            pytest.raises(UsageError, match="no scenario file is served"),
        ):
            server.scenario("failed")

    def test_of_several_resources_one_must_be_named(self, write: Write, own_cache: None) -> None:
        document = write(
            "api.yaml",
            """
            openapi: 3.0.3
            info: {title: two, version: "1"}
            paths:
              /a/{id}: {get: &get {
                parameters: [{name: id, in: path, required: true, schema: {type: string}}],
                responses: {"200": {description: ok}}}}
              /b/{id}: {get: *get}
            """,
        )
        for name in "ab":
            write(
                f"scenarios/{name}.yaml",
                f"""
                resource: {name}
                key: path.id
                operations: {{read: "GET /{name}/{{id}}"}}
                states: {{fine: {{status: 200}}}}
                scenarios: {{fine: [fine]}}
                """,
            )
        with MockServer(document, scenarios=document.parent / "scenarios", cache=False) as server:
            with pytest.raises(UsageError, match="there is a, b"):
                server.scenario("fine", key="1")
            assert server.state("fine", key="1", resource="b").name == "b"

    def test_requests_are_judged_as_it_was_told(self, own_cache: None) -> None:
        with MockServer(validation="off", security=False, base_path="/v9", seed="1") as server:
            found = httpx.get(f"{server.url}/v9{MISSION}/no-uuid")
        assert found.status_code == 200

    @pytest.mark.parametrize(
        ("wrong", "said"),
        [
            ({"validation": "loose"}, "validation='loose' is not one of strict, warn, off"),
            ({"clock": "yesterday"}, "clock: 'yesterday' is not an ISO 8601 date-time"),
        ],
        ids=str,
    )
    def test_invalid_arguments_are_refused(self, wrong: dict[str, Any], said: str) -> None:
        with pytest.raises(UsageError, match=said):
            MockServer(**wrong).start()

    def test_a_port_that_is_taken(self, local: MockServer) -> None:
        port = int(local.url.rpartition(":")[2])
        with pytest.raises(UsageError, match=f"port {port} on 127.0.0.1 is in use"):
            MockServer(port=port).start()


def test_package_exports_only_its_names() -> None:
    import mockserver.testing

    assert mockserver.testing.Calls([]) == []
    assert not hasattr(mockserver.testing, "Colour")
    assert Path(mockserver.testing.__file__ or "").name == "__init__.py"
