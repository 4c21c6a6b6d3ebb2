from __future__ import annotations

import pytest

from mockserver.engine.response.negotiation import (
    bodiless,
    default_response,
    documented_statuses,
    response_for,
)
from mockserver.plan import DocumentedResponse, Operation


def operation(*statuses: str) -> Operation:
    return Operation("op", "GET", "/", responses=tuple(DocumentedResponse(status) for status in statuses))


@pytest.mark.parametrize(
    ("documented", "status", "expected"),
    [
        (("200", "404", "4XX", "default"), 404, "404"),
        (("200", "4XX", "default"), 404, "4XX"),
        (("default", "200"), 404, "default"),
        (("200", "5XX"), 404, None),
        ((), 200, None),
    ],
)
def test_a_status_finds_its_response(documented: tuple[str, ...], status: int, expected: str | None) -> None:
    found = response_for(operation(*documented), status)
    assert (found.status if found else None) == expected


@pytest.mark.parametrize(
    ("documented", "expected"),
    [
        (("404", "201", "200"), ("200", 200)),
        (("2XX", "201"), ("201", 201)),
        (("2XX", "404"), ("2XX", 200)),
        (("404", "default"), ("default", 200)),
        (("302", "default"), ("default", 200)),
        (("404", "304", "302"), ("302", 302)),
        (("3XX", "404"), ("3XX", 300)),
        (("500", "404"), ("500", 500)),
        (("4XX", "500"), ("4XX", 400)),
        (("404", "4XX"), ("404", 404)),
        (("101", "200"), ("200", 200)),
        (("101", "404"), ("404", 404)),
        (("101",), ("default", 200)),
        ((), ("default", 200)),
    ],
)
def test_the_response_an_operation_gives_by_itself(
    documented: tuple[str, ...], expected: tuple[str, int]
) -> None:
    response, status = default_response(operation(*documented))
    assert (response.status, status) == expected


def test_what_is_documented_is_named_in_order() -> None:
    assert documented_statuses(operation("default", "404", "200")) == ["200", "404", "default"]


@pytest.mark.parametrize(
    ("status", "expected"), [(200, False), (204, True), (205, True), (304, True), (100, True)]
)
def test_statuses_without_content(status: int, expected: bool) -> None:
    assert bodiless(status) is expected
