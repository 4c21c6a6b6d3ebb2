"""Credentials: whether those that the document asks for are there.

Nobody can say whether a credential of a mocked service is *right*. The document
says where it goes, and that is checked: the header or parameter, and the name of
the scheme (RFC 9110, section 11). Clients under test send "My API Key" for a
token, so its form is judged only where that is asked for: RFC 7617 (Basic),
RFC 6750 (Bearer).
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
"""(headers, query, cookies) → what is wrong, or None."""

_TOKEN68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*")
REALM = 'realm="mock"'


@dataclass(frozen=True, slots=True)
class Denied:
    """No alternative is satisfied. ``challenges`` are values of ``WWW-Authenticate``."""

    violations: tuple[Violation, ...]
    challenges: tuple[str, ...]


class Guard:
    """The security requirements of one operation: any of the alternatives, all of each.

    ``locations`` tells where API keys are looked for, so that nobody parses the rest.
    """

    __slots__ = ("_alternatives", "_schemes", "locations")

    def __init__(
        self,
        requirements: tuple[SecurityRequirement, ...],
        schemes: Mapping[str, SecurityScheme],
        *,
        strict: bool = False,
    ) -> None:
        """A scheme that the document does not define cannot be checked and is taken as satisfied.

        ``strict`` also judges the form of Basic and Bearer credentials.
        """
        names = dict.fromkeys(name for each in requirements for name in each if name in schemes)
        self._schemes = {
            name: (schemes[name], _check(schemes[name], _FORMS if strict else {})) for name in names
        }
        self.locations = {schemes[name].location for name in names}
        self._alternatives = [[name for name in each if name in schemes] for each in requirements]

    def check(self, headers: Mapping[str, str], query: Fields, cookies: Fields) -> Denied | None:
        """None where the request may pass."""
        wrong = {
            name: reason
            for name, (_, check) in self._schemes.items()
            if (reason := check(headers, query, cookies)) is not None
        }
        if not wrong or any(not any(name in wrong for name in each) for each in self._alternatives):
            return None
        return Denied(
            tuple(
                Violation("security", name, "", "security", reason, None, self._schemes[name][0].type)
                for name, reason in wrong.items()
            ),
            tuple(dict.fromkeys(_challenge(self._schemes[name][0]) for name in wrong)),
        )


def _check(scheme: SecurityScheme, forms: Mapping[str, Callable[[str], str | None]]) -> Check:
    if scheme.type == "apiKey":
        return _api_key(scheme)
    if scheme.type == "mutualTLS":
        return lambda headers, query, cookies: None
    word = _word(scheme)
    form = forms.get(word, _anything)

    def check(headers: Mapping[str, str], query: Fields, cookies: Fields) -> str | None:  # noqa: ARG001
        given = headers.get("authorization")
        if given is None:
            return f"The Authorization header is missing; {scheme.name} asks for {word.title()} credentials"
        sent, _, credentials = given.strip().partition(" ")
        if sent.lower() != word:
            return f"The Authorization header is not of scheme {word.title()}, which {scheme.name} asks for"
        return form(credentials.strip())

    return check


def _word(scheme: SecurityScheme) -> str:
    """The authentication scheme in lower case; tokens of OAuth 2 and OpenID Connect are bearer tokens."""
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


def _anything(credentials: str) -> str | None:
    return None if credentials else "The Authorization header has a scheme but no credentials"


_FORMS = {"basic": _basic, "bearer": _bearer}


def _challenge(scheme: SecurityScheme) -> str:
    if scheme.type == "apiKey":
        return f'ApiKey {REALM}, in="{scheme.location}", name="{_quoted(scheme.parameter)}"'
    word = _word(scheme)
    charset = ', charset="UTF-8"' if word == "basic" else ""
    return f"{word.title()} {REALM}{charset}"


def _quoted(text: str) -> str:
    """The inside of a quoted-string, which cannot hold control characters (RFC 9110, section 5.6.4)."""
    return re.sub(r'(["\\])', r"\\\1", re.sub(r"[^ -~]", "?", text))
