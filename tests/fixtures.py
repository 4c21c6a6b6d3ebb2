"""A small document of things, and servers of it by scenario files of a few lines."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from mockserver.compile.compiler import Inputs, compile_plan
from mockserver.engine.engine import Engine, Options
from mockserver.plan import Plan
from tests.live import NOON, engine_of

DOCUMENT = """
openapi: 3.0.3
info: {title: Things, version: '1'}
paths:
  /things:
    post:
      operationId: make
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {name: {type: string}, urgent: {type: boolean}}}
      responses:
        '201':
          description: made
          content:
            application/json:
              schema:
                type: object
                properties: {id: {type: integer, minimum: 1}, name: {type: string, nullable: true}}
                required: [id]
                additionalProperties: false
        '429': {$ref: '#/components/responses/Error'}
        '503': {$ref: '#/components/responses/Error'}
    get:
      operationId: all
      parameters:
        - {name: cursor, in: query, schema: {type: string}}
        - {name: limit, in: query, schema: {type: integer, default: 2}}
      responses:
        '200':
          description: all of them
          content:
            application/json:
              schema:
                type: object
                properties:
                  things: {type: array, items: {$ref: '#/components/schemas/Thing'}}
                  nextCursor: {type: string, nullable: true}
                required: [things, nextCursor]
                additionalProperties: false
  /things/{id}:
    parameters:
      - {name: id, in: path, required: true, schema: {type: integer, minimum: 1}}
    get:
      operationId: look
      responses:
        '200':
          description: one
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        '404': {$ref: '#/components/responses/Error'}
        '429': {$ref: '#/components/responses/Error'}
        '500': {$ref: '#/components/responses/Error'}
        '503': {$ref: '#/components/responses/Error'}
    delete:
      operationId: drop
      responses:
        '204': {description: gone}
        '404': {$ref: '#/components/responses/Error'}
        '409': {$ref: '#/components/responses/Error'}
    post:
      operationId: act
      requestBody:
        content:
          application/json:
            schema: {type: object, properties: {verb: {type: string}}}
      responses:
        '200':
          description: done
          content: {application/json: {schema: {$ref: '#/components/schemas/Thing'}}}
        '404': {$ref: '#/components/responses/Error'}
        '409': {$ref: '#/components/responses/Error'}
components:
  schemas:
    Thing:
      type: object
      properties: {id: {type: integer}, state: {type: string}, name: {type: string}}
      required: [state]
      additionalProperties: false
  responses:
    Error:
      description: what went wrong
      content:
        application/json:
          schema:
            type: object
            properties: {message: {type: string}}
            required: [message]
            additionalProperties: false
"""


def things_plan(folder: Path, scenarios: str, *, seed: str = "0", document: str = DOCUMENT) -> Plan:
    """The Plan of the document and one scenario file. Raises CompileError."""
    path, file = folder / "things.yaml", folder / "life.yaml"
    path.write_text(document, "utf-8")
    file.write_text(dedent(scenarios).lstrip("\n"), "utf-8")
    return compile_plan(Inputs((path,), (file,), seed)).plan


def things(
    folder: Path,
    scenarios: str,
    *,
    seed: str = "0",
    clock: str | None = NOON,
    options: Options | None = None,
) -> Engine:
    """An engine of them, on a clock that stands still."""
    return engine_of(things_plan(folder, scenarios, seed=seed), clock=clock, options=options)
