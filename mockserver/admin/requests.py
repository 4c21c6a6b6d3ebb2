"""``requests``, ``near-misses``, ``verify`` and ``notices``: calls and webhooks, in WireMock's shapes."""

from __future__ import annotations

from collections.abc import Iterable

import flask
import msgspec

from mockserver.admin.calls import call_id, call_number, event_json, request_json
from mockserver.admin.control import Control
from mockserver.admin.exchange import Budget, ControlError, namespace, said, segment
from mockserver.admin.matching.patterns import RequestPattern
from mockserver.admin.matching.verification import NEAR_MISSES, judge, likeness, near_misses
from mockserver.engine.resources.webhooks import Outcome
from mockserver.media.json import encode_json
from mockserver.namespaces.clock import iso, parse_time
from mockserver.namespaces.journal import Call, Journal, Record
from mockserver.plan import JSON

_MOST_UNMATCHED = 50
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
        name = namespace()
        records, facts = self._read(name)
        earliest = _time(since) if since is not None else 0
        calls = [
            each for each in reversed(records)
            if each[1] >= earliest and not (unmatched and each[4].operation)
        ]  # fmt: skip
        following = 0
        if before is not None:
            number = self._number(name, before)
            following = next((index for index, each in enumerate(calls) if each[0] < number), len(calls))
        wanted = calls[following:] if limit is None else calls[following : following + limit]
        shown, _ = _fitting((event_json(name, Call(*each)) for each in wanted), self._most)
        meta: dict[str, JSON] = {"total": len(calls)}
        if shown and following + len(shown) < len(calls):
            meta["next"] = call_id(name, wanted[len(shown) - 1][0])
        return said({"requests": shown, "meta": meta, **facts})

    def get(self, call: str) -> flask.Response:
        name = namespace()
        number = self._number(name, call)
        found = self._control.in_world(name, lambda world: world.journal.find(number))
        if found is None:
            raise ControlError(404, f"there is no call {call} in the journal of {name}")
        return said(event_json(name, found))

    def delete(self, call: str) -> flask.Response:
        name = namespace()
        number = self._number(name, call)
        if not self._control.in_world(name, lambda world: world.journal.remove({number})):
            raise ControlError(404, f"there is no call {call} in the journal of {name}")
        return said({})

    def reset(self) -> flask.Response:
        """Forget every call."""
        self._control.in_world(namespace(), lambda world: world.journal.clear())
        return said({})

    def reset_by_post(self) -> flask.Response:
        """WireMock's older way of ``reset``."""
        return self.reset()

    def unmatched(self) -> flask.Response:
        """Calls that no operation of the document answered, oldest first."""
        records, facts = self._read(namespace())
        calls = [Call(*each) for each in records if not each[4].operation]
        return said({"requests": self._all(map(request_json, calls)), **facts})

    def unmatched_near(self) -> flask.Response:
        """WireMock's near misses of unmatched requests: the operations that come closest to each."""
        records, _ = self._read(namespace())
        unmatched = [Call(*each) for each in reversed(records) if not each[4].operation][:_MOST_UNMATCHED]

        def work() -> list[list[tuple[str, str]]]:
            services = self._control.engine.services
            paths = [each.request.raw_path for each in unmatched]
            return [[found for each in services for found in each.router.nearby(path)] for path in paths]

        not_found = [
            {
                "request": request_json(call),
                "stubMapping": {"request": {"method": method, "urlPathTemplate": template}},
                "matchResult": {"distance": round(1 - likeness(template, call.request.raw_path), 4)},
            }
            for call, operations in zip(unmatched, self._control.run(work), strict=True)
            for method, template in operations[:NEAR_MISSES]
        ]
        return said({"nearMisses": not_found})

    def count(self, body: dict[str, JSON]) -> flask.Response:
        pattern = RequestPattern(body)
        records, facts = self._read(namespace())
        found = len(pattern.find(records, Budget())) if not facts["requestJournalDisabled"] else -1
        return said({"count": found, **facts})

    def find(self, body: dict[str, JSON]) -> flask.Response:
        pattern = RequestPattern(body)
        records, facts = self._read(namespace())
        found = pattern.find(records, Budget())
        return said({"requests": self._all(map(request_json, found)), **facts})

    def remove(self, body: dict[str, JSON]) -> flask.Response:
        """Take the calls that match out of the journal."""
        name = namespace()
        pattern = RequestPattern(body)
        records, _ = self._read(name)
        found = pattern.find(records, Budget())
        numbers = {each.number for each in found}
        self._all(event_json(name, each) for each in found)  # else they would be gone without being told
        removed = self._control.in_world(name, lambda world: world.journal.remove(numbers))
        return said({"serveEvents": self._all(event_json(name, each) for each in removed)})

    def near(self, body: dict[str, JSON]) -> flask.Response:
        """WireMock's ``near-misses/request-pattern``: the calls closest to a pattern that none matched."""
        name = namespace()
        pattern = RequestPattern(body)
        records, _ = self._read(name)
        calls = {call_id(name, each[0]): Call(*each) for each in records}
        not_found = near_misses(pattern, name, records, Budget())
        return said({"nearMisses": [_wiremock(each, calls, body) for each in not_found]})

    def verify(self, body: dict[str, JSON]) -> flask.Response:
        """200 where the calls are as wanted, else 409 with what came closest."""
        name = namespace()
        records, facts = self._read(name)
        if facts["requestJournalDisabled"]:
            raise ControlError(409, "the journal is off (--journal 0): there is nothing to verify against")
        verdict = judge(body, name, records, facts["lost"])
        lost: dict[str, JSON] = {"lost": facts["lost"]} if facts["lost"] else {}
        if not verdict.holds:
            members = {"count": verdict.count, "nearMisses": list(verdict.near_misses), **lost}
            raise ControlError(409, verdict.detail, members=members)
        return said({"verified": True, "count": verdict.count, "detail": verdict.detail, **lost})

    def _read(self, name: str) -> tuple[list[Record], dict[str, JSON]]:
        """The calls as they are now, oldest first, and what is true of the journal."""

        def read(journal: Journal) -> tuple[list[Record], dict[str, JSON]]:
            return journal.records(), {"requestJournalDisabled": not journal.enabled, "lost": journal.lost}

        return self._control.in_world(name, lambda world: read(world.journal))

    @property
    def _most(self) -> int:
        """Bytes that one answer may have."""
        return self._control.engine.worlds.memory.limits.response

    def _all(self, calls: Iterable[JSON]) -> list[JSON]:
        """Calls as JSON. Raises ControlError where all of them are more than one answer may hold."""
        shown, is_all = _fitting(calls, self._most)
        if not is_all:
            raise ControlError(
                422,
                f"these calls take more than the {self._most:,} bytes that one answer may have by "
                "--max-memory; narrow it, or list all by GET /__admin/requests, page by page",
            )
        return shown

    def _number(self, name: str, text: str) -> int:
        number = call_number(name, segment(text))
        if number is None:
            raise ControlError(404, f"{text[:200]} is no call of the namespace {name}")
        return number


def _fitting(calls: Iterable[JSON], most: int) -> tuple[list[JSON], bool]:
    """The first of calls, written, which have no more bytes together; and whether they are all."""
    shown: list[JSON] = []
    size = 0
    for each in calls:
        written = encode_json(each)
        size += len(written)
        if size > most:
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


class Notices:
    """The notices of the namespace that a control request names."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._engine = control.engine

    def index(self, limit: int = 100) -> flask.Response:
        """Newest first."""
        found = self._control.in_world(
            namespace(), lambda world: [_told(each) for each in self._engine.notifier.outcomes(world.name)]
        )
        return said({"notices": found[::-1][:limit], "meta": {"total": len(found)}})


def _told(outcome: Outcome) -> dict[str, JSON]:
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
