"""Rulesets over the API: made, read in every version, changed as a whole and rule by rule, refused with a sentence."""

from typing import Any

import pytest

from hoplon.model.rules import rule_id
from hoplon.service.workspace import Workspace
from support.api_server import Client
from support.saved_zone import SavedZone, saved_zone

CUSTOM = "http_request_firewall_custom"
LIMITS = "http_ratelimit"
NOTHING = "0" * 32


@pytest.fixture
def zone(workspace: Workspace) -> SavedZone:
    return saved_zone(workspace)


@pytest.fixture
def root(zone: SavedZone) -> str:
    return f"/client/v4/zones/{zone.id}/rulesets"


def rule(ref: str = "admin", **more: Any) -> dict[str, Any]:
    return {"ref": ref, "action": "log", "expression": f'http.request.uri.path eq "/{ref}"', **more}


def limit(ref: str = "login", **ratelimit: Any) -> dict[str, Any]:
    counted = {"characteristics": ["cf.colo.id", "ip.src"], "period": 60, "requests_per_period": 10}
    return rule(ref, ratelimit={**counted, **ratelimit})


def put(client: Client, root: str, *rules: dict[str, Any], phase: str = CUSTOM) -> Any:
    """The ruleset of a phase with these rules."""
    return client.ask("PUT", f"{root}/phases/{phase}/entrypoint", {"rules": list(rules)}).result


def refs(ruleset: Any) -> list[str]:
    return [each["ref"] for each in ruleset["rules"]]


def test_a_phase_has_no_ruleset_until_somebody_makes_it(client: Client, root: str) -> None:
    reply = client.get(f"{root}/phases/{CUSTOM}/entrypoint")
    assert (reply.status, reply.error["code"]) == (404, 10003)
    assert client.get(root).result == []


def test_a_ruleset_comes_back_as_it_was_made(client: Client, root: str) -> None:
    response = {"status_code": 418, "content_type": "text/plain", "content": "no"}
    written = [
        rule("a", action="block", action_parameters={"response": response}, description="A teapot", enabled=False),
        rule("b", action="skip", action_parameters={"ruleset": "current"}, logging={"enabled": False}),
        rule("c", operations=["GET /users/{id} on api.example.com"], fail="closed"),
    ]
    made = put(client, root, *written)
    assert (made["kind"], made["phase"], made["version"], made["name"]) == ("zone", CUSTOM, "1", "default")
    assert client.get(f"{root}/phases/{CUSTOM}/entrypoint").result == made
    assert client.get(f"{root}/{made['id']}").result == made
    assert [{**each, **sent} for each, sent in zip(made["rules"], written, strict=True)] == made["rules"]
    assert [each["id"] for each in made["rules"]] == [rule_id("rules", ref) for ref in "abc"]
    summary = {name: value for name, value in made.items() if name != "rules"}
    assert client.get(root).result == [summary]


def test_a_limit_comes_back_as_it_was_made(client: Client, root: str) -> None:
    written = [
        limit("a", mitigation_timeout=600, requests_to_origin=True, counting_expression="http.response.code eq 401"),
        {**limit("c"), "ratelimit": {"characteristics": ["cf.colo.id", "ip.src"], "in_flight": 5}},
    ]
    made = put(client, root, *written, phase=LIMITS)
    assert [each["ratelimit"] | sent["ratelimit"] for each, sent in zip(made["rules"], written, strict=True)] == [
        each["ratelimit"] for each in made["rules"]
    ]
    assert made["phase"] == LIMITS


def test_a_rule_without_a_ref_is_its_own(client: Client, root: str) -> None:
    made = put(client, root, {"action": "log", "expression": "true"})["rules"][0]
    assert made["ref"] == made["id"]
    assert len(made["id"]) == 32


def test_a_rule_keeps_its_id_and_counts_its_own_changes(client: Client, root: str) -> None:
    before = put(client, root, rule("a"), rule("b"))
    sent = [{**before["rules"][1], "action": "block", "ref": "other"}, rule("a")]
    after = put(client, root, *sent)
    assert refs(after) == ["other", "a"]
    assert after["rules"][1] == before["rules"][0]
    assert (after["rules"][0]["id"], after["rules"][0]["version"]) == (before["rules"][1]["id"], "2")
    assert after["version"] == "2"


