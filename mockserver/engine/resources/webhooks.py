"""Webhooks: requests that are sent when a resource enters a state. They do not delay a response.

The clock can also enter a state. A watch on each resource in a step with a time sends the webhook at that
time, without a call to the resource.
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
from mockserver.engine.resources.context import Providers, RenderContext, TemplateValues
from mockserver.engine.resources.create import Message, evaluate
from mockserver.engine.resources.render import RenderError, merge
from mockserver.engine.resources.runtime import ResourceRuntime
from mockserver.engine.resources.templates import Template, compile_template, is_template
from mockserver.engine.response.negotiation import is_json
from mockserver.http.egress import Egress, OutgoingRequest, Refused
from mockserver.namespaces.namespaces import Namespace
from mockserver.plan import JSON, Webhook
from mockserver.state.machine import ResourceState
from mockserver.state.protocol import PlanChanged, Store

MAX_OUTCOMES = 1000
"""The outcomes that are stored for a namespace."""
MAX_IN_PROGRESS = 1000
MAX_WATCHES = 10_000
_MAX_CONCURRENT = 16
_RETRY = 1.0
"""Seconds until the next attempt to use an unavailable store."""
Value = TypeVar("Value")
_LOG = logging.getLogger("mockserver.notices")


class Outcome(Struct):
    """The outcome of one webhook. Times are in milliseconds of the namespace's clock."""

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
    """The result of each attempt: a status, or the error."""
    done: bool = False
    delivered: bool = False


