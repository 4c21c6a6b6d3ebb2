"""Requests that break their document, by Schemathesis: all must be refused, and none may end in a 5xx.

``python -m tests.conformance.negative --requests 10000 DOCUMENT…`` starts a
server for each document and spreads the requests over all of their operations.
Schemathesis says which requests are wrong still when they are on the wire.
Credentials are not asked for, or their absence would refuse everything.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import re
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import HypothesisException
from schemathesis.checks import load_all_checks
from schemathesis.core.failures import Failure, FailureGroup
from schemathesis.generation import GenerationMode

from tests.measured import served

PATIENCE = 90
"""Seconds for the generator to make all cases of one operation."""
_CHECKS = {
    GenerationMode.NEGATIVE: "negative_data_rejection",
    GenerationMode.POSITIVE: "positive_data_acceptance",
}


@dataclass(frozen=True, slots=True)
class Excuse:
    """Requests that are said to be wrong and are right on the wire: expressions for which, and why."""

    where: str
    """The operation, and what was sent."""
    what: str
    """What Schemathesis says that it breaks; ``(?P<name>…)`` a property that must not have been sent."""
    why: str


EXCUSES = (
    Excuse(
        r"\S+ \S*/path/(label|matrix)/",
        r"`type` at /properties/(array|object) \(was (array|object), became \w+\)",
        "a scalar is written like an array of one item, or an object whose member '' it is",
    ),
    Excuse(
        r".*multipart/form-data",
        r"`type` at \S+ \(was (string|array), became \w+\)",
        "parts are texts, and a single part is an array of one item",
    ),
    Excuse(
        r".*multipart/form-data",
        r"`type` at /properties/(?P<name>\w+) \(was \w+, became array\)",
        "an empty array is no part at all",
    ),
    Excuse(
        r".*(x-www-form-urlencoded|multipart/form-data)",
        r"`additionalProperties`",
        "OpenAPI 2.0 does not forbid form fields that it does not describe",
    ),
    Excuse(
        r"\S+ /v1/Tollfree/Verifications: .*x-www-form-urlencoded",
        r"`required` at /properties/(OptInImageUrls|UseCaseCategories)",
        "a form without a required list is how an empty one is written (RFC 6570, section 3.2.1)",
    ),
    Excuse(
        r"\S+ /v1/skills\S*: .*multipart/form-data",
        r"(`type` at|`anyOf` at|`format` at) /properties/(files|display_title)",
        "parts are texts: the one takes any of them, the other any of them as its one item",
    ),
    Excuse(
        r"\S+ /v1/\S+: \d+ \[[^\]]*\] \S+[?&]limit=(&| )",
        r"`type` at /properties/limit/anyOf/0 \(was integer, became string\)",
        "an empty text is null, which the parameter takes as well",
    ),
    Excuse(
        r"\S+ /v1/\S+: \d+ \[[^\]]*\] \S+[?&]page=(&| )",
        r"`type` at /properties/page/anyOf/1 \(was null, became object\)",
        "an empty object is written as an empty text, which the parameter takes",
    ),
    Excuse(
        r".*\{'Finch-API-Version': ",
        r"`required` \(was Finch-API-Version, Content-Type\)",
        "Content-Type is never a parameter (OpenAPI, Parameter Object), and the other one is there",
    ),
    Excuse(
        r"\S+ /mapping-with-duplicate-schemas: ",
        r"`(enum|type)` at /oneOf/1/",
        "several names lead to one schema; Schemathesis knows the last of them only",
    ),
)


def is_excused(note: str) -> bool:
    """Whether there is an excuse for each part of what a request is said to break."""
    told = note.partition("[")[2].partition("]")[0]
    parts = [each.strip() for each in re.split(r"(?:^|\s)-\s", told) if each.strip()]
    return all(any(_excuses(each, part, note) for each in EXCUSES) for part in parts)


def _excuses(excuse: Excuse, part: str, note: str) -> bool:
    found = re.match(f"violates {excuse.what}", part)
    if found is None or not re.match(excuse.where, note, re.DOTALL):
        return False
    name = found.groupdict().get("name")
    return name is None or f'name="{name}"' not in note


@dataclass(slots=True)
class Tally:
    """What became of the requests."""

    verdicts: Counter[str] = field(default_factory=Counter)
    """right, wrong (a valid one refused or an invalid one taken), broken (5xx or no answer), or excused."""
    notes: list[str] = field(default_factory=list)
    """One line for each request that was answered wrongly."""

    @property
    def total(self) -> int:
        return self.verdicts.total()

    def add(self, other: Tally) -> None:
        self.verdicts += other.verdicts
        self.notes += other.notes

    def __str__(self) -> str:
        counts = ", ".join(
            f"{self.verdicts[each]} {each}" for each in ("right", "excused", "wrong", "broken")
        )
        return f"{self.total} requests: {counts}"

    @property
    def is_clean(self) -> bool:
        return not self.verdicts["wrong"] and not self.verdicts["broken"]


class Attack:
    """The operations of one document, and a server that claims to hold clients to it."""

    def __init__(self, document: dict[str, Any], url: str) -> None:
        load_all_checks()
        # A base path would hide that a server answers at the root as well
        rooted = {key: value for key, value in document.items() if key not in ("servers", "basePath", "host")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            schema = schemathesis.openapi.from_dict(rooted)
            schema.config.generation.update(with_security_parameters=False)
            found = [each.ok() for each in schema.get_all_operations() if hasattr(each, "ok")]
        # No client sends what comes after a #
        self.operations = [each for each in found if "#" not in each.path]
        self._url = url
        self._session = requests.Session()

    def run(self, operation: Any, mode: GenerationMode, count: int) -> Tally:
        """Send ``count`` requests of one operation, or fewer where no more can be made."""
        tally = Tally()

        @seed(7)
        @settings(
            max_examples=count,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.generate],
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def send(case: Any) -> None:
            verdict, note = self._judge(case, mode)
            note = f"{case.method} {case.path}: {note}"
            if verdict == "wrong" and is_excused(note):
                verdict = "excused"
            tally.verdicts[verdict] += 1
            if verdict != "right":
                tally.notes.append(f"{verdict}: {note}")

        with warnings.catch_warnings(), _patience():
            warnings.simplefilter("ignore")
            send()
        return tally

    def _judge(self, case: Any, mode: GenerationMode) -> tuple[str, str]:
        try:
            response = case.call(base_url=self._url, session=self._session, timeout=30)
        except (requests.RequestException, Failure, FailureGroup) as error:
            return "broken", f"no answer: {error!r}"
        status = response.status_code
        if status >= 500:
            return "broken", f"{status} {_told(case, response)}"
        # Where only errors are documented, one of them is the answer
        [decision] = response.headers.get("x-mock-decision", [""])
        refused = status >= 400 and not decision.startswith("document;")
        if refused is (mode is GenerationMode.NEGATIVE):
            return "right", ""
        try:
            check = schemathesis.checks.CHECKS.get_one(_CHECKS[mode])
            case.validate_response(response, checks=[check])
        except (Failure, FailureGroup):
            return "wrong", f"{status} {_told(case, response)}"
        return "right", ""


def _told(case: Any, response: Any) -> str:
    sent = response.request
    data = getattr(case.meta.phase.data, "description", "") if case.meta else ""
    body = sent.body if isinstance(sent.body, bytes) else str(sent.body or "").encode()
    names = ("Content-Type", "Cookie")
    fields = {
        name: value for name, value in sent.headers.items() if name in names or name in (case.headers or {})
    }
    data = " ".join(data.split())
    return f"[{data}] {sent.url} {fields} {body[:4000]!r} -> {response.text[:300]!r}"


@contextlib.contextmanager
def _patience() -> Iterator[None]:
    """End a generator that finds nothing; what it has found so far counts."""

    def stop(_: int, __: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(PATIENCE)
    try:
        yield
    except (TimeoutError, HypothesisException, schemathesis.errors.SchemathesisError, BaseExceptionGroup):
        pass  # nothing, or nothing more, can be made of the operation
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def load(path: Path) -> dict[str, Any]:
    """The document, as Schemathesis reads documents."""
    import yaml

    text = path.read_text("utf-8")
    found: dict[str, Any] = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 1 if anything was answered wrongly."""
    parser = argparse.ArgumentParser(prog="tests.conformance.negative", description=__doc__)
    parser.add_argument("documents", nargs="+", type=Path)
    parser.add_argument("--requests", type=int, default=1000, help="over all documents")
    parser.add_argument("--most", type=int, default=200, help="per operation")
    parser.add_argument("--mode", choices=["negative", "positive"], default="negative")
    parser.add_argument("--show", type=int, default=20, help="wrong answers to print per document")
    options = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    mode = GenerationMode(options.mode)
    whole = Tally()
    for place, path in enumerate(options.documents):
        left = options.requests - whole.total
        share = left // (len(options.documents) - place)
        tally = Tally()
        with served(path, "--security", "off") as server:
            attack = Attack(load(path), f"http://127.0.0.1:{server.port}")
            operations = attack.operations
            step = max(1, -(-len(operations) // max(1, share)))
            chosen = operations[::step]
            for i, operation in enumerate(chosen):
                count = min(options.most, -(-(share - tally.total) // (len(chosen) - i)))
                if count > 0:
                    tally.add(attack.run(operation, mode, count))
        sys.stdout.write(
            f"{path.name}: {tally}\n" + "".join(f"  {each[:500]}\n" for each in tally.notes[: options.show])
        )
        sys.stdout.flush()
        whole.add(tally)
    sys.stdout.write(f"all: {whole}\n")
    return 0 if whole.is_clean else 1


if __name__ == "__main__":
    raise SystemExit(main())
