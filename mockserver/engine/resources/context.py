"""The values that a template can read: the names of ``NAMES``.

Each value is created at its first use, for one resource at one call. All values except
``request``, ``now`` and ``token`` are functions of (seed, namespace, resource, key) and of the
resource's own times.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from mockserver.diagnostics import MockServerError, Violation
from mockserver.engine.resources import conditions
from mockserver.engine.response.cause import issues
from mockserver.messages import Request
from mockserver.namespaces.clock import iso
from mockserver.plan import JSON
from mockserver.providers import ids
from mockserver.state.tables import CreationRecord

if TYPE_CHECKING:
    from mockserver.providers.x509 import Authority, Leaf

NAMES = ("request", "resource", "fake", "x509", "uuid", "token", "now", "violations")
LIFETIME = 90 * 86_400_000
"""The validity of a certificate in milliseconds."""


class RenderContext(NamedTuple):
    """One resource at one call, for which a response is rendered. Times are in milliseconds.

    It is a tuple, which is faster to create than a dataclass: most requests create one.
    """

    namespace: str
    resource: str
    key: str
    state: str
    scenario: str
    call: int
    created: int
    changed: int
    now: int
    request: Request | None = None
    path: Mapping[str, str] = {}
    body: JSON = None
    violations: Sequence[Violation] = ()
    creation: CreationRecord | None = None
    """The request that created the resource, where an operation did."""
    transitions: int = 0
    data: bytes | None = None
    """The stored data of the resource as JSON, if it has some."""


class Providers:
    """The providers of all contexts, created at their first use."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.stream = ""
        """The name that keeps the tokens of this worker apart from those of others."""
        self._tokens: dict[str, Callable[[int], str]] = {}

    def token(self, namespace: str) -> Callable[[int], str]:
        """Return the token function of a namespace. The sequence is the same in every run of the server."""
        try:
            return self._tokens[namespace]
        except KeyError:
            return self._tokens.setdefault(namespace, ids.Tokens(self.seed, namespace, self.stream).token)

    def restart(self, namespace: str) -> None:
        """Restart the sequence of tokens of a namespace."""
        self._tokens.pop(namespace, None)

    @cached_property
    def authority(self) -> Authority:
        """The certificate authority."""
        from mockserver.providers.x509 import Authority  # heavy; only templates with x509 need it

        return Authority(self.seed)

    @cached_property
    def fakes(self) -> Any:
        """The providers of Faker."""
        from mockserver.providers.faker import FakeValues  # heavy; only templates with fake need it

        return FakeValues()


class TemplateValues(dict[str, Any]):
    """The values of ``NAMES``, each created at its first use."""

    __slots__ = ("_providers", "context")
    known = NAMES

    def __init__(self, context: RenderContext, providers: Providers) -> None:
        self.context = context
        self._providers = providers

    def __missing__(self, name: str) -> Any:
        value = self._create(name)
        self[name] = value
        return value

    def _create(self, name: str) -> Any:
        context, providers = self.context, self._providers
        match name:
            case "resource":
                return ResourceView(context)
            case "token":
                return providers.token(context.namespace)
            case "now":
                return iso(context.now)
            case "x509":
                return CertificateView(providers, self.identity, context)
            case "uuid":
                identity = self.identity
                return lambda label="": ids.uuid(identity, label)
            case "fake":
                return FakeView(providers, self.identity)
            case "request":
                return RequestView(context)
            case "violations":
                return issues(context.violations)
        raise KeyError(name)

    @property
    def identity(self) -> str:
        """The seed of the generated values of the resource."""
        context = self.context
        return ids.derive_identity(self._providers.seed, context.namespace, context.resource, context.key)


class ResourceView:
    """``resource`` in a template."""

    def __init__(self, context: RenderContext) -> None:
        self._context = context

    @property
    def name(self) -> str:
        """The name of the resource in the scenario file."""
        return self._context.resource

    @property
    def namespace(self) -> str:
        """The name of the namespace."""
        return self._context.namespace

    @property
    def key(self) -> str:
        """The key of the resource."""
        return self._context.key

    @property
    def state(self) -> str:
        """The name of the current state."""
        return self._context.state

    @property
    def scenario(self) -> str:
        """The name of the scenario."""
        return self._context.scenario

    @property
    def call(self) -> int:
        """The number of calls in the state, including this one."""
        return self._context.call

    @property
    def created_at(self) -> str:
        """The time of the creation: ISO 8601 with milliseconds and ``Z``."""
        return iso(self._context.created)

    @property
    def changed_at(self) -> str:
        """The time of the last state change: ISO 8601 with milliseconds and ``Z``."""
        return iso(self._context.changed)

    @cached_property
    def created_by(self) -> Any:
        """The creating request: method, url, path, query, headers, body. Absent parts are undefined."""
        creation = self._context.creation
        return Parts(msgspec.json.decode(creation.request) if creation is not None else {})

    @cached_property
    def data(self) -> Any:
        """The fields of the stored data, else of the body that created it. Absent ones are undefined."""
        return Parts(data_fields(self._context))


