"""The Plan: everything the back end needs, as immutable values without behaviour.

The front end (``mockserver.compile``) makes a Plan; the back end
(``mockserver.engine``) runs it. It holds only JSON-shaped values, so that it can
be cached on disk (msgpack, never pickle), sent to workers and swapped whole.
Its types are msgspec's structs, and no dataclasses: forty of those take 30 ms
to come into being at every start, and decode at half the speed.

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
"""Base of the URIs of local files. ``.invalid`` never resolves (RFC 6761). No message shows it."""

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
    """A parameter of an operation; ``collectionFormat`` of 2.0 arrives as style and explode.

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
    """Set instead of ``schema`` for a parameter that is described by ``content``."""
    examples: tuple[Example, ...] = ()


class RequestBody(Struct, frozen=True):
    """What an operation takes, by media type."""

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
    """``status`` is as documented: ``"200"``, ``"4XX"`` (upper case) or ``"default"``."""

    status: str
    content: tuple[MediaType, ...] = ()
    headers: tuple[Header, ...] = ()
    description: str = ""
    content_type: str = ""
    """What ``produces`` of 2.0 says of a response that has no content."""


class SecurityScheme(Struct, frozen=True):
    """``type``: apiKey, http, oauth2, openIdConnect, mutualTLS (2.0's ``basic`` arrives as http)."""

    name: str
    type: str
    scheme: str = ""
    """For ``http``: basic, bearer, digest, …, lower case."""
    location: str = ""
    """For ``apiKey``: query, header or cookie."""
    parameter: str = ""
    """For ``apiKey``: the name of the parameter."""


SecurityRequirement = dict[str, tuple[str, ...]]
"""Scheme name → scopes; all of them together satisfy the requirement."""


class Callback(Struct, frozen=True):
    """A request that the document says is sent to a client: an operation under ``callbacks``."""

    url: str
    """A runtime expression or template of them (OpenAPI 3.0.4 section 4.8.18)."""
    method: str
    body: RequestBody | None = None


class Operation(Struct, frozen=True):
    """A method on a path template, from the document."""

    id: str
    """``operationId``, or ``METHOD /path/template`` where the document gives none."""
    method: str
    """Upper case."""
    path: str
    """The path template as documented, without any server's prefix."""
    parameters: tuple[Parameter, ...] = ()
    body: RequestBody | None = None
    responses: tuple[DocumentedResponse, ...] = ()
    security: tuple[SecurityRequirement, ...] = ()
    """Alternatives; empty means no credentials are asked for."""
    pointer: str = ""
    summary: str = ""
    callbacks: dict[str, Callback] = field(default_factory=dict)
    """By name; of several requests under one name, the first."""


class Document(Struct, frozen=True):
    """One OpenAPI document with all that it refers to."""

    name: str
    """The file's stem."""
    title: str
    version: str
    dialect: Dialect
    uri: str
    """Key of the root document in ``trees``."""
    trees: dict[str, JSON]
    """URI → the parsed document at that URI, as written but for what had to be mended."""
    base_paths: tuple[str, ...]
    """Path prefixes to answer under, ``""`` for the root included; none ends in ``/``."""
    operations: tuple[Operation, ...]
    security_schemes: dict[str, SecurityScheme]
    faults: tuple[Diagnostic, ...] = ()
    """What had to be forgiven for it to be served."""


class Delay(Struct, frozen=True):
    """How long an answer takes, in milliseconds: ``low``; from ``low`` to ``high``; or about ``low``.

    ``lognormal`` has ``low`` as its median and ``sigma`` as the deviation of the logarithm.
    """

    kind: Literal["fixed", "uniform", "lognormal"] = "fixed"
    low: int = 0
    high: int = 0
    sigma: float = 0.0


class Dribble(Struct, frozen=True):
    """A body that arrives in ``chunks`` pieces, spread over so many milliseconds."""

    chunks: int
    over: int


class ResponseTemplate(Struct, frozen=True):
    """How a state answers one operation. Strings may be Jinja2 templates.

    ``body`` is laid over a fake of the documented response where ``partial``;
    otherwise it is the whole body.
    """

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    has_body: bool = False
    body: JSON = None
    partial: bool = True
    media_type: str = ""
    undocumented: bool = False
    """The document does not know this answer, on purpose: it is not judged by it."""
    is_cacheable: bool = True
    """Rendered once per resource and state: no template reads the request, the time or dice."""
    delay: Delay | None = None
    """Its own, else the operation's, else the file's."""
    fault: str = ""
    location: str = ""
    """file:line:column, for what goes wrong when rendering."""
    dribble: Dribble | None = None
    schema: SchemaRef = ""
    """What judges the body instead of the response's schema: it is one item of a list."""
    warning: str = ""
    """Why the body is not valid, where the document leaves nothing that is; sent as ``X-Mock-Warning``."""


class State(Struct, frozen=True):
    """A named set of answers, by the alias of the operation."""

    name: str
    answers: dict[str, ResponseTemplate]


class Branch(Struct, frozen=True):
    """A way on from a step, for those that ``next`` alone does not serve."""

    next: int
    operation: str = ""
    """The alias of the operation that takes it; empty: taken when the step's holds end."""
    predicate: int = -1
    """Index into ``Resource.predicates`` of what must hold of the request; -1: nothing."""
    weight: int = 0
    """Drawn with the other weighted branches; 0: taken if reached."""


