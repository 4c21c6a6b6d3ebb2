"""The Plan: everything that the back end needs, as immutable values without behaviour.

The front end (``mockserver.compile``) creates a Plan, and the back end
(``mockserver.engine``) runs it. It has only JSON values, so that it can be cached on
disk (msgpack, never pickle), sent to workers and replaced as a whole. Its types are
msgspec structs, not dataclasses: forty dataclasses add 30 ms to every start, and
decode at half the speed.

Times are integers in milliseconds. A *schema reference* (``SchemaRef``) is an
absolute reference ``URI#/json/pointer`` into one of the document's ``trees``.
"""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct, field

from mockserver.diagnostics import Diagnostic

JSON = Any
"""A JSON value: dict, list, str, int, float, bool or None."""

SchemaRef = str
"""``URI#/json/pointer``; the URI is a key of ``Document.trees``."""

ROOT = "https://files.mockserver.invalid/"
"""Base URI of local files. ``.invalid`` never resolves (RFC 6761). No message shows it."""

Dialect = Literal["2.0", "3.0", "3.1", "3.2"]
ParameterLocation = Literal["path", "query", "header", "cookie", "querystring"]


class Example(Struct, frozen=True):
    """A named example of a body. ``value`` is JSON, or text for ``serialized`` ones."""

    name: str
    value: JSON
    serialized: bool = False


class Encoding(Struct, frozen=True):
    """OpenAPI Encoding Object: how one property of a form body is written."""

    content_type: str = ""
    style: str = "form"
    explode: bool = True
    allow_reserved: bool = False


class MediaType(Struct, frozen=True):
    """One entry of ``content``: a media range and the schema of its body."""

    name: str
    schema: SchemaRef | None = None
    examples: tuple[Example, ...] = ()
    encoding: dict[str, Encoding] = field(default_factory=dict)
    item_schema: SchemaRef | None = None
    """OpenAPI 3.2 ``itemSchema``: the schema of one item of a sequential body."""


class Parameter(Struct, frozen=True):
    """A parameter of an operation. ``collectionFormat`` of 2.0 is converted to style and explode.

    ``style``: simple, label, matrix, form, spaceDelimited, pipeDelimited,
    deepObject; and ``tabDelimited`` for the ``tsv`` of 2.0.
    """

    name: str
    location: ParameterLocation
    required: bool = False
    schema: SchemaRef | None = None
    style: str = "form"
    explode: bool = True
    allow_reserved: bool = False
    allow_empty_value: bool = False
    content: MediaType | None = None
    """The ``content`` of a parameter, instead of ``schema``."""
    examples: tuple[Example, ...] = ()


class RequestBody(Struct, frozen=True):
    """The request body of an operation, by media type."""

    required: bool
    content: tuple[MediaType, ...]


class Header(Struct, frozen=True):
    """A documented response header (style simple)."""

    name: str
    required: bool = False
    schema: SchemaRef | None = None
    explode: bool = False
    content: MediaType | None = None
    examples: tuple[Example, ...] = ()


class DocumentedResponse(Struct, frozen=True):
    """A documented response. ``status`` is ``"200"``, ``"4XX"`` (upper case) or ``"default"``."""

    status: str
    content: tuple[MediaType, ...] = ()
    headers: tuple[Header, ...] = ()
    description: str = ""
    content_type: str = ""
    """For 2.0: the media type of ``produces``, for a response without content."""


class SecurityScheme(Struct, frozen=True):
    """``type``: apiKey, http, oauth2, openIdConnect, mutualTLS (``basic`` of 2.0 is converted to http)."""

    name: str
    type: str
    scheme: str = ""
    """For ``http``: basic, bearer, digest, …, lower case."""
    location: str = ""
    """For ``apiKey``: query, header or cookie."""
    parameter: str = ""
    """For ``apiKey``: the name of the parameter."""


SecurityRequirement = dict[str, tuple[str, ...]]
"""Scheme name → scopes. All schemes are required."""


