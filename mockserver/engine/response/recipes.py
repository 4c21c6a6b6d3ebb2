"""Recipes: what is the same in all responses of an operation whose body is generated and sent as it is.

Most responses of a document without examples are of this kind. A recipe writes the body of a key, and
selects one of some prepared heads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from mockserver.engine.response.headers import Headers
from mockserver.http.wire import first_part
from mockserver.messages import Response
from mockserver.plan import JSON, DocumentedResponse
from mockserver.providers.ids import DAY

if TYPE_CHECKING:
    from mockserver.generate.fakes import Script

_LARGE = 4096
"""The octets of a body from which on it takes longer to write than to look it up."""
_MAX_HEADS = 128
"""The number of prepared heads at which they are dropped: those of the last days are not needed."""

Quick = Callable[[str, int], "Response | None"]
"""The text of a path parameter and the time → a response; None if the usual way has to find it."""


class Recipe:
    """Makes the generated responses of one operation for one choice of status and media type."""

    __slots__ = (
        "_decision",
        "_headers",
        "_heads",
        "_response",
        "_script",
        "_type",
        "_variant",
        "is_large",
        "status",
    )

    def __init__(
        self,
        script: Script,
        response: DocumentedResponse,
        headers: Headers,
        status: int,
        content_type: str,
        decision: str,
    ) -> None:
        """``script`` writes the bodies; ``headers`` has the header fields of ``response``."""
        self.status = status
        self.is_large = False
        """Whether a body was so large that responses are worth keeping."""
        self._script = script
        self._response = response
        self._headers = headers
        self._type = ("content-type", content_type)
        self._decision = decision
        self._variant = headers.variant_of(response)
        self._heads: dict[tuple[int | None, int], tuple[list[tuple[str, str]], bytes]] = {}

    def response(self, key: str, hints: Mapping[str, JSON], day: int) -> Response | None:
        """Return the response of a key; None if its body has to be searched for.

        Responses share their header fields, whose octets are in ``head``.
        """
        body = self._script.written(key, hints, day)
        if body is None:
            return None
        if len(body) >= _LARGE:
            self.is_large = True
        variant = self._variant(key)
        fields, head = self._heads.get((variant, day)) or self._prepare(variant, key, day)
        return Response(self.status, fields, body, self._decision, 0, "", None, "", "", "", (), head)

    def _prepare(self, variant: int | None, key: str, day: int) -> tuple[list[tuple[str, str]], bytes]:
        """Return the header fields of a key and their octets, and keep them if other keys have the same."""
        fields = [self._type, *self._headers.fields(self._response, key=key, now_ms=day)]
        found = fields, first_part(self.status, tuple(fields))
        if variant is not None:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[variant, day] = found
        return found

    def quick(self, template: str, name: str) -> Quick:
        """Return what makes the response of a path whose only parameter ``name`` is its last segment."""
        make = self.response

        def respond(text: str, now_ms: int) -> Response | None:
            return None if self.is_large else make(f"{template}\n{text}", {name: text}, now_ms - now_ms % DAY)

        return respond