def test_what_changes_nothing_is_no_version(client: Client, root: str) -> None:
    made = put(client, root, rule("a"))
    assert put(client, root, rule("a")) == made
    assert client.ask("PATCH", f"{root}/{made['id']}/rules/{made['rules'][0]['id']}", {}).result == made


def test_every_version_stays_readable(client: Client, root: str) -> None:
    first = put(client, root, rule("a"))
    second = put(client, root, rule("b"), rule("a"))
    path = f"{root}/{first['id']}/versions"
    assert [each["version"] for each in client.get(path).result] == ["2", "1"]
    assert client.get(f"{path}/1").result == first
    assert client.get(f"{path}/2").result == second
    by_phase = f"{root}/phases/{CUSTOM}/entrypoint/versions"
    assert client.get(by_phase).result == client.get(path).result
    assert client.get(f"{by_phase}/1").result == first
    for number in ("3", "0", "x", "9" * 30):
        assert client.get(f"{path}/{number}").error["code"] == 11703
    reply = client.ask("DELETE", f"{path}/1")
    assert (reply.status, reply.error["code"]) == (400, 11706)


def test_putting_without_rules_keeps_them(client: Client, root: str) -> None:
    made = put(client, root, rule("a"))
    changed = client.ask("PUT", f"{root}/{made['id']}", {"description": "ours", "name": "mine"}).result
    assert (changed["description"], changed["name"], changed["version"]) == ("ours", "mine", "2")
    assert changed["rules"] == made["rules"]


@pytest.mark.parametrize(("member", "length"), [("name", 256), ("name", 0), ("description", 501)])
def test_name_and_description_have_bounds(client: Client, root: str, member: str, length: int) -> None:
    reply = client.ask("PUT", f"{root}/phases/{CUSTOM}/entrypoint", {"rules": [], member: "x" * length})
    assert (reply.status, reply.error["source"]["pointer"]) == (400, f"/{member}")


def test_a_ruleset_is_made_once(client: Client, root: str) -> None:
    body = {"kind": "zone", "phase": CUSTOM, "name": "ours", "rules": []}
    made = client.ask("POST", root, body).result
    assert (made["name"], made["rules"]) == ("ours", [])
    assert client.ask("POST", root, body).error["code"] == 11705
    assert client.ask("POST", root, {**body, "kind": "custom"}).error["source"]["pointer"] == "/kind"


def test_a_deleted_ruleset_is_gone(client: Client, root: str) -> None:
    made = put(client, root, rule("a"))
    reply = client.ask("DELETE", f"{root}/{made['id']}")
    assert (reply.status, reply.content) == (204, b"")
    assert client.get(f"{root}/{made['id']}").error["code"] == 11701
    assert client.get(root).result == []
    again = put(client, root)
    assert again["rules"] == []
    assert (again["id"] != made["id"], again["version"]) == (True, "1")


@pytest.mark.parametrize(
    ("position", "order"),
    [
        (None, "abcx"),
        ({"index": 1}, "xabc"),
        ({"index": 4}, "abcx"),
        ({"before": "b"}, "axbc"),
        ({"before": ""}, "xabc"),
        ({"after": "b"}, "abxc"),
        ({"after": ""}, "abcx"),
    ],
)
def test_a_rule_is_added_where_it_says(client: Client, root: str, position: Any, order: str) -> None:
    made = put(client, root, rule("a"), rule("b"), rule("c"))
    ids = {each["ref"]: each["id"] for each in made["rules"]}
    placed = {} if position is None else {"position": {key: ids.get(value, value) for key, value in position.items()}}
    after = client.ask("POST", f"{root}/{made['id']}/rules", {**rule("x"), **placed}).result
    assert "".join(refs(after)) == order
    assert [each["version"] for each in after["rules"]] == ["1"] * 4


@pytest.mark.parametrize(
    ("position", "pointer"),
    [
        ({"index": 0}, "/position/index"),
        ({"index": 5}, "/position/index"),
        ({"before": NOTHING}, "/position/before"),
        ({"after": NOTHING}, "/position/after"),
        ({}, "/position"),
        ({"index": 1, "after": ""}, "/position"),
    ],
)
def test_a_position_that_there_is_not_is_refused(client: Client, root: str, position: Any, pointer: str) -> None:
    made = put(client, root, rule("a"), rule("b"), rule("c"))
    reply = client.ask("POST", f"{root}/{made['id']}/rules", {**rule("x"), "position": position})
    assert (reply.status, reply.error["code"], reply.error["source"]["pointer"]) == (400, 11704, pointer)