class Callback(Struct, frozen=True):
    """A documented request to a client: an operation under ``callbacks``."""

    url: str
    """A runtime expression, or a text with such expressions (OpenAPI 3.0.4 section 4.8.18)."""
    method: str
    body: RequestBody | None = None


class Operation(Struct, frozen=True):
    """A method on a path template, from the document."""

    id: str
    """``operationId``, else ``METHOD /path/template``."""
    method: str
    """Upper case."""
    path: str
    """The path template as documented, without the prefix of a server."""
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = None
    responses: tuple[DocumentedResponse, ...] = ()
    security: tuple[SecurityRequirement, ...] = ()
    """Alternatives; empty: no credentials are required."""
    pointer: str = ""
    summary: str = ""
    callbacks: dict[str, Callback] = field(default_factory=dict)
    """Name → callback. Only the first request of each name."""


class Document(Struct, frozen=True):
    """One OpenAPI document with all files that it refers to."""

    name: str
    """The file name without its extension."""
    title: str
    version: str
    dialect: Dialect
    uri: str
    """Key of the root document in ``trees``."""
    trees: dict[str, JSON]
    """URI → the parsed file at that URI, after mending."""
    base_paths: tuple[str, ...]
    """Path prefixes of the operations, including ``""`` for the root. None ends in ``/``."""
    operations: tuple[Operation, ...]
    security_schemes: dict[str, SecurityScheme]
    faults: tuple[Diagnostic, ...] = ()
    """Faults of the document, which is still served."""


class Delay(Struct, frozen=True):
    """The delay of a response in milliseconds: ``low``, from ``low`` to ``high``, or about ``low``.

    For ``lognormal``, ``low`` is the median and ``sigma`` the deviation of the logarithm.
    """

    kind: Literal["fixed", "uniform", "lognormal"] = "fixed"
    low: int = 0
    high: int = 0
    sigma: float = 0.0


class Dribble(Struct, frozen=True):
    """A body that is sent in ``chunks`` pieces over ``over`` milliseconds."""

    chunks: int
    over: int


