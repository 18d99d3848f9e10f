"""Sphinx settings. Pages are Markdown (MyST); a warning is an error (`make docs`)."""

import tomllib
from pathlib import Path

project = "Hoplon"
author = "The Hoplon authors"
project_copyright = "The Hoplon authors, Apache-2.0"
version = release = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]["version"]

extensions = ["myst_parser"]
exclude_patterns = ["_build", "README.md"]
nitpicky = True

myst_enable_extensions = ["deflist", "fieldlist"]
myst_heading_anchors = 3

html_theme = "furo"
html_title = "Hoplon"
html_static_path = ["_static"]
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"top_of_page_buttons": []}
