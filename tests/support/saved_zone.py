"""A zone with three saved operations, for tests of what hangs on operations."""

from dataclasses import dataclass

from hoplon.service.policy import apply_policy
from hoplon.service.workspace import Workspace
from hoplon.storage import operations
from hoplon.storage.database import reading

POLICY = """format = 1
zone = { upstreams = [{ url = "http://127.0.0.1:9" }] }
operations.saved = [
    { method = "GET", path = "/users/{id}", host = "api.example.com" },
    { method = "POST", path = "/login", host = "api.example.com" },
    { method = "DELETE", path = "/users/{id}", host = "api.example.com" },
]
"""
NOBODY = "f174e90a-fafe-4643-bbbc-4a0ed4fc8415"
"""The id of no operation."""


@dataclass(frozen=True)
class SavedZone:
    """The zone `default`; `operations`: the ids of GET and DELETE /users/{id} and of POST /login."""

    id: str
    operations: tuple[str, str, str]

    @property
    def path(self) -> str:
        """Where its API Gateway resources are."""
        return f"/client/v4/zones/{self.id}/api_gateway"


def saved_zone(workspace: Workspace) -> SavedZone:
    """The zone `default` with this policy, in a workspace where it may be already."""
    zone_id = apply_policy(workspace, POLICY, create=True).zone_id
    with reading(workspace.database) as connection:
        saved = {each.method: each.id for each in operations.at_version(connection, zone_id)}
    return SavedZone(zone_id, (saved["GET"], saved["DELETE"], saved["POST"]))
