"""What a server answers to valid requests, judged by the document: made and judged by Schemathesis."""

from __future__ import annotations

import contextlib
import json
import signal
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit

import requests as http
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.core.failures import Failure, FailureGroup

from benchmarks.load import Request, filled
from mockserver.compile.source import read

_CHECKS = (
    "not_a_server_error", "status_code_conformance", "content_type_conformance",
    "response_headers_conformance", "response_schema_conformance",
)  # fmt: skip
_LOAD_TIME, _CASE_TIME, _ANSWER_TIME = 120, 15, 20
"""Seconds until reading a document, making a request of it, or judging an answer is given up."""
_MAX_TOLD = 300
_CLIENT_ERROR, _SERVER_ERROR = 400, 500


class Verdict(NamedTuple):
    """What became of one operation."""

    kind: Literal["valid", "refused", "broken", "not asked"]
    """``refused`` is a 4xx to a valid request; ``not asked`` one that no request can be made of."""
    operation: str
    cause: str = ""


@contextlib.contextmanager
def time_limit(seconds: int) -> Iterator[None]:
    """Raise TimeoutError in what takes longer. For the main thread alone."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TimeoutError(f"it takes more than {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def judge(document: Mapping[str, Any], url: str, count: int) -> Iterator[Verdict]:
    """Send a valid request for each of ``count`` operations, spread over the document."""
    load_all_checks()
    # A base path would hide that a server answers at the root as well
    rooted = {key: value for key, value in document.items() if key not in ("servers", "basePath", "host")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with time_limit(_LOAD_TIME):
                found = [each.ok() for each in _operations(rooted) if hasattr(each, "ok")]
        except Exception as error:  # noqa: BLE001 - a document may lead the reader anywhere
            yield Verdict("not asked", "all", f"Schemathesis cannot read it: {error!r}"[:_MAX_TOLD])
            return
        for operation in found[:: max(1, len(found) // count)][:count]:
            yield _verdict(rooted, operation, url)


def faults(documents: Sequence[Path], port: int, requests: Iterable[Request]) -> list[str]:
    """What is wrong with the answers to ``requests``: each has to succeed, and be as documented."""
    causes = []
    for request in requests:
        method, target = request.method, filled(request.target)
        fields = dict(filled(each).split(": ", 1) for each in request.fields)
        body = request.body.read_bytes() if request.body else None
        url = f"http://127.0.0.1:{port}{target}"
        response = http.request(
            method, url, headers=fields, data=body, timeout=_ANSWER_TIME, allow_redirects=False
        )
        if not response.ok:
            causes.append(_told(response.status_code, response.text))
            continue
        try:
            _operation(documents, method, urlsplit(target).path).validate_response(response)
        except (Failure, FailureGroup) as error:
            causes.append(_told(response.status_code, _causes(error)))
    return causes


def targets(document: Path, method: str) -> Iterator[Request]:
    """A valid request for each operation of ``method`` that one can be made for."""
    content = json.loads(document.read_text())
    for operation in (each.ok() for each in _operations(content) if hasattr(each, "ok")):
        if operation.method.upper() != method:
            continue
        try:
            with time_limit(_CASE_TIME):
                case = _case(operation)
            _authorize(case, content)
            made = http.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
        except (Exception, BaseExceptionGroup):  # noqa: BLE001 - as above
            continue
        fields = tuple(f"{name}: {value}" for name, value in case.headers.items())
        yield Request(made.path_url, method, fields)


def _operation(documents: Sequence[Path], method: str, path: str) -> Any:
    parts = path.split("/")

    def matches(template: str) -> bool:
        own = template.split("/")
        return len(own) == len(parts) and all(
            "{" in each or each == part for each, part in zip(own, parts, strict=True)
        )

    found = [(each, name) for each in documents for name in _read(each)[0]["paths"] if matches(name)]
    document, template = min(found, key=lambda each: each[1].count("{"))
    return _read(document)[1][template][method]


@cache
def _read(document: Path) -> tuple[dict[str, Any], Any]:
    content = (
        json.loads(document.read_text())
        if document.suffix == ".json"
        else read(document, document.name).value
    )
    return content, schemathesis.openapi.from_dict(content)


def _operations(document: Mapping[str, Any]) -> Iterator[Any]:
    yield from schemathesis.openapi.from_dict(dict(document)).get_all_operations()


def _verdict(document: Mapping[str, Any], operation: Any, url: str) -> Verdict:
    name = f"{operation.method.upper()} {operation.path}"
    try:
        with time_limit(_CASE_TIME):
            case = _case(operation)
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - as above
        return Verdict("not asked", name, f"no request can be made: {error!r}"[:_MAX_TOLD])
    _authorize(case, document)
    try:
        with time_limit(_ANSWER_TIME):
            response = case.call(base_url=url, timeout=_ANSWER_TIME)
            status = response.status_code
            if _CLIENT_ERROR <= status < _SERVER_ERROR:
                return Verdict("refused", name, _told(status, response.text))
            case.validate_response(response, checks=[CHECKS.get_one(each) for each in _CHECKS])
    except http.RequestException as error:
        return Verdict("broken", name, _told("no answer:", repr(error)))
    except (Failure, FailureGroup) as error:
        return Verdict("broken", name, _told(status, _causes(error)))
    except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - a schema may lead the judge anywhere
        return Verdict("broken", name, _told(status, f"it cannot be judged: {error!r}"))
    return Verdict("valid", name)


def _case(operation: Any) -> Any:
    made: list[Any] = []

    @seed(7)
    @settings(
        max_examples=1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    @given(case=operation.as_strategy())
    def make(case: Any) -> None:
        made.append(case)

    make()
    return made[-1]


def _authorize(case: Any, document: Mapping[str, Any]) -> None:
    """Give a request the credentials of the first alternative that its operation asks for."""
    operation = document["paths"].get(case.path, {}).get(case.method.lower(), {})
    asked = operation.get("security", document.get("security")) or [{}]
    schemes = (
        document.get("components", {}).get("securitySchemes") or document.get("securityDefinitions") or {}
    )
    parts: dict[str, dict[str, str]] = {
        "header": dict(case.headers or {}),
        "query": dict(case.query or {}),
        "cookie": dict(case.cookies or {}),
    }
    for name in asked[0]:
        scheme = schemes.get(name) or {}
        if scheme.get("type") == "apiKey":
            parts.get(scheme.get("in"), {})[scheme.get("name")] = "test-key"
        elif "basic" in (scheme.get("type"), str(scheme.get("scheme")).lower()):
            parts["header"]["Authorization"] = "Basic dGVzdDp0ZXN0"
        else:
            parts["header"]["Authorization"] = f"{scheme.get('scheme') or 'Bearer'} test"
    case.headers, case.query, case.cookies = parts["header"], parts["query"], parts["cookie"]


def _causes(error: Failure | FailureGroup) -> str:
    causes = error.exceptions if isinstance(error, FailureGroup) else (error,)
    return "; ".join(f"{each.title}: {each.message}" for each in causes)


def _told(status: object, text: str) -> str:
    return f"{status} {' '.join(text.split())}"[:_MAX_TOLD]
