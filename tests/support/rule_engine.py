"""The engine with rules of a test: a bundle of one zone is written to a folder and loaded, as a gateway would."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hoplon import Engine
from hoplon.model.policy import Upstream, ZonePolicy
from hoplon.policy.assembly import CompiledZone, canonical_json, join
from hoplon.policy.zone import compile_zone
from support.rule_requests import Request

ZONE = "0" * 32


def engine_of(
    folder: Path, programs: Sequence[Mapping[str, Any]], lists: Sequence[Mapping[str, Any]] = (), **parts: Any
) -> Engine:
    """An engine whose custom rule `<index>` logs when the program of that index is true."""
    rules = [_rule(str(index), program) for index, program in enumerate(programs)]
    zone = ZonePolicy(name="any", upstreams=(Upstream(url="http://127.0.0.1:9"),))
    content: dict[str, Any] = {
        "zone": compile_zone(ZONE, zone),
        "operations": {"operations": []},
        "rules": {"rules": rules},
        **({"lists": {"lists": lists}} if lists else {}),
        **parts,
    }
    data = {kind: canonical_json(part) for kind, part in content.items()}
    bundle = join([CompiledZone(ZONE, "any", 1, datetime(2026, 1, 1, tzinfo=UTC), data)])
    (folder / "parts").mkdir(parents=True, exist_ok=True)
    for digest, part in bundle.parts.items():
        (folder / "parts" / digest).write_bytes(part)
    (folder / "current").write_bytes(bundle.manifest)
    return Engine(folder)


def _rule(rule_id: str, program: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": rule_id,
        "stage": "custom",
        "when": program,
        "action": "log",
        "violation": "rules.custom",
        "fail": "open",
    }


def true_rules(engine: Engine, sent: Request) -> set[int]:
    """The indexes of the programs that are true of a request."""
    found = engine.inspect(
        sent.method, sent.url, headers=sent.headers, body=sent.body, client=sent.client, response=_response(sent)
    )
    assert found["action"] in ("allow", "log"), found
    return {int(each["rule"] or "") for each in found["violations"] if each["code"] == "rules.custom"}


def _response(sent: Request) -> tuple[int, Sequence[tuple[str, bytes]], bytes] | None:
    return None if sent.status is None else (sent.status, (), b"")
