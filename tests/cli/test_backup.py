"""`hoplon backup` and `restore` as a user types them."""

import json
from pathlib import Path

import pytest

from cli.conftest import Hoplon

pytest.importorskip("hoplon._native")

POLICY = 'format = 1\n[zone]\nname = "shop"\nupstreams = [{ url = "http://127.0.0.1:9000" }]\n'


@pytest.fixture
def made(hoplon: Hoplon) -> Hoplon:
    Path("policy.toml").write_text(POLICY)
    assert hoplon("policy", "apply", "--create", "policy.toml").code == 0
    return hoplon


def test_a_backup_says_what_it_holds_and_comes_back(made: Hoplon) -> None:
    said = made("backup", "today.backup")
    assert (said.code, said.out.endswith(" bytes, zone shop at version 1.\n")) == (0, True)
    assert "It holds secrets (keys/records.key): whoever reads it can act as this installation." in said.err
    exported = made("policy", "export").out
    Path("policy.toml").write_text(POLICY.replace("9000", "9001"))
    made("policy", "apply", "--yes", "policy.toml")
    said = made("restore", "today.backup")
    assert (said.code, said.out.endswith("UTC: zone shop at version 1.\n")) == (0, True)
    assert made("policy", "export").out == exported
    said = made("restore", "today.backup", "--state", "elsewhere", "--json")
    assert (said.code, json.loads(said.out)["zones"]) == (0, {"shop": 1})
    assert made("policy", "export", "--state", "elsewhere").out == exported


def test_what_cannot_be_done_is_said(made: Hoplon) -> None:
    assert made("backup", "none/file").err.startswith("error: cannot write ")
    Path("garbage").write_text("hello")
    said = made("restore", "garbage")
    assert said.code == 1
    assert said.err.startswith("error: garbage is no backup that can be restored")
    assert made("restore", "missing").code == 1