class Step(Struct, frozen=True):
    """One state on a timeline. Whichever hold ends first moves on to step ``next``.

    No hold at all holds for ever. ``next`` is an index into the scenario's steps.
    """

    state: str
    calls: int = 0
    """Moves on after so many calls; 0: not by calls."""
    after: int = 0
    """Moves on so many milliseconds after it was entered; 0: not by time."""
    operation: str = ""
    """Moves on when the operation of this alias is called; empty: not by an operation."""
    next: int = -1
    delay: Delay | None = None
    fault: str = ""
    counted: str = ""
    """The alias of the only operation whose calls count; empty: all of them."""
    branches: tuple[Branch, ...] = ()
    """Looked at before ``next``."""
    answers: tuple[str, ...] = ()
    """The aliases that the state answers, where others are answered by ``Resource.unanswered``."""
    dribble: Dribble | None = None


class Scenario(Struct, frozen=True):
    """A timeline of states. It begins with its first step."""

    name: str
    steps: tuple[Step, ...]


class Condition(Struct, frozen=True):
    """A part of the request and the patterns of which one must match it (``*``, ``?``, ``[…]``)."""

    part: Literal["path", "query", "header", "cookie", "body", "method"]
    name: str
    patterns: tuple[str, ...]


class Rule(Struct, frozen=True):
    """Selects ``scenario`` for a key that is first seen, when all conditions hold."""

    conditions: tuple[Condition, ...]
    scenario: str


class Lookup(Struct, frozen=True):
    """Where a value stands in a request: ``path.requestId``, ``header.X-Id``, ``body./id``."""

    part: str
    name: str
    ignore_case: bool = False
    """Whether upper and lower case are the same, as in a UUID (RFC 9562 section 4)."""


class Limit(Struct, frozen=True):
    """At most ``max_calls`` calls in each ``window`` of milliseconds, which begins with its first call."""

    max_calls: int
    window: int
    by: Lookup | None = None
    """What has a bucket of its own: a key, a header's value; None: the namespace."""
    state: str = ""
    """That answers beyond it; empty: the document's 429."""


class Concurrency(Struct, frozen=True):
    """At most ``max_calls`` calls under way at once; others wait so many milliseconds, then are told 503."""

    max_calls: int
    wait: int = 0
    state: str = ""


class Flaky(Struct, frozen=True):
    """Some answers, drawn by the seed, are another: a status, a fault or a state."""

    rate: float
    answers: tuple[str, ...]


class Role(Struct, frozen=True):
    """What an operation does to resources beside asking one of them, and what stands before it."""

    creates: bool = False
    lists: str | None = None
    """Pointer to the array of resources in the body; ``""``: the body is that array."""
    deletes: bool = False
    key: Lookup | None = None
    """Where the key, or the handle, stands; None: where the resource's does."""
    handle: str = ""
    """The handle of ``Resource.handles`` by which the operation names a resource."""
    limits: tuple[Limit, ...] = ()
    concurrency: Concurrency | None = None
    flaky: Flaky | None = None


class Certify(Struct, frozen=True):
    """Where the creating request says what a certificate is to certify."""

    csr: Lookup | None = None
    common_name: Lookup | None = None


class Signature(Struct, frozen=True):
    """How a notice is signed: HMAC of its body, as ``ALGORITHM=HEXADECIMAL`` in a header."""

    secret: str
    header: str = "X-Signature-256"
    algorithm: str = "sha256"


class Webhook(Struct, frozen=True):
    """A request that is sent when a resource enters one of ``states``."""

    states: tuple[str, ...]
    url: str
    """A template, or a runtime expression where ``is_expression``."""
    is_expression: bool = False
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    body: JSON = None
    has_body: bool = False
    media_type: str = "application/json"
    schema: SchemaRef | None = None
    """What the callback documents of the body; None: it stands as it is written."""
    partial: bool = False
    delay: int = 0
    retries: int = 3
    backoff: int = 1000
    """Milliseconds before the first retry; each further one waits twice as long."""
    sign: Signature | None = None
    location: str = ""


class Resource(Struct, frozen=True):
    """A thing that outlives a request: one scenario file."""

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
    """The state that answers a request that breaks the document; empty: the document's own error."""
    unknown: str = ""
    """The state that answers for a key that nothing created; empty: it is created when first seen."""
    unanswered: str = ""
    """The state that answers an operation which the resource's own state does not."""
    roles: dict[str, Role] = field(default_factory=dict)
    """Alias → role, for those that have one."""
    key_schemas: tuple[SchemaRef, ...] = ()
    """What a fresh key must satisfy."""
    handles: dict[str, str] = field(default_factory=dict)
    """Other names of a resource: name → template."""
    predicates: tuple[tuple[Condition, ...], ...] = ()
    """What branches ask of a request."""
    certify: Certify | None = None
    limits: tuple[Limit, ...] = ()
    """For all operations together."""
    flaky: Flaky | None = None
    webhooks: tuple[Webhook, ...] = ()


class Plan(Struct, frozen=True):
    """What is served. ``hash`` identifies the inputs and the version that compiled them."""

    hash: str
    documents: tuple[Document, ...]
    resources: tuple[Resource, ...] = ()
    seed: str = "0"
