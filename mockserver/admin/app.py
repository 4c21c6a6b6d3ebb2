"""The Connexion application: ``openapi/admin.yaml`` bound to the endpoints that answer it."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import flask
from jsonschema import ValidationError
from jsonschema.exceptions import best_match

with warnings.catch_warnings():
    # Connexion imports a test client that Starlette has deprecated; no one here uses it.
    warnings.simplefilter("ignore")
    import connexion
    from connexion.exceptions import ProblemException
    from connexion.resolver import Resolver
    from connexion.validators import VALIDATOR_MAP
    from connexion.validators.json import JSONRequestBodyValidator
    from connexion.validators.parameter import ParameterValidator

from mockserver.admin import pages
from mockserver.admin.exchange import answering
from mockserver.admin.limits import MAX_VALUES, has_too_many_values
from mockserver.media.json import decode_json
from mockserver.media.malformed import Malformed
from mockserver.serve import problem
from mockserver.serve.answer import Answer
from mockserver.serve.engine import ADMIN
from mockserver.serve.request import Request
from mockserver.serve.routing import Router

Endpoint = Callable[..., flask.Response]


def build(nouns: Mapping[str, object]) -> tuple[Any, Router[str]]:
    """An ASGI application, and the router of its paths.

    ``operationId: requests.find`` is answered by the method ``find`` of ``nouns["requests"]``.
    """
    logging.getLogger("connexion").setLevel(logging.CRITICAL)  # its warnings are the client's faults

    def endpoint(operation_id: str) -> Endpoint:
        noun, _, verb = operation_id.partition(".")
        return _answered_before if noun == "plane" else answering(getattr(nouns[noun], verb))

    app = connexion.FlaskApp(
        __name__,
        resolver=Resolver(endpoint),
        strict_validation=True,
        validator_map={
            "parameter": _Parameters,
            "body": {**VALIDATOR_MAP["body"], "application/json": _Body},
        },
    )
    document = pages.document()
    app.add_api(deepcopy(document), base_path=ADMIN)  # Connexion edits what it is given
    app.add_error_handler(ProblemException, _told)
    app.add_error_handler(Exception, _failed)
    paths = document["paths"]
    targets = ((verb.upper(), path, path) for path, item in paths.items() for verb in item)
    return app, Router(targets, [ADMIN])


def _answered_before() -> flask.Response:
    """The plane answers these itself: health at once, events without an end. They do not come here."""
    raise AssertionError


def _told(_: object, error: ProblemException) -> connexion.lifecycle.ConnexionResponse:
    """Connexion's problems in this server's words."""
    return _response(problem.answer(problem.details(error.status, str(error.detail), members=error.ext), ""))


def _failed(
    request: connexion.lifecycle.ConnexionRequest, error: Exception
) -> connexion.lifecycle.ConnexionResponse:
    """What any fault comes to: Connexion's own answer would be in no log."""
    return _response(problem.failed(Request(request.method, request.scope["path"]), error))


def _response(answer: Answer) -> connexion.lifecycle.ConnexionResponse:
    return connexion.lifecycle.ConnexionResponse(
        status_code=answer.status,
        content_type=problem.CONTENT_TYPE,
        mimetype=problem.CONTENT_TYPE,
        body=answer.body,
    )


class _Body(JSONRequestBodyValidator):
    """Bodies of bounded depth, and faults that say where."""

    async def _parse(self, stream: Any, scope: Any) -> Any:
        data = b"".join([chunk async for chunk in stream])
        if not data:
            return None
        if self._schema and has_too_many_values(data):  # of a document all is text
            detail = f"The body holds over {MAX_VALUES:,} values; no control request needs that many."
            raise ProblemException(status=413, detail=detail, ext={"pointer": ""})
        value = decode_json(data)
        if isinstance(value, Malformed):
            raise ProblemException(status=400, detail=value.message, ext={"pointer": ""})
        return value

    def _validate(self, body: Any) -> None:
        if body is None and not self._required:
            return
        error = best_match(self._validator.iter_errors(body))
        if isinstance(error, ValidationError):
            steps = list(error.absolute_path)
            if error.validator == "additionalProperties":
                steps += [name for name in error.instance if name not in error.schema["properties"]][:1]
            pointer = "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)
            detail = problem.shortened(error.message, 500)
            raise ProblemException(status=400, detail=detail, ext={"pointer": pointer})


class _Parameters(ParameterValidator):
    """One sentence for a parameter that is wrong, instead of a page."""

    @staticmethod
    def validate_parameter(parameter_type: str, value: Any, param: Any, param_name: str | None = None) -> Any:
        said = ParameterValidator.validate_parameter(parameter_type, value, param, param_name)
        return f"{parameter_type} parameter {param['name']}: {said.splitlines()[0]}" if said else None
