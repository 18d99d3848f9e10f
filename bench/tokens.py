"""A JSON Web Token on each request, verified by Hoplon and by Envoy's jwt_authn: each signature anew, and remembered.

The same key, token and question (issuer, time, signature) on both sides; what has no valid token is refused.
"""

import base64
import http.client
import json
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from bench.bundle import Options
from bench.proxies import Started, envoy, hoplon_with

ISSUER = "https://issuer.example"
CONFIGURATION = "bench"
_CACHE_BYTES = 16 * 1024**2
_P256_BYTES = 32


class Signed(NamedTuple):
    """A token, and the public key that verifies it as a JWK."""

    token: str
    jwk: Mapping[str, str]


class Case(NamedTuple):
    """What is measured: a token, and whether a proxy may remember that it verified it."""

    name: str
    signed: Signed
    is_cached: bool

    def envoy(self, folder: Path, upstream_port: int) -> AbstractContextManager[Started]:
        """Envoy with jwt_authn before its router."""
        return envoy(folder, upstream_port, [_jwt_authn(self.signed, self.is_cached)])

    def hoplon(self, folder: Path, upstream_port: int) -> AbstractContextManager[Started]:
        """Hoplon as a plain proxy with one token rule for everything."""
        return hoplon_with(folder, upstream_port, f"hoplon-{self.name.replace(' ', '-')}", _options(self))


def cases() -> tuple[Case, ...]:
    """The three of the published table, with fresh keys."""
    with_rsa, with_ec = rs256(), _es256()
    return (
        Case("RS256 verified", with_rsa, is_cached=False),
        Case("ES256 verified", with_ec, is_cached=False),
        Case("RS256 remembered", with_rsa, is_cached=True),
    )


def check_refusal(port: int, target: str, token: str) -> None:
    """Raise RuntimeError unless requests without a token and with a forged one are refused: else nobody verifies."""
    for sent in ({}, {"Authorization": f"Bearer {token[:-4]}AAAA"}):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", target, headers=sent)
        status = connection.getresponse().status
        connection.close()
        if status not in (401, 403):
            raise RuntimeError(f"a request without a valid token got {status}")


def rs256() -> Signed:
    """A token with a fresh RSA key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    numbers = key.public_key().public_numbers()
    jwk = {"kty": "RSA", "alg": "RS256", "n": _number(numbers.n, 256), "e": _number(numbers.e, 3)}
    return _signed(jwk, lambda signed: key.sign(signed, padding.PKCS1v15(), SHA256()))


def _es256() -> Signed:
    key = ec.generate_private_key(ec.SECP256R1())
    numbers = key.public_key().public_numbers()
    x, y = _number(numbers.x, _P256_BYTES), _number(numbers.y, _P256_BYTES)

    def sign(signed: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(signed, ec.ECDSA(SHA256())))
        return r.to_bytes(_P256_BYTES) + s.to_bytes(_P256_BYTES)

    return _signed({"kty": "EC", "alg": "ES256", "crv": "P-256", "x": x, "y": y}, sign)


def _signed(jwk: dict[str, str], sign: Any) -> Signed:
    now = int(time.time())
    header = {"alg": jwk["alg"], "kid": "bench", "typ": "JWT"}
    claims = {"iss": ISSUER, "sub": "ann@example.com", "aud": "orders", "iat": now, "exp": now + 86_400}
    claims |= {"scope": "orders:read orders:write", "jti": "5b1c1bd5-6c0b-4d8e-8f0a-0c5a6f1f6f11"}
    signed = ".".join(_encode(json.dumps(part).encode()) for part in (header, claims))
    return Signed(f"{signed}.{_encode(sign(signed.encode()))}", jwk | {"kid": "bench", "use": "sig"})


def _number(value: int, length: int) -> str:
    return _encode(value.to_bytes(length))


def _encode(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _options(case: Case) -> Options:
    configuration = {"id": CONFIGURATION, "sources": [{"header": "authorization"}], "issuers": [ISSUER]}
    valid = [["fact", "hoplon.token.valid"], ["key", 0, CONFIGURATION], ["not", 1]]
    rule = {"id": "token", "stage": "features", "when": {"nodes": valid}, "action": "block"}
    return Options(
        operations=0,
        observe_probability=0.0,
        rules=(rule | {"violation": "tokens.rule", "fail": "closed"},),
        parts={
            "tokens": {"configurations": [configuration]},
            "token_keys": {"configurations": {CONFIGURATION: [case.signed.jwk]}},
        },
        limits={"token_cache_bytes": _CACHE_BYTES if case.is_cached else 0},
    )


def _jwt_authn(signed: Signed, is_cached: bool) -> dict[str, object]:
    """Envoy's filter. `forward`: the upstream gets the token, as behind Hoplon; without a cache nothing is kept."""
    provider: dict[str, object] = {
        "issuer": ISSUER,
        "local_jwks": {"inline_string": json.dumps({"keys": [signed.jwk]})},
        "forward": True,
    }
    if is_cached:
        provider["jwt_cache_config"] = {"jwt_cache_size": 1000}
    types = "type.googleapis.com/envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication"
    rules = [{"match": {"prefix": "/"}, "requires": {"provider_name": CONFIGURATION}}]
    return {
        "name": "envoy.filters.http.jwt_authn",
        "typed_config": {"@type": types, "providers": {CONFIGURATION: provider}, "rules": rules},
    }
