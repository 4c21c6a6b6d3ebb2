"""The Connexion application of the control plane: ``openapi/admin.yaml``, its endpoints and its pages.

It runs on its own thread and event loop. ``Gateway`` calls it by ASGI in this process. The pages and
Swagger UI are files of installed packages.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import re
import threading
import warnings
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import Future
from copy import deepcopy
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import flask
import yaml
from jsonschema import ValidationError
from jsonschema.exceptions import best_match

from mockserver import __version__, inputs, problem
from mockserver.admin.http import (
    MAX_VALUES,
    ControlError,
    decode_segment,
    has_too_many_values,
    json_response,
    with_error_responses,
)
from mockserver.admin.matching.patterns import excess
from mockserver.engine.engine import ADMIN
from mockserver.engine.routing import Router
from mockserver.jsonschema.references import pointer
from mockserver.media.json import decode_json
from mockserver.media.types import Malformed
from mockserver.messages import Request, Response

_HOPS = frozenset(["content-length", "transfer-encoding", "connection"])

Message = MutableMapping[str, Any]
App = Callable[
    [Message, Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Awaitable[None]
]


class Gateway:
    """Passes requests to the ASGI application that ``build`` returns, on a thread that starts at once."""

    def __init__(self, build: Callable[[], tuple[App, Router[str]]]) -> None:
        self._loop = asyncio.new_event_loop()
        self._built: Future[tuple[App, Router[str]]] = Future()
        self._build = build
        threading.Thread(target=self._run, name="mockserver-admin", daemon=True).start()

    async def response(self, request: Request) -> Response:
        """Return the application's response, or a 500 response if it fails."""
        deferred = asyncio.run_coroutine_threadsafe(self._call(request), self._loop)
        return await asyncio.wrap_future(deferred)

    def _run(self) -> None:
        try:
            self._built.set_result(self._build())
        except BaseException as error:  # noqa: BLE001 - each request reports it
            self._built.set_exception(error)
        self._loop.run_forever()

    async def _call(self, request: Request) -> Response:
        response = Response(500, [], b"", "admin")
        chunks: list[bytes] = []
        arrived = [{"type": "http.request", "body": request.body, "more_body": False}]

        async def receive() -> Message:
            return arrived.pop() if arrived else {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                response.status = message["status"]
                fields = [
                    (name.decode("latin-1").lower(), value.decode("latin-1"))
                    for name, value in message["headers"]
                ]
                response.headers = [field for field in fields if field[0] not in _HOPS]
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))

        try:
            app, router = self._built.result()
            if (refusal := _unrouted(request, router)) is not None:
                return refusal
            await app(_scope(request), receive, send)
        except Exception as error:  # noqa: BLE001 - each request gets a response
            return problem.failed(request, error)
        response.body = b"".join(chunks)
        return response


def _unrouted(request: Request, router: Router[str]) -> Response | None:
    """Return a 404 or 405 response if the document has no such path or method, else None."""
    method, path = request.method, request.raw_path
    found = router.find("GET" if method == "HEAD" else method, path)
    if found is None:
        return problem.unknown_path(method, path, router.nearby(path)[:5])
    if found.target is None:
        return problem.unknown_method(method, path, sorted(found.allowed))
    return None


def _scope(request: Request) -> Message:
    """Return the ASGI scope of a request.

    The path is not decoded. The endpoints decode its parameters, so that a parameter can have a slash.
    """
    headers = [
        (name.encode("latin-1"), value.encode("latin-1", "replace"))
        for name, value in request.headers.items()
        if name not in _HOPS
    ]
    headers.append((b"content-length", b"%d" % len(request.body)))
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET" if request.method == "HEAD" else request.method,
        "scheme": "http",
        "path": request.raw_path,
        "raw_path": request.raw_path.encode("latin-1", "replace"),
        "query_string": request.query_string.encode("latin-1", "replace"),
        "root_path": "",
        "headers": headers,
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }


_ASSETS = {
    "swagger-ui.css": "text/css; charset=utf-8",
    "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
    "favicon-32x32.png": "image/png",
}
_INITIALIZER = "initializer.js"
_SCRIPT = """\
window.ui = SwaggerUIBundle({
  url: "openapi.json", dom_id: "#swagger-ui", deepLinking: true,
  queryConfigEnabled: false, validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
"""
_DOCS = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>mockserver: control interface</title>
<link rel="icon" href="docs/favicon-32x32.png">
<link rel="stylesheet" href="docs/swagger-ui.css">
<div id="swagger-ui"></div>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="docs/initializer.js"></script>
</html>
"""
_SHARED = (
    "default-src 'none'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'"
)


class Pages:
    """The page of the control plane, its documentation and its version."""

    def page(self) -> flask.Response:
        """Return the page of calls, resources and clocks."""
        text, policy = _page()
        return _html(text, policy)

    def version(self) -> flask.Response:
        """Return the version of the package."""
        return json_response({"version": __version__})

    def document(self) -> flask.Response:
        """Return the OpenAPI document of the control plane."""
        return json_response(own_document())

    def docs(self) -> flask.Response:
        """Return the page of Swagger UI."""
        return _html(_DOCS, f"{_SHARED}; script-src 'self'; style-src 'self' 'unsafe-inline'")

    def asset(self, asset: str) -> flask.Response:
        """Return a file of Swagger UI. Raise ControlError 404 for an unknown name."""
        name = decode_segment(asset)
        if name == _INITIALIZER:
            return flask.Response(_SCRIPT, content_type="text/javascript; charset=utf-8")
        if name not in _ASSETS:
            raise ControlError(404, f"there is no file {name[:200]!r}")
        return flask.Response(_asset(name), content_type=_ASSETS[name])


def _html(text: str, policy: str) -> flask.Response:
    response = flask.Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cache-Control"] = "no-store"
    return response


@cache
def _page() -> tuple[str, str]:
    """Return the page and a Content-Security-Policy that allows only its own script and style."""
    text = files("mockserver.admin").joinpath("page.html").read_text("utf-8")
    hashes = {}
    for tag in ("script", "style"):
        [inner] = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inner.encode()).digest()).decode()
        hashes[tag] = f"'sha256-{digest}'"
    return text, f"{_SHARED}; script-src {hashes['script']}; style-src {hashes['style']}"


@cache
def own_document() -> Any:
    """Return the OpenAPI document of the control plane."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(inputs.ADMIN_DOCUMENT.read_text("utf-8"), loader)  # noqa: S506 - safe, and in C


