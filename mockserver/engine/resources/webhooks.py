"""Notices: requests that are sent when a resource enters a state. They never keep an answer waiting.

A state that is entered by the clock is noticed at its time, by a watch on each
resource that has such a step before it, and not only when somebody asks.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from mockserver.diagnostics import MockServerError, reason
from mockserver.engine.resources.context import Context, Providers, RenderContext
from mockserver.engine.resources.create import Message, evaluate
from mockserver.engine.resources.render import RenderError, merge
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.engine.resources.templates import Template, compile_template, is_template
from mockserver.engine.response.negotiation import is_json
from mockserver.http.egress import Egress, OutgoingRequest, Refused
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Webhook
from mockserver.state.machine import ResourceState, advance_time
from mockserver.state.protocol import PlanChanged, Store

MOST_KEPT = 1000
"""Outcomes that a namespace keeps."""
MOST_UNDER_WAY = 1000
MOST_WATCHED = 10_000
_AT_ONCE = 16
_RETRY = 1.0
"""Seconds until a store that does not answer is asked again."""
Value = TypeVar("Value")
_LOG = logging.getLogger("mockserver.notices")


class Outcome(Struct):
    """What became of one notice. Times are milliseconds of the namespace's clock."""

    namespace: str
    resource: str
    key: str
    state: str
    when: int
    method: str
    url: str
    headers: Sequence[tuple[str, str]] = ()
    body: bytes = b""
    attempts: list[str] = field(default_factory=list)
    """What each attempt came to: a status, or why there was none."""
    done: bool = False
    delivered: bool = False


