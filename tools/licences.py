"""Checks that the licence of every dependency, Rust and Python, is on a list of licences we may use.

Reads what is installed and locked, so it needs no network. It does not look for security advisories: their databases
are fetched over the network, which `make test` must not need (docs/decisions say more).
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from typing import NamedTuple

# SPDX identifiers: permissive licences, and weak copyleft that stops at the file (MPL) or at the data (CDLA, Unicode).
ALLOWED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CDLA-Permissive-2.0", "ISC", "MIT",
        "MIT-0", "MIT-CMU", "MPL-2.0", "PSF-2.0", "Python-2.0", "Unicode-3.0", "Unlicense", "Zlib",
    }
)  # fmt: skip

# Judged by hand, with the reason.
EXCEPTIONS = {
    "docutils": "public domain and BSD-2-Clause; its one GPL file is an Emacs mode; only the documentation uses it",
}

# What a Python distribution says that has no SPDX expression (core metadata before 2.4): a classifier, or free text.
SPDX_OF_WORDS = {
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "bsd license": "BSD-3-Clause",
    "cc0 1.0 universal (cc0 1.0) public domain dedication": "CC0-1.0",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "python software foundation license": "PSF-2.0",
    "the unlicense (unlicense)": "Unlicense",
}
UNSPECIFIC = ("OSI Approved", "DFSG approved")


class Dependency(NamedTuple):
    """One package of either language and the licence it states, as an SPDX expression where it can be read as one."""

    kind: str
    name: str
    version: str
    licence: str


def is_allowed(expression: str) -> bool:
    """Whether an SPDX expression can be met with allowed licences only: `OR` needs one side, `AND` both.

    Exceptions (`WITH …`) only ever give more rights, so the licence before them decides.
    """
    tokens = re.findall(r"\(|\)|[^\s()]+", expression.replace("/", " OR "))
    value, rest = _either(tokens)
    return value and not rest


def _either(tokens: list[str]) -> tuple[bool, list[str]]:
    value, tokens = _both(tokens)
    while tokens[:1] == ["OR"]:
        right, tokens = _both(tokens[1:])
        value = value or right
    return value, tokens


def _both(tokens: list[str]) -> tuple[bool, list[str]]:
    value, tokens = _licence(tokens)
    while tokens[:1] == ["AND"]:
        right, tokens = _licence(tokens[1:])
        value = value and right
    return value, tokens


def _licence(tokens: list[str]) -> tuple[bool, list[str]]:
    if not tokens:
        return False, []
    if tokens[0] == "(":
        value, rest = _either(tokens[1:])
        return value and rest[:1] == [")"], rest[1:]
    rest = tokens[3:] if tokens[1:2] == ["WITH"] else tokens[1:]
    return tokens[0] in ALLOWED, rest


def rust_dependencies() -> Iterator[Dependency]:
    """Every package of the Cargo workspace's lock, its own included."""
    command = ["cargo", "metadata", "--format-version=1", "--locked", "--quiet"]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    for package in found["packages"]:
        yield Dependency("rust", package["name"], package["version"], package["license"] or "")


def python_dependencies() -> Iterator[Dependency]:
    """Every distribution installed in this environment."""
    for distribution in distributions():
        yield Dependency("python", distribution.name, distribution.version, stated_licence(distribution))


def stated_licence(distribution: Distribution) -> str:
    """A distribution's licence as SPDX: its expression, else all its classifiers, else its free text."""
    metadata = distribution.metadata
    if "License-Expression" in metadata:
        return metadata["License-Expression"]
    words = [line.split(" :: ")[-1] for line in metadata.get_all("Classifier") or [] if line.startswith("License ::")]
    words = [word for word in words if word not in UNSPECIFIC] or metadata.get_all("License") or [""]
    # Where the whole text stands, its first line is its name.
    words = [(word.strip().splitlines() or [""])[0] for word in words]
    return " AND ".join(SPDX_OF_WORDS.get(word.strip().lower(), word) for word in words)


def main() -> int:
    """Prints what is not allowed and gives the exit code."""
    found = [*rust_dependencies(), *python_dependencies()]
    refused = [
        dependency for dependency in found if not (is_allowed(dependency.licence) or dependency.name in EXCEPTIONS)
    ]
    for kind, name, version, licence in refused:
        print(f"error: {kind} package {name} {version} has the licence {licence!r}, which is not on the list")
    if refused:
        print("hint: use another package, or add the licence to ALLOWED in tools/licences.py with the reason")
    print(
        f"{len(found) - len(refused)} of {len(found)} licences allowed (advisories: not checked, their list is online)"
    )
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
