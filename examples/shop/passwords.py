"""Password hashes: scrypt with a salt. The cost is low on purpose, so that a demo of many logins stays quick."""

import hashlib
import hmac
import secrets

COST = 2**8


def hash_password(password: str) -> str:
    """`scrypt$<salt>$<hash>`, both in hex."""
    salt = secrets.token_bytes(8)
    return f"scrypt${salt.hex()}${_derive(password, salt).hex()}"


def is_password(password: str, stored: str) -> bool:
    """Whether `password` is the one that `stored` was made from."""
    _, salt, digest = stored.split("$")
    return hmac.compare_digest(_derive(password, bytes.fromhex(salt)), bytes.fromhex(digest))


def _derive(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=COST, r=8, p=1, dklen=24)
