"""The Rust half as Python sees it (crates/python): the engine, the gateway, and the tables that documentation is made from."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Literal, TypeAlias, TypedDict

class Fact(TypedDict):
    name: str
    type: str
    phase: str
    cost: str
    replay: Literal["yes", "no"]
    source: str
    doc: str

class ViolationCode(TypedDict):
    code: str
    location: str
    doc: str

class Metric(TypedDict):
    name: str
    kind: str
    labels: list[str]
    help: str

class Violation(TypedDict):
    code: str
    location: str
    evidence: str
    rule: str | None
    action: str

class Quota(TypedDict):
    """What a limit that acts leaves to the client: the one that stopped the request, else the tightest."""

    limit: str
    unit: Literal["requests", "score", "in_flight"]
    most: int
    period_seconds: int
    remaining: int
    reset_seconds: int
    retry_after_seconds: int

class Inspection(TypedDict):
    action: Literal["allow", "log", "block", "refuse"]
    rule: str | None
    quota: Quota | None
    violations: list[Violation]
    operation_id: str | None
    operation_path: str | None
    upstream_target: str
    record: dict[str, object]
    observations: list[dict[str, object]]

class NodeValue(TypedDict):
    """What a node of a program comes to; `value` is None when it is missing or was not recorded, the error's word when it failed,
    and for what looks secret only what kind of text it is."""

    state: Literal["value", "missing", "not_recorded", "error", "redacted"]
    value: object

class RuleAnswer(TypedDict):
    id: str
    stage: Literal["custom", "limits", "features"]
    phase: str
    result: str
    nanoseconds: float

class ProgramAnswer(TypedDict):
    type: str
    result: str
    nanoseconds: float
    nodes: list[NodeValue]

class Explanation(TypedDict):
    inspection: Inspection
    rules: list[RuleAnswer]
    programs: list[ProgramAnswer]

class Skipped(TypedDict):
    """Records that were not judged: refused as HTTP whatever the policy is; their host is not this zone's under this policy."""

    refused: int
    elsewhere: int

class WouldCounts(TypedDict):
    allow: int
    log: int
    block: int
    unknown: int

class WasCounts(TypedDict):
    allow: int
    log: int
    block: int
    refuse: int

class SessionCounts(TypedDict):
    all: int
    allow: int
    log: int
    block: int
    unknown: int

class ReplayedRule(TypedDict):
    """One rule on one operation (None: no saved one was called, or the record does not tell). `matched`: for certain; `decided`: of
    them, those whose verdict it made; `unknown`: it may have matched. Sessions and examples are those of `matched`."""

    rule: str
    stage: Literal["custom", "limits", "features"]
    action: Literal["log", "block", "skip"]
    violation: str
    operation: str | None
    operation_path: str | None
    method: str | None
    matched: int
    decided: int
    unknown: int
    sessions: int
    examples: list[str]

class ReplayExamples(TypedDict):
    log: list[str]
    block: list[str]
    unknown: list[str]
    newly_blocked: list[str]

class ReplayResult(TypedDict):
    """What would have become of the records in the mode `enforce`, and what had become of them. Times are microseconds since 1970 of
    the first and the last record; examples are record ids. `sessions_exact` false: some number of sessions is at least what it says."""

    records: int
    since: int | None
    until: int | None
    skipped: Skipped
    would: WouldCounts
    was: WasCounts
    newly_blocked: int
    no_longer_blocked: int
    sessions: SessionCounts
    sessions_exact: bool
    rules: list[ReplayedRule]
    unknown_facts: dict[str, int]
    examples: ReplayExamples

