"""``health``, against servers that are well, unwell and not there."""

from __future__ import annotations

import socket
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from mockserver.cli.health import health
from mockserver.serve.answer import Answer
from mockserver.serve.request import Request
from tests.live import engine_of, mission_plan, serving, serving_engine


def test_a_server_that_is_well() -> None:
    with serving_engine(engine_of(mission_plan())) as live:
        ran = CliRunner().invoke(health, ["--url", f"http://127.0.0.1:{live.port}/"])
        assert ran.exit_code == 0
        assert '"healthy"' in ran.output


def test_the_environment_says_where() -> None:
    with serving_engine(engine_of(mission_plan())) as live:
        for name in ("MOCKSERVER_PORT", "MOCKSERVER_ADMIN_PORT"):
            assert CliRunner().invoke(health, env={name: str(live.port)}).exit_code == 0
        url = f"http://127.0.0.1:{live.port}"
        assert CliRunner().invoke(health, env={"MOCKSERVER_URL": url, "MOCKSERVER_PORT": "1"}).exit_code == 0


def unwell(_: Request) -> Answer:
    return Answer(503, [], b"", "")


def unfound(_: Request) -> Answer:
    return Answer(404, [], b"", "")


@pytest.mark.parametrize("handle", [unwell, unfound])
def test_a_server_that_is_not(handle: Callable[[Request], Answer]) -> None:
    with serving(handle) as live:
        ran = CliRunner().invoke(health, ["--url", f"http://127.0.0.1:{live.port}"])
        assert "answers with status" in str(ran.exception)


def test_nobody_there() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # and does not listen
        ran = CliRunner().invoke(health, ["--url", f"http://127.0.0.1:{unused.getsockname()[1]}"])
    assert "does not answer" in str(ran.exception)


@pytest.mark.parametrize("url", ["localhost:8080", "ftp://localhost", "http://", "http://localhost:port"])
def test_no_url(url: str) -> None:
    ran = CliRunner().invoke(health, ["--url", url])
    assert url in str(ran.exception)