def test_moving_a_rule_changes_no_rule(client: Client, root: str) -> None:
    made = put(client, root, rule("a"), rule("b"), rule("c"))
    last = made["rules"][2]
    moved = client.ask("PATCH", f"{root}/{made['id']}/rules/{last['id']}", {"position": {"before": ""}}).result
    assert moved["rules"] == [last, *made["rules"][:2]]
    assert moved["version"] == "2"


def test_a_patched_rule_is_what_the_body_says(client: Client, root: str) -> None:
    made = put(client, root, rule("a", description="old", fail="closed"))
    path = f"{root}/{made['id']}/rules/{made['rules'][0]['id']}"
    off = client.ask("PATCH", path, {"enabled": False}).result["rules"][0]
    assert (off["enabled"], off["description"], off["version"], off["ref"]) == (False, "old", "2", "a")
    whole = client.ask("PATCH", path, {"action": "block", "expression": "true"}).result["rules"][0]
    assert (whole["enabled"], whole["description"], whole["ref"], "fail" in whole) == (True, "", "a", False)
    assert client.ask("PATCH", path, {"action": "block"}).error["source"]["pointer"] == "/expression"


def test_a_deleted_rule_is_gone_from_the_whole(client: Client, root: str) -> None:
    made = put(client, root, rule("a"), rule("b"))
    path = f"{root}/{made['id']}/rules/{made['rules'][0]['id']}"
    assert refs(client.ask("DELETE", path).result) == ["b"]
    assert client.ask("DELETE", path).error["code"] == 11702
    assert client.ask("PATCH", path, rule("a")).error["code"] == 11702


def test_a_dry_run_changes_nothing(client: Client, root: str) -> None:
    entrypoint = f"{root}/phases/{CUSTOM}/entrypoint"
    reply = client.ask("PUT", f"{entrypoint}?dry_run=true", {"rules": [rule("a")]})
    assert (reply.status, reply.json["result"]) == (200, None)
    assert client.get(root).result == []
    made = put(client, root, rule("a"))
    for method, path, body in (
        ("POST", f"{root}/{made['id']}/rules", rule("b")),
        ("PATCH", f"{root}/{made['id']}/rules/{made['rules'][0]['id']}", {"enabled": False}),
        ("DELETE", f"{root}/{made['id']}/rules/{made['rules'][0]['id']}", None),
    ):
        assert client.ask(method, f"{path}?dry_run=true", body).json["result"] is None
    assert client.ask("DELETE", f"{root}/{made['id']}?dry_run=true").status == 204
    assert client.get(entrypoint).result == made
    assert client.ask("PUT", f"{entrypoint}?dry_run=true", {"rules": [rule("a", action="no")]}).status == 400


def test_a_change_is_for_the_version_that_was_read(client: Client, root: str) -> None:
    put(client, root, rule("a"))
    entrypoint = f"{root}/phases/{CUSTOM}/entrypoint"
    tag = client.get(entrypoint).headers["etag"]
    body = {"rules": [rule("b")]}
    first = client.ask("PUT", entrypoint, body, headers={"If-Match": tag})
    second = client.ask("PUT", entrypoint, {"rules": []}, headers={"If-Match": tag})
    assert (first.status, second.status) == (200, 412)
    assert first.headers["etag"] != tag
    assert refs(client.get(entrypoint).result) == ["b"]


