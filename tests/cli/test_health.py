"""``health``, against servers that are well, unwell and not there."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from mockserver.cli.health import health
from mockserver.messages import Request, Response
from mockserver.plan import Plan
from tests.live import ask, engine_of, mission_plan, serving, serving_engine


def test_healthy_server_is_reported() -> None:
    with serving_engine(engine_of(mission_plan())) as live:
        ran = CliRunner().invoke(health, ["--url", f"http://127.0.0.1:{live.port}/"])
        assert ran.exit_code == 0
        assert '"healthy"' in ran.output


def test_environment_names_the_server() -> None:
    with serving_engine(engine_of(mission_plan())) as live:
        for name in ("MOCKSERVER_PORT", "MOCKSERVER_ADMIN_PORT"):
            assert CliRunner().invoke(health, env={name: str(live.port)}).exit_code == 0
        url = f"http://127.0.0.1:{live.port}"
        assert CliRunner().invoke(health, env={"MOCKSERVER_URL": url, "MOCKSERVER_PORT": "1"}).exit_code == 0


def no_document(_: Request) -> Response:
    return ask(engine_of(Plan(hash="", documents=(), seed="0")), "GET", "/__admin/health")


def no_store(_: Request) -> Response:
    body = b'{"status": "the store is away", "live": true, "ready": false, "documents": []}'
    return Response(200, [], body, "")


@pytest.mark.parametrize(
    ("handle", "why", "code_while_waiting"),
    [(no_document, "no document is served yet", 0), (no_store, "the store is away", 1)],
)
def test_a_server_that_is_not_ready_is_not_well(
    handle: Callable[[Request], Response], why: str, code_while_waiting: int
) -> None:
    with serving(handle) as live:
        ran = CliRunner().invoke(health, ["--url", live.url])
        assert (ran.exit_code, str(ran.exception)) == (1, f"{live.url} is not ready: {why}.")
        for arguments, variables in (
            (["--wait-for-document"], {}),
            ([], {"MOCKSERVER_WAIT_FOR_DOCUMENT": "true"}),
        ):
            ran = CliRunner().invoke(health, ["--url", live.url, *arguments], env=variables)
            assert ran.exit_code == code_while_waiting


@pytest.mark.parametrize("body", [b"", b"fine", b"[]", b'"ready"', b'{"status": "healthy"}'])
def test_other_kind_of_server_is_an_error(body: bytes) -> None:
    with serving(lambda _: Response(200, [], body, "")) as live:
        ran = CliRunner().invoke(health, ["--url", live.url])
    assert "responds, but it is not a mockserver" in str(ran.exception)


def unwell(_: Request) -> Response:
    return Response(503, [], b"", "")


def unfound(_: Request) -> Response:
    return Response(404, [], b"", "")


@pytest.mark.parametrize("handle", [unwell, unfound])
def test_unhealthy_server_is_an_error(handle: Callable[[Request], Response]) -> None:
    with serving(handle) as live:
        ran = CliRunner().invoke(health, ["--url", f"http://127.0.0.1:{live.port}"])
        assert "responds with status" in str(ran.exception)


def test_no_server_is_an_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        ran = CliRunner().invoke(health, ["--url", f"http://127.0.0.1:{unused.getsockname()[1]}"])
    assert "does not respond" in str(ran.exception)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "http://localhost:port"])
def test_invalid_url_is_an_error(url: str) -> None:
    ran = CliRunner().invoke(health, ["--url", url])
    assert url in str(ran.exception)