class WebhookSender:
    """Sends the notices of an engine. ``outcomes`` tells what became of them, newest last."""

    def __init__(
        self, store: Store, providers: Providers, egress: Egress, runtimes: Mapping[str, ResourceRuntime]
    ) -> None:
        """``runtimes`` are those of the Plan that is served."""
        self._store = store
        self._makers = providers
        self._gate = egress
        self._lifecycles = runtimes
        self._outcomes: dict[str, deque[Outcome]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: dict[tuple[Namespace, str, str], _Watch] = {}
        """By namespace, not by its name: a namespace that was dropped is not the next one of its name."""
        self._turns = asyncio.Semaphore(_AT_ONCE)

    def outcomes(self, namespace: str) -> list[Outcome]:
        return list(self._outcomes.get(namespace, ()))

    def reset(self, namespace: str) -> None:
        """Forget what became of notices, and send none of those that still wait for their time."""
        self._outcomes.pop(namespace, None)

    def serve(
        self, runtimes: Mapping[str, ResourceRuntime], providers: Providers, namespaces: Sequence[Namespace]
    ) -> None:
        """Go on by another Plan: outcomes and watches stay, and what it gives a time is watched."""
        self._lifecycles, self._makers = runtimes, providers
        for watch in self._watches.values():
            watch.look_again()
        names = [name for name, each in runtimes.items() if each.resource.webhooks]
        if names:
            self._start(self._arm(names, namespaces))

    def entered(
        self,
        runtime: ResourceRuntime,
        namespace: Namespace,
        key: str,
        state: ResourceState,
        trail: Sequence[tuple[int, int]],
    ) -> None:
        """Send what is due for the steps that were entered, and watch for those that time enters."""
        steps = runtime.timeline(state.scenario)
        for index, moment in trail:
            name = steps[index].state
            for notice in runtime.resource.webhooks:
                if name in notice.states:
                    self._send(notice, runtime, namespace, key, name, state, moment)
        if (due := _due(runtime, state)) is not None:
            self._store.on_commit(lambda: self._watch(runtime.name, namespace, key, due))

    async def settled(self) -> None:
        """Return when nothing is under way. Watches go on."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _send(
        self, notice: Webhook, runtime: ResourceRuntime, namespace: Namespace, key: str, name: str,
        state: ResourceState, moment: int,
    ) -> None:  # fmt: skip
        birth = self._store.creations.get(namespace.name, runtime.name, key)
        subject = RenderContext(
            namespace.name, runtime.name, key, name, state.scenario, 0, state.created, moment, moment,
            birth=birth, moves=state.transitions,
        )  # fmt: skip
        kept = self._outcomes.setdefault(namespace.name, deque(maxlen=MOST_KEPT))
        outcome = Outcome(namespace.name, runtime.name, key, name, moment, notice.method, notice.url)
        try:
            request = Made(notice, runtime, self._makers).request(subject)
        except MockServerError as error:
            outcome.attempts.append(str(error))
            outcome.done = True
            self._store.on_commit(lambda: kept.append(outcome))
            _LOG.warning("%s %s entered %s: no notice could be made: %s", runtime.name, key, name, error)
            return
        if request is None:
            return  # the client gave no address
        outcome.url, outcome.headers, outcome.body = request.url, request.headers, request.body
        self._store.on_commit(lambda: self._begin(notice, request, outcome, kept, namespace))

    def _begin(
        self,
        notice: Webhook,
        request: OutgoingRequest,
        outcome: Outcome,
        kept: deque[Outcome],
        namespace: Namespace,
    ) -> None:
        """Send a notice that is due for certain."""
        kept.append(outcome)
        if len(self._tasks) >= MOST_UNDER_WAY:
            outcome.attempts.append(f"not sent: {MOST_UNDER_WAY} notices are under way already")
            outcome.done = True
            _LOG.warning("%s %s: %s", request.method, request.url, outcome.attempts[-1])
            return
        self._start(self._deliver(notice, request, outcome, kept, namespace))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            task = asyncio.get_running_loop().create_task(work)
        except RuntimeError:  # the engine is asked without a loop: nothing can be sent
            work.close()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self,
        notice: Webhook,
        request: OutgoingRequest,
        outcome: Outcome,
        kept: deque[Outcome],
        namespace: Namespace,
    ) -> None:
        """Try until it is taken, refused for good, or there were enough attempts."""
        wait = notice.delay
        for attempt in range(notice.retries + 1):
            if wait:
                await namespace.clock.sleep(wait)
                if self._outcomes.get(namespace.name) is not kept:
                    return  # the namespace was reset or dropped: what it was to tell of is gone
            wait = notice.backoff * 2**attempt
            try:
                async with self._turns:
                    status = await self._gate.send(request)
            except Refused as error:
                outcome.attempts.append(str(error))
                break
            except (OSError, ValueError) as error:  # TimeoutError is an OSError
                outcome.attempts.append(reason(error))
                continue
            outcome.attempts.append(str(status))
            outcome.delivered = 200 <= status < 300
            if outcome.delivered or not (status >= 500 or status in (408, 429)):
                break
        outcome.done = True
        level = logging.INFO if outcome.delivered else logging.WARNING
        told = "; ".join(outcome.attempts)
        _LOG.log(
            level, "%s %s for %s %s: %s", request.method, request.url, outcome.resource, outcome.key, told
        )

    def _watch(self, name: str, namespace: Namespace, key: str, due: int) -> None:
        """Have a resource looked at when the time of its step is over."""
        place = namespace, name, key
        if (known := self._watches.get(place)) is not None:
            if known.due != due:
                known.look_again()
            return
        if namespace.clock.closed or len(self._watches) >= MOST_WATCHED:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        watch = self._watches[place] = _Watch()
        watch.task = loop.create_task(self._watching(watch, place))

    async def _arm(self, names: Sequence[str], namespaces: Sequence[Namespace]) -> None:
        """Watch the resources that stand in a step with a time, whoever put them there."""
        for namespace in namespaces:
            for name in names:
                for key, due in await self._asked(partial(self._timed, namespace, name), namespace):
                    self._watch(name, namespace, key, due)

    def _timed(self, namespace: Namespace, name: str) -> list[tuple[str, int]]:
        """Resources with the time when their step is over, where it has any."""
        runtime = self._lifecycles.get(name)
        items = self._store.items(namespace.name, name) if runtime is not None else ()
        return [(key, due) for key, state in items if runtime and (due := _due(runtime, state)) is not None]

    async def _watching(self, watch: _Watch, place: tuple[Namespace, str, str]) -> None:
        namespace, name, key = place

        def look() -> int | None:
            """When to look next: in the past for at once; None when there is nothing to wait for."""
            runtime = self._lifecycles.get(name)
            known = self._store.peek(namespace.name, name, key)
            due = _due(runtime, known) if runtime is not None and known is not None else None
            if runtime is None or known is None or due is None:
                return None
            watch.due = due
            if due > namespace.clock.now():
                return due
            trail: list[tuple[int, int]] = []
            dice = runtime.dice(namespace.name, key)
            steps = runtime.timeline(known.scenario)
            state = advance_time(steps, known, namespace.clock.now(), dice, trail)
            self._store.put(namespace.name, name, key, state)
            self.entered(runtime, namespace, key, state, trail)
            return 0

        try:
            while not namespace.clock.closed:
                watch.again = False
                due = await self._asked(look, namespace)
                if due is not None:
                    await watch.sleep(due, namespace)
                elif not watch.again:
                    return
        finally:
            del self._watches[place]

    async def _asked(self, work: Callable[[], Value], namespace: Namespace) -> Value:
        """What work at the store comes to. One that is away, or about to change its Plan, is asked again."""
        while True:
            try:
                return await self._store.atomically(work, ("meta", namespace.name))
            except (MockServerError, PlanChanged):
                await asyncio.sleep(_RETRY)


class _Watch:
    """Looks at a resource when the time of its step is over, and when something else has become of it."""

    def __init__(self) -> None:
        self.due = 0
        """When it looks next."""
        self.again = False
        self.task: asyncio.Task[None] | None = None
        self._sleeping: asyncio.Task[None] | None = None

    def look_again(self) -> None:
        self.again = True
        if self._sleeping is not None:
            self._sleeping.cancel()

    async def sleep(self, due: int, namespace: Namespace) -> None:
        """Wait until it is time, or it is to look again."""
        if self.again:
            return
        self._sleeping = asyncio.get_running_loop().create_task(namespace.clock.sleep_until(due))
        try:
            await asyncio.wait((self._sleeping,))
        finally:
            self._sleeping.cancel()
            self._sleeping = None


def _due(runtime: ResourceRuntime, state: ResourceState) -> int | None:
    """When the time of the step is over where a resource stands; None where it has none."""
    steps = runtime.steps(state.scenario)
    if steps is None or state.step >= len(steps) or not steps[state.step].after:
        return None
    return state.entered + steps[state.step].after


class Made:
    """One notice as a request."""

    def __init__(self, notice: Webhook, runtime: ResourceRuntime, providers: Providers) -> None:
        self._notice = notice
        self._lifecycle = runtime
        self._makers = providers

    def request(self, subject: RenderContext) -> OutgoingRequest | None:
        """The request; None where there is no address to send it to. Raises MockServerError."""
        notice = self._notice
        context = Context(subject, self._makers)
        url = self._url(context, subject)
        if url is None:
            return None
        given = {name.lower(): str(_made(value, context)) for name, value in notice.headers.items()}
        if notice.has_body:
            given = {"content-type": notice.media_type, **given}
        fields = [("user-agent", "mockserver"), *given.items()]
        body = b""
        if notice.has_body:
            body = _encoded(self.body(context, subject), given["content-type"])
        if notice.sign is not None:
            sign = notice.sign
            digest = hmac.new(sign.secret.encode(), body, sign.algorithm).hexdigest()
            fields.append((sign.header.lower(), f"{sign.algorithm}={digest}"))
        return OutgoingRequest(notice.method, url, tuple(fields), body)

    def body(self, context: Mapping[str, Any], subject: RenderContext) -> Any:
        """The body, laid over a fake of what the callback documents. Raises RenderError for a breach."""
        notice = self._notice
        value = _made(notice.body, context)
        if notice.schema is None:
            return value
        service = self._lifecycle.service
        if notice.partial:
            key = f"{subject.namespace}/{subject.resource}/{subject.key}/{subject.state}"
            fake = service.fakes.value(notice.schema, key=key, direction="request", now_ms=subject.now)
            value = merge(fake, value)
        broken = service.schemas.validator(notice.schema, "request").violations(value)
        if broken:
            first = broken[0]
            raise RenderError(
                f"{notice.location}: the notice breaks the callback's document at {first.pointer or '/'}: "
                f"{first.message}"
            )
        return value

    def _url(self, context: Mapping[str, Any], subject: RenderContext) -> str | None:
        if self._notice.is_expression:
            request = msgspec.json.decode(subject.birth.request) if subject.birth is not None else {}
            return evaluate(self._notice.url, request, lambda: self._answer(request, subject))
        url = _made(self._notice.url, context)
        return str(url) if url else None

    def _answer(self, request: Message, subject: RenderContext) -> Message:
        """What the call that created the resource was answered with, made once more as it was then."""
        resource = self._lifecycle.resource
        creator = next((alias for alias, role in resource.roles.items() if role.creates), "")
        scenario = resource.scenarios.get(subject.scenario) or next(iter(resource.scenarios.values()))
        first = scenario.steps[0].state
        renderer = self._lifecycle.renderer(first, creator)
        if renderer is None:
            raise RenderError(
                f"{self._notice.location}: the state {first} has no answer to {creator!r} for the URL to read"
            )
        path: Any = request.get("path") or {}
        then = subject._replace(
            state=first, call=0, changed=subject.created, now=subject.created, path=path, moves=0
        )
        response = renderer.render(then)
        headers = dict(response.headers)
        body: JSON = response.body.decode("utf-8", "replace")
        if is_json(headers.get("content-type", "")):
            body = msgspec.json.decode(response.body)
        return {"statusCode": response.status, "headers": headers, "body": body}


def _encoded(value: JSON, media_type: str) -> bytes:
    """A text is the body as it stands, unless that is JSON."""
    if isinstance(value, str) and not is_json(media_type):
        return value.encode()
    return msgspec.json.encode(value)


def _made(value: Any, context: Mapping[str, Any]) -> Any:
    """``value`` with its templates rendered."""
    if is_template(value):
        template: Template = compile_template(value)
        return template(context)
    if isinstance(value, dict):
        return {key: _made(each, context) for key, each in value.items()}
    return [_made(each, context) for each in value] if isinstance(value, list) else value
