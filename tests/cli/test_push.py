"""``push``, to servers that wait for a document, serve another, and are not there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from mockserver import inputs
from mockserver.testing import MockServer
from tests.cli.command import Ran, run
from tests.live import MISSION, Process, Write, get

KEY = "11111111-1111-4111-8111-111111111111"
FAULTY = """
    resource: certificate-request
    key: path.requestId
    operations: {poll: "GET /nowhere"}
    states: {broken: {status: 500}}
    scenarios: {broken: [broken]}
    """
MINE = f"""
    resource: mine
    key: path.requestId
    operations: {{poll: "GET {MISSION}/{{requestId}}"}}
    states: {{broken: {{status: 500}}}}
    scenarios: {{broken: [broken]}}
    """


@pytest.fixture
def waiting(cache: Path) -> Iterator[str]:
    """The URL of a server that has no document yet."""
    with Process("--wait-for-document", "--admin-token", "secret", cache=cache) as server:
        yield f"http://127.0.0.1:{server.port}"


@pytest.fixture
def serving(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    """A server of the default document and scenarios."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    with MockServer() as server:
        yield server


def poll(url: str) -> int:
    return get(int(url.rpartition(":")[2]), f"{MISSION}/{KEY}", "Authorization: Bearer any").status


def push(url: str, *arguments: str | Path) -> Ran:
    return run("push", "--url", url, *arguments)


def test_a_server_without_a_document_is_given_one(waiting: str, write: Write) -> None:
    # The scenario file has the name of the document, as is usual.
    folder = write("scenarios/certificate-request.yaml", inputs.SCENARIOS.read_text()).parent
    documents = ("--document", inputs.DOCUMENT, "--scenarios", folder)
    refused = push(waiting, *documents)
    assert (refused.code, "need the token" in refused.err) == (1, True)
    done = push(waiting, *documents, "--admin-token", "secret")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(
        f"{waiting} serves certificate-request with scenarios for certificate-request ("
    )
    assert poll(waiting) == 200


def test_what_is_pushed_again_takes_the_place_of_what_was(serving: MockServer, write: Write) -> None:
    assert poll(serving.url) == 200
    done = push(
        serving.url, "--document", inputs.DOCUMENT, "--scenarios", write("mine.yaml", MINE), "--replace"
    )
    assert done.code == 0
    assert done.out.startswith(f"{serving.url} serves certificate-request with scenarios for mine (")
    assert poll(serving.url) == 500


def test_what_was_put_in_place_of_a_file_is_replaced_with_the_file(serving: MockServer, write: Write) -> None:
    again = write("certificate-request.yaml", inputs.SCENARIOS.read_text() + "\n# again\n")
    assert push(serving.url, "--scenarios", again).code == 0
    done = push(serving.url, "--scenarios", write("mine.yaml", MINE), "--replace")
    assert (done.code, done.err) == (0, "")
    assert " with scenarios for mine (" in done.out


def test_a_document_of_another_name_takes_the_place_of_the_only_one(
    serving: MockServer, write: Write
) -> None:
    document = write("other.yaml", inputs.DOCUMENT.read_text())
    assert push(serving.url, "--document", document).code == 0
    assert poll(serving.url) == 200


def test_what_is_forgiven_in_a_document_is_counted(waiting: str, write: Write) -> None:
    path = write("api.yaml", "openapi: 3.0.3\npaths: {a: {get: {responses: {'204': {description: ok}}}}}\n")
    done = push(waiting, "--document", path, "--admin-token", "secret")
    assert (done.code, done.err) == (0, "served with 2 forgiven faults; `mockserver check` lists them\n")


def test_what_is_faulty_is_told_and_changes_nothing(serving: MockServer, write: Write) -> None:
    refused = push(serving.url, "--scenarios", write("certificate-request.yaml", FAULTY))
    assert refused.code == 2
    assert "certificate-request.yaml:3:" in refused.err
    assert refused.err.endswith("the previous files are still served.\n")
    assert poll(serving.url) == 200


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--url", "http://127.0.0.1:9"), "there is nothing to push"),
        (("--url", "http://127.0.0.1:9", "--document", inputs.DOCUMENT), "does not respond"),
        (("--url", "http://127.0.0.1:9", "--document", inputs.DOCUMENT, "--wait", "0.3"), "does not respond"),
        (("--url", "nowhere", "--document", inputs.DOCUMENT), "is not an http or https URL"),
        (("--document", inputs.DOCUMENT), "Missing option '--url'"),
    ],
)
def test_impossible_push_is_reported_in_one_sentence(arguments: tuple[str | Path, ...], said: str) -> None:
    ran = run("push", *arguments)
    assert ran.code in (1, 2)
    assert said in ran.err


def test_every_option_may_stand_in_the_environment(waiting: str) -> None:
    done = run(
        "push",
        environment={
            "MOCKSERVER_URL": waiting,
            "MOCKSERVER_DOCUMENT": str(inputs.DOCUMENT),
            "MOCKSERVER_SCENARIOS": str(inputs.SCENARIOS),
            "MOCKSERVER_ADMIN_TOKEN": "secret",
        },
    )
    assert (done.code, done.err) == (0, "")
