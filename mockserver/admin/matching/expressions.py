"""Regular expressions and JSONPath of clients, which run with limits.

Most regular expressions run in linear time. Those with lookarounds or backreferences need a
backtracking engine with a limit of steps. Exceeding the limit is an error, not a mismatch.
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
"""Maximum number of characters of an expression."""


class ExhaustedError(Exception):
    """A regular expression exceeded the limit of steps."""


Matcher = Callable[[str], bool]


def full_match(pattern: str, pointer: str) -> Matcher:
    """Return a matcher of whole texts, like WireMock's ``matches``. Raise ControlError 422 if invalid."""
    if len(pattern) > MAX_SOURCE:
        raise ControlError(422, f"the regular expression has more than {MAX_SOURCE:,} characters", pointer)
    try:
        matches = _compiled(f"^(?:{pattern})$")
    except ValueError:
        raise ControlError(422, f"{pattern!r} is not a valid regular expression", pointer) from None

    def run(text: str) -> bool:
        try:
            return matches(text)
        except ExhaustedError:
            raise ControlError(
                422, f"{pattern!r} takes too long to match, because it backtracks", pointer
            ) from None

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
    """The functions ``match`` and ``search`` of JSONPath (RFC 9535, 2.4.6 and 2.4.7), by the same engines."""

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
    """Return a function that yields the values that a JSONPath (RFC 9535) selects.

    Raise ControlError 422 for an invalid JSONPath.
    """
    if len(source) > MAX_SOURCE:
        raise ControlError(422, f"the JSONPath has more than {MAX_SOURCE:,} characters", pointer)
    try:
        query = _environment.compile(source)
    except (JSONPathError, RecursionError, ValueError) as error:
        raise ControlError(
            422, f"{source!r} is not a valid JSONPath (RFC 9535): {str(error)[:200]}", pointer
        ) from None

    def select(value: JSON, budget: Budget) -> Iterator[JSON]:
        try:
            for node in query.finditer(_with_budget(value, budget, pointer)):
                yield node.value
        except (JSONPathError, RecursionError):
            raise ControlError(422, f"{source!r} is too deep for a recorded body", pointer) from None
        except ExhaustedError:
            raise ControlError(
                422, f"{source!r} takes too long, because its pattern backtracks", pointer
            ) from None

    return select


def _with_budget(value: JSON, budget: Budget, pointer: str) -> JSON:
    """Return ``value`` with containers that use the budget when a query reads them."""
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
