"""Writes a state directory that a gateway can start from: key, bundle (format 1) and its own configuration.

It writes the documented files by hand, not through the control plane, so that the benchmark needs one process.
"""

import hashlib
import json
import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

ZONE = "0" * 31 + "1"
_UNLIMITED = 1_000_000


class Options(NamedTuple):
    """What the gateway is asked to do besides proxying."""

    operations: int
    observe_probability: float
    rules: Sequence[object] = ()
    parts: Mapping[str, object] = MappingProxyType({})
    """More parts of the bundle, by their kind."""
    limits: Mapping[str, object] = MappingProxyType({})
    """Process settings of the gateway's section `limits`."""


class Manifest(NamedTuple):
    """A bundle in the state directory: its hash, and the bytes that `bundles/current` must hold to load it."""

    hash: str
    content: bytes


def write_state(state: Path, upstream: str, options: Options, port: int, status_port: int) -> Path:
    """Makes the state directory and gives the path of the gateway's configuration."""
    for folder in ("keys", "bundles/parts", "run", "records/open", "logs"):
        (state / folder).mkdir(parents=True, exist_ok=True)
    key = state / "keys" / "records.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    load(state, write_bundle(state, upstream, options))
    config = state / "gateway.json"
    config.write_text(json.dumps(_gateway_configuration(state, port, status_port) | {"limits": dict(options.limits)}))
    return config


def _gateway_configuration(state: Path, port: int, status_port: int) -> dict[str, object]:
    return {
        "state_dir": str(state),
        "instance": "bench",
        "listen": [{"address": f"127.0.0.1:{port}", "fd": None, "tls": None}],
        "status": {"address": f"127.0.0.1:{status_port}", "fd": None},
        "threads": 1,
        "trusted_proxies": [],
        "drain_seconds": 1.0,
        "records": {
            "flush_seconds": 1.0,
            "rotate_seconds": 300.0,
            "rotate_bytes": 67108864,
            "queue": 65536,
            "retention_seconds": 604800.0,
            "retention_bytes": 10737418240,
        },
    }


def write_bundle(state: Path, upstream: str, options: Options, version: int = 1) -> Manifest:
    """Puts a bundle's parts into place; `version` makes bundles that differ in nothing else."""
    contents = {
        "zone": _zone(upstream, options.observe_probability),
        "operations": {"operations": operations(options.operations)},
        "rules": {"rules": list(options.rules)},
        **options.parts,
    }
    manifest = {
        "format": 1,
        "created_at": "2026-01-01T00:00:00Z",
        "zones": [{"id": ZONE, "name": "default", "policy_version": version}],
        "parts": [_write_part(state, kind, content) for kind, content in contents.items()],
    }
    content = json.dumps(manifest, sort_keys=True, separators=(",", ":")).encode()
    return Manifest(hashlib.sha256(content).hexdigest(), content)


def load(state: Path, manifest: Manifest) -> None:
    """Makes a bundle the current one, as the control plane does: by an atomic rename."""
    file = state / "bundles" / "current.bench"
    file.write_bytes(manifest.content)
    file.rename(state / "bundles" / "current")


def _write_part(state: Path, kind: str, content: object) -> dict[str, object]:
    encoded = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(encoded).hexdigest()
    (state / "bundles" / "parts" / digest).write_bytes(encoded)
    return {"kind": kind, "zone": ZONE, "format": 1, "sha256": digest, "bytes": len(encoded)}


def _zone(upstream: str, observe_probability: float) -> dict[str, object]:
    return {
        "id": ZONE,
        "name": "default",
        "hosts": [],
        "upstreams": [{"url": upstream, "protocol": "http1", "ca_file": None, "server_name": None}],
        "timeouts": {"connect_seconds": 5.0, "read_seconds": 60.0, "idle_seconds": 600.0},
        "inspection_limit_bytes": 1048576,
        "merge_slashes": False,
        # All load comes from one client: without these budgets the sampler would rightly stop observing it.
        "observe": {
            "probability": observe_probability,
            "full_per_minute": 0,
            "per_session_per_minute": _UNLIMITED if observe_probability else 0,
            "max_leaves": 200,
            "body_copy_bytes": 65536,
            "literal_sessions": 5,
        },
        "block": {"status": 403, "show_violations": False},
    }


def operations(count: int) -> list[dict[str, str]]:
    """Saved operations of an API with many resources; the benchmark's own target is among them."""
    if count == 0:
        return []
    shapes = ("/api/v1/{resource}", "/api/v1/{resource}/{{var1}}", "/api/v1/{resource}/{{var1}}/parts/{{var2}}")
    others = [shapes[number % 3].format(resource=f"resource{number // 3}") for number in range(count - 1)]
    return [
        {"id": str(uuid.uuid5(uuid.NAMESPACE_URL, path)), "method": "GET", "host": "*", "path": path}
        for path in ["/api/v1/items/{var1}", *others]
    ]
