"""The link to Redis: one connection, commands pipelined, answers handed to callbacks in order.

hiredis packs and parses; this keeps the order, the time-outs and what becomes
of commands when the connection breaks. Written for this because clients that
give each command a future and a task cost 77 to 118 µs of processor time a
command on the machine of ``benchmarks/README.md``, this 5.

A *script* is sent with the link's name, an epoch, a running number and a
deadline, and notes the number where it writes. So the link knows after a
break which scripts were run although no answer came: those are never sent
again. Where commands wait for Redis, it keeps the last answers of the link,
and is asked for them then. A server that was frozen runs no script whose deadline is over.

A server that says nothing for as long as a command may take is *away*, as one
is that cannot be reached. What comes then fails at once, or waits in its order.
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
from typing import Any, Final

import hiredis

from mockserver.diagnostics import UsageError, reason
from mockserver.state.protocol import NamespacesFull, Unavailable
from mockserver.state.redis.handshake import Address, Handshake, Refusal, Word, dial

_LOG = logging.getLogger("mockserver.state")
_SCRIPTS = Path(__file__).with_name("scripts")
_CHUNK = 262_144
_PAUSE, _LONGEST_PAUSE = 0.02, 0.2
"""Seconds between two attempts to connect: doubled each time."""
_EARLY = 0.9
"""The part of its time after which a command is given up, so that who asked is answered within all of it."""
_TICK = 0.05
"""Seconds, at most, until it is looked for commands whose time is over."""
_IDLE = 1.0
"""Seconds without a command after which Redis is asked whether it is there."""
_SILENCE = 5.0
"""Seconds without an answer after which a connection is given up."""
_MOST_WAITING = 10_000
_RETOLD = 60.0
"""Seconds after which the log says again what Redis refuses."""
_FORGOTTEN = 7 * 86_400
"""Seconds after which Redis forgets a link that did not say goodbye."""
_RENEWED = 3600.0
"""Seconds after which it is told again to remember one."""
_REGISTER = """
local ran = redis.call('HGET', KEYS[1], 'n') or '0'
local kept = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], 'e', ARGV[1], 'n', ran)
if ARGV[3] ~= '0' then redis.call('HSET', KEYS[1], 'k', ARGV[3]) end
redis.call('EXPIRE', KEYS[1], ARGV[2])
return {ran, kept}
"""
"""From here on no script of an earlier connection is run; the number of the last one that was, and the
answers that are kept."""
_KEPT = 512
"""Answers that Redis keeps for a link that waits for it."""
_NOT_NOW = (
    "LOADING", "BUSY", "MASTERDOWN", "READONLY", "CLUSTERDOWN", "TRYAGAIN", "UNKILLABLE", "OOM", "MISCONF",
    "NOREPLICAS",
)  # fmt: skip
"""Refusals that may pass. A script is refused as a whole: noting its number is the first thing it writes."""

Done = Callable[[Any], None]
"""Called with a command's answer, or with an Unavailable."""
_until: ContextVar[float] = ContextVar("until", default=math.inf)


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let all that is asked for here, one after the other, be answered or given up within so many seconds."""
    token = _until.set(time.monotonic() + seconds * _EARLY)
    try:
        yield
    finally:
        _until.reset(token)


class _Item:
    """One command that is to be sent, or whose answer is to come."""

    __slots__ = ("deadline", "done", "number", "script", "words")

    def __init__(self, script: str, words: Sequence[Word], done: Done | None, deadline: float) -> None:
        self.script = script
        """The name of a script; empty for a command."""
        self.words = words
        self.done = done
        self.deadline = deadline
        """When it is given up, in seconds of the monotonic clock."""
        self.number = 0


class Link:
    """Commands to Redis. Belongs to one event loop.

    ``wait`` says what becomes of commands while there is no connection: they
    wait for one until their time is over, or fail at once.
    """

    def __init__(
        self, address: Address, *, prefix: str, timeout: float = 1.0, wait: bool = False, name: str = ""
    ) -> None:
        self.address = address
        self.prefix: Final = prefix
        self.timeout = timeout
        """Seconds after which a command that was not answered fails."""
        self.name = name or secrets.token_hex(6)
        self.connections = 0
        """How many there have been."""
        self.on_connect: Callable[[], None] = lambda: None
        """Called on each new connection, before anything else is sent on it."""
        self._wait = wait
        self._loop = asyncio.get_running_loop()
        self._socket: socket.socket | None = None
        self._reader = hiredis.Reader(replyError=Refusal)
        self._sent: deque[_Item] = deque()
        self._waiting: deque[_Item] = deque()
        self._out: list[bytes] = []
        self._rest = b""
        self._flushing = False
        self._digests: dict[str, str] = {}
        self._epoch = 0
        self._number = 0
        self._ahead = (time.time() - time.monotonic()) * 1000
        """Milliseconds by which Redis's clock is before the monotonic one here; at first, the machine's."""
        self._refusals: dict[str, float] = {}
        """When refusals were last logged, by their first words."""
        self._heard = 0.0
        self._silent = False
        """Whether Redis says nothing, though it was asked, for as long as a command may take."""
        self._closed = False
        self._connecting: asyncio.Task[None] | None = None
        self._sweeper: asyncio.Task[None] | None = None

    @property
    def connected(self) -> bool:
        """Whether Redis is there, as far as is known."""
        return self._socket is not None and not self._silent

    def now(self) -> int:
        """Milliseconds since the epoch by Redis's clock: the one time of all processes on it."""
        return int(time.monotonic() * 1000 + self._ahead)

    @property
    def _place(self) -> str:
        """Where Redis keeps what it knows of this link."""
        return f"{self.prefix}/w/{self.name}"

    # Sending

    def send(
        self, words: Sequence[Word], done: Done | None = None, *, script: str = "", until: float = math.inf
    ) -> None:
        """Send a command, or the script of that name with ``words`` as its arguments.

        ``done`` is called with the answer, which may be Unavailable; at once where nothing can be sent.
        ``until`` is when it is given up, in seconds of the monotonic clock, if that is before its time.
        """
        item = _Item(script, words, done, min(time.monotonic() + self.timeout * _EARLY, until))
        if self._socket is not None and not self._silent:
            self._put(item)
        elif not self._wait or self._closed or len(self._waiting) + len(self._sent) >= _MOST_WAITING:
            why = "cannot be reached" if self._socket is None else "gives no answer"
            _finish(item, Unavailable(f"the store at {self.address.shown} {why}"))
        elif self._socket is not None:
            self._put(item)
        else:
            self._waiting.append(item)

    async def ask(self, *words: Word, script: str = "") -> Any:
        """The answer to a command. Raises Unavailable."""
        future: asyncio.Future[Any] = self._loop.create_future()

        def done(reply: Any) -> None:
            if not future.done():
                future.set_result(reply)

        until = _until.get()
        if until <= time.monotonic():
            raise Unavailable(f"the store at {self.address.shown} was too slow")
        self.send(words, done, script=script, until=until)
        reply = await future
        if isinstance(reply, Unavailable):
            raise reply
        return reply

    def flush(self) -> None:
        """Hand what was sent so far to the kernel now, instead of with the loop's next turn."""
        self._flushing = False
        if self._socket is None or self._rest or not self._out:
            return  # what the kernel did not take goes first, when it can
        data = b"".join(self._out)
        self._out.clear()
        if self._handed_over(data):
            return
        if self._socket is not None:
            self._loop.add_writer(self._socket.fileno(), self._writable)

    def _writable(self) -> None:
        assert self._socket is not None  # noqa: S101 - else nobody watches it
        if self._handed_over(self._rest) and self._socket is not None:
            self._loop.remove_writer(self._socket.fileno())
            self.flush()

    def _handed_over(self, data: bytes) -> bool:
        """Whether the kernel took all of it; else ``_rest`` is what it did not take."""
        assert self._socket is not None  # noqa: S101 - who calls has looked
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

    def _put(self, item: _Item) -> None:
        words: tuple[Word, ...]
        if item.script:
            self._number = item.number = self._number + 1
            due = f"{item.deadline * 1000 + self._ahead:.0f}"
            words = (
                b"EVALSHA", self._digests[item.script], b"1", self.prefix,
                self.name, self._epoch, item.number, due, *item.words,
            )  # fmt: skip
        else:
            words = tuple(item.words)
        self._out.append(hiredis.pack_command(words))  # type: ignore[arg-type]
        self._sent.append(item)
        if not self._flushing:
            self._flushing = True
            self._loop.call_soon(self._flush_soon)

    def _flush_soon(self) -> None:
        if self._flushing:
            self.flush()

    # Receiving

    def _readable(self) -> None:
        assert self._socket is not None  # noqa: S101 - else nobody watches it
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            self._broken(error)
            return
        if not data:
            self._broken(ConnectionError("it was closed"))
            return
        self._heard = time.monotonic()
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

    def _answered(self, item: _Item, reply: Any) -> None:
        if isinstance(reply, Refusal):
            text = str(reply)
            if text.startswith("NOSCRIPT") and item.script:
                # A server that came back without its scripts: nothing was run.
                self._broken(ConnectionError(text))
                self._again(item)
                return
            if text.startswith(_NOT_NOW) and self._wait and time.monotonic() + _PAUSE < item.deadline:
                self._loop.call_later(_PAUSE, self._again, item)
                return
            self._log(reply.said)
            _finish(item, Unavailable(f"the store at {self.address.shown} refuses: {reply.said}"))
            return
        if reply == b"!epoch":  # it forgot this link, or a later connection took over: nothing was run
            self._broken(ConnectionError("the store has forgotten this server"))
            self._again(item)
            return
        if reply == b"!late":
            if item.deadline - time.monotonic() > self.timeout / 2:
                # Not so: the clock of Redis was set, and is to be read anew. Nothing was run.
                self._broken(ConnectionError("its clock was set"))
                self._again(item)
                return
            _finish(item, Unavailable(f"the store at {self.address.shown} was too slow"))
            return
        _finish(item, NamespacesFull() if reply == b"!full" else reply)

    def _log(self, refusal: str) -> None:
        """Tell what Redis refuses; the same once in a while."""
        kind, now = refusal.partition(" ")[0], time.monotonic()
        if now < self._refusals.get(kind, -math.inf) + _RETOLD:
            return
        self._refusals[kind] = now
        hint = f"; somebody else writes under the prefix {self.prefix!r}" if kind == "WRONGTYPE" else ""
        _LOG.error("the store at %s refuses: %s%s", self.address.shown, refusal, hint)

    def _again(self, item: _Item) -> None:
        if item.done is None and not item.script:
            return
        if self._closed or time.monotonic() >= item.deadline:
            _finish(item, Unavailable(f"the store at {self.address.shown} cannot be reached"))
        elif self._socket is not None:
            self._put(item)
        else:
            self._waiting.appendleft(item)

    async def listen(self, *channels: str) -> AsyncIterator[bytes]:
        """What is published on channels, on a connection of its own, for ever.

        Nothing, ``b""``, comes first and after each break: what was published meanwhile is lost.
        """
        while not self._closed:
            try:
                stream = await dial(self.address)
                try:
                    talk = Handshake(stream)
                    await talk.log_in(self.address, f"mockserver-{self.name}")
                    await talk.ask("SUBSCRIBE", *channels)
                    for _ in channels[1:]:
                        await talk.hear()
                    yield b""
                    while True:
                        yield (await talk.hear())[2]
                finally:
                    stream.close()
            except _FAULTS:
                await asyncio.sleep(_LONGEST_PAUSE)

    # The connection

    async def open(self, *, patient: bool = False) -> None:
        """Connect. Raises UsageError where that cannot be, or goes on trying where it is ``patient``."""
        try:
            async with asyncio.timeout(max(self.timeout, 1.0 if patient else 5.0)):
                await self._connect()
        except _FAULTS as error:
            if not patient:
                raise UsageError(
                    f"the store at {self.address.shown} does not answer: {reason(error)}; "
                    "start Redis there, or correct --store."
                ) from None
            _LOG.warning("the store at %s is away: %s", self.address.shown, reason(error))
            self._connecting = self._loop.create_task(self._reconnect())
        self._sweeper = self._loop.create_task(self._sweep())

    async def close(self) -> None:
        """Send what is to be sent, and hang up."""
        if self._socket is not None and not self._closed:
            with contextlib.suppress(Unavailable):
                await self.ask(b"DEL", self._place)
        self._closed = True
        for task in (self._connecting, self._sweeper):
            if task is not None:
                task.cancel()
        self._hang_up()
        self._fail_all(Unavailable("the server stops"))

    async def _connect(self) -> None:
        """A new connection that is ready: logged in, scripts loaded, registered."""
        channel = await dial(self.address)
        try:
            talk = Handshake(channel)
            await talk.log_in(self.address, f"mockserver-{self.name}")
            for name, text in scripts().items():
                self._digests[name] = (await talk.ask("SCRIPT", "LOAD", text)).decode()
            asked = time.monotonic()
            seconds, micros = await talk.ask("TIME")
            heard = time.monotonic()
            self._ahead = int(seconds) * 1000 + int(micros) / 1000 - (asked + heard) * 500
            self._epoch += 1
            keep = _KEPT if self._wait else 0
            words = ("EVAL", _REGISTER, 1, self._place, self._epoch, _FORGOTTEN, keep)
            ran, kept = await talk.ask(*words)
        except BaseException:
            channel.close()
            raise
        self._reader = talk.reader
        self._socket = channel
        self._heard = time.monotonic()
        self._silent = False
        self._rest = b""
        self._out.clear()
        self.connections += 1
        self._loop.add_reader(channel.fileno(), self._readable)
        self._resume(int(ran), dict(zip(kept[::2], kept[1::2], strict=True)))

    def _resume(self, ran: int, kept: Mapping[bytes, bytes]) -> None:
        """Send what waits, in its order; what was run is answered if its answer was kept, or fails."""
        self.on_connect()
        sent, self._sent = self._sent, deque()
        waiting, self._waiting = self._waiting, deque()
        now = time.monotonic()
        for item in (*sent, *waiting):
            if item.script and 0 < item.number <= ran:
                number, _, reply = kept.get(b"a%d" % (item.number % _KEPT), b"").partition(b" ")
                if number == b"%d" % item.number:
                    _finish(item, reply)
                    continue
                said = f"the store at {self.address.shown} broke off when it had run this: its answer is lost"
                _finish(item, Unavailable(said, "unknown"))
            elif now >= item.deadline:
                _finish(item, Unavailable(f"the store at {self.address.shown} could not be reached in time"))
            else:
                self._put(item)

    def _hang_up(self) -> None:
        if self._socket is not None:
            self._loop.remove_reader(self._socket.fileno())
            self._loop.remove_writer(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _broken(self, error: Exception) -> None:
        """The connection is gone: what was sent waits for the next, or fails."""
        if self._socket is None:
            return
        _LOG.warning("the store at %s is gone: %s", self.address.shown, error)
        self._hang_up()
        if not self._wait:
            said = f"the store at {self.address.shown} broke off: {error}"
            self._fail_all(Unavailable(said, "unknown"))
        if self._connecting is None or self._connecting.done():
            self._connecting = self._loop.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        pause = _PAUSE
        while not self._closed:
            try:
                async with asyncio.timeout(max(self.timeout, 1.0)):
                    await self._connect()
            except _FAULTS:
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                _LOG.warning("the store at %s is back", self.address.shown)
                return

    def _fail_all(self, error: Unavailable) -> None:
        sent, self._sent = self._sent, deque()
        waiting, self._waiting = self._waiting, deque()
        for item in (*sent, *waiting):
            _finish(item, error)

    async def _sweep(self) -> None:
        """Fail what was not answered in time; give up a connection that says nothing for long."""
        renewed = time.monotonic()
        pause = 0.0
        while True:
            await asyncio.sleep(pause)
            now = time.monotonic()
            self.expire(now)
            pause = self._next_due(now) - now
            if self._socket is None:
                continue
            if now > renewed + _RENEWED:
                renewed = now
                self.send(("EXPIRE", self._place, _FORGOTTEN))
            if not self._sent and now - self._heard > _IDLE:
                self.send((b"PING",))
            silent = self._unanswered(now)
            if silent > max(_SILENCE, 3 * self.timeout):
                self._broken(TimeoutError(f"no answer for {silent:.0f} s"))

    def _next_due(self, now: float) -> float:
        """When the next command is to be given up; soon, if there is none."""
        soon = now + _TICK
        due = min((each.deadline for each in self._sent if each.deadline > now), default=soon)
        if self._waiting:
            due = min(due, self._waiting[0].deadline)
        return min(max(due, now + 0.001), soon)

    def _unanswered(self, now: float) -> float:
        """For how many seconds nothing was heard, though something was asked."""
        if not self._sent or self._socket is None:
            return 0.0
        return now - max(self._heard, self._sent[0].deadline - self.timeout * _EARLY)

    def expire(self, now: float) -> None:
        """Fail every command whose time is over by ``now``, in seconds of the monotonic clock."""
        if not self._silent and self._unanswered(now) >= self.timeout * _EARLY:
            self._silent = True
            _LOG.warning("the store at %s is silent", self.address.shown)
        said = f"the store at {self.address.shown} gave no answer within {self.timeout:g} s"
        for item in [each for each in self._sent if each.deadline <= now]:
            _finish(item, Unavailable(said, "unknown"))  # its place in the order of answers is kept
        while self._waiting and self._waiting[0].deadline <= now:
            _finish(self._waiting.popleft(), Unavailable(said))


_FAULTS = (OSError, TimeoutError, Unavailable, hiredis.HiredisError)
"""What connecting can come to."""


def _finish(item: _Item, reply: Any) -> None:
    done, item.done = item.done, None
    if done is not None:
        done(reply)


def scripts() -> dict[str, str]:
    """Name → text of every script, each with the rules that all share in front."""
    shared = (_SCRIPTS / "shared.lua").read_text("utf-8")
    found = sorted(each for each in _SCRIPTS.glob("*.lua") if each.stem != "shared")
    return {each.stem: shared + each.read_text("utf-8") for each in found}
