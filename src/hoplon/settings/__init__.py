"""Process settings: `hoplon.toml`, then `HOPLON_*`, then flags. Their meaning is in `fields`, reading in `load`."""

from hoplon.settings.fields import RecordsSettings, Settings, TlsSettings
from hoplon.settings.load import load_settings

__all__ = ["RecordsSettings", "Settings", "TlsSettings", "load_settings"]
