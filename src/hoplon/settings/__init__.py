"""Process settings: `hoplon.toml`, then `HOPLON_*`, then flags. Their meaning is in `fields`, reading in `load`.

Import from the modules: `sources` is cheap, the others bring pydantic.
"""
