"""Every route × every permission group × own and foreign zone or account × every state of a token: who is let in.

The real door, store and dispatcher; only the handlers are replaced, by one that says that it was reached. What must
come out is written here a second time, in other words than the program's: by path, not by route.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from hoplon.api import app as app_module
from hoplon.api.app import ControlPlane, Target, load_target
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.request import ApiRequest
from hoplon.api.routes import ROUTES, Route
from hoplon.model.actor import SYSTEM
from hoplon.model.permissions import GROUPS, PermissionGroup
from hoplon.service.token_wishes import TokenWish, spec_of_wish
from hoplon.service.tokens import TokenSpec, change_token_to, create_token, find_token, revoke_token
from hoplon.service.workspace import Workspace, open_workspace
from hoplon.service.zones import create_zone
from hoplon.settings.fields import ApiSettings
from hoplon.storage.database import reading
from hoplon.storage.policies import the_account

NOBODYS = "f" * 32
STATES = ("good", "none", "unknown", "revoked", "disabled", "expired", "not_yet", "elsewhere")
TARGETS = ("own", "foreign", "missing")

SATISFIED_BY: dict[str, set[str]] = {
    "API Gateway Read": {
        "API Gateway Read",
        "API Gateway Write",
        "Account API Gateway Read",
        "Account API Gateway Write",
    },
    "API Gateway Write": {"API Gateway Write", "Account API Gateway Write"},
    "Account API Gateway Read": {"Account API Gateway Read", "Account API Gateway Write"},
    "Account API Gateway Write": {"Account API Gateway Write"},
    "Zone Read": {"Zone Read", "Zone Write"},
    "Zone Write": {"Zone Write"},
    "Account Settings Read": {"Account Settings Read", "Account Settings Write"},
    "Account Settings Write": {"Account Settings Write"},
    "Account Filter Lists Read": {"Account Filter Lists Read", "Account Filter Lists Edit"},
    "Account Filter Lists Edit": {"Account Filter Lists Edit"},
    "API Tokens Read": {"API Tokens Read", "API Tokens Write"},
    "API Tokens Write": {"API Tokens Write"},
    "Audit Logs Read": {"Audit Logs Read"},
    "Hoplon Operate": {"Hoplon Operate"},
    "Hoplon Gateway": {"Hoplon Gateway"},
}
"""Which groups are enough where one is asked for."""

RULES: tuple[tuple[str, str, str], ...] = (
    (r"/client/v4/(user|accounts/\{account_id\})/tokens/verify", "", ""),
    (r"/client/v4/(user|accounts/\{account_id\})/tokens.*", "API Tokens Read", "API Tokens Write"),
    (r"/client/v4/(user|accounts/\{account_id\})/(audit_logs|logs/audit).*", "Audit Logs Read", "?"),
    (r"/client/v4/accounts(/\{account_id\})?", "Account Settings Read", "Account Settings Write"),
    (r"/client/v4/accounts/\{account_id\}/rules/lists.*", "Account Filter Lists Read", "Account Filter Lists Edit"),
    (r"/client/v4/accounts/\{account_id\}/.*", "Account API Gateway Read", "Account API Gateway Write"),
    (r"/client/v4/zones(/\{zone_id\})?", "Zone Read", "Zone Write"),
    (r"/client/v4/zones/\{zone_id\}/.*", "API Gateway Read", "API Gateway Write"),
    (r"/hoplon/v1/zones(/\{zone_id\}/upstreams)?", "Zone Read", "Zone Write"),
    (r"/hoplon/v1/(policies|zones/\{zone_id\}/policy)/diff", "?", "API Gateway Read + Zone Read"),
    (r"/hoplon/v1/zones/\{zone_id\}/replays", "?", "API Gateway Read + Zone Read"),
    (
        r"/hoplon/v1/(policies|zones/\{zone_id\}/policy).*",
        "API Gateway Read + Zone Read",
        "API Gateway Write + Zone Write",
    ),
    (r"/hoplon/v1/zones/\{zone_id\}/.*", "API Gateway Read", "API Gateway Write"),
    (r"/hoplon/v1/bundles/(current|secrets|parts/\{sha256\})", "Hoplon Gateway", "?"),
    (r"/hoplon/v1/tokens", "API Tokens Read", "API Tokens Write"),
    (r"/hoplon/v1/audit.*", "Audit Logs Read", "?"),
    (r"/hoplon/v1/.*", "Hoplon Operate", "Hoplon Operate"),
)
"""Paths to the groups that reading and changing need; the first that matches. `?`: there is no such route."""


@dataclass(frozen=True)
class Place:
    """An installation with two zones, and a token in every state for every group."""

    account: str
    own: str
    foreign: str
    secrets: dict[tuple[str, str], str | None]
    app: ControlPlane


def needs(route: Route) -> list[str]:
    """The groups that a route must ask for, by the rules above."""
    for pattern, read, change in RULES:
        if re.fullmatch(pattern, route.path):
            return [each for each in (read if route.method == "GET" else change).split(" + ") if each]
    raise AssertionError(f"no rule says who may {route.method} {route.path}")


def targets(route: Route) -> tuple[str, ...]:
    return TARGETS if "{zone_id}" in route.path or "{account_id}" in route.path else ("own",)


def expected(route: Route, group: PermissionGroup, target: str, state: str) -> tuple[int, int | None]:
    """HTTP status and number of the error; (200, None) for who is let in."""
    if state == "none":
        return 401, 9106
    if state == "elsewhere":
        return 403, 10001
    if state != "good":
        return 401, 9109
    if "{account_id}" in route.path and target != "own":
        return 404, 11001
    wanted = needs(route)
    is_of_zone = group.scope == "zone"
    has_all = all(group.name in SATISFIED_BY[each] for each in wanted)
    if "{zone_id}" in route.path:
        everywhere = group.name.startswith("Account API Gateway")
        reaches = target == "own" or not is_of_zone
        if has_all and reaches:
            return 200, None
        return (403, 10000) if everywhere or (is_of_zone and target == "own") else (404, 11011)
    if wanted and wanted[0] in ("Zone Read", "Zone Write", "API Gateway Read", "API Gateway Write"):
        sees_what_there_is = route.method == "GET"
        has_all = has_all and (sees_what_there_is or not is_of_zone)
    return (200, None) if has_all else (403, 10000)


def path_of(place: Place, route: Route, target: str) -> str:
    ids = {
        "own": {"zone_id": place.own, "account_id": place.account},
        "foreign": {"zone_id": place.foreign, "account_id": NOBODYS},
        "missing": {"zone_id": NOBODYS, "account_id": "no-account"},
    }[target]
    return re.sub(r"\{(\w+)\}", lambda match: ids.get(match[1], "x" * 32), route.path)


@contextmanager
def probed() -> Iterator[None]:
    """Routes keep everything but their handlers."""

    @described("Reached.", result=str)
    def reached(request: ApiRequest) -> Answer:
        return answer("reached")

    def load(route: Route) -> Target:
        real = load_target(route)
        return Target(route, real.groups, reached, reached.__dict__["description"], waits=False)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(app_module, "load_target", load)
        yield


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    state = tmp_path_factory.mktemp("authorization") / "state"
    settings = ApiSettings(requests_per_minute=10**9, failures_per_minute=10**9)
    with open_workspace(state, create=True) as workspace:
        own, foreign = (create_zone(workspace, SYSTEM, name).id for name in ("own.test", "foreign.test"))
        with reading(workspace.database) as connection:
            account = the_account(connection).id
        secrets = {(group.name, each): secret_in(workspace, group, each) for group in GROUPS for each in STATES}
        with probed():
            app = ControlPlane(workspace, settings)
        revoke_in_use(workspace, app, [secrets[group.name, "revoked"] for group in GROUPS])
        yield Place(account, own, foreign, secrets, app)
        app.close()


def secret_in(workspace: Workspace, group: PermissionGroup, state: str) -> str | None:
    """The secret of a token with one group, on its own zone or on the account, in one state."""
    if state in ("none", "unknown"):
        return None if state == "none" else "hoplon_" + "0" * 49
    wishes: dict[str, dict[str, Any]] = {
        "expired": {"expires": "2020-01-01"},
        "not_yet": {"not_before": "1d"},
        "elsewhere": {"allowed": ("198.51.100.0/24",)},
    }
    zones = ("own.test",) if group.scope == "zone" else ()
    wish = TokenWish(f"{group.name} {state}", (group.name,), zones, **wishes.get(state, {}))
    token, secret = create_token(workspace, SYSTEM, spec_of_wish(workspace, wish), None)
    if state == "disabled":
        change_token_to(workspace, SYSTEM, token.id, TokenSpec(token.name, token.policies, status="disabled"), None)
    return secret


def revoke_in_use(workspace: Workspace, app: ControlPlane, secrets: list[str | None]) -> None:
    """Revoke tokens that the door has just let in, and knows."""
    for secret in secrets:
        assert asyncio.run(ask(app, "GET", "/client/v4/user/tokens/verify", secret))[0] == 200
        token = find_token(workspace, secret or "")
        assert token is not None
        revoke_token(workspace, SYSTEM, token.id)


async def ask(app: ControlPlane, method: str, path: str, secret: str | None) -> tuple[int, bytes]:
    """One request, straight into the application."""
    headers = [] if secret is None else [(b"authorization", b"Bearer " + secret.encode())]
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("192.0.2.1", 1),
    }
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return int(sent[0]["status"]), bytes(sent[1]["body"])


def number_of(content: bytes) -> int | None:
    match = re.search(rb'"code":(\d+)', content)
    return int(match[1]) if match else None


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_every_cell_of_the_matrix(place: Place) -> None:
    cells = [
        (route, group, target, state)
        for route in ROUTES
        for group in GROUPS
        for target in targets(route)
        for state in STATES
    ]

    async def cell(route: Route, group: PermissionGroup, target: str, state: str) -> str | None:
        secret = place.secrets[group.name, state]
        status, content = await ask(place.app, route.method, path_of(place, route, target), secret)
        found = (status, number_of(content))
        if found == expected(route, group, target, state):
            return None
        return f"{route.method} {route.path} {group.name} {target} {state}: {found}"

    async def all_cells() -> list[str]:
        holes: list[str] = []
        for start in range(0, len(cells), 200):
            results = await asyncio.gather(*(cell(*each) for each in cells[start : start + 200]))
            holes += [each for each in results if each is not None]
        return holes

    holes = asyncio.run(all_cells())
    assert not holes, f"{len(holes)} of {len(cells)} cells:\n" + "\n".join(holes[:40])
    assert len(cells) == sum(len(GROUPS) * len(targets(route)) * len(STATES) for route in ROUTES)


def test_who_is_let_in_somewhere_is_told_apart_from_who_is_not(place: Place) -> None:
    """The expectation itself: nobody is let in everywhere, every group somewhere, and every outcome occurs."""
    outcomes = Counter(
        expected(route, group, target, state)
        for route in ROUTES
        for group in GROUPS
        for target in targets(route)
        for state in STATES
    )
    assert set(outcomes) == {
        (200, None),
        (401, 9106),
        (401, 9109),
        (403, 10000),
        (403, 10001),
        (404, 11001),
        (404, 11011),
    }
    for group in GROUPS:
        let_in = {route.path for route in ROUTES if expected(route, group, "own", "good")[0] == 200}
        only_verify = {route.path for route in ROUTES if route.path.endswith("/tokens/verify")}
        assert group.name == "Account Settings Write" or let_in > only_verify, group.name
        assert len(let_in) < len(ROUTES)


def test_the_rules_and_the_routes_ask_for_the_same(place: Place) -> None:
    for route in ROUTES:
        assert [each for each in (route.group, route.also) if each is not None] == needs(route), route


def test_zones_out_of_sight_answer_byte_for_byte_like_missing_ones(place: Place) -> None:
    secret = place.secrets["API Gateway Write", "good"]
    for route in ROUTES:
        if "{zone_id}" in route.path:
            foreign, missing = (
                asyncio.run(ask(place.app, route.method, path_of(place, route, target), secret))
                for target in ("foreign", "missing")
            )
            assert foreign == missing
