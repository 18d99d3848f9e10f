"""Per-user tokens of a real application: PocketBase's users, identified by a claim, limited, replayed.

    PYTHONPATH=tests python -m apps.pocketbase_tokens [--work FOLDER]

PocketBase signs each user's token (HS256) with that user's own `tokenKey` and the collection's secret, so each user has
a token configuration of one key. Both are read from its database, as its administrator could. Exit code 1 when a
check fails.
"""

import argparse
import asyncio
import base64
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from apps.__main__ import install
from apps.applications import Place
from apps.gateway import HOPLON, Gateway, gateway_before
from apps.pocketbase import POCKETBASE, server
from apps.processes import AppFailedError, free_port, run_client, running

USERS = ("alice", "bob")
LIMIT = 20
"""Requests of a session in ten minutes: the driver sends about twice as many for each user."""
BY_SESSION = "SELECT session, session_source, session_verified, count(*) AS requests FROM records GROUP BY ALL"


@dataclass(frozen=True, slots=True)
class Check:
    """What should be so, and what was."""

    what: str
    holds: bool
    seen: str


def user_key(database: Path, email: str) -> bytes:
    """What PocketBase signs this user's tokens with."""
    with sqlite3.connect(database) as connection:
        [(options,)] = connection.execute("SELECT options FROM _collections WHERE name = 'users'")
        [(own,)] = connection.execute("SELECT tokenKey FROM users WHERE email = ?", (email,))
    return f"{own}{json.loads(options)['authToken']['secret']}".encode()


def jwks_of(user: str, key: bytes) -> dict[str, Any]:
    """The user's key as a JSON Web Key Set."""
    secret = base64.urlsafe_b64encode(key).rstrip(b"=").decode()
    return {"keys": [{"kty": "oct", "kid": user, "alg": "HS256", "k": secret}]}


def policy(configurations: Mapping[str, str], exported: str, action: str) -> str:
    """The exported policy with sessions by claim and one limit per session."""
    identifiers = ", ".join(f'{{ type = "jwt", name = "{each}:$.id" }}' for each in configurations.values())
    members = (
        'ref = "per-session"',
        f'description = "{LIMIT} requests of a session in ten minutes"',
        f'action = "{action}"',
        """expression = 'starts_with(http.request.uri.path, "/api/collections/notes/")'""",
        'characteristics = ["cf.colo.id", "hoplon.session"]',
        f"period = 600, requests_per_period = {LIMIT}, mitigation_timeout = 0",
    )
    with_sessions = exported.replace("identifiers = []", f"identifiers = [{identifiers}]")
    return with_sessions.replace("[limits]\nrules = []", f"[limits]\nrules = [{{ {', '.join(members)} }}]")


