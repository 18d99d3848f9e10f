"""Everything that must hold before a gateway process starts, and the configuration that it is started with.

The order is such that what can fail fails before anything is made or spawned.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from hoplon.errors import HoplonError
from hoplon.model.mode import Mode
from hoplon.policy.zone import url_fault
from hoplon.service.certificates import check_certificates, tls_files
from hoplon.service.handed_over import NOTHING, HandedOver
from hoplon.service.listeners import Listener, Listeners, open_listeners
from hoplon.service.policy import create_first_zone, ensure_bundle, no_zone
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.service.zones import ZoneSummary, list_zones
from hoplon.settings.fields import Settings, parse_address
from hoplon.storage.bundles import read_mode
from hoplon.storage.files import replace_file
from hoplon.storage.locks import part_holder, part_in_use
from hoplon.storage.state import StateDirectory


@dataclass(frozen=True, slots=True)
class GatewayStart:
    """A gateway ready to be spawned: its command, the sockets it inherits, and what there is to say about it."""

    state: StateDirectory
    settings: Settings
    listeners: Listeners
    command: tuple[str, ...]
    mode: Mode
    zones: tuple[ZoneSummary, ...]
    notices: tuple[str, ...]


@contextmanager
def prepare_gateway(settings: Settings, parts: tuple[str, ...], handed: HandedOver = NOTHING) -> Iterator[GatewayStart]:
    """Check, open the listeners, create what is missing and write the configuration. The sockets close with the block.

    `parts` are those that will start: none of them may run already unless it was `handed` over. A gateway that starts
    alone does without the database when a bundle is in place, and so does an `up` that restarts; any other does not.
    """
    check_settings(settings)
    state = StateDirectory(settings.state.absolute())
    if not state.current.exists() and not state.database.exists() and settings.upstream is None:
        raise no_zone()
    for part in parts:
        if part not in handed.parts and part_holder(state, part) is not None:
            raise part_in_use(state, part)
    with open_listeners(settings, "api" in parts, handed.listeners) as listeners:
        try:
            zones, notices = _prepare_policy(settings)
        except HoplonError as error:
            must_have_database = parts != ("gateway",) and not handed.is_restart
            if must_have_database or not error.code.startswith("database.") or not state.current.exists():
                raise
            zones, notices = (), (f"{error.message}; the gateway serves the bundle that is in place",)
        configuration = state.run / "gateway.json"
        replace_file(configuration, json.dumps(gateway_configuration(settings, state, listeners), indent=2).encode())
        command = (sys.executable, "-m", "hoplon.gateway_process", str(configuration))
        yield GatewayStart(state, settings, listeners, command, read_mode(state), zones, notices)


def check_settings(settings: Settings) -> None:
    """Raise what is wrong with the upstream or the certificates that the settings name."""
    _check_upstream(settings)
    _refuse_following(settings)
    check_certificates(settings.tls)


def _prepare_policy(settings: Settings) -> tuple[tuple[ZoneSummary, ...], tuple[str, ...]]:
    """Create the first zone where there is none, and put the committed bundle in place; the zones, and what to say."""
    with open_workspace(settings.state, create=True) as workspace:
        created = settings.upstream is not None and create_first_zone(workspace, settings.upstream) is not None
        zones = tuple(list_zones(workspace))
        if not zones:
            raise no_zone()
        trouble = _put_in_place(workspace)
    return zones, trouble if created else trouble + _notices(settings, zones)


def _put_in_place(workspace: Workspace) -> tuple[str, ...]:
    """Put the bundle of the committed versions in place. Where that fails the gateway begins with the one before, and
    says so; without any, it cannot begin."""
    try:
        bundle = ensure_bundle(workspace)
    except HoplonError as error:
        if not error.code.startswith("bundle.") or not workspace.state.current.exists():
            raise
        return (f"{error.message}; the gateway serves the bundle that is in place",)
    if bundle is None:
        hint = "`hoplon zones upstreams NAME URL` says where its traffic goes"
        raise HoplonError("zone.missing", "no zone has an upstream yet", hint)
    return ()


def gateway_configuration(settings: Settings, state: StateDirectory, listeners: Listeners) -> dict[str, Any]:
    """The document that `hoplon._native.serve` takes (crates/gateway/src/config.rs).

    Limits are named only where they are not the default, so that the document says what was asked for.
    """
    limits = settings.limits.model_dump(exclude_defaults=True)
    return {
        "state_dir": str(state.root),
        "instance": settings.instance,
        "listen": [_listen(listener, settings) for listener in listeners.traffic],
        "status": {"address": listeners.status.address, "fd": listeners.status.fd},
        "threads": settings.threads,
        "trusted_proxies": list(settings.trusted_proxies),
        "drain_seconds": settings.drain_seconds,
        "handover_seconds": settings.handover_seconds,
        "records": settings.records.model_dump(),
        **({"limits": limits} if limits else {}),
    }


def _listen(listener: Listener, settings: Settings) -> dict[str, Any]:
    files = tls_files(settings.tls, "certificate", "key", "directory") if listener.is_tls else None
    proxied = {"proxy_protocol": True} if settings.proxy_protocol else {}
    return {"address": listener.address, "fd": listener.fd, "tls": files, **proxied}


def _refuse_following(settings: Settings) -> None:
    """A gateway that follows a control plane is started by `service.following_start`, alone."""
    if settings.control_plane.url is not None:
        message = f"the settings name a control plane ({settings.control_plane.url}), and this would be another one"
        raise HoplonError("settings.invalid", message, "`hoplon gateway` follows it; or leave `control_plane` out")


def _check_upstream(settings: Settings) -> None:
    """An upstream that is no URL, or that is Hoplon itself."""
    if settings.upstream is None:
        return
    if fault := url_fault(settings.upstream):
        raise HoplonError("settings.invalid", f"--upstream: {fault}", "for example --upstream http://127.0.0.1:9000")
    parts = urlsplit(settings.upstream)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    own = [parse_address(address, tls_allowed=True)[1:] for address in settings.listen]
    if (parts.hostname, port) in own:
        message = f"the upstream {settings.upstream} is the address on which Hoplon listens"
        raise HoplonError("settings.invalid", message, "choose another --listen, or the address of your API")


def _notices(settings: Settings, zones: tuple[ZoneSummary, ...]) -> tuple[str, ...]:
    """What a second start with another `--upstream` must be told: it changes nothing."""
    if settings.upstream is None:
        return ()
    known = [upstream.rstrip("/") for zone in zones for upstream in zone.upstreams]
    if settings.upstream.rstrip("/") in known:
        return ()
    where = "; ".join(f"zone {zone.name} → {', '.join(zone.upstreams)}" for zone in zones)
    ignored = f"--upstream {settings.upstream} is ignored: it only creates the first zone. Policy says: {where}."
    return (f"{ignored} To change it: hoplon policy export -o policy.toml, edit, hoplon policy apply policy.toml",)