@pytest.mark.parametrize(
    ("wrong", "pointer", "sentence"),
    [
        ({"action": "managed_challenge"}, "/rules/0/action", "for a person in a browser"),
        ({"action": "js_challenge"}, "/rules/0/action", "for a person in a browser"),
        ({"action": "execute"}, "/rules/0/action", "no managed rulesets"),
        ({"action": "blok"}, "/rules/0/action", "did you mean `block`?"),
        ({"action": None}, "/rules/0/action", "is missing"),
        ({"expression": None}, "/rules/0/expression", "is missing"),
        ({"expression": 'ip.src.country eq "GB"'}, "/rules/0/expression", "country"),
        ({"expression": 'http.request.uri.pth eq "/"'}, "/rules/0/expression", "http.request.uri.path"),
        ({"expression": "ip.src in $nowhere"}, "/rules/0/expression", "nowhere"),
        ({"expression": "true and"}, "/rules/0/expression", "column 9"),
        ({"exposed_credential_check": {}}, "/rules/0/exposed_credential_check", "leaked credentials"),
        ({"ratelimit": {"characteristics": ["cf.colo.id"]}}, "/rules/0/ratelimit", "has none"),
        ({"logging": {"enabled": False}}, "/rules/0/logging/enabled", "only a skip rule"),
        ({"action_parameters": {"ruleset": "current"}}, "/rules/0/action_parameters", "skips nothing"),
        ({"action": "skip"}, "/rules/0/action_parameters", "skips nothing that there is here"),
        ({"id": NOTHING}, "/rules/0/id", "leave it out for a new rule"),
        ({"operations": ["GET /nowhere"]}, "/rules/0/operations/0", "is no saved operation"),
        ({"operations": ["nowhere"]}, "/rules/0/operations/0", "names no operation"),
        ({"enabld": False}, "/rules/0/enabld", "Extra inputs"),
        ({"ref": "a\nb"}, "/rules/0/ref", "visible ASCII"),
    ],
)
def test_what_is_no_rule_is_refused_with_a_sentence(
    client: Client, root: str, wrong: Any, pointer: str, sentence: str
) -> None:
    body = {name: value for name, value in {**rule("a"), **wrong}.items() if value is not None}
    reply = client.ask("PUT", f"{root}/phases/{CUSTOM}/entrypoint", {"rules": [body]})
    assert (reply.status, reply.error["source"]["pointer"]) == (400, pointer)
    assert sentence in reply.error["message"]
    assert client.get(root).result == []


@pytest.mark.parametrize(
    ("response", "pointer"),
    [
        ({"status_code": 399}, "status_code"),
        ({"status_code": 500}, "status_code"),
        ({"content_type": "image/png"}, "content_type"),
        ({"content": "x" * (30 * 1024 + 1)}, "content"),
    ],
)
def test_a_response_of_ones_own_has_bounds(client: Client, root: str, response: Any, pointer: str) -> None:
    given = {"status_code": 403, "content_type": "text/html", "content": "x" * 30 * 1024}
    blocking = rule("a", action="block", action_parameters={"response": {**given, **response}})
    made = put(client, root)
    reply = client.ask("POST", f"{root}/{made['id']}/rules", blocking)
    assert reply.error["source"]["pointer"] == f"/action_parameters/response/{pointer}"
    allowed = rule("a", action="block", action_parameters={"response": given})
    assert client.ask("POST", f"{root}/{made['id']}/rules", allowed).status == 200


@pytest.mark.parametrize(
    ("wrong", "pointer", "sentence"),
    [
        ({"requests_per_period": 0}, "/requests_per_period", "would refuse every request"),
        ({"requests_per_period": None}, "/requests_per_period", "exactly one"),
        ({"score_per_period": 5, "score_response_header_name": "x"}, "/requests_per_period", "exactly one"),
        ({"requests_per_period": None, "score_per_period": 5}, "/score_response_header_name", "is needed"),
        ({"period": 61}, "/period", "60 is nearest"),
        ({"mitigation_timeout": 61}, "/mitigation_timeout", "60 is nearest"),
        ({"characteristics": ["ip.src"]}, "/characteristics", "`cf.colo.id` is missing"),
        ({"characteristics": ["cf.colo.id", "cf.unique_visitor_id"]}, "/characteristics/1", "cf.unique_visitor_id"),
        ({"characteristics": ["cf.colo.id", "ip.src.asnum"]}, "/characteristics/1", "ip.src.asnum"),
        ({"counting_expression": "http.response.cod eq 1"}, "/counting_expression", "http.response.code"),
        ({"in_flight": 0, "requests_per_period": None, "period": 0}, "/in_flight", "would refuse every request"),
    ],
)
def test_what_is_no_limit_is_refused_with_a_sentence(
    client: Client, root: str, wrong: Any, pointer: str, sentence: str
) -> None:
    reply = client.ask("PUT", f"{root}/phases/{LIMITS}/entrypoint", {"rules": [limit("a", **wrong)]})
    assert (reply.status, reply.error["source"]["pointer"]) == (400, f"/rules/0/ratelimit{pointer}")
    assert sentence in reply.error["message"]


def test_a_limit_logs_or_blocks(client: Client, root: str) -> None:
    skipping = {**limit("a"), "action": "skip"}
    reply = client.ask("PUT", f"{root}/phases/{LIMITS}/entrypoint", {"rules": [skipping]})
    assert reply.error["source"]["pointer"] == "/rules/0/action"
    missing = client.ask("PUT", f"{root}/phases/{LIMITS}/entrypoint", {"rules": [rule("a")]})
    assert missing.error["source"]["pointer"] == "/rules/0/ratelimit"


