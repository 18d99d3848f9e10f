"""Access tokens: ES256 JSON Web Tokens, signed with a key that lives in the shop's database.

Takes a user id, gives a token; takes a token, gives the user id. Knows nothing of HTTP.
"""

import json
import secrets
import sqlite3
import time
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from shop.database import first

ISSUER = "https://shop.example"
AUDIENCE = "shop"
LIFETIME_SECONDS = 3600


class Tokens:
    """Issues and reads access tokens with one signing key, made at the first start."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.key_id, pem = _signing_key(connection)
        key = serialization.load_pem_private_key(pem.encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("the stored signing key is no EC key")
        self._key = key

    def issue(self, user_id: int, role: str) -> str:
        """A token that names the user as `sub` and lives for an hour."""
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "role": role,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
            "jti": secrets.token_hex(8),
        }
        return jwt.encode(claims, self._key, algorithm="ES256", headers={"kid": self.key_id})

    def user_id(self, token: str) -> int | None:
        """Who the token was issued to, or nothing when it is forged, expired or for somebody else."""
        try:
            claims = jwt.decode(token, self._key.public_key(), algorithms=["ES256"], audience=AUDIENCE, issuer=ISSUER)
            return int(claims["sub"])
        except (jwt.InvalidTokenError, KeyError, ValueError):
            return None

    def public_keys(self) -> dict[str, Any]:
        """The JSON Web Key Set (RFC 7517) that verifies these tokens."""
        key = json.loads(ECAlgorithm.to_jwk(self._key.public_key()))
        return {"keys": [key | {"kid": self.key_id, "alg": "ES256", "use": "sig"}]}


def _signing_key(connection: sqlite3.Connection) -> tuple[str, str]:
    stored = first(connection, "SELECT id, private_pem FROM signing_keys")
    if stored:
        return stored["id"], stored["private_pem"]
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key_id = secrets.token_hex(4)
    connection.execute("INSERT INTO signing_keys VALUES (?, ?)", (key_id, pem.decode()))
    return key_id, pem.decode()
