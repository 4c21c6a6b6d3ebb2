"""Read ``notify`` of a scenario file: webhooks that are sent when a resource enters a state.

``{on: issued, callback: create.issued}`` sends a documented callback of an operation.
``{on: [issued, failed], url: "{{ … }}", method: POST, headers: {…}, body: {…}}`` sends
another request. Both accept ``sign: {secret: …}``, ``delay``, ``retries`` and ``backoff``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mockserver.compile.fields import covers, properties
from mockserver.compile.scenario.delays_faults import join_names, read_duration, read_members
from mockserver.compile.scenario.responses import Binding, compile_templates, is_unsendable, read_headers
from mockserver.compile.scenario.yaml_nodes import Node, Report, read_text
from mockserver.engine.resources.create import is_expression, reads_answer
from mockserver.plan import JSON, Callback, MediaType, Signature, State, Webhook

_KEYS = frozenset(
    ["on", "callback", "url", "method", "headers", "body", "sign", "delay", "retries", "backoff"]
)
_SIGN = frozenset(["secret", "header", "algorithm"])
_ALGORITHMS = ("sha256", "sha512", "sha1")
_METHOD = re.compile(r"[A-Z]{1,16}$")
_MAX_RETRIES = 20


def read_webhooks(
    node: Node, states: Mapping[str, State], bindings: Mapping[str, Binding], report: Report
) -> tuple[Webhook, ...]:
    """Read one webhook, or a list of webhooks."""
    nodes = node.value if isinstance(node.value, list) else [node]
    found = [_Reader(child, states, bindings, report).read() for child in nodes]
    return tuple(webhook for webhook in found if webhook is not None)


class _Reader:
    """Reads one webhook."""

    def __init__(
        self, node: Node, states: Mapping[str, State], bindings: Mapping[str, Binding], report: Report
    ) -> None:
        self.node = node
        self.states = states
        self.bindings = bindings
        self.report = report
        self.members: Mapping[str, Node] = read_members(node, _KEYS, "a webhook", report)

    def read(self) -> Webhook | None:
        before = self.report.errors
        if "on" not in self.members or ("url" in self.members) == ("callback" in self.members):
            self.report.error(
                "S701",
                self.node,
                "a webhook needs `on`, and either `url` or `callback`",
                'write {on: issued, callback: create.NAME} or {on: issued, url: "{{ … }}"}.',
            )
            return None
        states = self._states(self.members["on"])
        callback, owner = self._callback()
        url = callback.url if callback is not None else self._text("url")
        method = callback.method if callback is not None else self._text("method") or "POST"
        if not _METHOD.match(method):
            self.report.error(
                "S701", self.members["method"], f"{method!r} is not a method", "write POST or PUT."
            )
        media = next(iter(callback.body.content), None) if callback is not None and callback.body else None
        body, partial = self._body(media, owner)
        webhook = Webhook(
            states=states,
            url=url,
            is_expression=callback is not None,
            method=method,
            headers=read_headers(self.members.get("headers"), self.report),
            body=body,
            has_body="body" in self.members or media is not None,
            media_type=media.name if media is not None else "application/json",
            schema=media.schema if media is not None else None,
            partial=partial,
            delay=self._duration("delay", 0),
            retries=self._retries(),
            backoff=self._duration("backoff", 1000),
            sign=self._sign(),
            location=str(self.node.location),
        )
        for key in ("url", "headers", "body"):
            if key in self.members:
                compile_templates(self.members[key], self.report)
        return webhook if self.report.errors == before else None

    def _states(self, node: Node) -> tuple[str, ...]:
        nodes = node.value if isinstance(node.value, list) else [node]
        for child in nodes:
            if not isinstance(child.value, str) or child.value not in self.states:
                self.report.error(
                    "S203",
                    child,
                    f"there is no state {child.describe()}",
                    f"the states are {join_names(self.states)}.",
                )
        return tuple(str(child.value) for child in nodes)

    def _callback(self) -> tuple[Callback | None, Binding | None]:
        node = self.members.get("callback")
        if node is None:
            return None, None
        known = {
            f"{alias}.{name}": (callback, bindings)
            for alias, bindings in self.bindings.items()
            for name, callback in bindings.operation.callbacks.items()
        }
        found = known.get(node.value) if isinstance(node.value, str) else None
        if found is None:
            self.report.error(
                "S702",
                node,
                f"no operation has the callback {node.describe()}",
                f"write OPERATION.NAME; the callbacks are {join_names(known)}.",
            )
            return None, None
        callback, owner = found
        if not is_expression(callback.url):
            self.report.error(
                "S702",
                node,
                f"the callback's URL {callback.url!r} is not a runtime expression",
                "use $url, $method, $statusCode, $request and $response; or give `url` instead.",
            )
        elif reads_answer(callback.url) and not owner.role.creates:
            self.report.error(
                "S702",
                node,
                f"the callback's URL {callback.url!r} reads a response of {owner.alias!r}, "
                f"which does not create the resource",
                "only the call that created the resource can be read; give `url` instead.",
            )
        elif reads_answer(callback.url) and not self._is_cacheable(owner.alias):
            self.report.error(
                "S702",
                node,
                f"the callback's URL {callback.url!r} reads a response that changes with each call",
                f"remove `request`, `now` and `token` from the responses to {owner.alias!r}; "
                "or give `url` instead.",
            )
        if "method" in self.members:
            self.report.error(
                "S701", self.members["method"], "a callback has a documented method", "remove it."
            )
        return found

    def _is_cacheable(self, alias: str) -> bool:
        """Whether every successful response to an operation can be rendered again unchanged."""
        answers = [state.answers[alias] for state in self.states.values() if alias in state.answers]
        return all(answer.is_cacheable for answer in answers if answer.status < 300)

    def _body(self, media: MediaType | None, owner: Binding | None) -> tuple[JSON, bool]:
        node = self.members.get("body")
        plain = node.plain() if node is not None else {}
        if media is None or media.schema is None or owner is None:
            return plain, False
        known = properties(owner.schemas, media.schema)
        for key, child in node.items() if node is not None and not known.open else ():
            if key not in known.names:
                self.report.error(
                    "S311",
                    child.key_node,
                    f"the callback's documented body has no field {key!r}",
                    f"its fields are {join_names(known.names)}.",
                )
        return plain, not covers(owner.schemas, media.schema, plain)

    def _sign(self) -> Signature | None:
        node = self.members.get("sign")
        if node is None:
            return None
        members = read_members(node, _SIGN, "`sign`", self.report)
        texts = {key: child.value for key, child in members.items()}
        algorithm = texts.get("algorithm", "sha256")
        header = texts.get("header", "X-Signature-256")
        secret = texts.get("secret")
        if (
            not isinstance(secret, str)
            or not secret
            or algorithm not in _ALGORITHMS
            or not isinstance(header, str)
            or is_unsendable(header, "")
        ):
            self.report.error(
                "S701",
                node,
                "invalid signature",
                f"write {{secret: TEXT, header: X-Signature-256, algorithm: {' | '.join(_ALGORITHMS)}}}.",
            )
            return None
        return Signature(secret, header, str(algorithm))

    def _retries(self) -> int:
        node = self.members.get("retries")
        if node is None:
            return 3
        value = node.value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MAX_RETRIES:
            return value
        self.report.error(
            "S701",
            node,
            f"invalid number of retries {node.describe()}",
            f"give a number from 0 to {_MAX_RETRIES}.",
        )
        return 0

    def _duration(self, key: str, default: int) -> int:
        node = self.members.get(key)
        return default if node is None else read_duration(node, f"`{key}`", self.report)

    def _text(self, key: str) -> str:
        return read_text(self.members.get(key), key, "S701", "give a text.", self.report)
