"""Whether `hoplon up` could start here with this version: looks at everything, starts and changes nothing."""

from hoplon.errors import HoplonError, Problem
from hoplon.service.gateway_start import check_settings
from hoplon.service.workspace import check_with_engine
from hoplon.settings.fields import Settings
from hoplon.storage.bundles import current_bundle
from hoplon.storage.database import check_revision
from hoplon.storage.keys import ensure_keys
from hoplon.storage.state import StateDirectory


def check_start(settings: Settings) -> None:
    """Raise what would keep `hoplon up` from starting: settings, certificates, a newer database, a strange bundle."""
    check_settings(settings)
    state = StateDirectory(settings.state.absolute())
    if state.database.exists():
        check_revision(state.database)
    if state.records_key.exists():
        ensure_keys(state)
    bundle = current_bundle(state)
    refused = check_with_engine(bundle.manifest, bundle.parts) if bundle is not None else []
    if refused:
        found = tuple(Problem(path, message) for path, message in refused)
        raise HoplonError("bundle.refused", "this version does not load the bundle that is in place", None, found)
