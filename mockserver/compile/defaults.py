"""The ``defaults`` of scenario files that cannot be rendered: each is told once, in its own place.

A default lies under many answers. Where one goes wrong the answers are judged
without it, so that what is told of them is their own fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mockserver.compile.nodes import Node, Report
from mockserver.compile.origins import Origins
from mockserver.compile.rehearsal import rehearse
from mockserver.compile.samples import Samples
from mockserver.compile.scenario_file import Draft
from mockserver.errors import MockServerError
from mockserver.plan import AnswerRecipe, State
from mockserver.serve.context import Context, Makers, Subject
from mockserver.serve.service import Service
from mockserver.serve.templates import compile_template, is_template

_TIME = 1_767_225_600_000
"""2026-01-01T00:00:00Z."""


def rehearse_from_defaults(
    drafts: Sequence[Draft], services: Sequence[Service], seed: str, report: Report
) -> None:
    """Report every answer that cannot be made or would break the document, each default for itself."""
    whole = Report()
    rehearse(drafts, services, seed, whole)
    if any(each.code == "S501" for each in whole.found):
        broken = [_tell_broken(each, services, seed, report) for each in drafts if each.defaults]
        if any(broken):
            whole = Report()
            rehearse(drafts, services, seed, whole)
    report.found += whole.found


def _tell_broken(draft: Draft, services: Sequence[Service], seed: str, report: Report) -> set[str]:
    """Report the defaults of a file that cannot be rendered, and take them out of its answers."""
    service = next(each for each in services if each.document.name == draft.resource.document)
    makers = Makers(seed)
    origins = Origins(draft, service, makers)
    broken: set[str] = set()
    for state, alias in draft.nodes:
        taken = [name for name in _taken(draft, state, alias) if name not in broken]
        for subject in _subjects(draft, state, alias, origins, service) if taken else ():
            context = Context(subject, makers)
            for name in taken:
                for node in _templates(draft.defaults[name]):
                    if name not in broken and (fault := _fault(node, context)):
                        broken.add(name)
                        message = f"the default of {name!r} cannot be rendered: {fault}"
                        report.error("S501", node, message, "mend the template.")
    if broken:
        states = {
            name: State(name, {alias: _without(each, broken) for alias, each in state.answers.items()})
            for name, state in draft.resource.states.items()
        }
        draft.resource = replace(draft.resource, states=states)
    return broken


def _taken(draft: Draft, state: str, alias: str) -> list[str]:
    """The defaults in the body of an answer."""
    body = draft.resource.states[state].answers[alias].body
    given = body if isinstance(body, dict) else {}
    return [name for name, node in draft.defaults.items() if name in given and given[name] == node.plain()]


def _without(recipe: AnswerRecipe, names: set[str]) -> AnswerRecipe:
    if not isinstance(recipe.body, dict) or names.isdisjoint(recipe.body):
        return recipe
    body = {name: each for name, each in recipe.body.items() if name not in names}
    return replace(recipe, body=body, partial=True)


def _subjects(draft: Draft, state: str, alias: str, origins: Origins, service: Service) -> Iterator[Subject]:
    samples = Samples(draft.bound[alias], service.fakes)
    name = draft.resource.key.name
    for key, birth in origins.samples or [(key, None) for key in samples.keys(name)]:
        request, path, body = samples.request(name, key)
        yield Subject(
            "default", draft.resource.name, key, state, "", 1, _TIME, _TIME, _TIME,
            request, path, body, birth=birth,
        )  # fmt: skip


def _templates(node: Node) -> Iterator[Node]:
    """Every template at or below a node."""
    if isinstance(node.value, dict | list):
        for each in node.value.values() if isinstance(node.value, dict) else node.value:
            yield from _templates(each)
    elif is_template(node.value):
        yield node


def _fault(node: Node, context: Context) -> str:
    """Why the template at ``node`` has no value in a context; empty where it has one."""
    try:
        compile_template(str(node.value))(context)
    except MockServerError as error:
        source = str(node.value)
        return str(error) if source in str(error) else f"{source}: {error}"
    return ""
