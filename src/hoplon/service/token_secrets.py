"""The secrets of HMAC keys, opened for the gateways: the one way out of the store, into a file that only gateways read.

A secret that the file has already is taken from there: a process without the installation key (the worker, when the
key is in the API's environment) still assembles bundles.
"""

from collections.abc import Collection, Mapping

from sqlalchemy import Connection

from hoplon.errors import HoplonError
from hoplon.storage import sealing
from hoplon.storage.secrets import read_secret
from hoplon.storage.state import StateDirectory
from hoplon.storage.token_secrets import read_token_secrets
from hoplon.tokens.keys import encode


def open_token_secrets(connection: Connection, state: StateDirectory, ids: Collection[str]) -> Mapping[str, str]:
    """These secrets, by id, in base64url. Raises `secrets.key_missing`, `secrets.damaged`, `secrets.unknown`."""
    known = read_token_secrets(state) if ids else {}
    missing = sorted(set(ids) - known.keys())
    opened = {name: known[name] for name in ids if name in known}
    if missing:
        keys = sealing.load_keys(state) or sealing.KeyRing("", {})
        opened |= {name: _opened(connection, keys, name) for name in missing}
    return opened


def _opened(connection: Connection, keys: sealing.KeyRing, secret_id: str) -> str:
    value = read_secret(connection, keys, secret_id)
    if value is None:
        raise HoplonError(
            "secrets.unknown", f"a token key names the secret {secret_id}, which is not there", "restore a backup"
        )
    return encode(value)
