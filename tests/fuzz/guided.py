"""One target by atheris: ``python -m tests.fuzz.guided TARGET SECONDS``. Ends with the first finding."""

from __future__ import annotations

import hashlib
import sys
from importlib import import_module

import atheris

from tests.fuzz.__main__ import KEPT

SLOW, MEMORY = 20, 3_000
"""Seconds and MiB of one input that are a finding."""


def main(name: str, seconds: str) -> None:
    with atheris.instrument_imports(include=["mockserver"]):
        target = import_module(f"tests.fuzz.targets.{name}")
    corpus = KEPT / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    for each in target.seeds():
        (corpus / hashlib.sha256(each).hexdigest()[:16]).write_bytes(each)
    options = [
        f"-max_total_time={seconds}",
        f"-artifact_prefix={KEPT / 'findings' / name}/",
        f"-timeout={SLOW}",
        f"-rss_limit_mb={MEMORY}",
        "-max_len=8192",
        "-print_final_stats=1",
        "-close_fd_mask=0",
        "-verbosity=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], target.check)
    atheris.Fuzz()


if __name__ == "__main__":
    main(*sys.argv[1:])
