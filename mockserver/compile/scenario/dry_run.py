"""Render and validate every response of the scenario files, before anything is served."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec.structs import replace

from mockserver.compile.scenario.file import Draft
from mockserver.compile.scenario.responses import Binding
from mockserver.compile.scenario.samples import SampleCreations, SampleRequests
from mockserver.compile.scenario.yaml_nodes import Node, Report
from mockserver.diagnostics import MockServerError
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues
from mockserver.engine.resources.render import RenderError, Verdict, response_cache
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.engine.resources.templates import compile_template, is_template
from mockserver.engine.resources.webhooks import WebhookTemplate
from mockserver.engine.response.examples import NoValidExample
from mockserver.engine.service import Service
from mockserver.jsonschema.references import tokens
from mockserver.plan import Resource, ResponseTemplate, State
from mockserver.state.tables import CreationRecord

_NOW = 1_767_225_600_000
"""2026-01-01T00:00:00Z: a fixed time, so that the result does not depend on the date."""

_UNCREATED = (
    "the control plane can create one: give the values of `resource.created_by` in templates a default, "
    "as in {{ resource.created_by.body.name | default('none', true) }}."
)


def check_drafts(drafts: Sequence[Draft], services: Sequence[Service], seed: str, report: Report) -> None:
    """Report every response that cannot be rendered or that breaks the document."""
    for draft in drafts:
        service = next(service for service in services if service.document.name == draft.resource.document)
        providers = Providers(seed)
        runtime = ResourceRuntime(draft.resource, service, providers, response_cache())
        creations = SampleCreations(draft, service, providers)
        warnings: dict[tuple[str, str], str] = {}
        for (state, alias), node in draft.nodes.items():
            check = _ResponseCheck(draft, runtime, draft.bindings[alias], creations, report)
            if warning := check.response(state, alias, node):
                warnings[state, alias] = warning
        if warnings:
            draft.resource = _with_warnings(draft.resource, warnings)
        nodes = {str(node.location): node for node in draft.webhooks}
        for webhook in draft.resource.webhooks:
            request, node = WebhookTemplate(webhook, runtime, providers), nodes[webhook.location]
            _check_webhook(request, webhook.states, node, runtime, creations, report)


def _check_webhook(
    request: WebhookTemplate,
    states: Sequence[str],
    node: Node,
    runtime: ResourceRuntime,
    creations: SampleCreations,
    report: Report,
) -> None:
    """Build the webhook for each of its states and sample creations. Report the first error."""
    for state in states:
        for key, creation in creations.samples or [("sample", None)]:
            context = RenderContext(
                "default", runtime.name, key, state, "", 0, _NOW, _NOW, _NOW, creation=creation
            )
            try:
                request.request(context)
            except MockServerError as error:
                report.error(
                    "S703", node, f"the webhook cannot be sent: {error}", "correct its url, headers or body."
                )
                return


def _with_warnings(resource: Resource, warnings: Mapping[tuple[str, str], str]) -> Resource:
    """Return the resource with ``warning`` set in its responses, by (state, alias)."""
    states = {
        name: State(
            name,
            {
                alias: replace(recipe, warning=warnings.get((name, alias), ""))
                for alias, recipe in state.answers.items()
            },
        )
        for name, state in resource.states.items()
    }
    return replace(resource, states=states)


class _ResponseCheck:
    def __init__(
        self,
        draft: Draft,
        runtime: ResourceRuntime,
        binding: Binding,
        creations: SampleCreations,
        report: Report,
    ) -> None:
        self.draft = draft
        self.runtime = runtime
        self.binding = binding
        self.creations = creations
        self.report = report
        self.samples = SampleRequests(binding, runtime.service.fakes)

    def response(self, state: str, alias: str, node: Node) -> str:
        """Validate one response. Report only the first key with an error: the others have the same.

        Returns why the response is not valid, if the document allows no valid one; else an empty text.
        """
        warning = ""
        for key, creation in self._samples():
            uncreated = creation is None and bool(self.creations.samples)
            about = " for a resource that no request created" if uncreated else ""
            try:
                broken, warning_of_key = self._violations(state, alias, key, creation)
            except NoValidExample as error:
                self.report.error(
                    "S502", node, f"no body can be generated: {error}", "give every field of the body."
                )
                return ""
            except MockServerError as error:
                remedy = _UNCREATED if uncreated else "correct the template or the body."
                self.report.error("S501", node, f"the response cannot be rendered{about}: {error}", remedy)
                return ""
            for violation in broken:
                self._report_violation(
                    violation.pointer, violation.message + about, node, _UNCREATED if uncreated else ""
                )
            if broken:
                return ""
            warning = warning or warning_of_key
        return warning

    def _samples(self) -> Sequence[tuple[str, CreationRecord | None]]:
        """Return sample keys with their creation records.

        The record is None for a resource that the control plane created.
        """
        created = self.creations.samples
        if not created:
            return [(key, None) for key in self.samples.keys(self.runtime.key_name)]
        return created if self.binding.role.creates else [*created, (created[0][0], None)]

    def _violations(self, state: str, alias: str, key: str, creation: CreationRecord | None) -> Verdict:
        """Return how a response breaks the document. Raises MockServerError if it cannot be rendered."""
        renderer = self.runtime.renderer(state, alias)
        if renderer is None:
            return Verdict()
        context = self._context(state, key, creation)
        value = renderer.value(context)
        verdict = renderer.validate(value) if renderer.recipe.has_body else Verdict()
        if not verdict.violations:
            # Only a value of a client may change a header; here the file itself does
            for changed in set(renderer.render(context).warnings) - {verdict.warning}:
                raise RenderError(changed)
        return verdict

    def _report_violation(self, pointer: str, message: str, node: Node, remedy: str) -> None:
        path = tokens(pointer)
        body = node.value.get("body") if isinstance(node.value, dict) else None
        target = node
        if (
            path
            and path[0] in self.draft.defaults
            and not (body and isinstance(body.value, dict) and path[0] in body.value)
        ):
            target = self.draft.defaults[path[0]].at(path[1:])
        elif body is not None:
            target = body.at(path)
        suffix = f"at {pointer} " if pointer else ""
        self.report.error(
            "S503",
            target,
            f"the response to {self.binding.alias} breaks the document {suffix}({message})",
            remedy or f"write what {self.binding.operation.id} documents for this status.",
        )

    def _context(self, state: str, key: str, creation: CreationRecord | None) -> RenderContext:
        request, path, body = self.samples.request(self.runtime.key_name, key)
        return RenderContext(
            "default", self.runtime.name, key, state, "", 1, _NOW, _NOW, _NOW,
            request, path, body, creation=creation,
        )  # fmt: skip


def check_responses(drafts: Sequence[Draft], services: Sequence[Service], seed: str, report: Report) -> None:
    """Report every response that cannot be rendered or that breaks the document.

    Reports a default that cannot be rendered once, not in every response.
    """
    whole = Report()
    check_drafts(drafts, services, seed, whole)
    if any(diagnostic.code == "S501" for diagnostic in whole.diagnostics):
        broken = [
            _report_broken_defaults(draft, services, seed, report) for draft in drafts if draft.defaults
        ]
        if any(broken):
            whole = Report()
            check_drafts(drafts, services, seed, whole)
    report.diagnostics += whole.diagnostics


def _report_broken_defaults(draft: Draft, services: Sequence[Service], seed: str, report: Report) -> set[str]:
    """Report the defaults that cannot be rendered, and remove them from the responses.

    Returns the names of these defaults.
    """
    service = next(service for service in services if service.document.name == draft.resource.document)
    providers = Providers(seed)
    creations = SampleCreations(draft, service, providers)
    broken: set[str] = set()
    for state, alias in draft.nodes:
        names = [name for name in _used_defaults(draft, state, alias) if name not in broken]
        for context in _contexts(draft, state, alias, creations, service) if names else ():
            values = TemplateValues(context, providers)
            for name in names:
                for node in _templates(draft.defaults[name]):
                    if name not in broken and (fault := _template_error(node, values)):
                        broken.add(name)
                        message = f"the default of {name!r} cannot be rendered: {fault}"
                        report.error("S501", node, message, "correct the template.")
    if broken:
        states = {
            name: State(name, {alias: _without(answer, broken) for alias, answer in state.answers.items()})
            for name, state in draft.resource.states.items()
        }
        draft.resource = replace(draft.resource, states=states)
    return broken


def _used_defaults(draft: Draft, state: str, alias: str) -> list[str]:
    """Return the names of the defaults in the body of a response."""
    body = draft.resource.states[state].answers[alias].body
    given = body if isinstance(body, dict) else {}
    return [name for name, node in draft.defaults.items() if name in given and given[name] == node.plain()]


def _without(recipe: ResponseTemplate, names: set[str]) -> ResponseTemplate:
    if not isinstance(recipe.body, dict) or names.isdisjoint(recipe.body):
        return recipe
    body = {name: value for name, value in recipe.body.items() if name not in names}
    return replace(recipe, body=body, partial=True)


def _contexts(
    draft: Draft, state: str, alias: str, creations: SampleCreations, service: Service
) -> Iterator[RenderContext]:
    samples = SampleRequests(draft.bindings[alias], service.fakes)
    name = draft.resource.key.name
    for key, creation in creations.samples or [(key, None) for key in samples.keys(name)]:
        request, path, body = samples.request(name, key)
        yield RenderContext(
            "default", draft.resource.name, key, state, "", 1, _NOW, _NOW, _NOW,
            request, path, body, creation=creation,
        )  # fmt: skip


def _templates(node: Node) -> Iterator[Node]:
    """Yield every template at or below a node."""
    if isinstance(node.value, dict | list):
        for child in node.value.values() if isinstance(node.value, dict) else node.value:
            yield from _templates(child)
    elif is_template(node.value):
        yield node


def _template_error(node: Node, values: TemplateValues) -> str:
    """Return why the template at ``node`` cannot be rendered with these values; empty if it can."""
    try:
        compile_template(str(node.value))(values)
    except MockServerError as error:
        source = str(node.value)
        return str(error) if source in str(error) else f"{source}: {error}"
    return ""
