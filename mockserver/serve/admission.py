"""Whether a call comes through to its operation, and what answers one that does not."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mockserver.serve.answer import Answer
from mockserver.serve.answering import documented, refused
from mockserver.serve.beside import Beside
from mockserver.serve.guard import Guard
from mockserver.serve.lives import Call
from mockserver.store.protocol import Store

Fields = Sequence[tuple[str, str]]


def set_fields(answer: Answer, fields: Fields, but: Collection[str] = ()) -> None:
    """Put ``fields`` in place of those of the same names that were made up, save those named in ``but``."""
    ours = [each for each in fields if each[0] not in but]
    names = {name for name, _ in ours}
    answer.headers = [*(each for each in answer.headers if each[0] not in names), *ours]


class Admission:
    """Asks the guards of an engine's operations, and answers for them."""

    def __init__(self, store: Store, beside: Beside) -> None:
        self._store = store
        self._beside = beside

    def ask(self, guard: Guard, call: Call) -> tuple[Answer | None, Fields]:
        """The answer to a call that does not come through, else None; and header fields for its answer."""
        verdict = guard.limited(call.request, call.path, call.body, call.world, call.now, self._store)
        fields: Fields = ()
        if verdict is not None:
            fields = verdict.headers
            if verdict.over is not None:
                detail = f"rate limit exceeded; try again in {verdict.retry_after} s"
                answer = self.held(call, verdict.over.state, 429, detail, "limit")
                set_fields(answer, fields, self._stated(call, verdict.over.state, 429))
                return answer, ()
        mishap = guard.mishap(call.request, call.path, call.body, call.world, self._store)
        return (self._mishap(call, mishap) if mishap else None), fields

    def busy(self, guard: Guard, call: Call) -> Answer:
        """The answer to a call that is one too many at once."""
        concurrency = guard.concurrency
        assert concurrency is not None  # noqa: S101 - else nothing is too many
        detail = f"{concurrency.most} calls are under way already"
        return self.held(call, concurrency.state, 503, detail, "busy")

    @staticmethod
    def _stated(call: Call, state: str, status: int) -> Collection[str]:
        """The header fields that the file itself gives an answer, which stand before ours."""
        state = state or call.lifecycle.state_with_status(status, call.alias) or ""
        renderer = call.lifecycle.renderer(state, call.alias)
        return () if renderer is None else {name.lower() for name in renderer.recipe.headers}

    def held(self, call: Call, state: str, status: int, detail: str, why: str) -> Answer:
        """The answer of the state named, else of one with that status, else the document's."""
        state = state or call.lifecycle.state_with_status(status, call.alias) or ""
        answer = self._beside.state(call, state, f"{why}; state={state}")
        if answer is not None:
            return answer
        return refused(call.route, call.request, call.now, status, detail, f"{why}; status={status}")

    def _mishap(self, call: Call, mishap: str) -> Answer:
        """What is answered by chance: a state, a status, or a fault of the network."""
        if mishap.isdigit():
            return self.held(call, "", int(mishap), "by chance", "flaky")
        if call.lifecycle.renderer(mishap, call.alias) is not None:
            return self.held(call, mishap, 500, "by chance", "flaky")
        answer = documented(call.route, call.path, call.request, call.now)
        answer.decision, answer.fault = f"flaky; fault={mishap}", mishap
        return answer
