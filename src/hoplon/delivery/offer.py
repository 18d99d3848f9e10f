"""What a control plane offers, parsed and judged: pure functions. Nothing of it is believed before its hash fits.

A manifest's policy versions only grow, because a rollback is a new version; so a smaller one means that the control
plane itself is old: restored, or a forgotten copy. `generation` tells the two apart (docs/many-gateways.md).
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hoplon.errors import HoplonError
from hoplon.model.mode import Mode

MAX_PARTS = 100_000
MAX_PART_BYTES = 256 * 1024**2
"""As in the gateway (crates/gateway/src/bundles.rs)."""
MAX_BUNDLE_BYTES = 1024**3
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """The members of a manifest that delivery needs: its parts' sizes by hash, its zones' policy versions by id."""

    content: bytes
    parts: Mapping[str, int]
    versions: Mapping[str, int]

    @property
    def hash(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


@dataclass(frozen=True, slots=True)
class Offer:
    """What the control plane wants its gateways to serve. `manifest` is None when they have it already."""

    bundle: str | None
    mode: Mode
    generation: int
    manifest: Manifest | None


def read_offer(document: Any) -> Offer:
    """The `result` of `GET /hoplon/v1/bundles/current`. Raises `delivery.invalid`, `delivery.corrupt`."""
    try:
        bundle, mode, generation = document["bundle"], Mode(document["mode"]), int(document["generation"])
        text = document.get("manifest")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _invalid(f"its answer is not one: {type(error).__name__} {error}") from None
    if text is None:
        return Offer(bundle, mode, generation, None)
    if not isinstance(text, str):
        raise _invalid("its manifest is no text")
    manifest = read_manifest(text.encode())
    if manifest.hash != bundle:
        raise HoplonError("delivery.corrupt", f"the manifest is not what its hash {str(bundle)[:16]} says")
    return Offer(bundle, mode, generation, manifest)


def read_manifest(content: bytes) -> Manifest:
    """The members that delivery needs, within bounds. Raises `delivery.invalid`."""
    try:
        document = json.loads(content)
        parts = {str(part["sha256"]): int(part["bytes"]) for part in document["parts"]}
        versions = {str(zone["id"]): int(zone["policy_version"]) for zone in document["zones"]}
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise _invalid(f"its manifest is broken: {type(error).__name__}") from None
    if not all(_SHA256.fullmatch(digest) for digest in parts):
        raise _invalid("its manifest names a part by something else than a SHA-256")
    if len(parts) > MAX_PARTS or any(not 0 <= size <= MAX_PART_BYTES for size in parts.values()):
        raise _invalid(f"more than {MAX_PARTS:,} parts, or one above {MAX_PART_BYTES:,} bytes")
    if sum(parts.values()) > MAX_BUNDLE_BYTES:
        raise _invalid(f"its bundle is larger than {MAX_BUNDLE_BYTES:,} bytes")
    return Manifest(content, parts, versions)


def refuse_older(offer: Offer, held: Manifest | None, held_generation: int) -> None:
    """Raise `delivery.older` when the offer goes back behind what the gateway holds."""
    if offer.generation < held_generation:
        raise _older(f"it is of generation {offer.generation}, this gateway has followed {held_generation}")
    if offer.generation > held_generation or offer.manifest is None or held is None:
        return
    for zone, version in offer.manifest.versions.items():
        if version < held.versions.get(zone, 0):
            raise _older(f"zone {zone} at version {version}, this gateway has {held.versions[zone]}")


def _older(why: str) -> HoplonError:
    return HoplonError(
        "delivery.older",
        f"the control plane offers an older policy ({why}); this gateway keeps what it has",
        "stop a forgotten copy of the control plane; when it is meant, start the gateway once with --accept-older",
    )


def _invalid(why: str) -> HoplonError:
    return HoplonError("delivery.invalid", f"the control plane's offer is unusable: {why}", "are both of one version?")