class Replay:
    """A zone's policy that stored records are judged by, with exactly the engine's rules. What hangs on something that records do not
    hold stays unknown, with the fact's name; nothing is guessed.

    `manifest` and `parts` (by SHA-256) as `check_bundle` takes them; `examples`: ids kept of each kind. ValueError when the bundle does
    not load (one reason a line), or has no such zone.
    """

    def __init__(self, manifest: bytes, parts: Mapping[str, bytes], zone: str, *, examples: int = 5) -> None: ...
    def update(self, ipc: bytes) -> int:
        """Judge the rows of an Arrow IPC stream of `records` (columns by name, in the order of time); gives their number.

        ValueError when it is no such stream, or lacks a column.
        """

    def merge(self, other: Replay) -> None:
        """Add the counts of another replay of the same bundle and zone over other records. ValueError when it is of another one."""

    def result(self) -> ReplayResult:
        """What was found so far."""

    def explain(self, ipc: bytes, programs: Sequence[str], lists: str | None = None) -> list[ProgramAnswer]:
        """What programs (JSON; `lists` is the part in JSON that they may name) come to, node by node, over the one record in an Arrow
        IPC stream. Counts nothing. ValueError when a program does not load or the stream does not hold exactly one row.
        """

class Engine:
    """A bundle, loaded: judges whole requests exactly as the gateway does.

    `bundles` is the folder of a state directory that holds `current` and `parts/`; `key` the 32 bytes of `keys/records.key`
    (without it, hashes in `record` are not comparable with a gateway's). Raises OSError when there is no bundle, ValueError
    with one line per reason when it does not load.
    """

    def __init__(self, bundles: str | PathLike[str], key: bytes | None = None) -> None: ...
    @property
    def bundle(self) -> str:
        """SHA-256 of the manifest, in hex."""
    def inspect(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, bytes]] = (),
        body: bytes = b"",
        client: str = "127.0.0.1",
        mode: Literal["enforce", "log", "off"] = "enforce",
        response: tuple[int, Sequence[tuple[str, bytes]], bytes] | None = None,
        now: int | None = None,
    ) -> Inspection:
        """The verdict on a request to the absolute `url`, and on its response when one is given (status, headers, body).

        `record` and `observations` have the columns of `record_schema()`, without those that only a gateway knows. Observations are
        made within the zone's sampling budgets; without a response only the request's.

        Limits count from one call to the next. `now` is microseconds since 1970, for tests and replays: they go by it then; without it
        they go by a clock that never goes back.

        Never raises for hostile traffic: that is what the verdict is for. ValueError when an argument is no URL, header,
        address or mode at all.
        """

    def explain(
        self,
        method: str,
        url: str,
        *,
        headers: Sequence[tuple[str, bytes]] = (),
        body: bytes = b"",
        client: str = "127.0.0.1",
        mode: Literal["enforce", "log", "off"] = "enforce",
        response: tuple[int, Sequence[tuple[str, bytes]], bytes] | None = None,
        programs: Sequence[str] = (),
        lists: str | None = None,
    ) -> Explanation:
        """The verdict, what each rule about this request answers (in their order, whatever skips or stops them), and what these
        programs (JSON) come to, node by node. `lists`: a `lists` part in JSON that the programs may name.

        `result` is `true`, `false`, `unknown` or the word of an error; of a program that is no condition look at its last node.
        `nanoseconds`: the mean of 16 runs after a first one. ValueError as from `inspect`, and for a program that does not load.
        """

    @staticmethod
    def without_bundle(key: bytes | None = None) -> Engine:
        """An engine that has no bundle yet: `begin` stops every request with 503."""
    def refreshed(self, bundles: str | PathLike[str]) -> Engine:
        """The engine with the bundle that is in place now; what is kept between requests (known hosts, counters) is the same.

        Raises as the constructor does; the engine that it is called on stays what it is.
        """
    def begin(
        self,
        now: int,
        method: str,
        target: bytes,
        *,
        headers: list[tuple[bytes, bytes]],
        client: str | None = None,
        scheme: str = "http",
        http_version: str = "1.1",
        body_bytes: int | None = 0,
        mode: Literal["enforce", "log", "off"] = "enforce",
    ) -> Exchange:
        """Judge the head of a request, the first step of `hoplon.asgi`. `now`: microseconds since 1970; `target`: path and query as
        received; `client`: an IP address, anything else is the unspecified address; `body_bytes` None: there may be a body.

        RuntimeError when the engine itself fails on it.
        """

