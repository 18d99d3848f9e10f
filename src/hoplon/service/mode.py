"""Reading and setting the mode. Works on two small files, so it works whatever else is broken."""

from contextlib import suppress

from hoplon.errors import HoplonError
from hoplon.model.actor import Actor
from hoplon.model.audit import AuditEntry
from hoplon.model.mode import Mode
from hoplon.service.gateway import Acknowledgement, await_mode
from hoplon.service.workspace import Workspace
from hoplon.storage import audit
from hoplon.storage.bundles import read_mode, write_mode
from hoplon.storage.database import transaction
from hoplon.storage.state import StateDirectory


def current_mode(state: StateDirectory) -> Mode:
    """The mode that is set."""
    return read_mode(state)


def set_mode(state: StateDirectory, mode: Mode) -> Acknowledgement:
    """Set the mode and wait until the gateway, if one runs, acts in it."""
    write_mode(state, mode)
    return await_mode(state, mode)


def note_mode(workspace: Workspace, actor: Actor, mode: Mode) -> None:
    """Write into the audit log who has set the mode. The switch has acted already: a database in trouble is no reason
    to undo it."""
    entry = AuditEntry(actor, "update", "mode", "mode", details={"mode": mode})
    with suppress(HoplonError), transaction(workspace.database) as connection:
        audit.append(connection, entry)
