"""The worker's thread for key sets. It opens the store only once some token configuration has a URL: what that needs is
imported then, so that a worker without any stays as small as it is.
"""

import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from hoplon.errors import HoplonError
from hoplon.storage.state import StateDirectory

LOOK_SECONDS = 1.0
PAUSE_SECONDS = 10.0
"""After an error of the store."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Which servers may be asked besides the public ones, and who signs their certificates (None: the system's)."""

    networks: Sequence[str] = ()
    ca_file: Path | None = None


def start_watching(
    state: StateDirectory, servers: Servers, say: Callable[[str, str], None], stop: threading.Event
) -> threading.Thread:
    """Keep key sets fresh until `stop`, in a thread that does not hold up the end of the process. `say` is told what
    fails, once each time it begins."""
    thread = threading.Thread(target=_watch, args=(state, servers, say, stop), name="hoplon-keys", daemon=True)
    thread.start()
    return thread


def has_key_sets(database: Path) -> bool:
    """Whether some token configuration has a URL; not where there is no store of this version yet."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True, timeout=1)) as connection:
            return bool(connection.execute("SELECT EXISTS (SELECT 1 FROM key_sets)").fetchone()[0])
    except sqlite3.Error:
        return False


def _watch(state: StateDirectory, servers: Servers, say: Callable[[str, str], None], stop: threading.Event) -> None:
    said = ""
    while not stop.wait(LOOK_SECONDS):
        if not has_key_sets(state.database):
            continue
        try:
            _refresh(state, servers, say, stop)
            said = ""
        except HoplonError as error:
            if error.message != said:
                say("keys", error.message)
            said = error.message
            stop.wait(PAUSE_SECONDS)


def _refresh(state: StateDirectory, servers: Servers, say: Callable[[str, str], None], stop: threading.Event) -> None:
    from ipaddress import ip_network

    from hoplon.service.jwks.fetch import Fetcher
    from hoplon.service.jwks.refresh import refresh_until

    fetcher = Fetcher([ip_network(network) for network in servers.networks], servers.ca_file)
    refresh_until(state, fetcher, say, stop)
