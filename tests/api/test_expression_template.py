"""Expressions for requests that no saved operation matches: made for hosts, and taken by a custom rule."""

import pytest

from hoplon.service.workspace import Workspace
from support.api_server import Client
from support.saved_zone import saved_zone


@pytest.mark.parametrize(
    ("hosts", "expression"),
    [
        (["api.example.com"], '(cf.api_gateway.fallthrough_detected and http.host in {"api.example.com"})'),
        (
            ["A.example", "b.example"],
            '(cf.api_gateway.fallthrough_detected and http.host in {"a.example" "b.example"})',
        ),
        (
            ["{tenant}.a.example", "b.test"],
            '(cf.api_gateway.fallthrough_detected and (http.host in {"b.test"} or http.host wildcard "*.a.example"))',
        ),
    ],
)
def test_a_template_is_a_rule(client: Client, workspace: Workspace, hosts: list[str], expression: str) -> None:
    zone = saved_zone(workspace)
    made = client.ask("POST", f"{zone.path}/expression-template/fallthrough", {"hosts": hosts}).result
    assert made == {"expression": expression, "title": f"Fallthrough of {', '.join(hosts).lower()}"}
    entrypoint = f"/client/v4/zones/{zone.id}/rulesets/phases/http_request_firewall_custom/entrypoint"
    rule = {"action": "log", "expression": expression, "description": made["title"]}
    assert client.ask("PUT", entrypoint, {"rules": [rule]}).status == 200


def test_what_is_no_host_is_refused(client: Client, workspace: Workspace) -> None:
    path = f"{saved_zone(workspace).path}/expression-template/fallthrough"
    reply = client.ask("POST", path, {"hosts": ["a.example", 'a" or "']})
    assert (reply.status, reply.error["source"]["pointer"]) == (400, "/hosts/1")
    assert client.ask("POST", path, {"hosts": []}).status == 400
