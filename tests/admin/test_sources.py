from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from mockserver import inputs
from mockserver.compile.compiler import compile_plan
from mockserver.inputs import Inputs
from mockserver.plan import Plan
from tests.admin.mocking import KEY, Mock, mocking
from tests.live import engine_of

PETS = """
openapi: 3.1.0
info: {title: Pets, version: '1'}
paths:
  /pets/{id}:
    get:
      operationId: getPet
      parameters: [{name: id, in: path, required: true, schema: {type: string}}]
      responses:
        '200':
          description: A pet.
          content:
            application/json: {schema: {type: object, required: [name], properties: {name: {type: string}}}}
"""
LIFE = """
resource: pet
key: path.id
operations: {read: getPet}
states: {young: {body: {name: Kit}}, old: {body: {name: Cat}}}
scenarios: {grows: [young: 1, old]}
"""
YAML = {"Content-Type": "application/yaml"}

pytestmark = pytest.mark.usefixtures("compiles_here")


@pytest.fixture
def mock(changeable: Mock) -> Mock:
    return changeable


def put(mock: Mock, path: str, text: str) -> httpx.Response:
    return mock.client.put(f"/__admin{path}", content=text.encode(), headers=YAML)


def scenario_text(mock: Mock) -> str:
    return mock.client.get("/__admin/scenario-files/certificate-request").text


def test_reads_what_is_served(mock: Mock) -> None:
    assert mock.said("GET", "/document")["info"]["title"] == "Infisical API"
    assert mock.said("GET", "/document?name=certificate-request")["openapi"] == "3.0.3"
    assert mock.fault("GET", "/document?name=pets") == (404, None)
    [file] = mock.said("GET", "/scenario-files")["scenarioFiles"]
    assert file["name"] == file["resource"] == "certificate-request"
    assert scenario_text(mock) == inputs.SCENARIOS.read_text("utf-8")
    assert mock.fault("GET", "/scenario-files/pets") == (404, None)


def test_replaces_a_scenario_file_and_keeps_state(mock: Mock) -> None:
    mock.poll()
    text = scenario_text(mock).replace("issued: [pending: 2, issued]", "issued: [pending: 1, failed]")
    response = put(mock, "/scenario-files/certificate-request", text)
    assert response.status_code == 200, response.text
    assert response.json()["plan"] == mock.client.get("/__admin/health").json()["plan"]
    assert scenario_text(mock) == text
    known = mock.said("GET", f"/resources/certificate-request/{KEY}")
    assert (known["state"], known["calls"]) == ("pending", 1)
    assert mock.state("22222222-2222-4222-8222-222222222222") == "pending"
    assert mock.state("22222222-2222-4222-8222-222222222222") == "failed"
    assert mock.said("GET", "/requests")["meta"]["total"] == 3


def test_resource_starts_again_when_its_scenario_is_removed(mock: Mock) -> None:
    mock.said("PUT", f"/resources/certificate-request/{KEY}", {"scenario": "slow"})
    text = scenario_text(mock).replace("  slow: [pending: 30s, issued]\n", "")
    assert put(mock, "/scenario-files/certificate-request", text).status_code == 200
    assert mock.fault("GET", f"/resources/certificate-request/{KEY}") == (404, None)
    assert mock.state() == "pending"


def test_a_scenario_file_that_was_put_is_taken_back_by_delete(mock: Mock) -> None:
    [before] = mock.said("GET", "/scenario-files")["scenarioFiles"]
    text = scenario_text(mock).replace("issued: [pending: 2, issued]", "issued: [failed]")
    assert put(mock, "/scenario-files/certificate-request", text).status_code == 200
    mock.said("POST", "/reset")
    assert mock.state() == "failed", "what is served is of all namespaces"
    [file] = mock.said("GET", "/scenario-files")["scenarioFiles"]
    assert file == {
        **before, "source": "PUT /__admin/scenario-files/certificate-request", "replaces": before["source"]
    }  # fmt: skip
    assert mock.said("DELETE", "/scenario-files/certificate-request")["resources"] == ["certificate-request"]
    assert mock.said("GET", "/scenario-files")["scenarioFiles"] == [before]
    assert scenario_text(mock) == inputs.SCENARIOS.read_text("utf-8")
    assert mock.state("22222222-2222-4222-8222-222222222222") == "pending"
    assert mock.said("DELETE", "/scenario-files/certificate-request")["resources"] == []
    assert mock.fault("DELETE", "/scenario-files/certificate-request") == (404, None)


