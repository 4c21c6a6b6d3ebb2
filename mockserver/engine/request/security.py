"""Check that a request has the credentials that the document requires.

A mock server cannot know whether a credential is *correct*. It checks the header or parameter, and the
name of the scheme (RFC 9110, section 11). Clients under test send texts such as "My API Key" as a token,
so the form of credentials is only checked by ``--security strict``: RFC 7617 (Basic), RFC 6750 (Bearer).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mockserver.diagnostics import Violation
from mockserver.media.form import Fields
from mockserver.plan import SecurityRequirement, SecurityScheme

Check = Callable[[Mapping[str, str], Fields, Fields], str | None]
"""(headers, query, cookies) → the error message, or None."""

_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
REALM = 'realm="mock"'


@dataclass(frozen=True, slots=True)
class Denied:
    """The result if no alternative is satisfied. ``challenges`` are values of ``WWW-Authenticate``."""

    violations: tuple[Violation, ...]
    challenges: tuple[str, ...]


class Guard:
    """The security requirements of one operation: one alternative, with all of its schemes, must hold.

    ``locations`` are the locations of its API keys; the other locations need no parsing.
    """

    __slots__ = ("_alternatives", "_schemes", "locations")

    def __init__(
        self,
        requirements: tuple[SecurityRequirement, ...],
        schemes: Mapping[str, SecurityScheme],
        *,
        strict: bool = False,
    ) -> None:
        """Compile the requirements. A scheme that the document does not define is always satisfied.

        ``strict``: also check the form of Basic and Bearer credentials.
        """
        names = dict.fromkeys(name for group in requirements for name in group if name in schemes)
        self._schemes = {
            name: (schemes[name], _check(schemes[name], _FORMS if strict else {})) for name in names
        }
        self.locations = {schemes[name].location for name in names}
        self._alternatives = [[name for name in group if name in schemes] for group in requirements]

    def check(self, headers: Mapping[str, str], query: Fields, cookies: Fields) -> Denied | None:
        """Return None if an alternative is satisfied."""
        missing_schemes = {
            name: reason
            for name, (_, check) in self._schemes.items()
            if (reason := check(headers, query, cookies)) is not None
        }
        if not missing_schemes or any(
            not any(name in missing_schemes for name in group) for group in self._alternatives
        ):
            return None
        return Denied(
            tuple(
                Violation("security", name, "", "security", reason, None, self._schemes[name][0].type)
                for name, reason in missing_schemes.items()
            ),
            tuple(dict.fromkeys(_challenge(self._schemes[name][0]) for name in missing_schemes)),
        )


def _check(scheme: SecurityScheme, forms: Mapping[str, Callable[[str], str | None]]) -> Check:
    if scheme.type == "apiKey":
        return _api_key(scheme)
    if scheme.type == "mutualTLS":
        return lambda headers, query, cookies: None
    expected = _scheme_name(scheme)
    form = forms.get(expected, _any_credentials)

    def check(headers: Mapping[str, str], query: Fields, cookies: Fields) -> str | None:  # noqa: ARG001
        given = headers.get("authorization")
        if given is None:
            return (
                f"The Authorization header is missing; {scheme.name} asks for {expected.title()} credentials"
            )
        sent, _, credentials = given.strip().partition(" ")
        if sent.lower() != expected:
            return (
                f"The Authorization header is not of scheme {expected.title()}, which {scheme.name} asks for"
            )
        return form(credentials.strip())

    return check


def _scheme_name(scheme: SecurityScheme) -> str:
    """Return the authentication scheme in lower case; ``bearer`` for OAuth 2 and OpenID Connect."""
    return scheme.scheme.lower() if scheme.type == "http" and scheme.scheme else "bearer"


def _api_key(scheme: SecurityScheme) -> Check:
    name = scheme.parameter
    missing = f"The {scheme.location} parameter {name!r} with the API key is missing or empty"

    def check(headers: Mapping[str, str], query: Fields, cookies: Fields) -> str | None:
        if scheme.location == "header":
            return None if headers.get(name.lower(), "").strip() else missing
        return None if any((query if scheme.location == "query" else cookies).get(name, ())) else missing

    return check


def _basic(credentials: str) -> str | None:
    try:
        pair = binascii.a2b_base64(credentials, strict_mode=True)
    except ValueError:
        return "The Basic credentials are not base64"
    return None if b":" in pair else "The Basic credentials have no colon between user and password"


def _bearer(credentials: str) -> str | None:
    return None if _TOKEN68.fullmatch(credentials) else "The Bearer token is missing or malformed"


def _any_credentials(credentials: str) -> str | None:
    return None if credentials else "The Authorization header has a scheme but no credentials"


_FORMS = {"basic": _basic, "bearer": _bearer}


def _challenge(scheme: SecurityScheme) -> str:
    if scheme.type == "apiKey":
        return f'ApiKey {REALM}, in="{scheme.location}", name="{_escape(scheme.parameter)}"'
    scheme_name = _scheme_name(scheme)
    charset = ', charset="UTF-8"' if scheme_name == "basic" else ""
    return f"{scheme_name.title()} {REALM}{charset}"


def _escape(text: str) -> str:
    """Escape a text for a quoted-string, without control characters (RFC 9110, section 5.6.4)."""
    return re.sub(r'(["\\])', r"\\\1", re.sub(r"[^ -~]", "?", text))
