"""Reading and setting the mode. Works on two small files, so it works whatever else is broken."""

from hoplon.model.mode import Mode
from hoplon.service.gateway import Acknowledgement, await_mode
from hoplon.storage.bundles import read_mode, write_mode
from hoplon.storage.state import StateDirectory


def current_mode(state: StateDirectory) -> Mode:
    """The mode that is set."""
    return read_mode(state)


def set_mode(state: StateDirectory, mode: Mode) -> Acknowledgement:
    """Set the mode and wait until the gateway, if one runs, acts in it."""
    write_mode(state, mode)
    return await_mode(state, mode)
