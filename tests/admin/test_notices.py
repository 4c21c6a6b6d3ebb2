"""What the control plane tells of notices."""

from __future__ import annotations

from pathlib import Path

from tests.admin.mocking import mocking
from tests.fixtures import things

FILE = """
resource: thing
key: path.id
operations: {make: {operation: make, creates: body.id}}
states: {new: {make: {}}}
scenarios: {usual: [new]}
notify: {on: new, url: "http://192.0.2.1/{{ resource.key }}", body: {state: "{{ resource.state }}"}}
"""


def test_sent_webhooks_are_listed_with_their_results(tmp_path: Path) -> None:
    with mocking(things(tmp_path, FILE)) as mock:
        for _ in range(3):
            assert mock.client.post("/things", json={}).status_code == 201
        while not all(each["done"] for each in mock.said("GET", "/notices")["notices"]):
            pass
        told = mock.said("GET", "/notices?limit=2")
        assert told["meta"] == {"total": 3}
        assert [each["key"] for each in told["notices"]] == ["3", "2"]
        first = told["notices"][0]
        assert (first["state"], first["method"], first["url"]) == ("new", "POST", "http://192.0.2.1/3")
        assert first["body"] == '{"state":"new"}'
        assert first["headers"]["content-type"] == "application/json"
        assert "--allow-callbacks" in first["attempts"][0]
        assert not first["delivered"]
        assert mock.said("GET", "/notices", x_mock_namespace="other") == {"notices": [], "meta": {"total": 0}}
        mock.said("POST", "/reset")
        assert mock.said("GET", "/notices")["notices"] == []