def test_a_document_that_was_put_is_taken_back_by_delete(mock: Mock) -> None:
    document = mock.said("GET", "/document")
    assert mock.fault("DELETE", "/document") == (409, None)
    changed = {**document, "info": {**document["info"], "title": "Another"}}
    assert mock.control("PUT", "/document", changed).status_code == 200
    assert put(mock, "/document?name=pets", PETS).json()["documents"] == ["certificate-request", "pets"]
    mock.said("DELETE", "/document")
    assert mock.said("GET", "/document") == document
    assert put(mock, "/scenario-files/pet", LIFE).status_code == 200
    assert mock.fault("DELETE", "/document?name=pets") == (422, "")
    assert mock.client.get("/pets/1").json() == {"name": "Kit"}
    mock.said("DELETE", "/scenario-files/pet")
    assert mock.said("DELETE", "/document?name=pets")["documents"] == ["certificate-request"]
    assert mock.client.get("/pets/1").status_code == 404
    assert mock.fault("DELETE", "/document?name=pets") == (404, None)
    assert mock.fault("DELETE", "/document") == (409, None)


def test_deleting_an_added_document_does_not_serve_a_file_of_the_same_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "pet.yaml").write_text("a secret")
    (tmp_path / "pets.yaml").write_text("a secret")
    monkeypatch.chdir(tmp_path)
    with mocking(engine_of(Plan(hash="", documents=())), inputs=Inputs(())) as mock:
        assert put(mock, "/document?name=pets", PETS).status_code == 200
        assert put(mock, "/scenario-files/pet", LIFE).status_code == 200
        [file] = mock.said("GET", "/scenario-files")["scenarioFiles"]
        assert file == {"name": "pet", "resource": "pet", "source": "PUT /__admin/scenario-files/pet"}
        assert mock.said("DELETE", "/scenario-files/pet")["resources"] == []
        assert mock.said("DELETE", "/document?name=pets")["documents"] == []
        assert mock.fault("GET", "/document") == (404, None)


def test_a_folder_is_still_a_folder_after_one_of_its_files_was_put(tmp_path: Path) -> None:
    document, folder = tmp_path / "pets.yaml", tmp_path / "lives"
    folder.mkdir()
    document.write_text(PETS)
    (folder / "pet.yaml").write_text(LIFE)
    (folder / "other.yaml").write_text(other := f"document: elsewhere\n{LIFE}")  # is left out
    inputs = Inputs((document,), (folder,))
    with mocking(engine_of(compile_plan(inputs).plan), inputs=inputs) as mock:
        old = LIFE.replace("young: 1, old", "old")
        assert put(mock, "/scenario-files/pet", old).json()["resources"] == ["pet"]
        assert mock.client.get("/pets/1").json() == {"name": "Cat"}
        assert put(mock, "/scenario-files/other", other).status_code == 422
        assert mock.said("DELETE", "/scenario-files/pet")["resources"] == ["pet"]
        assert mock.client.get("/pets/2").json() == {"name": "Kit"}


FAULTY = [
    "resource: [",
    "resource: certificate-request\nkey: path.requestId\n",
    "a: &a [*a]",
    "",
]


@pytest.mark.parametrize("text", FAULTY, ids=range(len(FAULTY)))
def test_a_faulty_file_changes_nothing(mock: Mock, text: str) -> None:
    before = mock.client.get("/__admin/health").json()["plan"]
    response = put(mock, "/scenario-files/certificate-request", text)
    assert response.status_code == 422
    [first, *_] = response.json()["diagnostics"]
    assert first["code"]
    assert first["message"]
    assert first["source"].endswith("certificate-request.yaml")
    assert mock.client.get("/__admin/health").json()["plan"] == before
    assert scenario_text(mock) == inputs.SCENARIOS.read_text("utf-8")


def test_an_answer_that_breaks_the_document_is_refused(mock: Mock) -> None:
    text = scenario_text(mock).replace("body: {status: pending,", "body: {status: waiting,")
    response = put(mock, "/scenario-files/certificate-request", text)
    assert response.status_code == 422
    assert any(each["line"] for each in response.json()["diagnostics"])


