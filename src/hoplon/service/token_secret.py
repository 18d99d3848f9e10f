"""The secret of a token: how it is made, recognised and hashed. Only the hash is stored.

A secret is `hoplon_`, 43 random letters and digits (256 bits), and 6 that check them, so that a scanner for leaked
secrets finds it by its form alone and does not take a made-up one for real: `hoplon_[0-9A-Za-z]{49}`.
"""

import hashlib
import secrets
import zlib
from string import ascii_lowercase, ascii_uppercase, digits

PREFIX = "hoplon_"
_ALPHABET = digits + ascii_uppercase + ascii_lowercase
_RANDOM_CHARACTERS = 43
_CHECK_CHARACTERS = 6


def new_secret() -> str:
    """A secret nobody has: 62 ** 43 > 2 ** 256 possible ones."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_RANDOM_CHARACTERS))
    return PREFIX + body + _check(body)


def is_secret(text: str) -> bool:
    """Whether `text` has the form of a secret and its check holds. Says nothing about whether it is one of ours."""
    body = text[len(PREFIX) : -_CHECK_CHARACTERS]
    is_long_enough = len(text) == len(PREFIX) + _RANDOM_CHARACTERS + _CHECK_CHARACTERS
    return is_long_enough and text.startswith(PREFIX) and text.isascii() and text.endswith(_check(body))


def secret_hash(secret: str) -> str:
    """What is stored and looked up.

    A plain SHA-256: there is nothing to guess in 256 random bits, so it need not be slow; and who measures the time
    of a look-up learns about hashes that he cannot choose.
    """
    return hashlib.sha256(secret.encode()).hexdigest()


def _check(body: str) -> str:
    """CRC-32 in base 62, as GitHub's tokens have it."""
    number, shown = zlib.crc32(body.encode(errors="replace")), ""
    for _ in range(_CHECK_CHARACTERS):
        number, digit = divmod(number, len(_ALPHABET))
        shown = _ALPHABET[digit] + shown
    return shown
