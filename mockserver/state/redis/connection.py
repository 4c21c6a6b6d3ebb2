"""The connection to Redis: pipelined commands, replies to callbacks in order, timeouts and reconnection.

hiredis packs and parses. This module keeps the order and the timeouts, and
decides what to do with commands when the connection breaks. It exists because
clients that create a future and a task per command need 77 to 118 µs of
processor time per command on the machine of ``benchmarks/README.md``; this one
needs 5.

A *script* is sent with the connection's name, an epoch, a running number and a
deadline. It stores its number in Redis. So after a reconnection it is known
which scripts were run although no reply came: these are never sent again. If
commands wait for Redis, Redis also stores the last replies, and they are read
then. Redis runs no script whose deadline is over, for example after it was
frozen.

A server that does not reply within the timeout of a command is treated as
one that cannot be reached: commands fail at once, or wait in their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import socket
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import hiredis

from mockserver.diagnostics import UsageError, reason
from mockserver.state.protocol import NamespacesFull, Unavailable
from mockserver.state.redis.handshake import Address, ErrorReply, Handshake, Word, open_socket

if TYPE_CHECKING:
    from mockserver.state.redis.batch import Batch

_LOG = logging.getLogger("mockserver.state")
_SCRIPTS = Path(__file__).with_name("scripts")
_CHUNK = 262_144
_PAUSE, _MAX_PAUSE = 0.02, 0.2
"""Seconds between two attempts to connect: doubled each time."""
_TIMEOUT_SHARE = 0.9
"""A command fails after this share of its timeout, so that the client gets its response in time."""
_MAX_SWEEP_INTERVAL = 0.05
"""The maximum number of seconds between two searches for commands that have timed out."""
_IDLE = 1.0
"""Seconds without a command after which a PING is sent."""
_MAX_SILENCE = 5.0
"""Seconds without a reply after which the connection is closed."""
_MAX_WAITING = 10_000
"""The maximum number of commands that wait for a reply or for a connection."""
_LOG_INTERVAL = 60.0
"""Seconds after which the log repeats the same error reply."""
_CONNECTION_TTL = 7 * 86_400
"""Seconds after which Redis forgets a connection that was not closed properly."""
_TTL_INTERVAL = 3600.0
"""Seconds after which this time to live is set anew."""
_REGISTER = """
local ran = redis.call('HGET', KEYS[1], 'n') or '0'
local kept = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], 'e', ARGV[1], 'n', ran)
if ARGV[3] ~= '0' then redis.call('HSET', KEYS[1], 'k', ARGV[3]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {ran, kept}
"""
"""Sets a new epoch, so that Redis runs no more scripts of earlier connections. Returns the number of the
last script that was run, and the stored replies."""
_STORED_REPLIES = 512
"""The number of replies that Redis stores for a connection whose commands wait."""
_TEMPORARY_ERRORS = (
    "LOADING", "BUSY", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "UNKILLABLE", "OOM", "MISCONF",
    "NOREPLICAS",
)  # fmt: skip
"""Error replies after which a command may succeed later. They reject a script as a whole, because the first
thing that a script writes is its own number."""

ReplyCallback = Callable[[Any], None]
"""Called with the reply to a command, or with an Unavailable."""
_until: ContextVar[float] = ContextVar("until", default=math.inf)


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Limit all ``Connection.ask`` calls in this block to ``seconds`` in total."""
    token = _until.set(time.monotonic() + seconds * _TIMEOUT_SHARE)
    try:
        yield
    finally:
        _until.reset(token)


@contextlib.contextmanager
def own_work() -> Iterator[None]:
    """Do not count the time of this block in a ``time_limit``: this process works, and not the store."""
    started = time.monotonic()
    try:
        yield
    finally:
        _until.set(_until.get() + time.monotonic() - started)


class _Command:
    """A command that waits to be sent, or waits for its reply."""

    __slots__ = ("callback", "deadline", "number", "script", "words")

    def __init__(
        self, script: str, words: Sequence[Word], callback: ReplyCallback | None, deadline: float
    ) -> None:
        self.script = script
        """The name of a script, or empty for a plain command."""
        self.words = words
        self.callback = callback
        self.deadline = deadline
        """When the command fails, in seconds of the monotonic clock."""
        self.number = 0


class Connection:
    """A connection to Redis that reconnects. It belongs to one event loop.

    While Redis cannot be reached, commands fail at once. With ``wait``, they
    wait for a new connection until their timeout.
    """

    def __init__(
        self, address: Address, *, prefix: str, timeout: float = 1.0, wait: bool = False, name: str = ""
    ) -> None:
        self.address = address
        self.prefix: Final = prefix
        self.timeout = timeout
        """Seconds after which a command without a reply fails."""
        self.name = name or secrets.token_hex(6)
        self.connections = 0
        """The number of connections made so far."""
        self.batches: list[Batch] = []
        """Calls that were not sent yet. They are sent before anything else, so that the order remains."""
        self.on_connect: Callable[[], None] = lambda: None
        """Called on each new connection, before any command is sent on it."""
        self._wait = wait
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._reader = hiredis.Reader(replyError=ErrorReply)
        self._sent: deque[_Command] = deque()
        self._waiting: deque[_Command] = deque()
        self._out: list[bytes] = []
        self._rest = b""
        self._flushing = False
        self._digests: dict[str, str] = {}
        self._epoch = 0
        self._number = 0
        self._ahead = (time.time() - time.monotonic()) * 1000
        """Milliseconds from the monotonic clock to the clock of Redis. At first, to this machine's clock."""
        self._logged: dict[str, float] = {}
        """When an error reply was last logged, by its first word."""
        self._last_reply = 0.0
        self._silent = False
        """Whether Redis has not replied for the time of a command's timeout."""
        self._closed = False
        self._connecting: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether there is a connection on which Redis replies in time."""
        return self._socket is not None and not self._silent

    def now(self) -> int:
        """Return the time of Redis's clock, in milliseconds since the epoch. All processes use this clock."""
        return int(time.monotonic() * 1000 + self._ahead)

    @property
    def _key(self) -> str:
        """The key under which Redis stores the epoch, script number and replies of this connection."""
        return f"{self.prefix}/w/{self.name}"

    # Sending

    def send(
        self,
        words: Sequence[Word],
        callback: ReplyCallback | None = None,
        *,
        script: str = "",
        until: float = math.inf,
    ) -> None:
        """Send a command, or the script ``script`` with ``words`` as its arguments.

        ``callback`` is called with the reply or an Unavailable. If nothing can be sent, it is called at
        once. ``until`` shortens the timeout: it is a time in seconds of the monotonic clock.
        """
        for batch in self.batches:
            batch.send()
        command = _Command(
            script, words, callback, min(time.monotonic() + self.timeout * _TIMEOUT_SHARE, until)
        )
        if self._socket is not None and not self._silent:
            self._put(command)
        elif not self._wait or self._closed or len(self._waiting) + len(self._sent) >= _MAX_WAITING:
            problem = "cannot be reached" if self._socket is None else "gives no answer"
            _finish(command, Unavailable(f"the store at {self.address.shown} {problem}"))
        elif self._socket is not None:
            self._put(command)
        else:
            self._waiting.append(command)

    async def ask(self, *words: Word, script: str = "") -> Any:
        """Send a command or script as ``send`` does, and return the reply. Raises Unavailable."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def set_result(reply: Any) -> None:
            if not future.done():
                future.set_result(reply)

        until = _until.get()
        if until <= time.monotonic():
            raise Unavailable(f"the store at {self.address.shown} was too slow")
        self.send(words, set_result, script=script, until=until)
        reply = await future
        if isinstance(reply, Unavailable):
            raise reply
        return reply

    def flush_soon(self) -> None:
        """Write all commands to the socket in the next iteration of the event loop."""
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush_if_due)

    def flush(self) -> None:
        """Write all commands to the socket now, and not in the next iteration of the event loop."""
        self._flushing = True
        for batch in self.batches:
            batch.send()
        self._flushing = False
        if self._socket is None or self._rest or not self._out:
            return  # the rest of an earlier write goes first, when the socket is writable
        data = b"".join(self._out)
        self._out.clear()
        if self._write(data):
            return
        if self._socket is not None:
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        assert self._socket is not None  # noqa: S101 - the loop watches the open socket only
        if self._write(self._rest) and self._socket is not None:
            self._loop.remove_writer(self._socket.fileno())
            self.flush()

    def _write(self, data: bytes) -> bool:
        """Write to the socket. Return whether all was written; if not, ``_rest`` is the remainder."""
        assert self._socket is not None  # noqa: S101 - the callers have checked
        try:
            count = self._socket.send(data)
        except BlockingIOError:
            count = 0
        except OSError as error:
            self._rest = data
            self._broken(error)
            return False
        self._rest = data[count:] if count < len(data) else b""
        return not self._rest

    def _put(self, command: _Command) -> None:
        words: tuple[Word, ...]
        if command.script:
            self._number = command.number = self._number + 1
            due = f"{command.deadline * 1000 + self._ahead:.0f}"
            words = (
                b"EVALSHA", self._digests[command.script], b"1", self.prefix,
                self.name, self._epoch, command.number, due, *command.words,
            )  # fmt: skip
        else:
            words = tuple(command.words)
        self._out.append(hiredis.pack_command(words))  # type: ignore[arg-type]
        self._sent.append(command)
        self.flush_soon()

    def _flush_if_due(self) -> None:
        if self._flushing:
            self.flush()

    # Receiving

    def _readable(self) -> None:
        assert self._socket is not None  # noqa: S101 - the loop watches the open socket only
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(error)
            return
        if not data:
            self._broken(ConnectionError("Redis closed the connection"))
            return
        self._last_reply = time.monotonic()
        self._silent = False
        self._reader.feed(data)
        try:
            while (reply := self._reader.gets()) is not False:
                self._answered(self._sent.popleft(), reply)
                if self._socket is None:
                    return
        except (hiredis.ProtocolError, IndexError) as error:
            self._broken(error)
            return
        if self._out:
            self.flush()

    def _answered(self, command: _Command, reply: Any) -> None:
        if isinstance(reply, ErrorReply):
            text = str(reply)
            if text.startswith("NOSCRIPT") and command.script:
                # A server that was restarted has no scripts. Nothing was run.
                self._broken(ConnectionError(text))
                self._again(command)
                return
            if (
                text.startswith(_TEMPORARY_ERRORS)
                and self._wait
                and time.monotonic() + _PAUSE < command.deadline
            ):
                self._loop.call_later(_PAUSE, self._again, command)
                return
            _finish(command, self.refusal(reply.message))
            return
        if reply == b"!epoch":  # Redis lost the epoch, or a later connection set it. Nothing was run.
            self._broken(ConnectionError("the store no longer knows this server"))
            self._again(command)
            return
        if reply == b"!late":
            if command.deadline - time.monotonic() > self.timeout / 2:
                # It is not late: the clock of Redis was set, and must be read again. Nothing was run.
                self._broken(ConnectionError("the clock of Redis was set"))
                self._again(command)
                return
            _finish(command, Unavailable(f"the store at {self.address.shown} was too slow"))
            return
        _finish(command, NamespacesFull() if reply == b"!full" else reply)

    def refusal(self, message: str) -> Unavailable:
        """Return what the text of an error reply means. Log each kind at most once in ``_LOG_INTERVAL``."""
        kind, now = message.partition(" ")[0], time.monotonic()
        if now >= self._logged.get(kind, -math.inf) + _LOG_INTERVAL:
            self._logged[kind] = now
            hint = f"; somebody else writes under the prefix {self.prefix!r}" if kind == "WRONGTYPE" else ""
            _LOG.error("the store at %s refuses: %s%s", self.address.shown, message, hint)
        return Unavailable(f"the store at {self.address.shown} refuses: {message}")

    def _again(self, command: _Command) -> None:
        """Send a command again that was not run, on this connection or on the next one."""
        if command.callback is None and not command.script:
            return
        if self._closed or time.monotonic() >= command.deadline:
            _finish(command, Unavailable(f"the store at {self.address.shown} cannot be reached"))
        elif self._socket is not None:
            self._put(command)
        else:
            self._waiting.appendleft(command)

    async def listen(self, *channels: str) -> AsyncIterator[bytes]:
        """Yield the messages published on ``channels``, for ever, on a connection of its own.

        ``b""`` comes first and after each reconnection: messages published before that are lost.
        """
        while not self._closed:
            try:
                stream = await open_socket(self.address)
                try:
                    handshake = Handshake(stream)
                    await handshake.log_in(self.address, f"mockserver-{self.name}")
                    await handshake.ask("SUBSCRIBE", *channels)
                    for _ in channels[1:]:
                        await handshake.read_reply()
                    yield b""
                    while True:
                        yield (await handshake.read_reply())[2]
                finally:
                    stream.close()
            except _ERRORS:
                await asyncio.sleep(_MAX_PAUSE)

    # The connection

    async def open(self, *, patient: bool = False) -> None:
        """Connect. If that fails, raise UsageError, or with ``patient`` keep trying in the background."""
        try:
            async with asyncio.timeout(max(self.timeout, 1.0 if patient else 5.0)):
                await self._connect()
        except _ERRORS as error:
            if not patient:
                raise UsageError(
                    f"the store at {self.address.shown} does not answer: {reason(error)}; "
                    "start Redis there, or correct --store."
                ) from None
            _LOG.warning("the store at %s cannot be reached: %s", self.address.shown, reason(error))
            self._connecting = self._loop.create_task(self._reconnect())
        self._sweeper = self._loop.create_task(self._sweep())

    async def close(self) -> None:
        """Delete what Redis stores for this connection, disconnect, and fail all waiting commands."""
        if self._socket is not None and not self._closed:
            with contextlib.suppress(Unavailable):
                await self.ask(b"DEL", self._key)
        self._closed = True
        for task in (self._connecting, self._sweeper):
            if task is not None:
                task.cancel()
        self._hang_up()
        self._fail_all(Unavailable("the server stops"))

    async def _connect(self) -> None:
        """Connect, log in, load the scripts, read the clock and register a new epoch."""
        channel = await open_socket(self.address)
        try:
            handshake = Handshake(channel)
            await handshake.log_in(self.address, f"mockserver-{self.name}")
            for name, text in scripts().items():
                self._digests[name] = (await handshake.ask("SCRIPT", "LOAD", text)).decode()
            before = time.monotonic()
            seconds, micros = await handshake.ask("TIME")
            after = time.monotonic()
            self._ahead = int(seconds) * 1000 + int(micros) / 1000 - (before + after) * 500
            self._epoch += 1
            stored = _STORED_REPLIES if self._wait else 0
            words = ("EVAL", _REGISTER, 1, self._key, self._epoch, _CONNECTION_TTL, stored)
            last_run, replies = await handshake.ask(*words)
        except BaseException:
            channel.close()
            raise
        self._reader = handshake.reader
        self._socket = channel
        self._last_reply = time.monotonic()
        self._silent = False
        self._rest = b""
        self._out.clear()
        self.connections += 1
        self._loop.add_reader(channel.fileno(), self._readable)
        self._resume(int(last_run), dict(zip(replies[::2], replies[1::2], strict=True)))

    def _resume(self, last_run: int, replies: Mapping[bytes, bytes]) -> None:
        """Send the waiting commands in order. A script that was run gets its stored reply or fails."""
        self.on_connect()
        sent, self._sent = self._sent, deque()
        waiting, self._waiting = self._waiting, deque()
        now = time.monotonic()
        for command in (*sent, *waiting):
            if command.script and 0 < command.number <= last_run:
                field = b"a%d" % (command.number % _STORED_REPLIES)
                number, _, reply = replies.get(field, b"").partition(b" ")
                if number == b"%d" % command.number:
                    _finish(command, reply)
                    continue
                message = f"the store at {self.address.shown} broke off after it ran this; its reply is lost"
                _finish(command, Unavailable(message, "unknown"))
            elif now >= command.deadline:
                _finish(
                    command, Unavailable(f"the store at {self.address.shown} could not be reached in time")
                )
            else:
                self._put(command)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _broken(self, error: Exception) -> None:
        """Close a broken connection and reconnect. The commands that were sent wait, or fail."""
        if self._socket is None:
            return
        _LOG.warning("the connection to the store at %s is lost: %s", self.address.shown, error)
        self._hang_up()
        if not self._wait:
            message = f"the store at {self.address.shown} broke off: {error}"
            self._fail_all(Unavailable(message, "unknown"))
        if self._connecting is None or self._connecting.done():
            self._connecting = self._loop.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        pause = _PAUSE
        while not self._closed:
            try:
                async with asyncio.timeout(max(self.timeout, 1.0)):
                    await self._connect()
            except _ERRORS:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _MAX_PAUSE)
            else:
                _LOG.warning("the store at %s is connected again", self.address.shown)
                return

    def _fail_all(self, error: Unavailable) -> None:
        sent, self._sent = self._sent, deque()
        waiting, self._waiting = self._waiting, deque()
        for command in (*sent, *waiting):
            _finish(command, error)

    async def _sweep(self) -> None:
        """Fail the commands that have timed out; close a connection on which no reply comes for long."""
        renewed = time.monotonic()
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            now = time.monotonic()
            self.expire(now)
            pause = self._next_due(now) - now
            if self._socket is None:
                continue
            if now > renewed + _TTL_INTERVAL:
                renewed = now
                self.send(("EXPIRE", self._key, _CONNECTION_TTL))
            if not self._sent and now - self._last_reply > _IDLE:
                self.send((b"PING",))
            silent = self._unanswered(now)
            if silent > max(_MAX_SILENCE, 3 * self.timeout):
                self._broken(TimeoutError(f"no reply for {silent:.0f} s"))

    def _next_due(self, now: float) -> float:
        """Return when the next command times out, but at most ``_MAX_SWEEP_INTERVAL`` after ``now``."""
        soon = now + _MAX_SWEEP_INTERVAL
        due = min((command.deadline for command in self._sent if command.deadline > now), default=soon)
        if self._waiting:
            due = min(due, self._waiting[0].deadline)
        return min(max(due, now + 0.001), soon)

    def _unanswered(self, now: float) -> float:
        """Return for how many seconds commands have waited without any reply from Redis."""
        if not self._sent or self._socket is None:
            return 0.0
        return now - max(self._last_reply, self._sent[0].deadline - self.timeout * _TIMEOUT_SHARE)

    def expire(self, now: float) -> None:
        """Fail every command whose deadline is before ``now``, in seconds of the monotonic clock."""
        if not self._silent and self._unanswered(now) >= self.timeout * _TIMEOUT_SHARE:
            self._silent = True
            _LOG.warning("the store at %s gives no answer", self.address.shown)
        message = f"the store at {self.address.shown} gave no answer within {self.timeout:g} s"
        for command in [command for command in self._sent if command.deadline <= now]:
            _finish(command, Unavailable(message, "unknown"))  # it stays in the queue, where its reply comes
        while self._waiting and self._waiting[0].deadline <= now:
            _finish(self._waiting.popleft(), Unavailable(message))


_ERRORS = (OSError, TimeoutError, Unavailable, hiredis.HiredisError)
"""The errors that connecting can raise."""


def _finish(command: _Command, reply: Any) -> None:
    callback, command.callback = command.callback, None
    if callback is not None:
        callback(reply)


def scripts() -> dict[str, str]:
    """Return the scripts by name. The functions that they share are at the start of each text."""
    shared = (_SCRIPTS / "shared.lua").read_text("utf-8")
    paths = sorted(path for path in _SCRIPTS.glob("*.lua") if path.stem != "shared")
    return {path.stem: shared + path.read_text("utf-8") for path in paths}
