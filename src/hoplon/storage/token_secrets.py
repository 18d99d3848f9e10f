"""The secrets that bundles name by id, in a file of their own beside the bundle: written before the manifest that needs
them, read by the gateway when it loads it. A secret's id never gets another value."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from hoplon.errors import HoplonError
from hoplon.storage.bundles import part_digests
from hoplon.storage.files import replace_file
from hoplon.storage.state import StateDirectory

FORMAT = 1
TOKEN_KEYS = "token_keys"  # noqa: S105 - the kind of a part


def read_token_secrets(state: StateDirectory) -> dict[str, str]:
    """Id to secret (base64url without padding); none where there is no file, or one that cannot be read."""
    try:
        document: Any = json.loads(state.token_secrets.read_bytes())
        return {str(name): str(value) for name, value in document["secrets"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def write_token_secrets(state: StateDirectory, secrets: Mapping[str, str]) -> None:
    """Make these the secrets in place, mode 0600; nothing is written when they are. Raises `bundle.unwritable`."""
    if read_token_secrets(state) == dict(secrets):
        return
    document = {"format": FORMAT, "secrets": dict(sorted(secrets.items()))}
    try:
        replace_file(state.token_secrets, json.dumps(document).encode() + b"\n")
    except OSError as error:
        message = f"the secrets of the bundle could not be written: {error.strerror} ({error.filename})"
        hint = "traffic goes on under the bundle before; make room, then try again"
        raise HoplonError("bundle.unwritable", message, hint) from error


def secrets_named_by(keys: Mapping[str, Any]) -> set[str]:
    """The ids of the secrets that a part with keys names."""
    return {str(key["secret"]) for each in keys["configurations"].values() for key in each if "secret" in key}


def named_secrets(state: StateDirectory, manifest: bytes) -> set[str]:
    """The ids of the secrets that the bundle of a manifest names, as far as its parts are there."""
    named: set[str] = set()
    for digest in part_digests(manifest, TOKEN_KEYS):
        with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
            named |= secrets_named_by(json.loads((state.bundle_parts / digest).read_bytes()))
    return named
