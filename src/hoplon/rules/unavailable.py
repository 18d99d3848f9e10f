"""Fields that Cloudflare has and Hoplon has no data for: each refused with its reason, instead of "unknown field".

The engine's fact table comes first: a field that stands there is available, whatever this page says.
"""

from collections.abc import Mapping

_PLACES = "where an address is (country, city, network operator) stands in data bases that Hoplon does not carry"
_BOTS = "bot scores come from the traffic of all of Cloudflare's customers; Hoplon sees yours"
_FINGERPRINTS = "fingerprints of TLS clients (JA3, JA4) are not computed"
_SCORES = "attack scores and content scans are Cloudflare's WAF, which Hoplon does not have"
_EDGE = "it tells about Cloudflare's network; there is none between you and Hoplon"
_VISITOR = "`cf.unique_visitor_id` is a cookie of Cloudflare's; session identifiers (`[identity]`) say who a caller is"
_TLS = "this detail of the TLS handshake is not kept"
_MTLS = "client certificates are not checked yet"
_SEQUENCES = "sequences of operations are not followed yet"
_SCHEMAS = "schemas are not validated yet"
_GRAPHQL = "GraphQL is not parsed yet"
_RESPONSES = "Cloudflare fills it for its own error pages and rewrites; rules here act on requests"
_PACKETS = "it is a field of packets (Cloudflare Network Firewall); Hoplon sees requests"
_BODIES = "this form of the body is not read"
_THREATS = "Cloudflare has ended it too: its value there is always 0"

REASONS: Mapping[str, str] = {
    "ip.geoip": _PLACES,
    "ip.src": _PLACES,
    "cf.threat_score": _THREATS,
    "cf.bot_management.ja3_hash": _FINGERPRINTS,
    "cf.bot_management.ja4": _FINGERPRINTS,
    "cf.bot_management": _BOTS,
    "cf.client": _BOTS,
    "cf.verified_bot_category": _BOTS,
    "cf.waf": _SCORES,
    "cf.llm": _SCORES,
    "cf.unique_visitor_id": _VISITOR,
    "cf.tls_client_auth": _MTLS,
    "cf.tls_cipher": _TLS,
    "cf.tls_ciphers_sha1": _TLS,
    "cf.tls_version": _TLS,
    "cf.tls_client_ciphers_sha1": _TLS,
    "cf.tls_client_extensions_sha1": _TLS,
    "cf.tls_client_extensions_sha1_le": _TLS,
    "cf.tls_client_hello_length": _TLS,
    "cf.tls_client_random": _TLS,
    "cf.sequence": _SEQUENCES,
    "cf.schema_validation": _SCHEMAS,
    "cf.api_gateway.request_violates_schema": _SCHEMAS,
    "cf.api_gateway.graphql": _GRAPHQL,
    "cf.response": _RESPONSES,
    "cf.colo": _EDGE,
    "cf.edge": _EDGE,
    "cf.hostname": _EDGE,
    "cf.metal": _EDGE,
    "cf.random_seed": _EDGE,
    "cf.ray_id": _EDGE,
    "cf.timings": _EDGE,
    "cf.worker": _EDGE,
    "cf.zone": _EDGE,
    "http.request.body.mime": _BODIES,
    "http.request.body.multipart": _BODIES,
    "raw.http.response": _RESPONSES,
    "icmp": _PACKETS,
    "ip.dst": _PACKETS,
    "ip.hdr_len": _PACKETS,
    "ip.len": _PACKETS,
    "ip.proto": _PACKETS,
    "ip.ttl": _PACKETS,
    "sip": _PACKETS,
    "tcp": _PACKETS,
    "udp": _PACKETS,
}
"""By a field's name or the group that it is in (developers.cloudflare.com/ruleset-engine/rules-language/fields)."""


def why_unavailable(name: str) -> str | None:
    """The sentence for a field that Cloudflare has and Hoplon has not; None for a name that is none of them."""
    parts = name.split(".")
    groups = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    reason = next((REASONS[group] for group in groups if group in REASONS), None)
    return f"`{name}` is not available: {reason}" if reason else None
