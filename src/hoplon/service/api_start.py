"""What must hold before an API process starts, and the configuration that it is started with."""

import ipaddress
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hoplon.service.certificates import check_certificates, tls_files
from hoplon.service.listeners import Listener, open_admin_listener
from hoplon.service.tokens import ensure_first_token
from hoplon.service.workspace import open_workspace
from hoplon.settings.fields import Settings, parse_address
from hoplon.storage.files import replace_file
from hoplon.storage.locks import part_holder, part_in_use
from hoplon.storage.state import StateDirectory


@dataclass(frozen=True, slots=True)
class ApiStart:
    """An API ready to be spawned: its command and the socket it inherits."""

    state: StateDirectory
    listener: Listener
    command: tuple[str, ...]
    notices: tuple[str, ...]


@contextmanager
def prepare_api(settings: Settings) -> Iterator[ApiStart]:
    """Check, open the listener and make the installation where it is missing. The socket closes with the block."""
    check_certificates(settings.tls)
    state = StateDirectory(settings.state.absolute())
    if part_holder(state, "api") is not None:
        raise part_in_use(state, "api")
    with open_admin_listener(settings) as listener:
        yield start_of(settings, state, listener)


def start_of(settings: Settings, state: StateDirectory, listener: Listener) -> ApiStart:
    """Make what the API needs (the installation, its first token) and write its configuration."""
    with open_workspace(settings.state, create=True) as workspace:
        ensure_first_token(workspace)
    files = tls_files(settings.tls, "certificate", "key") if listener.is_tls else None
    configuration = {
        "state_dir": str(state.root),
        "listen": {"address": listener.address, "fd": listener.fd, "tls": files},
        "api": settings.api.model_dump(),
    }
    file = state.run / "api.json"
    replace_file(file, json.dumps(configuration, indent=2).encode())
    command = (sys.executable, "-m", "hoplon.api.process", str(file))
    return ApiStart(state, listener, command, admin_notices(settings))


def admin_notices(settings: Settings) -> tuple[str, ...]:
    """What must be said when the API can be reached from elsewhere and listens in the clear."""
    is_tls, host, _ = parse_address(settings.admin, tls_allowed=True)
    if is_tls or _is_loopback(host):
        return ()
    danger = f"the API listens on {settings.admin} without TLS: whoever reads the network has its tokens."
    return (f"{danger} Use --admin https://… with [tls], or 127.0.0.1 and a tunnel.",)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
