"""``requests``, ``near-misses``, ``verify`` and ``notices``: calls and webhooks, as WireMock shows them."""

from __future__ import annotations

from collections.abc import Iterable

import flask
import msgspec

from mockserver.admin.calls import call_id, call_number, event_json, request_json
from mockserver.admin.control import Control
from mockserver.admin.http import Budget, ControlError, decode_segment, json_response, requested_namespace
from mockserver.admin.matching.patterns import RequestPattern
from mockserver.admin.matching.verification import NEAR_MISSES, evaluate, near_misses, similarity
from mockserver.engine.resources.webhooks import Outcome
from mockserver.media.json import encode_json
from mockserver.namespaces.clock import iso, parse_time
from mockserver.namespaces.journal import Call, Journal, Record
from mockserver.plan import JSON

_MAX_UNMATCHED = 50
"""Maximum number of unmatched calls for which near misses are searched."""


class Requests:
    """The recorded calls of the namespace of a control request."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def index(
        self,
        limit: int | None = None,
        since: str | None = None,
        unmatched: bool = False,
        before: str | None = None,
    ) -> flask.Response:
        """Return calls, newest first like WireMock, and no more than the maximum size of a response."""
        name = requested_namespace()
        records, journal_info = self._read(name)
        earliest = _time(since) if since is not None else 0
        calls = [
            record for record in reversed(records)
            if record[1] >= earliest and not (unmatched and record[4].operation)
        ]  # fmt: skip
        following = 0
        if before is not None:
            number = self._number(name, before)
            following = next((index for index, record in enumerate(calls) if record[0] < number), len(calls))
        wanted = calls[following:] if limit is None else calls[following : following + limit]
        shown, _ = _fitting((event_json(name, Call(*record)) for record in wanted), self._max_bytes)
        meta: dict[str, JSON] = {"total": len(calls)}
        if shown and following + len(shown) < len(calls):
            meta["next"] = call_id(name, wanted[len(shown) - 1][0])
        return json_response({"requests": shown, "meta": meta, **journal_info})

    def get(self, call: str) -> flask.Response:
        """Return one call. Raise ControlError 404 for an unknown one."""
        name = requested_namespace()
        number = self._number(name, call)
        found = self._control.in_namespace(name, lambda namespace: namespace.journal.find(number))
        if found is None:
            raise ControlError(404, f"there is no call {call} in the journal of {name}")
        return json_response(event_json(name, found))

    def delete(self, call: str) -> flask.Response:
        """Delete one call. Raise ControlError 404 for an unknown one."""
        name = requested_namespace()
        number = self._number(name, call)
        if not self._control.in_namespace(name, lambda namespace: namespace.journal.remove({number})):
            raise ControlError(404, f"there is no call {call} in the journal of {name}")
        return json_response({})

    def reset(self) -> flask.Response:
        """Delete all calls."""
        self._control.in_namespace(requested_namespace(), lambda namespace: namespace.journal.clear())
        return json_response({})

    def reset_by_post(self) -> flask.Response:
        """Delete all calls, by the older operation of WireMock."""
        return self.reset()

    def unmatched(self) -> flask.Response:
        """Return the calls without an operation in the document, oldest first."""
        records, journal_info = self._read(requested_namespace())
        calls = [Call(*record) for record in records if not record[4].operation]
        return json_response({"requests": self._all(map(request_json, calls)), **journal_info})

    def unmatched_near(self) -> flask.Response:
        """Return the most similar operations for each unmatched call, as WireMock's near misses."""
        records, _ = self._read(requested_namespace())
        unmatched = [Call(*record) for record in reversed(records) if not record[4].operation][
            :_MAX_UNMATCHED
        ]

        def work() -> list[list[tuple[str, str]]]:
            services = self._control.engine.services
            paths = [call.request.raw_path for call in unmatched]
            return [
                [found for service in services for found in service.router.nearby(path)] for path in paths
            ]

        not_found = [
            {
                "request": request_json(call),
                "stubMapping": {"request": {"method": method, "urlPathTemplate": template}},
                "matchResult": {"distance": round(1 - similarity(template, call.request.raw_path), 4)},
            }
            for call, operations in zip(unmatched, self._control.run(work), strict=True)
            for method, template in operations[:NEAR_MISSES]
        ]
        return json_response({"nearMisses": not_found})

    def count(self, body: dict[str, JSON]) -> flask.Response:
        """Return the number of matching calls; -1 if the journal is off."""
        pattern = RequestPattern(body)
        records, journal_info = self._read(requested_namespace())
        found = len(pattern.find(records, Budget())) if not journal_info["requestJournalDisabled"] else -1
        return json_response({"count": found, **journal_info})

    def find(self, body: dict[str, JSON]) -> flask.Response:
        """Return the matching calls."""
        pattern = RequestPattern(body)
        records, journal_info = self._read(requested_namespace())
        found = pattern.find(records, Budget())
        return json_response({"requests": self._all(map(request_json, found)), **journal_info})

    def remove(self, body: dict[str, JSON]) -> flask.Response:
        """Delete the matching calls and return them."""
        name = requested_namespace()
        pattern = RequestPattern(body)
        records, _ = self._read(name)
        found = pattern.find(records, Budget())
        numbers = {call.number for call in found}
        self._all(event_json(name, call) for call in found)  # raises before anything is deleted
        removed = self._control.in_namespace(name, lambda namespace: namespace.journal.remove(numbers))
        return json_response({"serveEvents": self._all(event_json(name, call) for call in removed)})

    def near(self, body: dict[str, JSON]) -> flask.Response:
        """Return the calls that are most similar to a pattern, as WireMock's near misses."""
        name = requested_namespace()
        pattern = RequestPattern(body)
        records, _ = self._read(name)
        calls = {call_id(name, record[0]): Call(*record) for record in records}
        not_found = near_misses(pattern, name, records, Budget())
        return json_response({"nearMisses": [_wiremock(near_miss, calls, body) for near_miss in not_found]})

    def verify(self, body: dict[str, JSON]) -> flask.Response:
        """Verify calls. Raise ControlError 409 with the near misses if they are not as required."""
        name = requested_namespace()
        records, journal_info = self._read(name)
        if journal_info["requestJournalDisabled"]:
            raise ControlError(409, "the journal is off (--journal 0), so calls cannot be verified")
        verdict = evaluate(body, name, records, journal_info["lost"])
        lost: dict[str, JSON] = {"lost": journal_info["lost"]} if journal_info["lost"] else {}
        if not verdict.holds:
            members = {"count": verdict.count, "nearMisses": list(verdict.near_misses), **lost}
            raise ControlError(409, verdict.detail, members=members)
        return json_response({"verified": True, "count": verdict.count, "detail": verdict.detail, **lost})

    def _read(self, name: str) -> tuple[list[Record], dict[str, JSON]]:
        """Return the current calls, oldest first, and the status of the journal."""

        def read(journal: Journal) -> tuple[list[Record], dict[str, JSON]]:
            return journal.records(), {"requestJournalDisabled": not journal.enabled, "lost": journal.lost}

        return self._control.in_namespace(name, lambda namespace: read(namespace.journal))

    @property
    def _max_bytes(self) -> int:
        """The maximum size of a response in bytes."""
        return self._control.engine.namespaces.memory.limits.response

    def _all(self, calls: Iterable[JSON]) -> list[JSON]:
        """Return all calls as JSON. Raise ControlError 422 if they exceed the maximum size."""
        shown, is_all = _fitting(calls, self._max_bytes)
        if not is_all:
            raise ControlError(
                422,
                f"these calls have more than {self._max_bytes:,} bytes, the maximum size of a response by "
                "--max-memory. Use a narrower pattern, or GET /__admin/requests, which returns pages.",
            )
        return shown

    def _number(self, name: str, text: str) -> int:
        number = call_number(name, decode_segment(text))
        if number is None:
            raise ControlError(404, f"{text[:200]} is not a call of the namespace {name}")
        return number


