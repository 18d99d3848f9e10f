"""Every process setting with its default, its bounds and one sentence: the source of the reference and of the checks.

A setting says how the processes run (addresses, files, sizes). What is allowed in traffic is policy, never a setting.
"""

import ipaddress
import os
import re
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

DEFAULT_STATE = Path("./hoplon-state")
_ADDRESS = re.compile(r"(?P<tls>https://)?(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:/\s]+):(?P<port>\d{1,5})")


def _split(value: object) -> object:
    """A list may be given as one comma-separated string, as in an environment variable."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


CommaList = Annotated[tuple[str, ...], BeforeValidator(_split)]


def _normal_networks(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(str(ipaddress.ip_network(text, strict=False)) for text in texts)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TlsSettings(_Section):
    """The certificates of the `https://` listeners; changed files are taken within seconds."""

    certificate: Path | None = Field(default=None, description="PEM file: the chain that `https://` listeners show.")
    key: Path | None = Field(default=None, description="PEM file: private key of that certificate.")
    directory: Path | None = Field(
        default=None,
        description="More certificates, as `NAME.pem` with `NAME.key`: for clients that ask for one of their names.",
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.certificate is None) != (self.key is None):
            missing = "key" if self.key is None else "certificate"
            raise ValueError(f"a certificate needs its key and a key its certificate; `{missing}` is missing")
        if self.directory is not None and self.certificate is None:
            raise ValueError(
                "clients that ask for no name of `directory` need a certificate too: set `certificate`, `key`"
            )
        return self


class RecordsSettings(_Section):
    """How the gateway writes traffic records, and how long they stay."""

    flush_seconds: float = Field(default=1.0, gt=0, le=60, description="A crash loses at most this much of records.")
    rotate_seconds: float = Field(default=300.0, ge=1, description="A segment is closed after this time …")
    rotate_bytes: int = Field(default=64 * 1024**2, ge=64 * 1024, description="… or at this size.")
    queue: int = Field(
        default=65536, ge=16, le=2**24, description="Records that may wait; more are dropped and counted."
    )
    retention_seconds: float = Field(default=7 * 86400.0, ge=60, description="Records older than this are deleted.")
    retention_bytes: int = Field(
        default=10 * 1024**3, ge=1024**2, description="Beyond this size the oldest are deleted."
    )


class ControlPlaneSettings(_Section):
    """The control plane that a gateway of its own follows; without `url` it serves this state directory's policy."""

    url: str | None = Field(default=None, description="Address of the control plane's API: `https://host:port`.")
    credential: Path | None = Field(default=None, description="File (mode 0600) with this gateway's token.")
    ca: Path | None = Field(default=None, description="PEM file: who signed its certificate. Default: the system's.")
    danger_plain_http: bool = Field(
        default=False, description="Send the credential over `http://` to another machine: whoever listens can use it."
    )

    @model_validator(mode="after")
    def _credential_with_url(self) -> Self:
        if (self.url is None) != (self.credential is None):
            missing = "credential" if self.credential is None else "url"
            raise ValueError(f"a gateway follows by URL and with a credential; `{missing}` is missing")
        return self


