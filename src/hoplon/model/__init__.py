"""The nouns of the control plane as frozen values. They know no file, no database and no TOML."""