class Walk:
    """One walk: a server, a gateway before it, the driver."""

    def __init__(self, place: Place, gateway: Gateway) -> None:
        self.place, self.gateway = place, gateway
        self.checks: list[Check] = []
        self.identified_since = ""

    def hoplon(self, *arguments: str, document: str | None = None) -> str:
        """A command of Hoplon on this installation; gives what it printed."""
        command = (*HOPLON, *arguments, "--state", str(self.gateway.state))
        answer = subprocess.run(command, input=document, capture_output=True, text=True, timeout=120, check=False)
        if answer.returncode:
            raise AppFailedError(f"hoplon {' '.join(arguments)}: {answer.stderr.strip()}")
        return answer.stdout

    def check(self, what: str, holds: bool, seen: object) -> None:
        """Notes one check."""
        self.checks.append(Check(what, holds, str(seen)))

    async def drive(self) -> list[str]:
        """The application's own client through the gateway; gives its lines."""
        [command] = POCKETBASE.drive(self.place, f"http://127.0.0.1:{self.gateway.port}")
        _, lines = await run_client(command)
        await asyncio.sleep(2.5)
        return lines

    def configure(self) -> dict[str, str]:
        """A token configuration for each user; gives their ids."""
        ids = {user: str(uuid.uuid4()) for user in USERS}
        for user, identity in ids.items():
            file = self.place.folder / f"{user}.jwks.json"
            key = user_key(self.place.folder / "data" / "data.db", f"{user}@example.com")
            file.write_text(json.dumps(jwks_of(user, key)))
            self.hoplon("tokens", "add", "--id", identity, "--title", user, "--jwks", str(file))
        return ids

    def sessions(self) -> list[dict[str, Any]]:
        """Requests by session, as the records say."""
        found: list[dict[str, Any]] = json.loads(self.hoplon("records", "query", BY_SESSION, "--json"))
        return found

    def apply(self, document: str) -> None:
        """Puts a policy into force, and gives the gateway a moment."""
        self.hoplon("policy", "apply", "-", "--yes", document=document)
        time.sleep(1)

    def verified(self) -> dict[str, int]:
        """Requests of each session that a verified token identified."""
        return {each["session"]: each["requests"] for each in self.sessions() if each["session_verified"]}

    async def identify(self, ids: Mapping[str, str], exported: str) -> None:
        """Under the identifiers each user is one verified session, and the superuser is none."""
        self.apply(policy(ids, exported, "log"))
        # What came before was told apart by other identifiers: a replay could not know whose it is under these.
        self.identified_since = datetime.now(UTC).isoformat()
        await self.drive()
        verified = self.verified()
        self.check("two sessions by claim, one for each user", len(verified) == len(USERS), verified)
        # The same script for both, but for one request to alice's note.
        self.check("both users asked about as often", max(verified.values()) - min(verified.values()) <= 1, verified)
        others = [each for each in self.sessions() if not each["session_verified"]]
        self.check("no verified session without a token of a user", all(o["session"] for o in others), len(others))

    def replay(self, ids: Mapping[str, str], exported: str) -> None:
        """What the limit would have blocked is what is above it, of both users, and nothing is guessed."""
        command = ("replay", "--policy", "-", "--since", self.identified_since, "--json")
        report = json.loads(self.hoplon(*command, document=policy(ids, exported, "block")))
        blocked = report["would"]["block"]
        self.check("a replay blocks what is above the limit", blocked > 0, report["would"])
        self.check("of two sessions", report["sessions"]["block"] == len(USERS), report["sessions"])

    async def limit(self, ids: Mapping[str, str], exported: str) -> None:
        """With `block`, the same client meets the limit, and the decision is found by its rule."""
        self.apply(policy(ids, exported, "block"))
        lines = await self.drive()
        self.check("the client is told 429", any("429" in line for line in lines), lines[-3:])
        decisions = json.loads(self.hoplon("decisions", "--action", "block", "--json"))
        self.check("the decisions name the limit", bool(decisions), len(decisions))


async def walk(work: Path, drivers: Path) -> list[Check]:
    """The whole walk; gives its checks."""
    folder = work / "pocketbase-tokens" / uuid.uuid4().hex[:8]
    folder.mkdir(parents=True)
    place = Place(install(POCKETBASE, work / "venvs" / "pocketbase"), folder, drivers)
    port = free_port()
    ready = f"http://127.0.0.1:{port}{POCKETBASE.ready_path}"
    async with running(server(place, port), ready, folder / "server.log"), gateway_before(port, folder) as gateway:
        steps = Walk(place, gateway)
        await steps.drive()
        ids = steps.configure()
        exported = steps.hoplon("policy", "export")
        await steps.identify(ids, exported)
        steps.replay(ids, exported)
        await steps.limit(ids, exported)
    return steps.checks


def main(arguments: Sequence[str]) -> int:
    """Walks, prints each check, and gives the exit code."""
    parser = argparse.ArgumentParser(prog="python -m apps.pocketbase_tokens", description=__doc__)
    parser.add_argument("--work", type=Path, help="a folder to keep; default: a new one")
    options = parser.parse_args(arguments)
    drivers = Path(os.environ.get("HOPLON_SHARED", ""), "apps", "drivers").resolve()
    if not drivers.is_dir():
        print("error: the drivers are missing", file=sys.stderr)
        print("hint: set HOPLON_SHARED to the folder that holds apps/drivers", file=sys.stderr)
        return 2
    work = (options.work or Path(tempfile.mkdtemp(prefix="hoplon-apps-"))).resolve()
    checks = asyncio.run(walk(work, drivers))
    for check in checks:
        print(f"{'ok     ' if check.holds else 'FAILED '} {check.what}: {check.seen}")
    return 0 if all(check.holds for check in checks) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
