"""Generated responses: documents without a scenario, each request for another key."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from benchmarks import generated
from benchmarks.bench import Bench, Contender
from benchmarks.load import Request
from benchmarks.peers import COLLECTION, DOCUMENT, Server
from benchmarks.trial import Load, Trial
from mockserver.compile.source import read

COMPARED = ("ours", "steady", "prism")
LISTS = "generated, lists of 100 items"
_ID = "{number 1000000000}"
_PUBLISHED = {
    "petstore": ("oai-petstore.yaml", f"/pets/{_ID}"),
    "box": ("box.json", f"/users/{_ID}"),
    "discord": ("discord.json", f"/users/1{_ID}"),
}
"""Name → document of the corpus, and the target of one of its operations."""
LOADS = ("generated, mission", *(f"generated, {name}" for name in _PUBLISHED), LISTS)


def trials(bench: Bench, servers: Sequence[Server]) -> Iterable[Trial]:
    """One trial for each document."""
    documents = {
        "generated, mission": (
            bench.document("mission", read(DOCUMENT, DOCUMENT.name).value),
            f"{COLLECTION}/{{uuid}}",
        )
    }
    for name, (file, target) in _PUBLISHED.items():
        if document := bench.published(file):
            documents[f"generated, {name}"] = (document, target)
    documents[LISTS] = (bench.document("lists", generated.lists()), generated.LIST)
    for name, (document, target) in documents.items():
        contenders = [Contender(each.name, each, document) for each in servers if each.name in COMPARED]
        request = Request(target)
        yield Trial(contenders, [Load(name, (request,))], request)