def data_fields(context: RenderContext) -> dict[str, JSON]:
    """Return the fields of the stored data, else of the creating request's body; none if it is no object."""
    if context.data is not None:
        data = msgspec.json.decode(context.data)
        return data if isinstance(data, dict) else {}
    if context.creation is None:
        return {}
    body = msgspec.json.decode(context.creation.request).get("body")
    return body if isinstance(body, dict) else {}


class Parts(Mapping[str, Any]):
    """An object in which every member can be read. Missing and null members are ``Absent``.

    ``Absent`` is lenient, like Jinja's ``ChainableUndefined``: its members are absent, too. It is false,
    the ``default`` filter replaces it, and as a value it is null.
    """

    __slots__ = ("_members", "_read")

    def __init__(self, members: Mapping[str, JSON]) -> None:
        self._members = members
        self._read: dict[str, Any] = {}
        """The members that were read: a list of parts is made once, however often a loop reads it."""

    def __getitem__(self, name: str) -> Any:
        if name in self._read:
            return self._read[name]
        if (found := self._members.get(name)) is not None:
            return self._read.setdefault(name, _parts(found))
        from mockserver.engine.resources.template_values import Absent  # heavy: imports Jinja2

        return Absent(name=name)

    def __contains__(self, name: object) -> bool:
        return name in self._members

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)


def _parts(value: JSON) -> Any:
    """Return ``value`` with its objects as Parts."""
    if isinstance(value, dict):
        return Parts(value)
    return [_parts(item) for item in value] if isinstance(value, list) else value


class RequestView:
    """``request`` in a template."""

    def __init__(self, context: RenderContext) -> None:
        request = context.request or Request("GET", "/")
        self.method = request.method
        self.url = request.raw_path + (f"?{request.query_string}" if request.query_string else "")
        self.path = context.path
        self.headers = request.headers
        self.body = context.body
        self._request = request

    @cached_property
    def query(self) -> dict[str, str]:
        """The first value of each query parameter."""
        return conditions.query(self._request)

    @cached_property
    def cookies(self) -> dict[str, str]:
        """The cookies by name."""
        return conditions.cookies(self._request)


class CertificateView:
    """``x509`` in a template: a certificate of the mock authority for this resource.

    It certifies the CSR or the common name in the creating request, if the scenario file names their
    location. With a CSR there is no private key.
    """

    def __init__(self, providers: Providers, identity: str, context: RenderContext) -> None:
        self._providers = providers
        self._identity = identity
        self._context = context

    @cached_property
    def _leaf(self) -> Leaf:
        from mockserver.providers.x509 import host_name, not_before  # heavy; only templates with x509

        creation = self._context.creation
        return self._providers.authority.leaf(
            identity=self._identity,
            not_before_ms=not_before(self._context.created),
            lifetime_ms=LIFETIME,
            common_name=(creation.common_name if creation is not None else "")
            or host_name(self._context.key),
            csr_pem=creation.csr or None if creation is not None else None,
        )

    @property
    def certificate(self) -> str:
        """The certificate as PEM."""
        return self._leaf.certificate

    @property
    def private_key(self) -> str | None:
        """The private key as PEM; null if the client sent a CSR."""
        return self._leaf.private_key

    @property
    def serial_number(self) -> str:
        """The serial number of the certificate."""
        return self._leaf.serial_number

    @property
    def chain(self) -> str:
        """The certificate chain as PEM."""
        return self._leaf.chain

    @property
    def issuing_ca_certificate(self) -> str:
        """The certificate of the issuing authority as PEM."""
        return self._leaf.issuing_ca_certificate


class FakeView:
    """``fake`` in a template: ``fake.name()``, any provider of Faker, stable for the resource."""

    def __init__(self, providers: Providers, identity: str) -> None:
        self._providers = providers
        self._identity = identity
        self._items_left = float(providers.fakes.max_items)

    def __getattr__(self, provider: str) -> Callable[..., JSON]:
        if provider.startswith("_"):
            raise AttributeError(provider)
        import random  # only templates with fake need it

        generator = random.Random(f"{self._identity}/{provider}")

        def call(*args: JSON, **kwargs: JSON) -> JSON:
            fakes = self._providers.fakes
            self._items_left -= fakes.count_items(provider, *args, **kwargs)
            if self._items_left < 0:
                raise MockServerError(f"the fakes of one response are over {fakes.max_items:,} items in all")
            return fakes.value(provider, generator, *args, **kwargs)

        return call
