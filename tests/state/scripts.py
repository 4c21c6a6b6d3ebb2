"""The scripts of the store, run one by one or many in one round trip, by a client that does nothing else."""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence
from typing import Any

import hiredis

from mockserver.state.redis.connection import scripts
from tests.live import PATIENCE
from tests.redis import Redis

Word = bytes | str | int


class Scripts:
    """A connection to Redis with the scripts loaded, as a link of the name ``test``."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.prefix = prefix
        self._socket = socket.create_connection(("127.0.0.1", redis.port), PATIENCE)
        self._reader = hiredis.Reader()
        self._digests = {name: self.say("SCRIPT", "LOAD", text) for name, text in scripts().items()}
        self.say("HSET", f"{prefix}/w/test", "e", 1)

    def close(self) -> None:
        self._socket.close()

    def say(self, *words: Word) -> Any:
        """The answer to a command. Raises hiredis.ReplyError."""
        [response] = self.exchange([words])
        return response

    def run(self, name: str, *calls: Sequence[Word]) -> list[Any]:
        """What a script answers to each of its calls."""
        return self.exchange([self.call(name, each) for each in calls])

    def call(self, name: str, words: Sequence[Word]) -> Sequence[Word]:
        """A script with its arguments as a command."""
        late = round(time.time() * 1000) + 600_000
        return ("EVALSHA", self._digests[name], 1, self.prefix, "test", 1, 1, late, *words)

    def exchange(self, commands: Sequence[Sequence[Word]]) -> list[Any]:
        """The answers to commands that are sent together. Raises hiredis.ReplyError."""
        self._socket.sendall(b"".join(hiredis.pack_command(tuple(each)) for each in commands))  # type: ignore[arg-type]
        answers: list[Any] = []
        while len(answers) < len(commands):
            response = self._reader.gets()
            if response is False:
                self._reader.feed(self._socket.recv(65536))
                continue
            if isinstance(response, hiredis.ReplyError):
                raise response
            answers.append(response)
        return answers
