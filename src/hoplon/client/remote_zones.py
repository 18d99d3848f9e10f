"""Zones, mode and gateways of a Hoplon elsewhere."""

from collections.abc import Sequence
from typing import Any

from hoplon.client.connection import Connection
from hoplon.errors import HoplonError
from hoplon.model.gateway import RemoteGateway
from hoplon.model.mode import Mode
from hoplon.policy.zone import url_fault
from hoplon.service.gateway import Acknowledgement
from hoplon.service.policy import choose_zone
from hoplon.service.zones import ZoneSummary

CLOUDFLARE = "/client/v4"
OWN = "/hoplon/v1"


class RemoteZones:
    """The zones that the token may read."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[ZoneSummary]:
        """Every zone, in the order of creation."""
        found: list[ZoneSummary] = self._connection.read(
            list[ZoneSummary], self._connection.ask("GET", f"{OWN}/zones").result
        )
        return found

    def choose(self, name: str | None) -> ZoneSummary:
        """The zone called `name`; without a name, the only one. Raises `zone.unknown`, `zone.missing`."""
        return choose_zone(self.list(), name)

    def add(self, name: str, upstreams: Sequence[str] = ()) -> ZoneSummary:
        """A zone for the host `name` and the names right below it; without upstreams it waits for some."""
        if faults := [fault for url in upstreams if (fault := url_fault(url))]:
            raise HoplonError("policy.invalid", faults[0], "for example http://127.0.0.1:9000")
        created = self._connection.ask("POST", f"{CLOUDFLARE}/zones", body={"name": name}).result
        if upstreams:
            self._put_upstreams(created["id"], upstreams)
        return self.choose(created["name"])

    def set_upstreams(self, name: str, upstreams: Sequence[str]) -> ZoneSummary:
        """Say where a zone's traffic goes."""
        self._put_upstreams(self.choose(name).id, upstreams)
        return self.choose(name)

    def remove(self, name: str) -> None:
        """Remove a zone with its policy."""
        self._connection.ask("DELETE", f"{CLOUDFLARE}/zones/{self.choose(name).id}")

    def _put_upstreams(self, zone_id: str, upstreams: Sequence[str]) -> None:
        body = {"upstreams": [{"url": url} for url in upstreams]}
        self._connection.ask("PUT", f"{OWN}/zones/{zone_id}/upstreams", body=body)


class RemoteMode:
    """The one switch over everything."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self) -> Mode:
        """The mode that is set."""
        return Mode(self._connection.ask("GET", f"{OWN}/mode").result["mode"])

    def set(self, mode: Mode) -> Acknowledgement:
        """Set the mode and wait a moment until the gateway beside the server, if one runs, acts in it."""
        reply = self._connection.ask("PUT", f"{OWN}/mode", body={"mode": mode})
        return read_acknowledgement(self._connection, reply.result["gateway"])

    def followed(self) -> str | None:
        """None: a server with an API is a control plane itself."""
        return None


class RemoteGateways:
    """The gateways that fetch their bundles there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def list(self) -> list[tuple[RemoteGateway, str]]:
        """Every gateway that was heard, and in one word how it is."""
        listed = self._connection.ask("GET", f"{OWN}/gateways").result
        return [(self._connection.read(RemoteGateway, each), str(each["state"])) for each in listed]


def read_acknowledgement(connection: Connection, document: Any) -> Acknowledgement:
    """What the gateway beside the server said to a change."""
    found: Acknowledgement = connection.read(Acknowledgement, document)
    return found