class WebhookSender:
    """Sends the webhooks of an engine, and stores their outcomes."""

    def __init__(
        self, store: Store, providers: Providers, egress: Egress, runtimes: Mapping[str, ResourceRuntime]
    ) -> None:
        """Create the sender. ``runtimes``: the resources of the current Plan."""
        self._store = store
        self._providers = providers
        self._egress = egress
        self._runtimes = runtimes
        self._outcomes: dict[str, deque[Outcome]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: dict[tuple[Namespace, str, str], _Watch] = {}
        """By namespace object: a dropped namespace and a new one of the same name are different."""
        self._turns = asyncio.Semaphore(_MAX_CONCURRENT)

    def outcomes(self, namespace: str) -> list[Outcome]:
        """Return the outcomes of a namespace, the newest last."""
        return list(self._outcomes.get(namespace, ()))

    def reset(self, namespace: str) -> None:
        """Delete the outcomes of a namespace, and cancel its delayed webhooks."""
        self._outcomes.pop(namespace, None)

    def serve(
        self, runtimes: Mapping[str, ResourceRuntime], providers: Providers, namespaces: Sequence[Namespace]
    ) -> None:
        """Use another Plan: keep outcomes and watches, and watch the resources in its timed steps."""
        self._runtimes, self._providers = runtimes, providers
        for watch in self._watches.values():
            watch.look_again()
        names = [name for name, runtime in runtimes.items() if runtime.resource.webhooks]
        if names:
            self._create_task(self._watch_all(names, namespaces))

    def entered(
        self,
        runtime: ResourceRuntime,
        namespace: Namespace,
        key: str,
        state: ResourceState,
        trail: Sequence[tuple[int, int]],
    ) -> None:
        """Send the webhooks of the entered steps, and watch a resource whose step has a time.

        ``trail``: the index of each entered step and the time of the entry in milliseconds.
        """
        steps = runtime.timeline(state.scenario)
        for index, moment in trail:
            name = steps[index].state
            for webhook in runtime.resource.webhooks:
                if name in webhook.states:
                    self._send(webhook, runtime, namespace, key, name, state, moment)
        if (due := _due(runtime, state)) is not None:
            self._store.on_commit(lambda: self._watch(runtime.name, namespace, key, due))

    def _send(
        self, webhook: Webhook, runtime: ResourceRuntime, namespace: Namespace, key: str, name: str,
        state: ResourceState, moment: int,
    ) -> None:  # fmt: skip
        creation = self._store.creations.get(namespace.name, runtime.name, key)
        item = runtime.stored.item(namespace.name, key, {}) if runtime.stored is not None else None
        context = RenderContext(
            namespace.name, runtime.name, key, name, state.scenario, 0, state.created, moment, moment,
            creation=creation, transitions=state.transitions, data=item.body if item is not None else None,
        )  # fmt: skip
        outcomes = self._outcomes.setdefault(namespace.name, deque(maxlen=MAX_OUTCOMES))
        outcome = Outcome(namespace.name, runtime.name, key, name, moment, webhook.method, webhook.url)
        try:
            request = WebhookTemplate(webhook, runtime, self._providers).request(context)
        except MockServerError as error:
            outcome.attempts.append(str(error))
            outcome.done = True
            self._store.on_commit(lambda: outcomes.append(outcome))
            _LOG.warning("%s %s entered %s: invalid webhook: %s", runtime.name, key, name, error)
            return
        if request is None:
            return  # the creating request has no URL
        outcome.url, outcome.headers, outcome.body = request.url, request.headers, request.body
        self._store.on_commit(lambda: self._send_now(webhook, request, outcome, outcomes, namespace))

    def _send_now(
        self,
        webhook: Webhook,
        request: OutgoingRequest,
        outcome: Outcome,
        outcomes: deque[Outcome],
        namespace: Namespace,
    ) -> None:
        """Send a webhook after the atomic step has succeeded."""
        outcomes.append(outcome)
        if len(self._tasks) >= MAX_IN_PROGRESS:
            outcome.attempts.append(f"not sent: {MAX_IN_PROGRESS} webhooks are in progress already")
            outcome.done = True
            _LOG.warning("%s %s: %s", request.method, request.url, outcome.attempts[-1])
            return
        self._create_task(self._deliver(webhook, request, outcome, outcomes, namespace))

    def _create_task(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            task = asyncio.get_running_loop().create_task(work)
        except RuntimeError:  # without an event loop nothing can be sent
            work.close()
            return
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(
        self,
        webhook: Webhook,
        request: OutgoingRequest,
        outcome: Outcome,
        outcomes: deque[Outcome],
        namespace: Namespace,
    ) -> None:
        """Send a webhook until it succeeds, fails permanently, or has no retries left.

        It succeeds with a 2xx status. Network errors, 5xx, 408 and 429 are retried, with a wait that
        doubles each time.
        """
        wait = webhook.delay
        for attempt in range(webhook.retries + 1):
            if wait:
                await namespace.clock.sleep(wait)
                if self._outcomes.get(namespace.name) is not outcomes:
                    return  # the namespace was reset or dropped: the resource no longer exists
            wait = webhook.backoff * 2**attempt
            try:
                async with self._turns:
                    status = await self._egress.send(request)
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
        attempts = "; ".join(outcome.attempts)
        _LOG.log(
            level, "%s %s for %s %s: %s", request.method, request.url, outcome.resource, outcome.key, attempts
        )

    def _watch(self, name: str, namespace: Namespace, key: str, due: int) -> None:
        """Advance a resource at ``due``, when the time of its step is over (milliseconds)."""
        resource_key = namespace, name, key
        if (known := self._watches.get(resource_key)) is not None:
            if known.due != due:
                known.look_again()
            return
        if namespace.clock.closed or len(self._watches) >= MAX_WATCHES:
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        watch = self._watches[resource_key] = _Watch()
        watch.task = loop.create_task(self._run_watch(watch, resource_key))

    async def _watch_all(self, names: Sequence[str], namespaces: Sequence[Namespace]) -> None:
        """Watch all stored resources that are in a step with a time."""
        for namespace in namespaces:
            for name in names:
                for key, due in await self._atomically(
                    partial(self._timed_resources, namespace, name), namespace
                ):
                    self._watch(name, namespace, key, due)

    def _timed_resources(self, namespace: Namespace, name: str) -> list[tuple[str, int]]:
        """Return the keys of resources in a step with a time, and when it is over in milliseconds."""
        runtime = self._runtimes.get(name)
        items = self._store.items(namespace.name, name) if runtime is not None else ()
        return [(key, due) for key, state in items if runtime and (due := _due(runtime, state)) is not None]

    async def _run_watch(self, watch: _Watch, resource_key: tuple[Namespace, str, str]) -> None:
        namespace, name, key = resource_key

        def look() -> int | None:
            """Advance the resource by time, and return when to look next; None if it has no more time."""
            runtime = self._runtimes.get(name)
            known = self._store.peek(namespace.name, name, key)
            due = _due(runtime, known) if runtime is not None and known is not None else None
            if runtime is None or known is None or due is None:
                return None
            watch.due = due
            if due > namespace.clock.now():
                return due
            if runtime.stored is not None:
                runtime.stored.settle(namespace, key, namespace.clock.now())
                return 0
            trail: list[tuple[int, int]] = []
            state = runtime.at(namespace.clock.now(), known, namespace.name, key, trail)
            self._store.put(namespace.name, name, key, state)
            self.entered(runtime, namespace, key, state, trail)
            return 0

        try:
            while not namespace.clock.closed:
                watch.again = False
                due = await self._atomically(look, namespace)
                if due is not None:
                    await watch.sleep(due, namespace)
                elif not watch.again:
                    return
        finally:
            del self._watches[resource_key]

    async def _atomically(self, work: Callable[[], Value], namespace: Namespace) -> Value:
        """Return the result of ``work`` as an atomic step. Retry while the store is unavailable."""
        while True:
            try:
                return await self._store.atomically(work, ("meta", namespace.name))
            except (MockServerError, PlanChanged):
                await asyncio.sleep(_RETRY)


class _Watch:
    """The watch on one resource. It wakes when the time of the step is over, or on ``look_again``."""

    def __init__(self) -> None:
        self.due = 0
        """The time at which it wakes next, in milliseconds."""
        self.again = False
        self.task: asyncio.Task[None] | None = None
        self._sleeping: asyncio.Task[None] | None = None

    def look_again(self) -> None:
        """Wake the watch: the state of the resource or the Plan has changed."""
        self.again = True
        if self._sleeping is not None:
            self._sleeping.cancel()

    async def sleep(self, due: int, namespace: Namespace) -> None:
        """Wait until ``due`` (milliseconds), or until ``look_again``."""
        if self.again:
            return
        self._sleeping = asyncio.get_running_loop().create_task(namespace.clock.sleep_until(due))
        try:
            await asyncio.wait((self._sleeping,))
        finally:
            self._sleeping.cancel()
            self._sleeping = None


def _due(runtime: ResourceRuntime, state: ResourceState) -> int | None:
    """Return when the step of a resource is over by time, in milliseconds; None if it has no time."""
    after = runtime.timeline(state.scenario)[state.step].after if runtime.has_step(state) else 0
    return state.entered + after if after else None


class WebhookTemplate:
    """Renders one webhook as a request."""

    def __init__(self, webhook: Webhook, runtime: ResourceRuntime, providers: Providers) -> None:
        self._webhook = webhook
        self._runtime = runtime
        self._providers = providers

    def request(self, context: RenderContext) -> OutgoingRequest | None:
        """Return the request; None if it has no URL. Raises MockServerError."""
        webhook = self._webhook
        values = TemplateValues(context, self._providers)
        url = self._url(values, context)
        if url is None:
            return None
        given = {name.lower(): str(_render(value, values)) for name, value in webhook.headers.items()}
        if webhook.has_body:
            given = {"content-type": webhook.media_type, **given}
        fields = [("user-agent", "mockserver"), *given.items()]
        body = b""
        if webhook.has_body:
            body = _encode(self.body(values, context), given["content-type"])
        if webhook.sign is not None:
            sign = webhook.sign
            digest = hmac.new(sign.secret.encode(), body, sign.algorithm).hexdigest()
            fields.append((sign.header.lower(), f"{sign.algorithm}={digest}"))
        return OutgoingRequest(webhook.method, url, tuple(fields), body)

    def body(self, values: Mapping[str, Any], context: RenderContext) -> Any:
        """Return the body, merged over a fake of the callback's schema. Raises RenderError if invalid."""
        webhook = self._webhook
        value = _render(webhook.body, values)
        if webhook.schema is None:
            return value
        service = self._runtime.service
        if webhook.partial:
            key = f"{context.namespace}/{context.resource}/{context.key}/{context.state}"
            fake = service.fakes.value(webhook.schema, key=key, direction="request", now_ms=context.now)
            value = merge(fake, value)
        broken = service.schemas.validator(webhook.schema, "request").violations(value)
        if broken:
            first = broken[0]
            raise RenderError(
                f"{webhook.location}: the webhook violates the callback's schema at {first.pointer or '/'}: "
                f"{first.message}"
            )
        return value

    def _url(self, values: Mapping[str, Any], context: RenderContext) -> str | None:
        if self._webhook.is_expression:
            request = msgspec.json.decode(context.creation.request) if context.creation is not None else {}
            return evaluate(self._webhook.url, request, lambda: self._creation_response(request, context))
        url = _render(self._webhook.url, values)
        return str(url) if url else None

    def _creation_response(self, request: Message, context: RenderContext) -> Message:
        """Return the parts of the response to the creating call, rendered again."""
        resource = self._runtime.resource
        creator = next((alias for alias, role in resource.roles.items() if role.creates), "")
        scenario = resource.scenarios.get(context.scenario) or next(iter(resource.scenarios.values()))
        first = scenario.steps[0].state
        renderer = self._runtime.renderer(first, creator)
        if renderer is None:
            raise RenderError(
                f"{self._webhook.location}: the URL reads a response, but the state {first} has none "
                f"to {creator!r}"
            )
        path: Any = request.get("path") or {}
        then = context._replace(
            state=first, call=0, changed=context.created, now=context.created, path=path, transitions=0
        )
        response = renderer.render(then)
        headers = dict(response.headers)
        body: JSON = response.body.decode("utf-8", "replace")
        if is_json(headers.get("content-type", "")):
            body = msgspec.json.decode(response.body)
        return {"statusCode": response.status, "headers": headers, "body": body}


def _encode(value: JSON, media_type: str) -> bytes:
    """Encode a body: as JSON, but a text in another media type as it is."""
    if isinstance(value, str) and not is_json(media_type):
        return value.encode()
    return msgspec.json.encode(value)


def _render(value: Any, values: Mapping[str, Any]) -> Any:
    """Render the templates in ``value``."""
    if is_template(value):
        template: Template = compile_template(value)
        return template(values)
    if isinstance(value, dict):
        return {key: _render(member, values) for key, member in value.items()}
    return [_render(item, values) for item in value] if isinstance(value, list) else value
