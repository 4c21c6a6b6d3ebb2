"""Regular expressions and JSONPath that arrive over HTTP: run by engines that come to an end.

A regular expression runs in time linear in the text wherever it can. One that
looks around or back needs a backtracking engine, which gives up after a number
of steps; giving up is a fault of the expression, not a "no".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import jsonschema_rs
from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError
from jsonpath_rfc9535.function_extensions import ExpressionType, FilterFunction

from mockserver.admin.http import Budget, ControlError
from mockserver.jsonschema.patterns import BACKTRACK_LIMIT, strict
from mockserver.plan import JSON

MAX_SOURCE = 4096
"""Characters of an expression."""


class ExhaustedError(Exception):
    """A regular expression took more steps than it may."""


Matcher = Callable[[str], bool]


def full_match(pattern: str, pointer: str) -> Matcher:
    """Whether all of a text matches, as WireMock's ``matches`` has it. Raises ControlError for no pattern."""
    if len(pattern) > MAX_SOURCE:
        raise ControlError(422, f"the regular expression is over {MAX_SOURCE:,} characters", pointer)
    try:
        matches = _compiled(f"^(?:{pattern})$")
    except ValueError:
        raise ControlError(422, f"{pattern!r} is no regular expression that can be run", pointer) from None

    def run(text: str) -> bool:
        try:
            return matches(text)
        except ExhaustedError:
            raise ControlError(422, f"{pattern!r} takes too long to match: it backtracks", pointer) from None

    return run


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> Matcher:
    schema = {"pattern": strict(pattern)}
    try:
        linear = jsonschema_rs.RegexOptions()
        return jsonschema_rs.Draft202012Validator(schema, pattern_options=linear, offline=True).is_valid
    except ValueError:
        backtracking = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)
        validator = jsonschema_rs.Draft202012Validator(schema, pattern_options=backtracking, offline=True)

    def matches(text: str) -> bool:
        error = next(validator.iter_errors(text), None)
        if error is not None and isinstance(
            error.kind, jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded
        ):
            raise ExhaustedError
        return error is None

    return matches


class _Regex(FilterFunction):
    """``match()`` and ``search()`` of RFC 9535, section 2.4.6, by the engine above."""

    arg_types = [ExpressionType.VALUE, ExpressionType.VALUE]  # noqa: RUF012 - as the base class has it
    return_type = ExpressionType.LOGICAL

    def __init__(self, form: str) -> None:
        self._form = form

    def __call__(self, text: object, pattern: object) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str) or len(pattern) > MAX_SOURCE:
            return False
        try:
            return _compiled(self._form.format(pattern))(text)
        except ValueError:
            return False


class _Environment(JSONPathEnvironment):
    max_recursion_depth = 300

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        self.function_extensions |= {"match": _Regex("^(?:{})$"), "search": _Regex("{}")}


_environment = _Environment()


def json_path(source: str, pointer: str) -> Callable[[JSON, Budget], Iterator[JSON]]:
    """A JSONPath (RFC 9535) that gives the values it selects. Raises ControlError for none."""
    if len(source) > MAX_SOURCE:
        raise ControlError(422, f"the JSONPath is over {MAX_SOURCE:,} characters", pointer)
    try:
        query = _environment.compile(source)
    except (JSONPathError, RecursionError, ValueError) as error:
        raise ControlError(
            422, f"{source!r} is no JSONPath (RFC 9535): {str(error)[:200]}", pointer
        ) from None

    def select(value: JSON, budget: Budget) -> Iterator[JSON]:
        try:
            for node in query.finditer(_with_budget(value, budget, pointer)):
                yield node.value
        except (JSONPathError, RecursionError):
            raise ControlError(422, f"{source!r} goes too deep for a body that was sent", pointer) from None
        except ExhaustedError:
            raise ControlError(422, f"{source!r} takes too long: its pattern backtracks", pointer) from None

    return select


def _with_budget(value: JSON, budget: Budget, pointer: str) -> JSON:
    """``value`` with containers that spend from the budget when a query walks over them."""
    if isinstance(value, dict):
        return _Object(
            {key: _with_budget(member, budget, pointer) for key, member in value.items()}, budget, pointer
        )
    if isinstance(value, list):
        return _Array([_with_budget(element, budget, pointer) for element in value], budget, pointer)
    return value


class _Object(dict[str, Any]):
    def __init__(self, value: dict[str, Any], budget: Budget, pointer: str) -> None:
        super().__init__(value)
        self._budget, self._pointer = budget, pointer

    def items(self) -> Any:
        self._budget.spend(self._pointer, len(self) + 1)
        return super().items()

    def values(self) -> Any:
        self._budget.spend(self._pointer, len(self) + 1)
        return super().values()


class _Array(list[Any]):
    def __init__(self, value: list[Any], budget: Budget, pointer: str) -> None:
        super().__init__(value)
        self._budget, self._pointer = budget, pointer

    def __iter__(self) -> Iterator[Any]:
        self._budget.spend(self._pointer, len(self) + 1)
        return super().__iter__()