def _fitting(calls: Iterable[JSON], max_bytes: int) -> tuple[list[JSON], bool]:
    """Return the first calls that fit into ``max_bytes``, and whether these are all calls."""
    shown: list[JSON] = []
    size = 0
    for call in calls:
        written = encode_json(call)
        size += len(written)
        if size > max_bytes:
            return shown, False
        shown.append(msgspec.Raw(written))
    return shown, True


def _wiremock(not_found: JSON, calls: dict[str, Call], pattern: JSON) -> dict[str, JSON]:
    """Return a near miss in the format of WireMock."""
    return {
        "request": request_json(calls[not_found["call"]["id"]]),
        "requestPattern": pattern,
        "matchResult": {"distance": not_found["distance"]},
        "fields": not_found["fields"],
    }


def _time(text: str) -> int:
    try:
        return parse_time(text)
    except (ValueError, OverflowError):
        raise ControlError(400, f"since={text[:200]} is not an ISO 8601 date-time") from None


class Webhooks:
    """The sent webhooks of the namespace of a control request."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._engine = control.engine

    def index(self, limit: int = 100) -> flask.Response:
        """Return webhooks, newest first."""
        found = self._control.in_namespace(
            requested_namespace(),
            lambda namespace: [
                _webhook_json(outcome) for outcome in self._engine.webhooks.outcomes(namespace.name)
            ],
        )
        return json_response({"notices": found[::-1][:limit], "meta": {"total": len(found)}})


def _webhook_json(outcome: Outcome) -> dict[str, JSON]:
    return {
        "resource": outcome.resource,
        "key": outcome.key,
        "state": outcome.state,
        "entered": iso(outcome.when),
        "method": outcome.method,
        "url": outcome.url,
        "headers": dict(outcome.headers),
        "body": outcome.body.decode("utf-8", "replace"),
        "attempts": list(outcome.attempts),
        "done": outcome.done,
        "delivered": outcome.delivered,
    }
