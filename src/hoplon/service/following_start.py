"""What must hold before a gateway that follows a control plane starts, and what its process is started with."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hoplon.delivery.following import Following, check_server, read_credential
from hoplon.errors import HoplonError
from hoplon.service.certificates import check_certificates
from hoplon.service.gateway_start import GatewayStart, gateway_configuration
from hoplon.service.listeners import open_listeners
from hoplon.service.workspace import open_workspace
from hoplon.service.zones import list_zones
from hoplon.settings.fields import Settings
from hoplon.storage.bundles import read_mode
from hoplon.storage.files import replace_file
from hoplon.storage.keys import ensure_keys
from hoplon.storage.locks import part_holder, part_in_use
from hoplon.storage.state import StateDirectory, create_state


@contextmanager
def prepare_following(settings: Settings, accept_older: bool = False) -> Iterator[GatewayStart]:
    """Check everything, then write the configurations. The control plane need not be there.

    `accept_older` makes the gateway take a policy older than the one it has. Raises `server.*`, `credential.unusable`,
    `state.own_policy`, and what any gateway's start raises.
    """
    following = _following(settings, accept_older)
    check_certificates(settings.tls)
    if part_holder(StateDirectory(settings.state.absolute()), "gateway") is not None:
        raise part_in_use(StateDirectory(settings.state.absolute()), "gateway")
    with open_listeners(settings) as listeners:
        state = create_state(settings.state)
        _refuse_own_policy(state)
        ensure_keys(state)
        files = (state.run / "gateway.json", state.run / "following.json")
        configuration = json.dumps(gateway_configuration(settings, state, listeners), indent=2)
        for file, text in zip(files, (configuration, following.as_json()), strict=True):
            replace_file(file, text.encode())
        command = (sys.executable, "-m", "hoplon.gateway_process", *map(str, files))
        yield GatewayStart(state, settings, listeners, command, read_mode(state), (), ())


def _following(settings: Settings, accept_older: bool) -> Following:
    """Whom to follow, once address, credential and CA file have been looked at."""
    control_plane = settings.control_plane
    if control_plane.url is None or control_plane.credential is None:
        raise HoplonError("settings.invalid", "there is no control plane to follow", "hoplon gateway --server URL")
    if settings.upstream is not None:
        message = "a gateway that follows a control plane has no --upstream: its zones come from there"
        raise HoplonError("settings.invalid", message, "leave one of the two out")
    check_server(control_plane.url, control_plane.danger_plain_http)
    credential = control_plane.credential.absolute()
    read_credential(credential)
    return Following(
        server=control_plane.url,
        credential=str(credential),
        state=str(settings.state.absolute()),
        name=settings.instance,
        ca_file=_ca_file(control_plane.ca),
        accept_older=accept_older,
    )


def _ca_file(path: Path | None) -> str | None:
    """The absolute path of a CA file that can be used."""
    import ssl

    if path is None:
        return None
    try:
        ssl.create_default_context(cafile=str(path))
    except OSError as error:
        message = f"control_plane.ca: {path} holds no certificate that can be used: {error.strerror or error}"
        raise HoplonError("settings.invalid", message, "name a PEM file") from None
    return str(path.absolute())


def _refuse_own_policy(state: StateDirectory) -> None:
    """A state directory that has zones of its own is another installation: following would put its policy aside."""
    if not state.database.exists():
        return
    with open_workspace(state.root) as workspace:
        zones = list_zones(workspace)
    if zones:
        message = f"{state.root} has a policy of its own ({zones[0].name}); a gateway that follows would put it aside"
        raise HoplonError("state.own_policy", message, "give the gateway a state directory of its own: --state DIR")
