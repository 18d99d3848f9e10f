"""Sealing of what must be readable again: AES-256-GCM under the installation key, and where that key lies.

The key is `keys/installation.key` (32 random bytes, mode 0600, made when the first secret is stored) or the variable
HOPLON_INSTALLATION_KEY. While it is being replaced the one before is kept beside it; a row says under which it lies.
"""

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hoplon.errors import HoplonError
from hoplon.storage.files import replace_file, sync_directory
from hoplon.storage.keys import KEY_BYTES, key_fault
from hoplon.storage.state import StateDirectory

VARIABLE = "HOPLON_INSTALLATION_KEY"
PREVIOUS_VARIABLE = "HOPLON_INSTALLATION_KEY_PREVIOUS"
KEY_VARIABLES = (VARIABLE, PREVIOUS_VARIABLE)
"""Parts that open no secret are started without them: the gateway reads what strangers send."""
_NONCE_BYTES = 12
"""What NIST SP 800-38D recommends; random, so one key must seal fewer than 2 ** 32 values, which rotation resets."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A sealed value and what opening it needs besides the key."""

    key_id: str
    nonce: bytes
    ciphertext: bytes


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The installation key and, while it is being replaced, the one before. Never shown: `repr` gives ids only."""

    current_id: str
    keys: Mapping[str, bytes]

    def seal(self, value: bytes, context: bytes) -> Sealed:
        """Seal `value` so that it opens only under this key and with the same `context`."""
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        nonce = secrets.token_bytes(_NONCE_BYTES)
        ciphertext = AESGCM(self.keys[self.current_id]).encrypt(nonce, value, context)
        return Sealed(self.current_id, nonce, ciphertext)

    def open(self, sealed: Sealed, context: bytes) -> bytes:
        """The value. Raises `secrets.key_missing` when its key is not here, `secrets.damaged` when it does not open."""
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        key = self.keys.get(sealed.key_id)
        if key is None:
            raise key_missing(sealed.key_id)
        try:
            return AESGCM(key).decrypt(sealed.nonce, sealed.ciphertext, context)
        except InvalidTag as error:
            message = "a stored secret does not open: it, its name or its kind was changed after it had been stored"
            raise HoplonError("secrets.damaged", message, "restore a backup, or set the secret again") from error

    def __repr__(self) -> str:
        return f"KeyRing({self.current_id}, {len(self.keys)} keys)"


def key_id_of(key: bytes) -> str:
    """A name for a key that tells nothing about it."""
    return hashlib.sha256(b"hoplon installation key\0" + key).hexdigest()[:16]


def load_keys(state: StateDirectory, environ: Mapping[str, str] = os.environ) -> KeyRing | None:
    """The keys of this installation; None when there is none yet. Raises `keys.unusable` for one that is damaged.

    What lies under the file's key still opens when the variable is set, so one can follow the other.
    """
    from_variables = [_from_text(name, environ[name]) for name in KEY_VARIABLES if environ.get(name)]
    paths = (state.installation_key, state.installation_key_previous)
    from_files = [_from_file(path) for path in paths if path.exists()]
    ordered = [*from_variables, *from_files] if environ.get(VARIABLE) else [*from_files, *from_variables]
    if not environ.get(VARIABLE) and not state.installation_key.exists():
        return None
    return KeyRing(key_id_of(ordered[0]), {key_id_of(key): key for key in ordered})


def make_key(state: StateDirectory) -> None:
    """Write a new installation key. Called inside a writing transaction, so that two processes do not both."""
    replace_file(state.installation_key, secrets.token_bytes(KEY_BYTES))


def replace_key(state: StateDirectory) -> None:
    """Put a new installation key in place and keep the one before beside it. A crash in between loses neither."""
    replace_file(state.installation_key_previous, _from_file(state.installation_key))
    make_key(state)


def forget_previous_key(state: StateDirectory) -> None:
    """Delete the key before: nothing lies under it any more."""
    state.installation_key_previous.unlink(missing_ok=True)
    sync_directory(state.keys)


def is_key_from_environment(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether it is not ours to replace."""
    return bool(environ.get(VARIABLE))


def key_missing(key_id: str) -> HoplonError:
    return HoplonError(
        "secrets.key_missing",
        f"the installation key {key_id}, under which a stored secret lies, is not here",
        f"restore keys/installation.key from a backup, or set {VARIABLE} to the key that was set when it was stored",
    )


def _from_file(path: Path) -> bytes:
    if fault := key_fault(path):
        raise HoplonError("keys.unusable", f"{path} {fault}", "restore it from a backup")
    return path.read_bytes()


def _from_text(variable: str, text: str) -> bytes:
    """32 bytes as 64 hexadecimal digits or as Base64."""
    for decode in (bytes.fromhex, lambda value: base64.b64decode(value, validate=True)):
        try:
            key = decode(text.strip())
        except ValueError:
            continue
        if len(key) == KEY_BYTES:
            return key
    hint = "for example the output of `openssl rand -hex 32`"
    raise HoplonError("keys.unusable", f"{variable} is not {KEY_BYTES} bytes in hexadecimal or Base64", hint)