NextStep: TypeAlias = Literal["pass", "stop", "whole", "pieces"]

class Exchange:
    """One request on its way through an application in this process, judged step by step as the gateway does.

    Each step says what is next: `pass`, `stop` (send `answer()`), `whole` (hold the request's body back and give its pieces to
    `request_body` until it says something else), `pieces` (give each piece, hold only the last one back). A step raises RuntimeError
    when the engine itself fails.
    """

    @property
    def id(self) -> str:
        """The request's id, a UUIDv7."""
    @property
    def next(self) -> NextStep: ...
    @property
    def limit_bytes(self) -> int:
        """So much of the body is held back at most; 0 when it is not asked for as a whole."""
    @property
    def target(self) -> str | None:
        """Path and query as they were judged, where they are not as received; else None."""
    @property
    def action(self) -> Literal["allow", "log", "block", "refuse"]:
        """What was decided so far."""
    def request_body(self, piece: bytes, last: bool) -> NextStep:
        """The next piece of the request's body; `last` may come with an empty one."""
    def response_head(self, status: int, headers: list[tuple[bytes, bytes]], body_bytes: int | None) -> NextStep:
        """The head of the application's response."""
    def answer(self, *, failed: bool = False) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        """Status, headers and body of the answer to a request that was stopped; with `failed`, to one that could not be judged."""
    def fields(self) -> list[tuple[bytes, bytes]]:
        """What is added to the head of a response that passes: the request's id, what the client is told of its limits."""
    def end(
        self,
        now: int,
        *,
        status: int,
        answered: int | None = None,
        request_bytes: int = 0,
        response_bytes: int = 0,
        is_request_complete: bool = True,
        upgraded: bool = False,
        describe: bool = False,
    ) -> Inspection | None:
        """End it, once: what the client got (0: nothing), what the application answered. With `describe`, all that is known of it."""

def version() -> str:
    """Version of the Rust half."""

def serve(config_json: str) -> int:
    """Run the gateway in this process until SIGTERM or SIGINT; its exit code. ValueError for a wrong configuration."""

def check_bundle(manifest: bytes, parts: dict[str, bytes]) -> list[tuple[str, str]]:
    """Every reason (path, message) why the engine would not load this bundle; parts are keyed by the SHA-256 of their bytes."""

def check_regex(pattern: str) -> str | None:
    """The sentence (it continues "the pattern …") why the engine does not take this regular expression; None when it does."""

def check_program(program: str, lists: str | None = None) -> tuple[str, str] | None:
    """The mistake (place, message) of a program in JSON that may name the lists of a `lists` part in JSON; None when it loads."""

def function_names() -> list[str]:
    """Every function of the rule language that the engine runs."""

def check_token_key(jwk: str) -> tuple[str, str] | None:
    """Why the engine refuses this JWK (JSON text) in a bundle: the member, and a sentence that continues it; None: it takes it.

    An HMAC key is `{"kty": "oct", "kid", "alg", "secret": "<id>"}`, as in the bundle.
    """

def check_claim_path(path: str) -> str | None:
    """Why the engine refuses this path (`$.sub`) to one claim; None: it takes it."""

def fact_table() -> list[Fact]:
    """Every fact that rules can ask for, in the order of the features."""

def violation_codes() -> list[ViolationCode]:
    """Every violation code; the refusals (`protocol.*`), which act in every mode, come first."""

def metric_table() -> list[Metric]:
    """Every metric of the gateway, without the prefix `hoplon_`."""

def record_schema() -> dict[str, object]:
    """`version`, and the columns of `records`, `violations` and `observations`: name, type (as Arrow spells it), nullable, doc."""

def normalise_path(path: str, merge_slashes: bool = False) -> tuple[str, list[str]]:
    """The path as it goes upstream, and what was not normal in it. ValueError with the violation code when it is refused."""
