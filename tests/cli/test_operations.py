"""`hoplon operations add|rm|export` and `hoplon import openapi` as a user types them."""

import json
from pathlib import Path

import pytest

from cli.conftest import Hoplon
from hoplon.service.workspace import open_workspace
from support.api_server import serving

pytest.importorskip("hoplon._native")

POLICY = """format = 1
[zone]
name = "shop"
hosts = ["shop.example", "{tenant}.shop.example"]
[[zone.upstreams]]
url = "http://127.0.0.1:9"
"""
DESCRIPTION = """openapi: 3.1.0
info: {title: Shop, version: "1"}
servers:
  - url: https://shop.example/v1
  - url: https://sandbox.example/v1
paths:
  /orders: {get: {}, post: {}}
  /orders/{order}: {get: {}}
  /files/{name}.json: {get: {}}
"""


@pytest.fixture
def shop(hoplon: Hoplon) -> Hoplon:
    Path("policy.toml").write_text(POLICY)
    assert hoplon("policy", "apply", "--create", "policy.toml").code == 0
    Path("api.yaml").write_text(DESCRIPTION)
    return hoplon


def test_add_saves_once_and_rm_removes_by_path_or_id(shop: Hoplon) -> None:
    said = shop("operations", "add", "get", "/users/{id}")
    assert said.out.startswith("Saved: GET /users/{var1} on any host (")
    again = json.loads(shop("operations", "add", "GET", "/users/{uid}", "--json").out)
    assert again["id"] in said.out
    assert shop("operations", "rm", "GET", "/users/{x}").out == "Removed 1.\n"
    other = json.loads(shop("operations", "add", "PUT", "/a", "--host", "shop.example", "--json").out)
    assert shop("operations", "rm", other["id"]).code == 0
    gone = shop("operations", "rm", other["id"])
    assert gone.code == 1
    assert f"there is no operation `{other['id']}`" in gone.err


def test_add_says_what_is_wrong(shop: Hoplon) -> None:
    said = shop("operations", "add", "CONNECT", "users", "--host", "else.where")
    assert said.code == 1
    assert said.err.splitlines()[0] == "error: nothing was saved"
    for sentence in ("CONNECT is refused", "does not begin with `/`", "`else.where` is no host of this zone"):
        assert sentence in said.err


def test_the_listing_stays_what_it_was(shop: Hoplon) -> None:
    shop("operations", "add", "GET", "/users/{id}")
    listed = json.loads(shop("operations", "--saved", "--json").out)
    assert listed[0]["saved_without_traffic"] == [{"method": "GET", "host": "*", "path": "/users/{var1}"}]


def test_a_dry_run_shows_and_an_import_saves(shop: Hoplon) -> None:
    dry = shop("import", "openapi", "api.yaml", "--dry-run")
    assert dry.out.splitlines() == [
        "  would save GET /v1/files/{segment3} on shop.example",
        "  would save GET /v1/orders on shop.example",
        "  would save POST /v1/orders on shop.example",
        "  would save GET /v1/orders/{order} on shop.example",
        "4 new operations would be saved in zone shop; 0 were there already.",
    ]
    assert "4 operations on `sandbox.example` left out: no host of this zone" in dry.err
    assert "a variable is a whole segment" in dry.err
    assert shop("import", "openapi", "api.yaml").out.startswith("4 new operations saved in zone shop; 0 were")
    assert shop("import", "openapi", "api.yaml").out.startswith("0 new operations saved in zone shop; 4 were")
    said = json.loads(shop("import", "openapi", "api.yaml", "--host", "*", "--json").out)
    assert (len(said["new"]), said["new"][0]["host"]) == (4, "*")


def test_what_is_no_description_is_refused(shop: Hoplon) -> None:
    Path("swagger.json").write_text('{"swagger": "2.0", "paths": {}}')
    said = shop("import", "openapi", "api.yaml", "swagger.json")
    assert said.code == 1
    assert said.err.startswith("error: swagger.json is Swagger 2.0; OpenAPI 3.0 and 3.1 are read\nhint: ")
    assert shop("operations", "export", "--format", "csv").out.splitlines() == [
        "operation_id,method,host,endpoint,created_at,last_updated"
    ]


def test_exports(shop: Hoplon) -> None:
    shop("import", "openapi", "api.yaml")
    document = json.loads(shop("operations", "export").out)
    assert document["servers"] == [{"url": "https://shop.example"}]
    assert set(document["paths"]) == {"/v1/orders", "/v1/orders/{var1}", "/v1/files/{var1}"}
    shop("operations", "add", "GET", "/", "--host", "{t}.shop.example")
    several = shop("operations", "export")
    assert (several.code, several.out) == (2, "")
    assert "one of shop.example, {t}.shop.example" in several.err
    assert json.loads(shop("operations", "export", "--host", "shop.example").out) == document
    assert shop("operations", "export", "--format", "csv", "-o", "all.csv").out == ""
    assert len(Path("all.csv").read_text().splitlines()) == 6


def test_the_same_commands_work_on_a_hoplon_elsewhere(shop: Hoplon) -> None:
    with open_workspace(Path("hoplon-state")) as workspace, serving(workspace) as client:
        there = ("--server", f"http://127.0.0.1:{client.port}", "--token", "any")
        assert shop("import", "openapi", "api.yaml", *there).out.startswith("4 new operations saved in zone shop")
        assert shop("operations", "add", "GET", "/x", *there).out.startswith("Saved: GET /x on any host (")
        assert shop("operations", "rm", "GET", "/x", *there).out == "Removed 1.\n"
        elsewhere = shop("operations", "export", "--format", "csv", *there).out
    assert elsewhere == shop("operations", "export", "--format", "csv").out
    assert len(elsewhere.splitlines()) == 5
