"""`hoplon policy`, `zones` and `mode` as a user types them: what they say, and their exit codes."""

import json
import os
from pathlib import Path

import pytest

from cli.conftest import Hoplon

pytest.importorskip("hoplon._native")

POLICY = """format = 1

[zone]
name = "default"

[[zone.upstreams]]
url = "http://127.0.0.1:9000"

[operations]
fallthrough = "block"
saved = [
    { method = "GET", path = "/users/{id}" },
]
"""


@pytest.fixture
def applied(hoplon: Hoplon) -> Hoplon:
    Path("policy.toml").write_text(POLICY)
    assert hoplon("policy", "apply", "--create", "policy.toml").code == 0
    return hoplon


def test_without_a_state_directory_every_command_says_how_to_make_one(hoplon: Hoplon) -> None:
    for command in (["zones"], ["mode"], ["policy", "export"], ["policy", "history"], ["doctor"]):
        said = hoplon(*command)
        assert (said.code, said.out) == (3, "")
        assert said.err.startswith(
            "error: no state directory at hoplon-state\nhint: `hoplon up --upstream URL` creates one"
        )


def test_apply_says_what_changed_and_that_nothing_runs(applied: Hoplon) -> None:
    Path("policy.toml").write_text(POLICY.replace("block", "log"))
    said = applied("policy", "apply", "--yes", "policy.toml")
    assert said.code == 0
    assert said.out.splitlines()[0] == "  operations.fallthrough: block → log"
    assert said.out.splitlines()[1].startswith("Zone default is at version 2 (bundle ")
    assert said.out.splitlines()[2] == "No gateway is running; it will begin with this policy."


def test_apply_from_export_is_no_change(applied: Hoplon) -> None:
    exported = applied("policy", "export").out
    Path("again.toml").write_text(exported)
    assert applied("policy", "apply", "again.toml").out.startswith("No change: zone default stays at version 1.")
    assert applied("policy", "diff", "again.toml").code == 0
    assert applied("policy", "export", "-o", "out.toml").out == ""
    assert Path("out.toml").read_text() == exported


def test_diff_shows_words_and_lines_and_exits_with_1(applied: Hoplon) -> None:
    Path("new.toml").write_text(POLICY.replace("block", "none").replace("{id}", "me"))
    said = applied("policy", "diff", "new.toml")
    assert said.code == 1
    assert said.out == (Path(__file__).parent / "snapshots" / "diff.txt").read_text()


def test_errors_of_a_policy_are_listed_with_their_lines(applied: Hoplon) -> None:
    Path("broken.toml").write_text(POLICY.replace("fallthrough", "falthrough").replace("/users", "users"))
    said = applied("policy", "apply", "broken.toml")
    assert (said.code, said.out) == (1, "")
    assert said.err == (
        "error: broken.toml has 1 error; nothing was changed\n"
        "  line 10, operations.falthrough: unknown key\n"
        "    hint: did you mean `fallthrough`?\n"
    )


def test_a_new_zone_must_be_asked_for(applied: Hoplon) -> None:
    Path("other.toml").write_text(POLICY.replace('"default"', '"other"\nhosts = ["b.example.com"]'))
    said = applied("policy", "apply", "other.toml")
    assert (said.code, said.err.splitlines()[0]) == (1, "error: there is no zone `other`")
    assert applied("policy", "apply", "--create", "other.toml").code == 0
    assert applied("policy", "export").code == 2
    assert 'name = "other"' in applied("policy", "export", "--zone", "other").out
    names = [zone["name"] for zone in json.loads(applied("zones", "--json").out)]
    assert names == ["default", "other"]


def test_history_says_of_a_long_change_how_much_more_there_is(applied: Hoplon) -> None:
    more = "".join(f'    {{ method = "GET", path = "/more/{number}" }},\n' for number in range(5))
    Path("policy.toml").write_text(POLICY.replace("saved = [\n", f"saved = [\n{more}"))
    assert applied("policy", "apply", "--yes", "policy.toml").code == 0
    newest = applied("policy", "history").out.splitlines()[1]
    assert newest.endswith("; and 2 more")
    assert newest.count("saves operation") == 3
    assert len(json.loads(applied("policy", "history", "--json").out)[0]["changes"]) == 5


