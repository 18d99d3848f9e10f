"""Keys and tokens for tests: made here, with real keys, in the forms of RFC 7517 and RFC 7519."""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from hoplon.tokens.keys import encode


@dataclass(frozen=True)
class Signer:
    """A key that signs: `jwk` is its public half (of an HMAC key, the secret too)."""

    kid: str
    alg: str
    jwk: Mapping[str, str]
    private: Any = field(repr=False)

    def token(self, claims: Mapping[str, Any], **header: Any) -> str:
        """A signed token with these claims."""
        head = {"alg": self.alg, "typ": "JWT", "kid": self.kid, **header}
        signed = f"{_json(head)}.{_json(claims)}"
        return f"{signed}.{encode(self._sign(signed.encode()))}"

    def _sign(self, content: bytes) -> bytes:
        if self.alg == "HS256":
            return hmac.digest(self.private, content, sha256)
        if self.alg == "RS256":
            signature: bytes = self.private.sign(content, padding.PKCS1v15(), hashes.SHA256())
            return signature
        if self.alg == "EdDSA":
            return bytes(self.private.sign(content))
        r, s = decode_dss_signature(self.private.sign(content, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def rsa_signer(kid: str = "rsa-1", bits: int = 2048) -> Signer:
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    numbers = private.public_key().public_numbers()
    jwk = {"kty": "RSA", "kid": kid, "alg": "RS256", "n": _number(numbers.n), "e": _number(numbers.e)}
    return Signer(kid, "RS256", jwk, private)


def ec_signer(kid: str = "ec-1") -> Signer:
    private = ec.generate_private_key(ec.SECP256R1())
    numbers = private.public_key().public_numbers()
    x, y = (encode(number.to_bytes(32, "big")) for number in (numbers.x, numbers.y))
    return Signer(kid, "ES256", {"kty": "EC", "kid": kid, "alg": "ES256", "crv": "P-256", "x": x, "y": y}, private)


def ed_signer(kid: str = "ed-1") -> Signer:
    private = ed25519.Ed25519PrivateKey.generate()
    x = encode(private.public_key().public_bytes_raw())
    return Signer(kid, "EdDSA", {"kty": "OKP", "kid": kid, "alg": "EdDSA", "crv": "Ed25519", "x": x}, private)


def hmac_signer(kid: str = "hmac-1", secret: bytes = b"s" * 32) -> Signer:
    return Signer(kid, "HS256", {"kty": "oct", "kid": kid, "alg": "HS256", "k": encode(secret)}, secret)


def _number(number: int) -> str:
    return encode(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _json(value: Mapping[str, Any]) -> str:
    return encode(json.dumps(value, separators=(",", ":")).encode())
