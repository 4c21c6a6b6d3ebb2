"""``mockserver serve`` with its options for control, as users start it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from mockserver import inputs
from tests import fixtures as things
from tests.admin.mocking import KEY
from tests.live import MISSION, PATIENCE, Process, Wire, get

Write = Callable[[str, str], Path]
DOCUMENT = inputs.DOCUMENT
HEADERS = {"Authorization": "Bearer any"}


def client(process: Process) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{process.port}", timeout=PATIENCE)


def state(found: httpx.Client) -> str:
    return str(found.get(f"{MISSION}/{KEY}", headers=HEADERS).json()["status"])


def refuses_connections(port: int) -> bool:
    try:
        Wire(port).socket.close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:  # it was closed meanwhile
        pass
    return False


def test_shuts_down_when_asked(cache: Path) -> None:
    with Process(cache=cache) as process, client(process) as found:
        with found.stream("GET", "/__admin/events") as events:
            response = httpx.post(f"http://127.0.0.1:{process.port}/__admin/shutdown")
            assert response.status_code == 202
            events.read()
        assert process.stop() == (0, "")


def test_a_terminated_server_ends_its_streams(cache: Path) -> None:
    with Process(cache=cache) as process, client(process) as found:
        with found.stream("GET", "/__admin/events") as events:
            process.tell(signal.SIGTERM)
            events.read()
        assert process.stop() == (0, "")


def test_a_terminated_server_answers_what_is_in_flight_and_refuses_new_connections(cache: Path) -> None:
    head = f"GET {MISSION}/{KEY} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n"
    with Process(cache=cache) as process, Wire(process.port) as wire:
        wire.send(f"{head}Content-Length: 10\r\n\r\nhello".encode())
        get(process.port, "/__admin/health")  # what was sent before is read
        process.tell(signal.SIGTERM)
        while not refuses_connections(process.port):
            pass
        wire.send(b"world")
        assert wire.reply().status == 200
        assert process.stop() == (0, "")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_public_host_without_a_token_is_refused(host: str) -> None:
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--host", host]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "--admin-token TOKEN" in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_admin_serves_health_only(cache: Path) -> None:
    with Process("--no-admin", cache=cache) as process, client(process) as found:
        assert found.get("/__admin/health").status_code == 200
        assert found.get("/__admin/requests").status_code == 404
        assert found.post("/__admin/shutdown").status_code == 404


def test_admin_port_serves_the_control_plane_only_there(cache: Path) -> None:
    with Process("--admin-port", "0", "--admin-token", "s3cret", cache=cache) as process:
        assert process._process.stdout is not None
        control = process._process.stdout.readline().strip().rpartition(" ")[2]
        known = {"Authorization": "Bearer s3cret"}
        with client(process) as found, httpx.Client(base_url=control, headers=known) as admin:
            assert state(found) == "pending"
            assert found.get("/__admin/requests", headers=known).status_code == 404
            assert admin.get("requests").json()["meta"]["total"] == 1
            assert httpx.get(f"{control}requests").status_code == 401
            assert admin.get(f"{MISSION}/{KEY}".replace("/__admin", "")).status_code == 404
            assert admin.post("shutdown").status_code == 202
        assert process.stop() == (0, "")


def test_hosts_option_allows_host_names(cache: Path) -> None:
    with Process("--hosts", "api.example", cache=cache) as process, client(process) as found:
        for path in ("/__admin/health", "/__admin/requests", f"{MISSION}/{KEY}"):
            for host, status in (("evil.example", 421), ("api.example", 200)):
                assert found.get(path, headers={**HEADERS, "Host": host}).status_code == status


@pytest.mark.parametrize("way", ["file", "environment"])
def test_token_file_keeps_the_token_out_of_the_process_list(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    arguments: list[str | Path] = []
    if way == "file":
        arguments = ["--admin-token-file", tmp_path / "token"]
        (tmp_path / "token").write_text("s3cret\n# a comment\n", "utf-8")
    else:
        monkeypatch.setenv("MOCKSERVER_ADMIN_TOKEN", "s3cret")
    with Process(*arguments, cache=cache) as process, client(process) as found:
        assert found.get("/__admin/version").status_code == 401
        known = {"Authorization": "Bearer s3cret"}
        assert found.get("/__admin/version", headers=known).status_code == 200


@pytest.mark.parametrize(
    ("text", "told"), [(None, "No such file"), (b"\n", "first line is empty"), (b"\xff", "not a text file")]
)
def test_unusable_token_file_is_reported_in_one_sentence(
    tmp_path: Path, text: bytes | None, told: str
) -> None:
    path = tmp_path / "token"
    if text is not None:
        path.write_bytes(text)
    command = [sys.executable, "-m", "mockserver", "serve", "--port", "0", "--admin-token-file", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert told in done.stderr


def test_no_webhook_reaches_any_port_of_the_server(cache: Path, tmp_path: Path) -> None:
    notify = '\nnotify: {on: new, url: "{{ resource.created_by.body.name }}"}\n'
    scenarios = (
        "resource: thing\nkey: path.id\noperations: {make: {operation: make, creates: body.id}, look: look}\n"
    )
    states = "states: {new: {make: {}, look: {}}}\nscenarios: {usual: [new]}"
    document, file = tmp_path / "things.yaml", tmp_path / "life.yaml"
    document.write_text(things.DOCUMENT, "utf-8")
    file.write_text(scenarios + states + notify, "utf-8")
    with (
        Process(document, "--scenarios", file, "--admin-port", "0", cache=cache) as process,
        client(process) as found,
    ):
        assert process._process.stdout is not None
        control = process._process.stdout.readline().strip().rpartition(" ")[2]
        for port in (process.port, int(control.split(":")[2].partition("/")[0])):
            body = {"name": f"http://localhost:{port}/__admin/shutdown"}
            assert found.post("/things", json=body).status_code == 201
        with httpx.Client(base_url=control, timeout=PATIENCE) as admin:
            told: list[Any] = []
            while len(told) < 2 or not all(each["done"] for each in told):
                told = admin.get("notices").json()["notices"]
        assert [each["attempts"][0].endswith("is this mock server itself") for each in told] == [True, True]


def test_pages_of_allowed_origins_may_call(cache: Path) -> None:
    origin = "https://app.example"
    with Process("--cors", origin, cache=cache) as process, client(process) as found:
        asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
        preflight = found.options(f"{MISSION}/{KEY}", headers=asked)
        assert preflight.status_code == 204
        assert preflight.headers["access-control-allow-origin"] == origin
        response = found.get(f"{MISSION}/{KEY}", headers={**HEADERS, "Origin": origin})
        assert response.headers["access-control-allow-origin"] == origin
        other = found.get(f"{MISSION}/{KEY}", headers={**HEADERS, "Origin": "https://evil.example"})
        assert "access-control-allow-origin" not in other.headers
        assert found.post("/__admin/reset", headers={"Origin": origin}).status_code == 403


def test_waits_for_a_document_over_http(cache: Path) -> None:
    with Process("--wait-for-document", cache=cache) as process, client(process) as found:
        assert found.get("/__admin/health").json()["ready"] is False
        assert found.get(f"{MISSION}/{KEY}").status_code == 503
        put = {"Content-Type": "application/yaml"}
        response = found.put("/__admin/document", content=DOCUMENT.read_bytes(), headers=put)
        assert response.status_code == 200, response.text
        text = inputs.SCENARIOS.read_bytes()
        assert found.put("/__admin/scenario-files/life", content=text, headers=put).status_code == 200
        assert state(found) == "pending"


def test_waits_for_a_document_on_the_disk(cache: Path, tmp_path: Path) -> None:
    path = tmp_path / "api" / "late.yaml"
    with Process(path, "--wait-for-document", cache=cache) as process, client(process) as found:
        assert found.get("/__admin/health").json()["ready"] is False
        with found.stream("GET", "/__admin/events?kinds=reload&most=1") as events:
            path.parent.mkdir()
            path.write_bytes(DOCUMENT.read_bytes())
            assert '"ok":true' in events.read().decode()
        assert found.get("/__admin/health").json()["documents"] == ["late"]


def test_watches_the_disk(cache: Path, tmp_path: Path) -> None:
    document, scenarios = tmp_path / "api.yaml", tmp_path / "life.yaml"
    document.write_bytes(DOCUMENT.read_bytes())
    scenarios.write_bytes(inputs.SCENARIOS.read_bytes())
    text = scenarios.read_text("utf-8")
    with (
        Process(document, "--scenarios", scenarios, "--watch", cache=cache) as process,
        client(process) as found,
    ):
        assert state(found) == "pending"

        def changed(to: str) -> str:
            with found.stream("GET", "/__admin/events?kinds=reload&most=1") as events:
                scenarios.write_text(to, "utf-8")
                return events.read().decode()

        assert '"ok":false' in changed(text.replace("pending: 2, issued]", "pendng: 2, issued]"))
        assert state(found) == "pending"
        assert '"ok":true' in changed(text.replace("issued: [pending: 2, issued]", "issued: [issued]"))
        other = found.get(f"{MISSION}/22222222-2222-4222-8222-222222222222", headers=HEADERS)
        assert other.json()["status"] == "issued"
        code, errors = process.stop(signal.SIGTERM)
        assert code == 0
        assert "life.yaml:" in errors
        assert "the previous files are still served." in errors


def test_no_journal(cache: Path) -> None:
    with Process("--journal", "0", cache=cache) as process, client(process) as found:
        state(found)
        assert found.get("/__admin/requests").json()["requestJournalDisabled"] is True
