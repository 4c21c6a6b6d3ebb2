"""What --allow-remote-refs lets be fetched: http and https, and nothing that they lead to beside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from mockserver.compile import remote
from mockserver.compile.references import ReferenceScope, Trees, load_trees
from mockserver.compile.remote import FetchError, fetch_text


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def do_GET(self) -> None:
        kind, _, rest = self.path[1:].partition("?")
        if kind == "to":
            self.send_response(302)
            self.send_header("Location", rest)
            self.end_headers()
        elif kind == "noise":
            self.wfile.write(b"no HTTP at all\r\n\r\n")
        elif kind == "gone":
            self.send_error(404)
        else:
            texts = {"latin-1": b"\xe9", "long": b" " * 50, "referring": b'{"$ref": "%b"}' % rest.encode()}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(texts.get(kind, rest.encode()))

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _answering() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    with _answering() as url:
        yield url


def test_redirection_to_http_is_followed(host: str) -> None:
    assert fetch_text(f"{host}/to?{host}/text?hello") == "hello"


@pytest.mark.parametrize(
    "target",
    ["/to?file:///etc/passwd", "/to?ftp://127.0.0.1:9/a", "/to?data:,x", "/noise", "/gone", "/latin-1"],
)
def test_redirection_to_another_scheme_is_rejected(host: str, target: str) -> None:
    with pytest.raises(FetchError) as failure:
        fetch_text(host + target)
    assert str(failure.value)


def test_text_above_the_size_limit_is_rejected(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fetch_text(f"{host}/long") == " " * 50
    monkeypatch.setattr(remote, "MAX_BYTES", 49)
    with pytest.raises(FetchError, match="over 49 bytes"):
        fetch_text(f"{host}/long")


def _gathered(folder: Path, target: str) -> Trees:
    path = folder / "main.yaml"
    path.write_text(f"openapi: 3.1.0\ncomponents: {{schemas: {{A: {{$ref: '{target}'}}}}}}\n")
    return load_trees(path, path.name, ReferenceScope(folder, allow_remote=True))


def test_failed_fetch_is_reported_at_its_reference(host: str, tmp_path: Path) -> None:
    [fault] = _gathered(tmp_path, f"{host}/to?file:///etc/passwd").diagnostics
    assert (fault.code, fault.where.line) == ("D204", 2)


@pytest.mark.parametrize(
    ("inner", "code"),
    [("file:///etc/passwd", "D203"), ("https://files.mockserver.invalid/beside.yaml", "D203")],
)
def test_fetched_document_may_not_refer_to_local_files(
    host: str, tmp_path: Path, inner: str, code: str
) -> None:
    (tmp_path / "beside.yaml").write_text("type: string\n")
    found = _gathered(tmp_path, f"{host}/referring?{inner}")
    assert [diagnostic.code for diagnostic in found.diagnostics] == [code]
