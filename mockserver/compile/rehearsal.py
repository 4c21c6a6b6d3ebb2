"""Every answer that a scenario can give, given once before anything is served.

Each state's answer to each operation is rendered by the back end itself for a
few keys and judged by the documented response; what breaks the document is
reported where the scenario file says it.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote

from mockserver.compile.answers import Bound
from mockserver.compile.nodes import Node, Report
from mockserver.compile.origins import Origins
from mockserver.compile.samples import Samples
from mockserver.compile.scenario_file import Draft
from mockserver.errors import MockServerError
from mockserver.schema.validator import SchemaViolation
from mockserver.serve.context import Makers, Subject
from mockserver.serve.lifecycle import Lifecycle
from mockserver.serve.notify import Made
from mockserver.serve.render import RenderError, kept_answers
from mockserver.serve.service import Service
from mockserver.serve.values import Unanswerable
from mockserver.store.births import Birth

_TIME = 1_767_225_600_000
"""2026-01-01T00:00:00Z: the rehearsal's own time, so that its outcome never depends on the day."""

_UNCREATED = (
    "the control plane may place it: give what the templates read of `resource.created_by` a default, "
    "as in {{ resource.created_by.body.name | default('none', true) }}."
)


def rehearse(drafts: Sequence[Draft], services: Sequence[Service], seed: str, report: Report) -> None:
    """Report every answer that cannot be made, or would break the document."""
    for draft in drafts:
        service = next(each for each in services if each.document.name == draft.resource.document)
        makers = Makers(seed)
        lifecycle = Lifecycle(draft.resource, service, makers, kept_answers())
        origins = Origins(draft, service, makers)
        for (state, alias), node in draft.nodes.items():
            _Rehearsal(draft, lifecycle, draft.bound[alias], origins, report).answer(state, alias, node)
        nodes = {str(node.where): node for node in draft.notices}
        for notice in draft.resource.notices:
            made, node = Made(notice, lifecycle, makers), nodes[notice.where]
            _notice(made, notice.states, node, lifecycle, origins, report)


def _notice(
    made: Made, states: Sequence[str], node: Node, lifecycle: Lifecycle, origins: Origins, report: Report
) -> None:
    """Make a notice for each of its states and origins; the first that goes wrong is told."""
    for state in states:
        for key, birth in origins.samples or [("sample", None)]:
            subject = Subject("default", lifecycle.name, key, state, "", 0, _TIME, _TIME, _TIME, birth=birth)
            try:
                made.request(subject)
            except MockServerError as error:
                report.error("S703", node, f"it cannot be sent: {error}", "mend its url, headers or body.")
                return


class _Rehearsal:
    def __init__(
        self, draft: Draft, lifecycle: Lifecycle, bound: Bound, origins: Origins, report: Report
    ) -> None:
        self.draft = draft
        self.lifecycle = lifecycle
        self.bound = bound
        self.origins = origins
        self.report = report
        self.samples = Samples(bound, lifecycle.service.fakes)

    def answer(self, state: str, alias: str, node: Node) -> None:
        """Judge one answer; the first key that goes wrong is told, the others would say the same."""
        for key, birth in self._samples():
            uncreated = birth is None and bool(self.origins.samples)
            about = " for a resource that no request created" if uncreated else ""
            try:
                broken = self._violations(state, alias, key, birth)
            except Unanswerable as error:
                self.report.error(
                    "S502", node, f"no body can be generated for it: {error}", "give every field of the body."
                )
                return
            except MockServerError as error:
                remedy = _UNCREATED if uncreated else "mend the template or the body."
                self.report.error("S501", node, f"it cannot be answered{about}: {error}", remedy)
                return
            for each in broken:
                self._broken(each.pointer, each.message + about, node, _UNCREATED if uncreated else "")
            if broken:
                return

    def _samples(self) -> Sequence[tuple[str, Birth | None]]:
        """The keys to try, with their births. A resource that the control plane placed has none."""
        created = self.origins.samples
        if not created:
            return [(key, None) for key in self.samples.keys(self.lifecycle.key_name)]
        return created if self.bound.role.creates else [*created, (created[0][0], None)]

    def _violations(self, state: str, alias: str, key: str, birth: Birth | None) -> Sequence[SchemaViolation]:
        """How an answer breaks the document. Raises MockServerError where there is none."""
        renderer = self.lifecycle.renderer(state, alias)
        if renderer is None:
            return ()
        subject = self._subject(state, key, birth)
        value = renderer.value(subject)
        broken = renderer.violations(value) if renderer.recipe.has_body else ()
        if not broken and (warnings := renderer.render(subject).warnings):
            raise RenderError("; ".join(warnings))
        return broken

    def _broken(self, pointer: str, message: str, node: Node, remedy: str) -> None:
        path = [unquote(part).replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]
        body = node.value.get("body") if isinstance(node.value, dict) else None
        place = node
        if (
            path
            and path[0] in self.draft.defaults
            and not (body and isinstance(body.value, dict) and path[0] in body.value)
        ):
            place = self.draft.defaults[path[0]].at(path[1:])
        elif body is not None:
            place = body.at(path)
        where = f"at {pointer} " if pointer else ""
        self.report.error(
            "S503",
            place,
            f"the answer to {self.bound.alias} breaks the document {where}({message})",
            remedy or f"give what {self.bound.operation.id} documents for this status.",
        )

    def _subject(self, state: str, key: str, birth: Birth | None) -> Subject:
        request, path, body = self.samples.request(self.lifecycle.key_name, key)
        return Subject(
            "default", self.lifecycle.name, key, state, "", 1, _TIME, _TIME, _TIME,
            request, path, body, birth=birth,
        )  # fmt: skip
