"""What a gateway needs to follow a control plane: where it is, the credential it shows, whose certificates hold."""

import json
import os
import stat
from dataclasses import asdict, dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from hoplon.errors import HoplonError

_MAX_CREDENTIAL_BYTES = 4096


@dataclass(frozen=True, slots=True)
class Following:
    """One gateway following one control plane. Paths are absolute; `name` is the gateway's instance name;
    `accept_older`: the first offer is taken even when it is older than what the gateway has."""

    server: str
    credential: str
    state: str
    name: str
    ca_file: str | None = None
    accept_older: bool = False

    def as_json(self) -> str:
        return json.dumps(asdict(self), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Self:
        return cls(**json.loads(text))


def check_server(url: str, is_plain_allowed: bool = False) -> None:
    """Raise `server.invalid` for what is no URL of a server, or one that would carry the credential in the clear."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _invalid(url, str(error)) from None
    if parts.scheme not in ("http", "https") or not host:
        raise _invalid(url, "it is no http:// or https:// URL")
    if parts.path not in ("", "/") or parts.query or parts.fragment or parts.username is not None:
        raise _invalid(url, "only scheme, host and port belong there")
    if parts.scheme == "http" and not is_plain_allowed and not _is_loopback(host):
        message = f"{url} has no TLS: everybody on the way could read the credential and change the policy"
        raise HoplonError("server.plain", message, "use https://, or a tunnel that ends on this machine")


def read_credential(path: Path) -> str:
    """The token in the file. Raises `credential.unusable`: missing, empty, or readable by others (chmod 600)."""
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(_MAX_CREDENTIAL_BYTES + 1)
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror}", "`hoplon token create` makes one") from None
    if not stat.S_ISREG(found.st_mode):
        raise _unusable(path, "is no file", "name the file that holds the token")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _unusable(path, "can be read by other users of this machine", f"chmod 600 {path}")
    token = content.decode("ascii", "replace").strip()
    if not token or len(content) > _MAX_CREDENTIAL_BYTES or not token.isascii() or not token.isprintable():
        raise _unusable(path, "holds no token", "it holds the token alone, in one line")
    if any(character.isspace() for character in token):
        raise _unusable(path, "holds more than a token", "it holds the token alone, in one line")
    return token


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _invalid(url: str, why: str) -> HoplonError:
    return HoplonError(
        "server.invalid", f"`{url}` is not the address of a Hoplon: {why}", "for example https://host:8081"
    )


def _unusable(path: Path, why: str, hint: str) -> HoplonError:
    return HoplonError("credential.unusable", f"the credential file {path} {why}", hint)