def test_two_rules_have_two_refs(client: Client, root: str) -> None:
    reply = client.ask("PUT", f"{root}/phases/{CUSTOM}/entrypoint", {"rules": [rule("a"), rule("b"), rule("a")]})
    assert (reply.status, reply.error["source"]["pointer"]) == (400, "/rules/2/ref")
    made = put(client, root, rule("a"))
    assert client.ask("POST", f"{root}/{made['id']}/rules", rule("a")).error["source"]["pointer"] == "/ref"


def test_every_problem_is_told_at_once(client: Client, root: str) -> None:
    rules = [rule("a", action="challenge"), rule("b"), rule("c", action="rewrite")]
    reply = client.ask("PUT", f"{root}/phases/{CUSTOM}/entrypoint", {"rules": rules})
    assert [each["source"]["pointer"] for each in reply.json["errors"]] == ["/rules/0/action", "/rules/2/action"]


def test_phases_that_hoplon_does_not_have(client: Client, root: str) -> None:
    path = f"{root}/phases/ddos_l4/entrypoint"
    assert (client.get(path).status, client.get(path).error["code"]) == (404, 10003)
    assert client.get(f"{path}/versions").error["code"] == 10003
    assert client.ask("PUT", path, {"rules": []}).error["code"] == 11706
    assert client.ask("POST", root, {"phase": "magic_transit", "rules": []}).error["code"] == 11706


def test_rulesets_come_page_by_page(client: Client, root: str) -> None:
    ids = sorted([put(client, root)["id"], put(client, root, phase=LIMITS)["id"]])
    first = client.get(f"{root}?per_page=1").json
    after = first["result_info"]["cursors"]["after"]
    second = client.get(f"{root}?per_page=1&cursor={after}").json
    assert [first["result"][0]["id"], second["result"][0]["id"]] == ids
    assert "cursors" not in second["result_info"]


def test_an_account_has_no_rulesets(client: Client, workspace: Workspace) -> None:
    from hoplon.service.accounts import the_account

    root = f"/client/v4/accounts/{the_account(workspace).id}/rulesets"
    assert client.get(root).result == []
    assert client.ask("POST", root, {"phase": CUSTOM}).error["code"] == 11706
    for method, path in (
        ("GET", f"{root}/{NOTHING}"),
        ("GET", f"{root}/phases/{CUSTOM}/entrypoint"),
        ("PATCH", f"{root}/{NOTHING}/rules/{NOTHING}"),
    ):
        assert client.ask(method, path).error["code"] == 11701


def test_an_operation_that_a_rule_names_stays(client: Client, root: str, zone: SavedZone) -> None:
    put(client, root, rule("a", operations=["GET /users/{id} on api.example.com"]))
    reply = client.ask("DELETE", f"{zone.path}/operations/{zone.operations[0]}")
    assert (reply.status, reply.error["code"]) == (409, 11035)
    assert client.ask("DELETE", f"{zone.path}/operations/{zone.operations[1]}").status == 200
    put(client, root)
    assert client.ask("DELETE", f"{zone.path}/operations/{zone.operations[0]}").status == 200


def test_a_list_knows_who_names_it_and_stays_while_it_is_named(client: Client, root: str, workspace: Workspace) -> None:
    from hoplon.service.accounts import the_account

    lists = f"/client/v4/accounts/{the_account(workspace).id}/rules/lists"
    made = client.ask("POST", lists, {"kind": "ip", "name": "office"}).result
    put(client, root, rule("a", expression="ip.src in $office"), rule("b", expression="not ip.src in $office"))
    assert client.get(f"{lists}/{made['id']}").result["num_referencing_filters"] == 2
    assert client.get(lists).result[0]["num_referencing_filters"] == 2
    assert client.ask("DELETE", f"{lists}/{made['id']}").error["code"] == 11407
    wrong = client.ask(
        "PUT", f"{root}/phases/{CUSTOM}/entrypoint", {"rules": [rule("a", expression="http.host in $office")]}
    )
    assert wrong.error["source"]["pointer"] == "/rules/0/expression"
    put(client, root)
    assert client.ask("DELETE", f"{lists}/{made['id']}").status == 200
