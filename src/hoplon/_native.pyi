"""The Rust half as Python sees it (crates/python): the engine, the gateway, and the tables that documentation is made from."""

from collections.abc import Sequence
from os import PathLike
from typing import Literal, TypedDict

class Fact(TypedDict):
    name: str
    type: str
    phase: str
    cost: str
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

class Inspection(TypedDict):
    action: Literal["allow", "log", "block", "refuse"]
    rule: str | None
    violations: list[Violation]
    operation_id: str | None
    operation_path: str | None
    upstream_target: str
    record: dict[str, object]
    observations: list[dict[str, object]]

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
    ) -> Inspection:
        """The verdict on a request to the absolute `url`, and on its response when one is given (status, headers, body).

        `record` and `observations` have the columns of `record_schema()`, without those that only a gateway knows. Observations are
        made within the zone's sampling budgets; without a response only the request's.

        Never raises for hostile traffic: that is what the verdict is for. ValueError when an argument is no URL, header,
        address or mode at all.
        """

def version() -> str:
    """Version of the Rust half."""

def serve(config_json: str) -> int:
    """Run the gateway in this process until SIGTERM or SIGINT; its exit code. ValueError for a wrong configuration."""

def check_bundle(manifest: bytes, parts: dict[str, bytes]) -> list[tuple[str, str]]:
    """Every reason (path, message) why the engine would not load this bundle; parts are keyed by the SHA-256 of their bytes."""

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
