"""A certificate's whole life, seen by a client that knows the document alone."""

from __future__ import annotations

import json
import re
import subprocess
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from openapi_schema_validator import OAS30Validator

from mockserver import inputs
from mockserver.engine.engine import Engine
from mockserver.plan import Plan
from tests import programs
from tests.live import CERTIFICATES, compiled, engine_of, serving_engine

DOCUMENT = inputs.DOCUMENT.with_name("certificate-lifecycle.yaml")
SCENARIOS = inputs.SCENARIOS.with_name("certificate-lifecycle.yaml")
BASE = "/api/v1/cert-manager/certificates"
DAY = 86_400_000
_namespaces = count(1)
_opened: list[httpx.Client] = []


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while _opened:
        _opened.pop().close()


class Client:
    """Knows the document alone: finds operations by id, and takes no answer that breaks it."""

    def __init__(self, port: int, document: Any, namespace: str) -> None:
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"X-Mock-Namespace": namespace},
            timeout=30,
            verify=CERTIFICATES,
        )
        _opened.append(self.http)
        self.document = document
        self.operations = {
            operation["operationId"]: (method, path, operation)
            for path, item in document["paths"].items()
            for method, operation in item.items()
            if method != "parameters"
        }

    def call(self, operation: str, body: Any = None, expect: int = 200, **values: Any) -> Any:
        method, path, stated = self.operations[operation]
        query = {name: value for name, value in values.items() if f"{{{name}}}" not in path}
        url = re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), path)
        content = None if body is None else json.dumps(body)
        headers = {"content-type": "application/json"} if content else {}
        reply = self.http.request(method.upper(), url, params=query, content=content, headers=headers)
        assert reply.status_code == expect, reply.text
        response = self.resolved(stated["responses"][str(expect)])
        schema = response["content"]["application/json"]["schema"]
        told = reply.json()
        root = {**schema, "components": self.document["components"]}
        errors = [error.message for error in OAS30Validator(root).iter_errors(told)]
        assert not errors, errors
        return told

    def resolved(self, node: Any) -> Any:
        while "$ref" in node:
            found = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            node = found
        return node

    def order(self, name: str, *, csr: str | None = None) -> Any:
        body: dict[str, Any] = {
            "profileId": "0b8e9a43-6f2a-4c1b-9f5e-6a7d8c9b0a1f",
            "attributes": {"commonName": name, "ttl": "90d"},
        }
        return self.call("createCertificate", {**body, "csr": csr} if csr else body)

    def poll(self, request: str) -> Any:
        return self.call("getCertificateRequest", requestId=request)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return compiled(DOCUMENT, scenarios=(SCENARIOS,))


@pytest.fixture(scope="module")
def engine(plan: Plan) -> Engine:
    return engine_of(plan)


@pytest.fixture(scope="module")
def port(engine: Engine) -> Iterator[int]:
    with serving_engine(engine) as live:
        yield live.port


@pytest.fixture(scope="module")
def document() -> Any:
    return yaml.safe_load(DOCUMENT.read_text("utf-8"))


@pytest.fixture
def client(port: int, document: Any) -> Client:
    return Client(port, document, f"life-{next(_namespaces)}")


def advance(engine: Engine, client: Client, milliseconds: int) -> None:
    world = engine.namespaces.get_or_create(client.http.headers["X-Mock-Namespace"])
    assert world is not None
    world.clock.advance(milliseconds)


