from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator

import pytest

from mockserver.http.log import access_logger, configure
from mockserver.messages import Request, Response

REQUEST = Request("GET", "/a\x1b[31m\nb", "c=d")
ANSWER = Response(404, [], b"12345", "unknown path")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("mockserver", "mockserver.access")]
    before = [(each.handlers, each.propagate, each.level) for each in loggers]
    yield
    for logger, (handlers, propagates, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagates
        logger.setLevel(level)


@pytest.mark.parametrize(
    ("level", "asked"), [("debug", True), ("info", True), ("warning", False), ("error", False)]
)
def test_calls_are_logged_at_level_info(level: str, asked: bool) -> None:
    configure(level, "text")
    assert (access_logger() is not None) is asked


def test_a_call_is_one_line_of_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    log = access_logger()
    assert log is not None
    log(REQUEST, ANSWER, 0.00123)
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(r"GET /a\x1b[31m\x0ab?c=d 404 5 1.23ms unknown path")
    assert " INFO mockserver.access: " in line


def test_a_call_is_a_short_line_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text", terminal=True)
    log = access_logger()
    assert log is not None
    log(REQUEST, ANSWER, 0.00123)
    logging.getLogger("mockserver.server").warning("something else")
    line, other = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"\d\d:\d\d:\d\d GET /a\\x1b\[31m\\x0ab\?c=d 404 5 1\.23ms unknown path", line)
    assert other.endswith(" WARNING mockserver.server: something else")


@pytest.mark.parametrize(("level", "lines"), [("debug", 1), ("info", 0)])
@pytest.mark.parametrize("terminal", [True, False])
def test_what_the_control_plane_answers_is_logged_at_level_debug(
    capsys: pytest.CaptureFixture[str], level: str, lines: int, terminal: bool
) -> None:
    configure(level, "text", terminal=terminal)
    log = access_logger()
    assert log is not None
    log(REQUEST, Response(200, [], b"", "admin"), 0.00123)
    assert len(capsys.readouterr().err.splitlines()) == lines


def test_a_call_is_one_object_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "json")
    log = access_logger()
    assert log is not None
    log(REQUEST, ANSWER, 0.00123)
    [line] = capsys.readouterr().err.splitlines()
    entry = json.loads(line)
    assert {
        key: entry[key] for key in ("level", "logger", "method", "url", "status", "bytes", "decision")
    } == {
        "level": "info",
        "logger": "mockserver.access",
        "method": "GET",
        "url": "/a\x1b[31m\nb?c=d",
        "status": 404,
        "bytes": 5,
        "decision": "unknown path",
    }
    assert entry["milliseconds"] == pytest.approx(1.23)
    assert entry["time"].endswith("Z")


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_fault_comes_with_its_traceback(capsys: pytest.CaptureFixture[str], form: str) -> None:
    configure("warning", form)
    try:
        raise RuntimeError("on purpose")
    except RuntimeError:
        logging.getLogger("mockserver.connection").exception("GET /a\nINFO forged")
    written = capsys.readouterr().err
    if form == "json":
        [line] = written.splitlines()
        entry = json.loads(line)
        assert entry["message"] == "GET /a\nINFO forged"
        assert "RuntimeError: on purpose" in entry["exception"]
    else:
        assert "RuntimeError: on purpose" in written
        assert "\nINFO forged" not in written


def test_configuring_twice_does_not_log_twice(capsys: pytest.CaptureFixture[str]) -> None:
    configure("info", "text")
    configure("info", "text")
    logging.getLogger("mockserver.server").warning("once")
    assert capsys.readouterr().err.count("once") == 1


MARKS = "\n::error ::pwned\r\x1b[31m\x7f\x9b\u2028\u202e\ufeff"


@pytest.mark.parametrize("form", ["text", "json"])
def test_no_control_character_of_what_is_logged_or_raised_reaches_the_log(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure("warning", form)
    logger = logging.getLogger("mockserver.notices")
    logger.warning("no notice to %s", f"a{MARKS}")
    try:
        raise ValueError(f"a{MARKS}")
    except ValueError:
        logger.exception("a fault at %s", f"b{MARKS}")
    told = capsys.readouterr().err
    assert told.count("pwned") == 3
    assert not set(told) & set(MARKS.replace("\n", "").replace("::error ::pwned", "").replace("[31m", ""))
    first = told.split("\n")[0]
    assert "pwned" in first
    if form == "json":
        assert [json.loads(line)["level"] for line in told.split("\n")[:-1]] == ["warning", "error"]
        assert json.loads(first)["message"] == f"no notice to a{MARKS}"