class ApiSettings(_Section):
    """The control plane's API."""

    max_body_bytes: int = Field(
        default=32 * 1024**2, ge=64 * 1024, le=1024**3, description="A request with a longer body gets 413."
    )
    requests_per_minute: int = Field(
        default=60_000, ge=1, le=10**9, description="One token may ask so often; more often it gets 429."
    )
    failures_per_minute: int = Field(
        default=60, ge=1, le=10**9, description="One address may fail to authenticate so often; then it gets 429."
    )
    trusted_proxies: CommaList = Field(
        default=(), description="Networks (`10.0.0.0/8`) whose `X-Forwarded-For` names the client of the API."
    )
    request_log: bool = Field(default=True, description="Write a line for every request to the API's log.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _normal_networks(value)


class JwksSettings(_Section):
    """Fetching the keys of token configurations by URL (`docs/features/tokens.md`)."""

    networks: CommaList = Field(
        default=(),
        description="Networks (`10.0.0.0/8`) whose servers may be asked though they are not public or have no TLS.",
    )
    ca: Path | None = Field(
        default=None, description="PEM file: who signs the certificates of these servers. Default: the system's."
    )

    @field_validator("networks")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _normal_networks(value)


class LimitsSettings(_Section):
    """What one connection, one client and one request may take; the gateway refuses what is beyond."""

    target_bytes: int = Field(
        default=16 * 1024, ge=256, le=65534, description="Bytes of a request line; beyond it 414."
    )
    head_bytes: int = Field(default=64 * 1024, ge=1024, le=2**20, description="Bytes of a request head; beyond it 431.")
    head_fields: int = Field(
        default=100, ge=1, le=10_000, description="Fields of a request head, and of trailers; beyond it 431."
    )
    head_seconds: float = Field(
        default=30.0,
        gt=0,
        le=3600,
        description="A request head takes at most so long, from first to last byte; then 408.",
    )
    idle_seconds: float = Field(
        default=75.0, gt=0, le=86400, description="A connection without a request is closed after this time."
    )
    body_bytes: int = Field(default=0, ge=0, description="Bytes of a request body; beyond it 413. 0: no bound.")
    body_bytes_per_second: int = Field(
        default=240, ge=0, le=2**31, description="A request body that comes slower is given up with 408. 0: no bound."
    )
    body_grace_seconds: float = Field(
        default=20.0, ge=0, le=3600, description="So long a request body may pause before its rate counts."
    )
    requests_per_connection: int = Field(
        default=100_000, ge=0, description="Requests on one connection; then it closes in order. 0: no bound."
    )
    connections: int = Field(
        default=65536, ge=1, description="Open connections of clients; one more is closed at once and counted."
    )
    connections_per_client: int = Field(
        default=16384,
        ge=0,
        description="Open connections of one IPv4 address or IPv6 /64; `trusted_proxies` have no bound. 0: no bound.",
    )
    requests_in_flight: int = Field(
        default=16384, ge=1, description="Requests answered at the same time, split over the threads; beyond it 503."
    )
    memory_bytes: int = Field(
        default=0,
        ge=0,
        description="Memory of the gateway; beyond it new requests get 503 and new connections close. 0: no bound.",
    )
    counter_bytes: int = Field(
        default=64 * 2**20,
        ge=2**20,
        le=2**36,
        description="Memory for the counters of rate limits; when it is full, new keys share one per address prefix.",
    )
    http2_streams: int = Field(
        default=128, ge=1, le=10_000, description="Requests at the same time on one HTTP/2 connection."
    )
    token_cache_bytes: int = Field(
        default=16 * 1024**2,
        ge=0,
        le=2**36,
        description="Memory of verified tokens, shared by the threads. 0: each token is verified each time.",
    )


class Settings(_Section):
    """All process settings, checked."""

    state: Path = Field(default=DEFAULT_STATE, description="The state directory.")
    upstream: str | None = Field(
        default=None,
        description="The API behind Hoplon. Only creates the first zone; policy has it afterwards.",
    )
    listen: CommaList = Field(
        default=("127.0.0.1:8080",),
        min_length=1,
        description="Addresses that take traffic: `host:port`, or `https://host:port` with the certificate of `[tls]`.",
    )
    status: str = Field(default="127.0.0.1:8082", description="Address of `/metrics`, `/healthz` and `/readyz`.")
    admin: str = Field(
        default="127.0.0.1:8081",
        description="Address of the API: `host:port`, or `https://host:port` with the certificate of `[tls]`.",
    )
    instance: str = Field(
        default="gw-1", pattern=r"^[A-Za-z0-9._-]{1,64}$", description="The gateway's name in records and metrics."
    )
    threads: int = Field(
        default_factory=lambda: os.cpu_count() or 1, ge=1, le=1024, description="Serving threads of the gateway."
    )
    trusted_proxies: CommaList = Field(
        default=(), description="Networks (`10.0.0.0/8`) whose `Forwarded` and `X-Forwarded-For` name the client."
    )
    proxy_protocol: bool = Field(
        default=False,
        description="Connections to `listen` begin with a PROXY header, which only `trusted_proxies` may send.",
    )
    drain_seconds: float = Field(default=10.0, ge=0, le=3600, description="How long requests may finish when it stops.")
    handover_seconds: float = Field(
        default=5.0,
        ge=0,
        le=3600,
        description="After a restart, how long idle connections are kept for one more request.",
    )
    tls: TlsSettings = TlsSettings()
    records: RecordsSettings = RecordsSettings()
    limits: LimitsSettings = LimitsSettings()
    control_plane: ControlPlaneSettings = ControlPlaneSettings()
    api: ApiSettings = ApiSettings()
    jwks: JwksSettings = JwksSettings()

    @field_validator("listen")
    @classmethod
    def _listen_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for address in value:
            parse_address(address, tls_allowed=True)
        return value

    @field_validator("status")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        parse_address(value, tls_allowed=False)
        return value

    @field_validator("admin")
    @classmethod
    def _admin_address(cls, value: str) -> str:
        parse_address(value, tls_allowed=True)
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _normal_networks(value)

    @model_validator(mode="after")
    def _somebody_may_send_proxy_headers(self) -> Self:
        if self.proxy_protocol and not self.trusted_proxies:
            raise ValueError("`proxy_protocol` refuses everybody but `trusted_proxies`, and none is listed")
        return self

    @model_validator(mode="after")
    def _tls_listeners_have_a_certificate(self) -> Self:
        if self.tls.certificate is None and any(
            address.startswith("https://") for address in (*self.listen, self.admin)
        ):
            raise ValueError("an `https://` listener needs `tls.certificate` and `tls.key`")
        return self


def parse_address(text: str, tls_allowed: bool) -> tuple[bool, str, int]:
    """`[https://]host:port` as (is TLS, host without brackets, port). Raises ValueError with what is wrong."""
    match = _ADDRESS.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text}` is not an address: host:port, for example 127.0.0.1:8080 or [::1]:8080")
    if match["tls"] and not tls_allowed:
        raise ValueError(f"`{text}`: this listener has no TLS; leave `https://` out")
    port = int(match["port"])
    if port > 65535:
        raise ValueError(f"`{text}`: a port is at most 65535")
    return bool(match["tls"]), match["host"].strip("[]"), port
