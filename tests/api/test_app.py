"""What holds for every route: envelope, errors, ids, limits."""

from hoplon.api.auth import Caller
from hoplon.service.workspace import Workspace
from hoplon.settings.fields import ApiSettings
from support.api_server import Client, serving

ZONES = "/client/v4/zones"


def test_a_listing_comes_in_the_envelope_with_its_paging(client: Client) -> None:
    reply = client.get(f"{ZONES}?per_page=5")
    assert reply.status == 200
    assert reply.json["errors"] == reply.json["messages"] == []
    assert [zone["name"] for zone in reply.result] == ["default"]
    assert reply.json["result_info"] == {"page": 1, "per_page": 5, "count": 1, "total_count": 1, "total_pages": 1}
    assert len(reply.headers["hoplon-request-id"]) == 32


def test_a_page_out_of_range_is_empty(client: Client) -> None:
    reply = client.get(f"{ZONES}?page=1000000000")
    assert (reply.status, reply.result) == (200, [])


def test_the_version_of_a_zone_is_its_etag(client: Client) -> None:
    zone = client.get(ZONES).result[0]
    assert client.get(f"{ZONES}/{zone['id']}").headers["etag"] == '"1"'


def test_an_unknown_path_and_an_unknown_method_are_told_apart(client: Client) -> None:
    assert client.get("/client/v4/nothing").error["code"] == 7003
    reply = client.ask("PUT", ZONES)
    assert (reply.status, reply.headers["allow"]) == (405, "GET, POST")


def test_an_unknown_id_is_not_found(client: Client) -> None:
    reply = client.get(f"{ZONES}/{'0' * 32}")
    assert (reply.status, reply.error["code"]) == (404, 11011)
    assert reply.error["documentation_url"] == "/errors/11011"


def test_a_parameter_that_cannot_be_taken_says_what_can(client: Client) -> None:
    reply = client.get(f"{ZONES}?direction=up")
    assert (reply.status, reply.error["code"]) == (400, 10400)
    assert "asc, desc" in reply.error["message"]


def test_a_feature_to_come_answers_501_after_the_permission_check(workspace: Workspace, client: Client) -> None:
    path = f"{ZONES}/{'0' * 32}/client_certificates"
    reply = client.get(path)
    assert (reply.status, reply.error["code"]) == (501, 10501)
    assert "mtls" in reply.error["message"]
    with serving(workspace, authorise=None) as stranger:
        assert stranger.get(path).status == 401


def test_without_a_token_nothing_is_answered(workspace: Workspace) -> None:
    with serving(workspace, authorise=None) as stranger:
        reply = stranger.ask("GET", ZONES, headers={"Authorization": ""})
    assert (reply.status, reply.error["code"], reply.headers["www-authenticate"]) == (401, 9106, "Bearer")


def test_a_body_beyond_the_limit_is_refused_and_not_kept(workspace: Workspace) -> None:
    with serving(workspace, settings=ApiSettings(max_body_bytes=65536)) as client:
        path = f"{ZONES}/{'0' * 32}/api_gateway/operations"
        reply = client.ask("POST", path, content=b"[" + b" " * 10_000_000 + b"]")
    assert (reply.status, reply.error["code"]) == (413, 10413)


def test_an_error_nobody_foresaw_tells_the_log_everything_and_the_caller_nothing(workspace: Workspace) -> None:
    told: list[tuple[str, BaseException]] = []

    def broken(*_: object) -> Caller:
        raise RuntimeError("the secret is xyzzy")

    with serving(workspace, authorise=broken, failed=lambda *what: told.append(what)) as client:
        reply = client.get(ZONES)
    assert (reply.status, reply.error["code"]) == (500, 10500)
    assert "xyzzy" not in reply.content.decode()
    assert [(request_id, str(error)) for request_id, error in told] == [
        (reply.headers["hoplon-request-id"], "the secret is xyzzy")
    ]


def test_without_its_database_it_is_not_ready_and_says_why(workspace: Workspace, client: Client) -> None:
    workspace.database.dispose()
    workspace.state.database.rename(workspace.state.root / "elsewhere.db")
    workspace.state.database.mkdir()
    reply = client.get("/readyz")
    assert (reply.status, reply.json["ready"], reply.json["code"]) == (503, False, "database.unusable")
    reply = client.get(ZONES)
    assert (reply.status, reply.error["code"]) == (503, 12002)


def test_what_a_number_means_is_told_to_everybody(client: Client) -> None:
    stranger = Client(client.host, client.port, None)
    assert stranger.get("/errors/10412").json == {"number": 10412, "status": 412, "codes": ["precondition.failed"]}
    assert stranger.get("/errors/1").status == 404
