"""Which Hoplon a command is about: the one in `--state DIR`, or with `--server URL` one elsewhere."""

from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hoplon.cli.options import Function, state_option

if TYPE_CHECKING:
    from hoplon.client.local import Local
    from hoplon.client.remote import Remote

    Control = Local | Remote


@dataclass(frozen=True, slots=True)
class Where:
    """What the options say about where Hoplon is."""

    state_dir: Path
    server: str | None
    token: str | None
    token_file: Path | None
    ca_file: str | None
    is_plain_allowed: bool


def control_options(function: Function) -> Function:
    """`--state` and `--server` with its token, as the argument `where: Where` of `open_control`."""

    @wraps(function)
    def command(*arguments: Any, **options: Any) -> Any:
        where = Where(*(options.pop(name) for name in Where.__slots__))
        return function(*arguments, where=where, **options)

    decorated: Any = command
    for option in reversed(_SERVER_OPTIONS):
        decorated = option(decorated)
    found: Function = state_option(decorated)
    return found


_SERVER_OPTIONS = (
    click.option("--server", metavar="URL", envvar="HOPLON_SERVER", help="Work on the Hoplon there (HOPLON_SERVER)."),
    click.option("--token", metavar="TOKEN", envvar="HOPLON_TOKEN", help="With --server: better HOPLON_TOKEN."),
    click.option(
        "--token-file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="HOPLON_TOKEN_FILE",
        help="With --server: a file of mode 0600 that holds the token (HOPLON_TOKEN_FILE).",
    ),
    click.option(
        "--server-ca",
        "ca_file",
        metavar="FILE",
        envvar="HOPLON_SERVER_CA",
        help="With --server: who signed its certificate (HOPLON_SERVER_CA).",
    ),
    click.option("--danger-plain-http", "is_plain_allowed", is_flag=True, help="Send the token without TLS."),
)


def open_control(where: Where) -> "Control":
    """The Hoplon that the options name. A context manager; `server.*` and `state.missing` come with its first use."""
    if where.server is None:
        from hoplon.client.local import Local

        return Local(where.state_dir)
    from hoplon.client.remote import Remote

    return Remote(where.server, _token(where), where.ca_file, is_plain_allowed=where.is_plain_allowed)


def _token(where: Where) -> str:
    from hoplon.delivery.following import read_credential
    from hoplon.errors import HoplonError

    if where.token:
        return where.token.strip()
    if where.token_file is not None:
        return read_credential(where.token_file)
    raise HoplonError("auth.missing", "--server needs a token", "--token-file FILE, or HOPLON_TOKEN")