@cache
def _asset(name: str) -> bytes:
    """Return a file of the Swagger UI distribution."""
    vendor = files("swagger_ui_bundle").joinpath("vendor")
    [distribution] = [folder for folder in vendor.iterdir() if folder.name.startswith("swagger-ui-")]
    return Path(str(distribution), name).read_bytes()


with warnings.catch_warnings():
    # Connexion imports a test client that Starlette has deprecated. It is not used here.
    warnings.simplefilter("ignore")
    import connexion
    from connexion.exceptions import ProblemException
    from connexion.resolver import Resolver
    from connexion.validators import VALIDATOR_MAP
    from connexion.validators.json import JSONRequestBodyValidator
    from connexion.validators.parameter import ParameterValidator


Endpoint = Callable[..., flask.Response]


def build(nouns: Mapping[str, object]) -> tuple[Any, Router[str]]:
    """Return the ASGI application and the router of its paths.

    The method ``find`` of ``nouns["requests"]`` is the endpoint of ``operationId: requests.find``.
    """
    logging.getLogger("connexion").setLevel(logging.CRITICAL)  # its warnings are about mistakes of clients

    def endpoint(operation_id: str) -> Endpoint:
        noun, _, verb = operation_id.partition(".")
        return _handled_by_plane if noun == "plane" else with_error_responses(getattr(nouns[noun], verb))

    app = connexion.FlaskApp(
        __name__,
        resolver=Resolver(endpoint),
        strict_validation=True,
        validator_map={
            "parameter": _Parameters,
            "body": {**VALIDATOR_MAP["body"], "application/json": _Body},
        },
    )
    document = own_document()
    app.add_api(deepcopy(document), base_path=ADMIN)  # Connexion changes its argument
    app.add_error_handler(ProblemException, _problem_response)
    app.add_error_handler(Exception, _failed)
    paths = document["paths"]
    targets = ((verb.upper(), path, path) for path, item in paths.items() for verb in item)
    return app, Router(targets, [ADMIN])


def _handled_by_plane() -> flask.Response:
    """Stand for health and events, which ``ControlPlane`` handles without this application."""
    raise AssertionError


def _problem_response(_: object, error: ProblemException) -> connexion.lifecycle.ConnexionResponse:
    """Return the problem+json response for an error of Connexion."""
    return _response(
        problem.response(problem.details(error.status, str(error.detail), members=error.ext), "")
    )


def _failed(
    request: connexion.lifecycle.ConnexionRequest, error: Exception
) -> connexion.lifecycle.ConnexionResponse:
    """Return and log a 500 response: Connexion would not log the error."""
    return _response(problem.failed(Request(request.method, request.scope["path"]), error))


def _response(response: Response) -> connexion.lifecycle.ConnexionResponse:
    return connexion.lifecycle.ConnexionResponse(
        status_code=response.status,
        content_type=problem.CONTENT_TYPE,
        mimetype=problem.CONTENT_TYPE,
        body=response.body,
    )


class _Body(JSONRequestBodyValidator):
    """Limits the size of JSON bodies, and reports errors with a JSON pointer (RFC 6901)."""

    async def _parse(self, stream: Any, scope: Any) -> Any:
        data = b"".join([chunk async for chunk in stream])
        if not data:
            return None
        if self._schema and has_too_many_values(data):  # a document has no schema
            detail = f"The body has more than {MAX_VALUES:,} values, the maximum of a control request."
            raise ProblemException(status=413, detail=detail, ext={"pointer": ""})
        value = decode_json(data)
        if isinstance(value, Malformed):
            raise ProblemException(status=400, detail=value.message, ext={"pointer": ""})
        return value

    def _validate(self, body: Any) -> None:
        if body is None and not self._required:
            return
        if isinstance(body, dict) and "bodyPatterns" in self._schema.get("properties", ()):
            self._limit_patterns(body)
        error = best_match(self._validator.iter_errors(body))
        if isinstance(error, ValidationError):
            steps = list(error.absolute_path)
            if error.validator == "additionalProperties":
                steps += [name for name in error.instance if name not in error.schema["properties"]][:1]
            detail = problem.shortened(error.message, 500)
            raise ProblemException(status=400, detail=detail, ext={"pointer": pointer(steps)})

    @staticmethod
    def _limit_patterns(body: dict[str, Any]) -> None:
        """Refuse long lists of patterns here: to validate each of them takes long."""
        for name, value in body.items():
            if isinstance(value, list | dict) and (detail := excess(value)):
                raise ProblemException(status=422, detail=detail, ext={"pointer": pointer([name])})


class _Parameters(ParameterValidator):
    """Reports an invalid parameter in one sentence."""

    @staticmethod
    def validate_parameter(parameter_type: str, value: Any, param: Any, param_name: str | None = None) -> Any:
        message = ParameterValidator.validate_parameter(parameter_type, value, param, param_name)
        return f"{parameter_type} parameter {param['name']}: {message.splitlines()[0]}" if message else None
