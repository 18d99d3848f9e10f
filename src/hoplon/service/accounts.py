"""The account of an installation: there is one, and every zone belongs to it."""

from hoplon.model.zone import Account
from hoplon.service.workspace import Workspace
from hoplon.storage import policies
from hoplon.storage.database import reading


def the_account(workspace: Workspace) -> Account:
    """The account; its id never changes."""
    with reading(workspace.database) as connection:
        return policies.the_account(connection)
