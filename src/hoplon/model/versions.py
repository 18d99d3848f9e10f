"""Committed policy versions and the bundles made of them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PolicyVersion:
    """One committed version of one zone's policy: who, when, what changed, and the bundle it led to.

    `changes` are the sentences of the difference to the version before; `bundle` is the hash of the bundle that first
    held it or, when it was overtaken at once, a later one (None while it is not in place).
    """

    zone_id: str
    zone_name: str
    version: int
    committed_at: datetime
    author: str
    changes: tuple[str, ...]
    bundle: str | None


@dataclass(frozen=True, slots=True)
class PolicyBundle:
    """Policy compiled for the engine: the manifest's bytes and the parts it names, by the SHA-256 of their content."""

    manifest: bytes
    parts: Mapping[str, bytes]

    @property
    def hash(self) -> str:
        """The bundle's name everywhere: the SHA-256 of its manifest, in hexadecimal."""
        return hashlib.sha256(self.manifest).hexdigest()