class ResponseTemplate(Struct, frozen=True):
    """The response of a state to one operation. Texts may be Jinja2 templates.

    If ``partial``, ``body`` is merged over a generated body of the documented
    response. Otherwise it is the whole body.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    has_body: bool = False
    body: JSON = None
    partial: bool = True
    media_type: str = ""
    undocumented: bool = False
    """The response is intentionally undocumented, and is not validated."""
    is_cacheable: bool = True
    """Rendered once per resource and state: no template reads the request, the time or random values."""
    delay: Delay | None = None
    """The delay of the response, else of its operation, else of the file."""
    fault: str = ""
    location: str = ""
    """file:line:column, for errors of rendering."""
    dribble: Dribble | None = None
    schema: SchemaRef = ""
    """The schema of the body, if it is an item of a list; empty: the schema of the response."""
    warning: str = ""
    """Why the body is invalid, if the document allows no valid one. Sent as ``X-Mock-Warning``."""
    example: Example | None = None
    """The example of the document over which ``body`` is merged, instead of a generated body."""


class State(Struct, frozen=True):
    """A named set of responses, by alias of the operation."""

    name: str
    answers: dict[str, ResponseTemplate]
    writes: dict[str, JSON] = field(default_factory=dict)
    """The merge patch (RFC 7396) of the stored data on entering the state. Texts may be templates."""


class Branch(Struct, frozen=True):
    """A transition from a step, beside ``next``."""

    next: int
    operation: str = ""
    """The alias of the operation that triggers it; empty: the end of a hold triggers it."""
    predicate: int = -1
    """Index into ``Resource.predicates`` of its conditions on the request; -1: none."""
    weight: int = 0
    """Weight in a random choice among the weighted branches; 0: no random choice."""


class Step(Struct, frozen=True):
    """One state on a timeline. The first hold that ends moves the resource to step ``next``.

    A step without a hold stays for ever. ``next`` is an index into the steps of the scenario.
    """

    state: str
    calls: int = 0
    """Hold: number of calls; 0: none."""
    after: int = 0
    """Hold: milliseconds after entering the step; 0: none."""
    operation: str = ""
    """Hold: until a call of the operation with this alias; empty: none."""
    next: int = -1
    delay: Delay | None = None
    fault: str = ""
    counted: str = ""
    """The alias of the operation whose calls count; empty: all operations."""
    branches: tuple[Branch, ...] = ()
    """Evaluated before ``next``."""
    answers: tuple[str, ...] = ()
    """The aliases with a response in the state, if ``Resource.unanswered`` responds to the others."""
    dribble: Dribble | None = None


class Scenario(Struct, frozen=True):
    """A timeline of states. It starts at its first step."""

    name: str
    steps: tuple[Step, ...]


class Condition(Struct, frozen=True):
    """A part of the request, and patterns (``*``, ``?``, ``[…]``). One of them must match."""

    part: Literal["path", "query", "header", "cookie", "body", "method"]
    name: str
    patterns: tuple[str, ...]


class Rule(Struct, frozen=True):
    """Select ``scenario`` at the first call of a key, if all conditions hold."""

    conditions: tuple[Condition, ...]
    scenario: str


class Lookup(Struct, frozen=True):
    """A part of a request: ``path.requestId``, ``header.X-Id``, ``body./id``."""

    part: str
    name: str
    ignore_case: bool = False
    """Whether the case of letters is ignored, as in a UUID (RFC 9562 section 4)."""


class Limit(Struct, frozen=True):
    """At most ``max_calls`` calls in each ``window`` of milliseconds. A window starts with its first call."""

    max_calls: int
    window: int
    by: Lookup | None = None
    """The value that is limited separately, such as a key or a header; None: the namespace."""
    state: str = ""
    """The state that responds above the limit; empty: the documented 429."""


class Concurrency(Struct, frozen=True):
    """At most ``max_calls`` calls at the same time. Others wait ``wait`` milliseconds, then get 503."""

    max_calls: int
    wait: int = 0
    state: str = ""


class Flaky(Struct, frozen=True):
    """A random share of responses, by the seed, that are replaced by a status, a fault or a state."""

    rate: float
    answers: tuple[str, ...]


class Role(Struct, frozen=True):
    """What an operation does to resources, apart from reading one, and what limits its calls."""

    creates: bool = False
    lists: str | None = None
    """Pointer to the array of resources in the body; ``""``: the body is that array."""
    deletes: bool = False
    updates: Literal["", "replace", "merge"] = ""
    """How the body of the request changes the stored data of the resource."""
    key: Lookup | None = None
    """The part of the request with the key or the handle; None: ``Resource.key``."""
    handle: str = ""
    """The handle of ``Resource.handles`` that identifies the resource; empty: the key."""
    limits: tuple[Limit, ...] = ()
    concurrency: Concurrency | None = None
    flaky: Flaky | None = None


class Certify(Struct, frozen=True):
    """The parts of the creating request that say what a certificate certifies."""

    csr: Lookup | None = None
    common_name: Lookup | None = None


class Signature(Struct, frozen=True):
    """Signature of a webhook: the HMAC of its body, as ``ALGORITHM=HEXADECIMAL`` in a header."""

    secret: str
    header: str = "X-Signature-256"
    algorithm: str = "sha256"


class Webhook(Struct, frozen=True):
    """A request that is sent when a resource enters one of ``states``."""

    states: tuple[str, ...]
    url: str
    """A template, or a runtime expression if ``is_expression``."""
    is_expression: bool = False
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: JSON = None
    has_body: bool = False
    media_type: str = "application/json"
    schema: SchemaRef | None = None
    """The documented schema of the body; None: the body is sent as written."""
    partial: bool = False
    delay: int = 0
    retries: int = 3
    backoff: int = 1000
    """Milliseconds before the first retry. Each further retry waits twice as long."""
    sign: Signature | None = None
    location: str = ""


class Resource(Struct, frozen=True):
    """A stateful resource: one scenario file."""

    name: str
    source: str
    document: str
    key: Lookup
    operations: dict[str, str]
    """Alias → operation id."""
    states: dict[str, State]
    scenarios: dict[str, Scenario]
    rules: tuple[Rule, ...]
    invalid: str = ""
    """The state that responds to invalid requests; empty: the documented error."""
    unknown: str = ""
    """The state or status for unknown keys; empty: the first call creates the resource."""
    unanswered: str = ""
    """The state or status for operations without a response in the current state."""
    roles: dict[str, Role] = field(default_factory=dict)
    """Alias → role, for operations with a role."""
    key_schemas: tuple[SchemaRef, ...] = ()
    """The schemas that a new key must satisfy."""
    handles: dict[str, str] = field(default_factory=dict)
    """Other names of a resource: name → template."""
    predicates: tuple[tuple[Condition, ...], ...] = ()
    """The conditions of branches."""
    certify: Certify | None = None
    limits: tuple[Limit, ...] = ()
    """Limits of all operations together."""
    flaky: Flaky | None = None
    webhooks: tuple[Webhook, ...] = ()
    data: str = ""
    """The name of the DataResource with its stored data; empty: it has none."""


DataVerb = Literal["creates", "lists", "reads", "replaces", "merges", "deletes", "acts"]


class DataOperation(Struct, frozen=True):
    """What an operation does to the data of an inferred resource."""

    verb: DataVerb
    why: str
    """The reason, for people."""
    parents: tuple[str, ...] = ()
    """The path parameters that identify the collection."""
    key: str = ""
    """The path parameter that identifies the item; empty: the operation is on the collection."""
    keyed_by_body: bool = False
    """Whether the item is identified by the key's field in the request body."""
    status: int = 200
    path: tuple[str, ...] = ()
    """Where the item, or the list, is in the body of the response."""
    schema: SchemaRef | None = None
    """The schema of the item in the response, or of an item of the list; None: it has none."""
    request_path: tuple[str, ...] = ()
    """Where the item is in the body of the request."""
    request_schema: SchemaRef | None = None
    """The schema of the item in the body of the request."""
    fields: dict[str, str] = field(default_factory=dict)
    """Other path parameters → the fields of the item that have their values."""