def verified(folder: Path, leaf: str, chain: str, at: int) -> str:
    """What openssl says of a chain."""
    pems = re.findall(r"-----BEGIN.*?END CERTIFICATE-----", chain, re.DOTALL)
    files = {"leaf.pem": leaf, "issuing.pem": pems[0], "root.pem": pems[1]}
    for name, text in files.items():
        (folder / name).write_text(text + "\n")
    command = [programs.path("openssl"), "verify", "-x509_strict", "-attime", str(at)]
    command += ["-CAfile", "root.pem", "-untrusted", "issuing.pem", "leaf.pem"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_from_request_to_revocation(client: Client, tmp_path: Path) -> None:
    created = client.order("shop.example")
    request = created["certificateRequestId"]
    assert created["certificate"] is None
    assert str(uuid.UUID(request)) == request

    told = [client.poll(request) for _ in range(3)]
    assert [each["status"] for each in told] == ["pending", "pending", "issued"]
    issued = told[-1]
    certificate = x509.load_pem_x509_certificate(issued["certificate"].encode())
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "shop.example"
    key = serialization.load_pem_private_key(issued["privateKey"].encode(), None)
    assert key.public_key() == certificate.public_key()

    named = issued["certificateId"]
    record = client.call("getCertificate", certificateId=named)
    assert (record["id"], record["status"], record["commonName"]) == (request, "active", "shop.example")
    assert record["profileId"] == "0b8e9a43-6f2a-4c1b-9f5e-6a7d8c9b0a1f"
    bundle = client.call("getCertificateBundle", certificateId=named)
    assert bundle["certificate"] == issued["certificate"]
    assert bundle["privateKey"] == issued["privateKey"]
    assert "leaf.pem: OK" in verified(tmp_path, bundle["certificate"], bundle["certificateChain"], 1767225600)

    revoked = client.call("revokeCertificate", {"revocationReason": "SUPERSEDED"}, certificateId=named)
    assert revoked["serialNumber"] == issued["serialNumber"]
    assert client.call("getCertificate", certificateId=named)["status"] == "revoked"
    assert client.poll(request)["status"] == "issued"


def test_a_csr_is_what_is_certified(client: Client, tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "mine.example")])
    csr = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, hashes.SHA256())
    pem = csr.public_bytes(serialization.Encoding.PEM).decode()

    request = client.order("shop.example", csr=pem)["certificateRequestId"]
    issued = [client.poll(request) for _ in range(3)][-1]
    assert issued["privateKey"] is None
    certificate = x509.load_pem_x509_certificate(issued["certificate"].encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject == name
    bundle = client.call("getCertificateBundle", certificateId=issued["certificateId"])
    assert bundle["privateKey"] is None
    assert "leaf.pem: OK" in verified(tmp_path, bundle["certificate"], bundle["certificateChain"], 1767225600)

    at_once = client.order("at-once.example", csr=pem)["certificate"]
    assert "privateKey" not in at_once
    assert x509.load_pem_x509_certificate(at_once["certificate"].encode()).public_key() == key.public_key()
    assert "BEGIN PRIVATE KEY" in client.order("at-once.example")["certificate"]["privateKey"]


def test_a_csr_that_cannot_be_certified_is_refused(client: Client) -> None:
    body = {"profileId": str(uuid.uuid4()), "csr": "-----BEGIN CERTIFICATE REQUEST-----"}
    told = client.call("createCertificate", body, expect=422)
    [issue] = told["message"]
    assert issue["path"] == ["csr"]
    assert client.call("listCertificateRequests")["totalCount"] == 0


@pytest.mark.parametrize(
    ("decision", "status", "then"),
    [("approve", "pending", "issued"), ("reject", "rejected", "rejected")],
)
def test_somebody_decides(engine: Engine, client: Client, decision: str, status: str, then: str) -> None:
    request = client.order("approval.example")["certificateRequestId"]
    assert client.poll(request)["status"] == "pending_approval"
    advance(engine, client, DAY - 1)
    assert client.poll(request)["status"] == "pending_approval"
    decided = client.call("approveCertificateRequest", {"decision": decision}, requestId=request)
    assert decided == {"certificateRequestId": request, "status": status}
    advance(engine, client, 2000)
    assert client.poll(request)["status"] == then


def test_nobody_decides(engine: Engine, client: Client) -> None:
    request = client.order("approval.example")["certificateRequestId"]
    advance(engine, client, DAY)
    assert client.poll(request)["status"] == "rejected"


def test_external_authorities_take_their_time(engine: Engine, client: Client) -> None:
    requests = [client.order("external.example")["certificateRequestId"] for _ in range(24)]
    seen = []
    for _ in range(6):
        seen.append(sum(client.poll(request)["status"] == "issued" for request in requests))
        advance(engine, client, 5000)
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert 0 < seen[1] < 24, "some are issued at the first attempt, others later"

    acme = client.order("acme.example")["certificateRequestId"]
    told = []
    for wait in (0, 20_000, 10_000):
        advance(engine, client, wait)
        told.append(client.poll(acme)["status"])
    assert told == ["pending_validation", "pending", "issued"]


def test_cancelled(client: Client) -> None:
    request = client.order("pending.example")["certificateRequestId"]
    told = client.call("cancelCertificateRequest", requestId=request)
    assert told == {
        "status": "failed",
        "cancelled": True,
        "errorMessage": "Cancelled by identity mock-client",
    }
    assert client.poll(request)["errorMessage"] == "Cancelled by identity mock-client"
    issued = client.order("at-once.example")["certificateRequestId"]
    refused = client.call("cancelCertificateRequest", requestId=issued, expect=400)
    assert refused["error"] == "BadRequest"
    assert client.poll(issued)["status"] == "issued"


def test_deleted(client: Client) -> None:
    created = client.order("at-once.example")
    named = created["certificate"]["certificateId"]
    client.call("deleteCertificate", certificateId=named)
    client.call("getCertificate", certificateId=named, expect=404)
    left = client.poll(created["certificateRequestId"])
    assert left["status"] == "issued"
    assert left["certificate"] is left["privateKey"] is left["serialNumber"] is left["certificateId"] is None


def test_what_nobody_created_does_not_exist(client: Client) -> None:
    stranger = str(uuid.uuid4())
    client.call("getCertificateRequest", requestId=stranger, expect=404)
    client.call("cancelCertificateRequest", requestId=stranger, expect=404)
    client.call("getCertificate", certificateId=stranger, expect=404)
    assert client.call("listCertificateRequests")["certificateRequests"] == []


def test_listed(client: Client) -> None:
    names = [f"{kind}.example" for kind in ("at-once", "pending", "failed", "at-once", "pending")]
    requests = [client.order(name)["certificateRequestId"] for name in names]
    whole = client.call("listCertificateRequests")
    assert [each["id"] for each in whole["certificateRequests"]] == requests
    assert [each["commonName"] for each in whole["certificateRequests"]] == names
    assert whole["totalCount"] == 5
    page = client.call("listCertificateRequests", limit=2, offset=3)
    assert [each["id"] for each in page["certificateRequests"]] == requests[3:]
    assert page["totalCount"] == 5
    issued = client.call("listCertificateRequests", status="issued")
    assert [each["id"] for each in issued["certificateRequests"]] == [requests[0], requests[3]]
    assert issued["totalCount"] == 2
    client.call("listCertificateRequests", limit=0, expect=422)


def test_forbidden_creates_nothing(client: Client) -> None:
    body = {"profileId": str(uuid.uuid4()), "attributes": {"commonName": "forbidden.example", "ttl": "1d"}}
    assert client.call("createCertificate", body, expect=403)["error"] == "PermissionDenied"
    assert client.call("listCertificateRequests")["totalCount"] == 0


def test_ids_are_fresh_and_the_same_in_every_run(plan: Plan, document: Any) -> None:
    runs = []
    for _ in range(2):
        with serving_engine(engine_of(plan)) as live:
            client = Client(live.port, document, "same")
            runs.append([client.order("shop.example")["certificateRequestId"] for _ in range(20)])
            other = Client(live.port, document, "other")
            assert other.order("shop.example")["certificateRequestId"] not in runs[-1]
    assert runs[0] == runs[1]
    assert len(set(runs[0])) == 20


def test_beyond_the_limit(engine: Engine, client: Client) -> None:
    for _ in range(100):
        client.order("pending.example")
    body = {"profileId": str(uuid.uuid4())}
    assert client.call("createCertificate", body, expect=429)["error"] == "RateLimitExceeded"
    refused = client.http.post(BASE, json=body)
    assert refused.headers.get_list("Retry-After") == ["1"], "not one that was made up for the document"
    advance(engine, client, 1000)
    client.order("pending.example")
    assert client.call("listCertificateRequests")["totalCount"] == 101


def lives(plan: Plan, document: Any, count: int) -> Counter[tuple[str, ...]]:
    """How often ``count`` certificates in each of eight threads had which states, their kind first."""
    with serving_engine(engine_of(plan, clock=None)) as live:

        def run(thread: int) -> Counter[tuple[str, ...]]:
            seen: Counter[tuple[str, ...]] = Counter()
            for number in range(count):
                client = clients[thread]
                kind = ("shop", "failed", "at-once", "pending")[number % 4]
                name = f"{kind}.t{thread}-{number}.example"
                request = client.order(name)["certificateRequestId"]
                told = [client.poll(request) for _ in range(3)]
                states = [each["status"] for each in told]
                if kind in ("shop", "at-once"):
                    named = told[-1]["certificateId"]
                    record = client.call("getCertificate", certificateId=named)
                    assert (record["id"], record["commonName"]) == (request, name)
                    bundle = client.call("getCertificateBundle", certificateId=named)
                    assert bundle["serialNumber"] == told[-1]["serialNumber"]
                    client.call("revokeCertificate", {"revocationReason": "UNSPECIFIED"}, certificateId=named)
                    states.append(client.call("getCertificate", certificateId=named)["status"])
                elif kind == "pending":
                    states.append(client.call("cancelCertificateRequest", requestId=request)["status"])
                seen[kind, *states] += 1
            return seen

        # A namespace for every two threads, so that threads meet in one and the limit is not in the way
        clients = [Client(live.port, document, f"thousand-{thread // 2}") for thread in range(8)]
        with ThreadPoolExecutor(8) as pool:
            total = sum(pool.map(run, range(8)), Counter[tuple[str, ...]]())
        for client in clients:
            client.http.close()
    return total


def expected(count: int) -> dict[tuple[str, ...], int]:
    """What ``lives`` must count."""
    states = [
        ("shop", "pending", "pending", "issued", "revoked"),
        ("failed", "pending", "pending", "failed"),
        ("at-once", "issued", "issued", "issued", "revoked"),
        ("pending", "pending", "pending", "pending", "failed"),
    ]
    return {each: 8 * len(range(kind, count, 4)) for kind, each in enumerate(states)}


def test_two_hundred_lives_in_eight_threads_each_see_their_own_states(plan: Plan, document: Any) -> None:
    assert lives(plan, document, 25) == expected(25)


def test_two_documents_in_one_server(document: Any) -> None:
    plan = compiled(DOCUMENT, inputs.DOCUMENT.with_name("admin.yaml"), scenarios=(SCENARIOS,))
    assert [each.name for each in plan.documents] == ["certificate-lifecycle", "admin"]
    with serving_engine(engine_of(plan)) as live:
        client = Client(live.port, document, "two")
        assert client.order("shop.example")["certificateRequestId"]


def test_a_folder_of_scenarios_of_several_documents() -> None:
    folder = SCENARIOS.parent
    for document in (DOCUMENT, inputs.DOCUMENT):
        [resource] = compiled(document, scenarios=(folder,)).resources
        assert resource.document == document.stem
    both = compiled(inputs.DOCUMENT, DOCUMENT, scenarios=(folder,))
    assert sorted(each.document for each in both.resources) == [
        "certificate-lifecycle",
        "certificate-request",
    ]
