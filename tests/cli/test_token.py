"""`hoplon token`, `hoplon audit` and `hoplon secrets` as a user runs them."""

import json
import sqlite3
from hashlib import sha256
from pathlib import Path

import pytest

from hoplon.service.token_secret import is_secret
from support.installation import apply, hoplon, policy


@pytest.fixture
def state(tmp_path: Path) -> Path:
    state = tmp_path / "state"
    assert apply(state, policy("http://127.0.0.1:9", name="shop"), "--create").returncode == 0
    return state


def test_a_token_is_printed_once_and_listed_without_its_secret(state: Path) -> None:
    made = hoplon(state, "token", "create", "--name", "robot")
    assert is_secret(made.stdout.strip())
    assert "do everything" in made.stderr
    listed = hoplon(state, "token", "list")
    assert "robot" in listed.stdout
    assert made.stdout.strip() not in listed.stdout + hoplon(state, "token", "list", "--json").stdout


def test_json_has_the_token_and_what_it_may(state: Path) -> None:
    wishes = ("--permission", "zone read", "--zone", "shop", "--expires", "90d", "--from", "10.0.0.0/8")
    made = json.loads(hoplon(state, "token", "create", "--name", "robot", "--json", *wishes).stdout)
    assert is_secret(made["token"])
    assert (made["permissions"], len(made["zones"]), made["from"]) == (["Zone Read"], 1, ["10.0.0.0/8"])
    assert made["expires_on"] > made["issued_on"]


def test_a_token_is_rolled_and_revoked_by_its_name(state: Path) -> None:
    first = hoplon(state, "token", "create", "--name", "robot").stdout
    second = hoplon(state, "token", "roll", "robot").stdout
    assert is_secret(second.strip())
    assert first != second
    assert hoplon(state, "token", "revoke", "robot").returncode == 0
    gone = hoplon(state, "token", "revoke", "robot")
    assert (gone.returncode, "there is no token `robot`" in gone.stderr) == (1, True)
    assert json.loads(hoplon(state, "token", "list", "--json").stdout) == []


def test_a_wrong_word_makes_no_token_and_gets_a_hint(state: Path) -> None:
    refused = hoplon(state, "token", "create", "--name", "x", "--permission", "zon read")
    assert refused.returncode == 1
    assert "did you mean `Zone Read`?" in refused.stderr
    assert refused.stdout == ""


def test_the_audit_log_shows_exports_and_verifies(state: Path) -> None:
    hoplon(state, "token", "create", "--name", "robot")
    assert "create token" in hoplon(state, "audit").stdout
    newest = json.loads(hoplon(state, "audit", "--json", "--limit", "1").stdout)
    assert [entry["details"]["name"] for entry in newest] == ["robot"]
    exported = [json.loads(line) for line in hoplon(state, "audit", "export").stdout.splitlines()]
    assert [entry["sequence"] for entry in exported] == list(range(1, len(exported) + 1))
    assert hoplon(state, "audit", "export", "--before", "1h").stdout == ""
    verified = hoplon(state, "audit", "verify")
    known = verified.stdout.split()[-1]
    assert known == f"{exported[-1]['sequence']}:{exported[-1]['hash']}"
    assert hoplon(state, "audit", "verify", "--known", known).returncode == 0
    assert hoplon(state, "audit", "verify", "--known", f"1:{'0' * 64}").returncode == 1
    assert hoplon(state, "audit", "verify", "--known", "x").returncode == 2
    assert hoplon(state, "audit", "--since", "yesterday").returncode == 2


def test_an_export_can_be_verified_by_who_has_nothing_else(state: Path) -> None:
    hoplon(state, "token", "create", "--name", "Zoë's robot", "--expires", "1h")
    previous = "0" * 64
    for line in hoplon(state, "audit", "export").stdout.splitlines():
        entry = json.loads(line)
        found = entry.pop("hash")
        entry["details"] = json.dumps(entry["details"], sort_keys=True, ensure_ascii=False)
        document = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        assert (entry["previous_hash"], sha256(document.encode()).hexdigest()) == (previous, found)
        previous = found


def test_an_audit_log_that_was_changed_is_told_by_verify_and_doctor(state: Path) -> None:
    with sqlite3.connect(state / "hoplon.db") as connection:
        connection.execute("DROP TRIGGER audit_log_no_update")
        connection.execute("UPDATE audit_log SET actor_name = 'somebody else'")
    verified = hoplon(state, "audit", "verify", "--json")
    assert verified.returncode == 1
    reasons = [fault["reason"] for fault in json.loads(verified.stdout)["faults"]]
    assert "it was changed after it had been written" in reasons
    assert "The audit log is not what was written" in hoplon(state, "doctor").stdout


def test_secrets_are_listed_without_values_and_sealed_under_another_key(state: Path) -> None:
    rotated = hoplon(state, "secrets", "rotate-key")
    assert (rotated.returncode, "0 secrets sealed" in rotated.stdout) == (0, True)
    assert json.loads(hoplon(state, "secrets", "list", "--json").stdout) == []
