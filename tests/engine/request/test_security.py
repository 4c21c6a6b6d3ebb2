"""Credentials: present and well-formed, or told why not and challenged."""

from __future__ import annotations

import base64

import pytest

from mockserver.engine.request.security import Denied, Guard
from mockserver.media.form import parse_cookies, parse_fields
from mockserver.plan import SecurityRequirement, SecurityScheme

SCHEMES = {
    each.name: each
    for each in (
        SecurityScheme("key", "apiKey", location="header", parameter="X-Key"),
        SecurityScheme("query", "apiKey", location="query", parameter="api key"),
        SecurityScheme("cookie", "apiKey", location="cookie", parameter="SID"),
        SecurityScheme("basic", "http", scheme="basic"),
        SecurityScheme("bearer", "http", scheme="bearer"),
        SecurityScheme("digest", "http", scheme="digest"),
        SecurityScheme("oauth", "oauth2"),
        SecurityScheme("oidc", "openIdConnect"),
        SecurityScheme("mtls", "mutualTLS"),
    )
}


def guard(*requirements: SecurityRequirement, strict: bool = False) -> Guard:
    return Guard(requirements, SCHEMES, strict=strict)


def check(
    asked: Guard, authorization: str | None = None, query: str = "", cookie: str = "", **headers: str
) -> Denied | None:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    if authorization is not None:
        fields["authorization"] = authorization
    return asked.check(fields, parse_fields(query), parse_cookies(cookie))


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("scheme", "authorization"),
    [
        ("basic", basic("user:password")),
        ("basic", basic(":")),
        ("basic", "basic   " + basic("ü:p")[6:]),
        ("bearer", "Bearer abc.def-_~+/="),
        ("bearer", "BEARER x"),
        ("oauth", "Bearer x"),
        ("oidc", "Bearer x"),
        ("digest", 'Digest username="u", nonce="n"'),
        ("mtls", None),
    ],
)
def test_well_formed_credentials_are_accepted(scheme: str, authorization: str | None) -> None:
    assert check(guard({scheme: ()}, strict=True), authorization) is None
    assert check(guard({scheme: ()}), authorization) is None


MISSING: list[tuple[str, str | None]] = [
    ("basic", None),
    ("basic", ""),
    ("basic", "Basic"),
    ("basic", "Bearer x"),
    ("bearer", "Bearer"),
    ("bearer", "Bearer "),
    ("bearer", basic("a:b")),
    ("oauth", "x"),
    ("oidc", None),
    ("digest", "Digest"),
    ("digest", "Basic x"),
]
MALFORMED: list[tuple[str, str | None]] = [
    ("basic", "Basic !!!"),
    ("basic", "Basic " + base64.b64encode(b"nocolon").decode()),
    ("basic", basic("user:password").rstrip("=") + "*"),
    ("bearer", "Bearer a b"),
    ("bearer", "Bearer My API Key"),
    ("bearer", "Bearer ü"),
]


@pytest.mark.parametrize(("scheme", "authorization"), MALFORMED)
def test_a_credential_of_any_form_is_presence_enough(scheme: str, authorization: str | None) -> None:
    assert check(guard({scheme: ()}), authorization) is None


@pytest.mark.parametrize(("scheme", "authorization"), MISSING)
def test_a_missing_credential_is_denied_whatever_the_mode(scheme: str, authorization: str | None) -> None:
    assert check(guard({scheme: ()}), authorization) is not None


@pytest.mark.parametrize(("scheme", "authorization"), MISSING + MALFORMED)
def test_strict_denies_what_is_missing_or_malformed(scheme: str, authorization: str | None) -> None:
    denied = check(guard({scheme: ()}, strict=True), authorization)
    assert denied is not None
    (violation,) = denied.violations
    assert (violation.location, violation.name, violation.keyword) == ("security", scheme, "security")
    assert len(denied.challenges) == 1


def test_keys_are_where_they_belong() -> None:
    assert check(guard({"key": ()}), x_key="k") is None
    assert check(guard({"query": ()}), query="api%20key=k") is None
    assert check(guard({"cookie": ()}), cookie="a=b; SID=k") is None
    for scheme in ("key", "query", "cookie"):
        assert (
            check(guard({scheme: ()}), x_key=" ", query="api%20key=&X-Key=k", cookie="SID=; X-Key=k")
            is not None
        )


def test_alternatives_and_combinations() -> None:
    either = guard({"key": ()}, {"bearer": ("read",)})
    assert check(either, x_key="k") is None
    assert check(either, "Bearer x") is None
    both = guard({"key": (), "bearer": ()})
    assert check(both, "Bearer x", x_key="k") is None
    denied = check(both, "Bearer x")
    assert denied is not None
    assert [each.name for each in denied.violations] == ["key"]
    assert check(guard({"key": ()}, {})) is None


def test_challenges_are_of_rfc_9110() -> None:
    denied = check(guard({"basic": ()}, {"bearer": ()}, {"oauth": ()}, {"query": ()}))
    assert denied is not None
    assert denied.challenges == (
        'Basic realm="mock", charset="UTF-8"',
        'Bearer realm="mock"',
        'ApiKey realm="mock", in="query", name="api key"',
    )


def test_names_cannot_split_the_challenge() -> None:
    scheme = SecurityScheme("key", "apiKey", location="query", parameter='a"\r\nSet-Cookie: b')
    denied = Guard(({"key": ()},), {"key": scheme}).check({}, {}, {})
    assert denied is not None
    assert denied.challenges == ('ApiKey realm="mock", in="query", name="a\\"??Set-Cookie: b"',)


def test_a_scheme_that_is_not_defined_cannot_be_checked() -> None:
    assert check(guard({"unknown": ()})) is None
