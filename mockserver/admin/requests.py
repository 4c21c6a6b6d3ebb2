"""``requests``, ``near-misses``, ``verify`` and ``notices``: calls and webhooks, in WireMock's shapes."""

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
"""Unmatched calls whose near misses are sought."""


class Requests:
    """The journal of the namespace that a control request names."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def index(
        self,
        limit: int | None = None,
        since: str | None = None,
        unmatched: bool = False,
        before: str | None = None,
    ) -> flask.Response:
        """Newest first, as WireMock has it; no more at once than one answer may hold."""
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
        name = requested_namespace()
        number = self._number(name, call)
        found = self._control.in_namespace(name, lambda namespace: namespace.journal.find(number))
        if found is None:
            raise ControlError(404, f"there is no call {call} in the journal of {name}")
        return json_response(event_json(name, found))

    def delete(self, call: str) -> flask.Response:
        name = requested_namespace()
        number = self._number(name, call)
        if not self._control.in_namespace(name, lambda namespace: namespace.journal.remove({number})):
            raise ControlError(404, f"there is no call {call} in the journal of {name}")
        return json_response({})

    def reset(self) -> flask.Response:
        """Forget every call."""
        self._control.in_namespace(requested_namespace(), lambda namespace: namespace.journal.clear())
        return json_response({})

    def reset_by_post(self) -> flask.Response:
        """WireMock's older way of ``reset``."""
        return self.reset()

    def unmatched(self) -> flask.Response:
        """Calls that no operation of the document answered, oldest first."""
        records, journal_info = self._read(requested_namespace())
        calls = [Call(*record) for record in records if not record[4].operation]
        return json_response({"requests": self._all(map(request_json, calls)), **journal_info})

    def unmatched_near(self) -> flask.Response:
        """WireMock's near misses of unmatched requests: the operations that come closest to each."""
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
        pattern = RequestPattern(body)
        records, journal_info = self._read(requested_namespace())
        found = len(pattern.find(records, Budget())) if not journal_info["requestJournalDisabled"] else -1
        return json_response({"count": found, **journal_info})

    def find(self, body: dict[str, JSON]) -> flask.Response:
        pattern = RequestPattern(body)
        records, journal_info = self._read(requested_namespace())
        found = pattern.find(records, Budget())
        return json_response({"requests": self._all(map(request_json, found)), **journal_info})

    def remove(self, body: dict[str, JSON]) -> flask.Response:
        """Take the calls that match out of the journal."""
        name = requested_namespace()
        pattern = RequestPattern(body)
        records, _ = self._read(name)
        found = pattern.find(records, Budget())
        numbers = {call.number for call in found}
        self._all(event_json(name, call) for call in found)  # else they would be gone without being told
        removed = self._control.in_namespace(name, lambda namespace: namespace.journal.remove(numbers))
        return json_response({"serveEvents": self._all(event_json(name, call) for call in removed)})

    def near(self, body: dict[str, JSON]) -> flask.Response:
        """WireMock's ``near-misses/request-pattern``: the calls closest to a pattern that none matched."""
        name = requested_namespace()
        pattern = RequestPattern(body)
        records, _ = self._read(name)
        calls = {call_id(name, record[0]): Call(*record) for record in records}
        not_found = near_misses(pattern, name, records, Budget())
        return json_response({"nearMisses": [_wiremock(near_miss, calls, body) for near_miss in not_found]})

    def verify(self, body: dict[str, JSON]) -> flask.Response:
        """200 where the calls are as wanted, else 409 with what came closest."""
        name = requested_namespace()
        records, journal_info = self._read(name)
        if journal_info["requestJournalDisabled"]:
            raise ControlError(409, "the journal is off (--journal 0): there is nothing to verify against")
        verdict = evaluate(body, name, records, journal_info["lost"])
        lost: dict[str, JSON] = {"lost": journal_info["lost"]} if journal_info["lost"] else {}
        if not verdict.holds:
            members = {"count": verdict.count, "nearMisses": list(verdict.near_misses), **lost}
            raise ControlError(409, verdict.detail, members=members)
        return json_response({"verified": True, "count": verdict.count, "detail": verdict.detail, **lost})

    def _read(self, name: str) -> tuple[list[Record], dict[str, JSON]]:
        """The calls as they are now, oldest first, and what is true of the journal."""

        def read(journal: Journal) -> tuple[list[Record], dict[str, JSON]]:
            return journal.records(), {"requestJournalDisabled": not journal.kept, "lost": journal.lost}

        return self._control.in_namespace(name, lambda namespace: read(namespace.journal))

    @property
    def _max_bytes(self) -> int:
        """Bytes that one answer may have."""
        return self._control.engine.worlds.memory.limits.response

    def _all(self, calls: Iterable[JSON]) -> list[JSON]:
        """Calls as JSON. Raises ControlError where all of them are more than one answer may hold."""
        shown, is_all = _fitting(calls, self._max_bytes)
        if not is_all:
            raise ControlError(
                422,
                f"these calls take more than the {self._max_bytes:,} bytes that one answer may have by "
                "--max-memory; narrow it, or list all by GET /__admin/requests, page by page",
            )
        return shown

    def _number(self, name: str, text: str) -> int:
        number = call_number(name, decode_segment(text))
        if number is None:
            raise ControlError(404, f"{text[:200]} is no call of the namespace {name}")
        return number


def _fitting(calls: Iterable[JSON], max_bytes: int) -> tuple[list[JSON], bool]:
    """The first of calls, written, which have no more bytes together; and whether they are all."""
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
    """A near miss in WireMock's shape."""
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
        raise ControlError(400, f"since={text[:200]} is no ISO 8601 date-time") from None


class Webhooks:
    """The notices of the namespace that a control request names."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._engine = control.engine

    def index(self, limit: int = 100) -> flask.Response:
        """Newest first."""
        found = self._control.in_namespace(
            requested_namespace(),
            lambda namespace: [
                _webhook_json(outcome) for outcome in self._engine.notifier.outcomes(namespace.name)
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