class Seed(Struct, frozen=True):
    """An item that a resource has at first."""

    value: dict[str, JSON]
    parent: str = ""
    """The keys in the path of a nested collection, percent-encoded and joined by ``/``."""


class DataResource(Struct, frozen=True):
    """A resource whose data is stored. It is inferred from the document, or described by a scenario file."""

    name: str
    """A unique name: the path, after that of the document if several have the path."""
    path: str
    """The path of the collection, or of the singleton."""
    document: str
    operations: dict[int, DataOperation]
    """By index of ``Document.operations``."""
    schema: SchemaRef | None = None
    """The schema of the stored value, as it is read."""
    key_field: str = ""
    """The field of the item with the key; empty: there is none."""
    key_field_schema: SchemaRef | None = None
    key_aliases: dict[str, SchemaRef] = field(default_factory=dict)
    """The names of that field in other responses, such as ``Id`` beside ``id``."""
    key_schemas: tuple[SchemaRef, ...] = ()
    """The schemas of the path parameter with the key."""
    is_singleton: bool = False
    ignore_case: bool = False
    """Whether the case of letters in a key is ignored, as in a UUID."""
    times: dict[str, Literal["created", "changed"]] = field(default_factory=dict)
    """The fields with the time of the creation or of the last change."""
    parents: tuple[str, ...] = ()
    """The path parameters of the collection."""
    references: dict[str, str] = field(default_factory=dict)
    """Field → the name of the resource whose key it holds."""
    listed: dict[str, JSON] = field(default_factory=dict)
    """Field → the only value of it that a list can be asked for, which new items have."""
    seeds: tuple[Seed, ...] = ()
    file: str = ""
    """The name of its file of seeds, without an extension."""


class Plan(Struct, frozen=True):
    """Everything that is served. ``hash`` identifies the inputs and the version of the compiler."""

    hash: str
    documents: tuple[Document, ...]
    resources: tuple[Resource, ...] = ()
    seed: str = "0"
    data: tuple[DataResource, ...] = ()
    """The inferred resources; empty unless the server is stateful."""