def test_server_without_documents_gets_all_files_by_put() -> None:
    with mocking(engine_of(Plan(hash="", documents=())), inputs=Inputs(())) as mock:
        assert mock.client.get("/__admin/health").json()["ready"] is False
        assert mock.client.get("/pets/1").status_code == 503
        assert mock.fault("GET", "/document") == (404, None)
        assert put(mock, "/document?name=pets", PETS).status_code == 200
        assert mock.client.get("/pets/1").status_code == 200
        assert put(mock, "/scenario-files/pet", LIFE).json()["resources"] == ["pet"]
        assert [mock.client.get("/pets/1").json()["name"] for _ in range(2)] == ["Kit", "Cat"]
        assert mock.client.get("/__admin/health").json()["ready"] is True
        assert mock.said("DELETE", "/scenario-files/pet")["resources"] == []
        assert mock.fault("DELETE", "/scenario-files/pet") == (404, None)


def test_takes_a_document_as_json(mock: Mock) -> None:
    document = mock.said("GET", "/document")
    document["info"]["title"] = "Another"
    assert mock.control("PUT", "/document", document).status_code == 200
    assert mock.said("GET", "/document")["info"]["title"] == "Another"
    assert mock.state() == "pending"


@pytest.mark.parametrize(
    "reference", ["file:///etc/passwd", "../../../etc/passwd", "http://127.0.0.1:1/x.yaml", "other.yaml"]
)
def test_a_document_over_http_refers_to_nothing_else(reference: str) -> None:
    text = PETS.replace("schema: {type: string}", f"schema: {{$ref: '{reference}'}}")
    with mocking(engine_of(Plan(hash="", documents=())), inputs=Inputs(())) as mock:
        response = put(mock, "/document?name=pets", text)
        assert response.status_code == 200
        assert {each["code"] for each in response.json()["faults"]} <= {"D202", "D203"}
        assert response.json()["faults"]
        assert "root:" not in response.text
        assert reference not in json.dumps(mock.said("GET", "/document")["paths"])


def test_what_was_forgiven_in_a_document_stands_in_it() -> None:
    with mocking(engine_of(Plan(hash="", documents=())), inputs=Inputs(())) as mock:
        assert put(mock, "/document?name=pets", PETS).json()["faults"] == []
        assert "x-mockserver-diagnostics" not in mock.said("GET", "/document")
        faulty = PETS.replace("openapi: 3.1.0", "openapi: 3.1.0\nowner: me")
        [fault] = put(mock, "/document?name=pets", faulty).json()["faults"]
        assert (fault["code"], fault["severity"], fault["line"]) == ("D313", "error", 3)
        assert mock.said("GET", "/document")["x-mockserver-diagnostics"] == [fault]
        assert mock.client.get("/pets/1").status_code == 200


def test_a_server_of_strict_documents_takes_no_faulty_one() -> None:
    inputs = Inputs((), strict_document=True)
    with mocking(engine_of(Plan(hash="", documents=())), inputs=inputs) as mock:
        assert (
            put(mock, "/document?name=pets", PETS.replace("openapi:", "owner: me\nopenapi:")).status_code
            == 422
        )
        assert mock.client.get("/__admin/health").json()["ready"] is False
        assert put(mock, "/document?name=pets", PETS).status_code == 200


@pytest.mark.parametrize("name", ["..%2Fx", "%2e%2e", ".hidden", "a%20b", "%ff", "a%0A"])
def test_names_with_path_characters_are_refused(mock: Mock, name: str) -> None:
    assert put(mock, f"/scenario-files/{name}", LIFE).status_code in (400, 404, 405)


def test_body_that_is_not_utf8_is_refused(mock: Mock) -> None:
    response = mock.client.put("/__admin/document", content=b"\xff\xfe", headers=YAML)
    assert response.status_code == 400
    response = mock.client.put("/__admin/document", content=PETS, headers={"Content-Type": "text/plain"})
    assert response.status_code == 415


def test_plan_of_another_process_cannot_be_replaced(mission: Plan) -> None:
    with mocking(engine_of(mission)) as mock:
        assert mock.said("GET", "/document")["openapi"] == "3.0.3"
        assert put(mock, "/document", PETS).status_code == 409
        assert mock.fault("GET", "/scenario-files/certificate-request") == (409, None)
