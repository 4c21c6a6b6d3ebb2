"""Documents: only diagnostics may come of a text, and what is served answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from mockserver import inputs
from mockserver.compile.compiler import compile_plan
from mockserver.compile.source import parse
from mockserver.diagnostics import CompileError
from mockserver.inputs import Inputs
from mockserver.plan import Plan
from tests.fuzz.targets import mutation
from tests.hostile import FORGIVEN, REFUSED, SERVED
from tests.live import ask, engine_of

_ASKED = 4
_LONGEST = 100_000
EVERYTHING = Path(__file__).parent / "everything.yaml"


@cache
def _values() -> list[Any]:
    return [parse(path.read_text("utf-8"), path.name).value for path in (EVERYTHING, inputs.DOCUMENT)]


def seeds() -> list[bytes]:
    texts = [text for text, _, _ in (*REFUSED.values(), *FORGIVEN.values())] + list(SERVED.values())
    octets = [text if isinstance(text, bytes) else text.encode("utf-8", "replace") for text in texts]
    return [*mutation.programs(_values()), *(each for each in octets if len(each) < 5_000)]


def check(data: bytes) -> None:
    text = mutation.text(data[:_LONGEST], _values())
    path = Path("fuzzed.yaml")
    try:
        plan = compile_plan(Inputs((path,), (), texts={path: text})).plan
    except CompileError as error:
        assert error.diagnostics
        assert all(each.code and each.message and str(each) for each in error.diagnostics)
        return
    _answers(plan)


def _answers(plan: Plan) -> None:
    engine = engine_of(plan)
    for operation in plan.documents[0].operations[:_ASKED]:
        base = plan.documents[0].base_paths[0]
        target = base + operation.path.replace("{", "").replace("}", "")
        response = ask(engine, operation.method, target, {"authorization": "Bearer any"}, b"")
        assert 200 <= response.status <= 999