def test_history_lists_versions(applied: Hoplon) -> None:
    versions = json.loads(applied("policy", "history", "--json").out)
    assert [(version["version"], version["changes"]) for version in versions] == [(1, ["creates zone default"])]
    assert "creates zone default" in applied("policy", "history").out


def test_rollback_says_what_it_takes_back(applied: Hoplon) -> None:
    exported = applied("policy", "export").out
    Path("policy.toml").write_text(POLICY.replace("block", "log"))
    applied("policy", "apply", "--yes", "policy.toml")
    assert applied("policy", "export", "--version", "1").out == exported
    said = applied("policy", "rollback")
    assert said.code == 0
    assert said.out.splitlines()[0] == "  operations.fallthrough: log → block"
    assert said.out.splitlines()[1].startswith("Zone default is at version 3 (bundle ")
    assert applied("policy", "export").out == exported
    missing = applied("policy", "rollback", "--to", "9")
    assert missing.err.startswith("error: zone default has no version 9\nhint: it has 1 to 3")
    assert missing.code == 1


def test_a_file_that_cannot_be_read_is_a_usage_error(applied: Hoplon) -> None:
    assert applied("policy", "apply", "none.toml").code == 2
    Path("latin.toml").write_bytes(b"# caf\xe9")
    assert "is not UTF-8" in applied("policy", "apply", "latin.toml").err


def test_zones_is_a_table(applied: Hoplon) -> None:
    heading, row = applied("zones").out.splitlines()
    assert heading.split() == ["zone", "hosts", "upstreams", "operations", "fallthrough", "policy", "changed"]
    assert row.startswith("default  any host  http://127.0.0.1:9000")


def test_a_zone_is_added_pointed_elsewhere_and_removed(applied: Hoplon) -> None:
    said = applied("zones", "add", "shop.test")
    hosts = "shop.test, {hostvar1}.shop.test"
    assert said.out == f"Zone shop.test (version 1) takes {hosts} and waits for an upstream.\n"
    said = applied("zones", "upstreams", "shop.test", "http://127.0.0.1:9001")
    assert said.out == f"Zone shop.test (version 2) takes {hosts} and goes to http://127.0.0.1:9001.\n"
    assert [zone["name"] for zone in json.loads(applied("zones", "--json").out)] == ["default", "shop.test"]
    assert applied("zones", "rm", "shop.test").out == "Zone shop.test is removed.\n"
    said = applied("zones", "rm", "default")
    assert (said.code, said.err.splitlines()[0]) == (
        1,
        "error: default is the last zone with an upstream; gateways cannot serve none",
    )
    assert applied("zones", "upstreams", "default").code == 2


def test_the_mode_is_shown_and_set_without_a_database(applied: Hoplon) -> None:
    os.truncate("hoplon-state/hoplon.db", 0)
    assert applied("mode").out.startswith("enforce: ")
    said = applied("mode", "log")
    assert said.out.splitlines()[1] == "No gateway is running; it will begin in this mode."
    assert json.loads(applied("mode", "--json").out) == {"mode": "log"}
    assert applied("mode", "loud").code == 2


def test_the_state_directory_of_a_hoplon_toml_here_is_found(applied: Hoplon) -> None:
    Path("hoplon-state").rename("elsewhere")
    assert applied("zones").code == 3
    Path("hoplon.toml").write_text('state = "elsewhere"\n')
    assert applied("zones").code == 0
    assert applied("zones", "--state", "hoplon-state").code == 3


def test_doctor_exits_with_1_when_there_is_a_problem(applied: Hoplon) -> None:
    said = applied("doctor", "--json")
    report = json.loads(said.out)
    assert (said.code, report["ok"]) == (1, False)
    assert "upstream.unreachable" in [ailment["code"] for ailment in report["found"]]
    assert "problem: Zone default: http://127.0.0.1:9000 accepts no connection" in applied("doctor").out
