"""`/hoplon/v1/bundles` and `/gateways`: how gateways elsewhere get their bundles, and which of them have been heard.

The long poll looks at files only; a waiting gateway holds no thread and no connection to the database.
"""

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime
from http import HTTPStatus

from typing_extensions import TypedDict

from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_content, moment
from hoplon.api.query import Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError
from hoplon.model.gateway import RemoteGateway
from hoplon.service import gateways
from hoplon.service.delivery import MAX_WAIT_SECONDS
from hoplon.storage.bundles import manifest_hash
from hoplon.storage.token_secrets import read_token_secrets

_SHA256 = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class OfferForm(TypedDict):
    """What a gateway shall serve; `manifest` is left out (null) when it has that bundle already."""

    bundle: str | None
    mode: str
    generation: int
    manifest: str | None


class SecretsForm(TypedDict):
    """Secrets of token keys by id, in base64url."""

    secrets: dict[str, str]


class GatewayForm(TypedDict):
    """A gateway that was heard."""

    name: str
    credential: str
    token_id: str
    last_seen_at: str
    address: str | None
    bundle: str | None
    mode: str | None
    state: str


@described(
    "The bundle and mode that gateways shall serve: at once when they differ from what the query says, else 204.",
    query=(
        Text("after", "The bundle that the gateway has.", 64),
        Text("mode", "The mode in which it acts.", 16),
        Text("name", "The gateway's name among those that show this credential.", 64),
        Text("serves", "The bundle that it serves.", 64),
        Integer("wait", "Seconds to wait for news.", 0, int(MAX_WAIT_SECONDS), 0),
    ),
    result=OfferForm,
    may_be_empty=True,
)
async def current(request: ApiRequest) -> Answer:
    after, mode = request.query["after"] or "", request.query["mode"] or ""
    with suppress(HoplonError):  # a full disk keeps us from remembering the gateway, not the gateway from its bundle
        await asyncio.to_thread(gateways.note_gateway, request.workspace, _seen(request))
    found = await request.offers.after(after, mode, request.query["wait"], request.caller.actor.id)
    if found is None:
        return Answer(content=b"", status=HTTPStatus.NO_CONTENT)
    return answer(found.as_json(after))


@described("One part of a bundle, by the SHA-256 of its bytes.", content_types=("application/octet-stream",))
def part(request: ApiRequest) -> Answer:
    digest = request.ids["sha256"]
    if _SHA256.fullmatch(digest):
        try:
            content = (request.workspace.state.bundle_parts / digest).read_bytes()
        except FileNotFoundError:
            pass
        else:
            return answer_content(content, "application/octet-stream")
    raise HoplonError("bundle.no_part", "there is no such part", "ask for the current bundle again")


@described("The secrets that the current bundle names by id: for gateways, and for nobody else.", result=SecretsForm)
def secrets(request: ApiRequest) -> Answer:
    form: SecretsForm = {"secrets": read_token_secrets(request.workspace.state)}
    return answer(form)


@described("The gateways that fetch their bundles here.", result=list[GatewayForm])
def list_gateways(request: ApiRequest) -> Answer:
    now, bundle = datetime.now(UTC), manifest_hash(request.workspace.state.current)
    found = gateways.list_gateways(request.workspace)
    return answer([_form(each, gateways.state_of(each, bundle, now)) for each in found])


def _form(gateway: RemoteGateway, state: str) -> GatewayForm:
    return {
        "name": gateway.name,
        "credential": gateway.credential,
        "token_id": gateway.token_id,
        "last_seen_at": moment(gateway.last_seen_at),
        "address": gateway.address,
        "bundle": gateway.bundle,
        "mode": gateway.mode,
        "state": state,
    }


def _seen(request: ApiRequest) -> RemoteGateway:
    """The gateway that asks, as it describes itself; what is no name or hash of ours is not kept."""
    name, serves, actor = request.query["name"] or "", request.query["serves"] or "", request.caller.actor
    return RemoteGateway(
        name=name if _NAME.fullmatch(name) else "unnamed",
        credential=actor.name,
        token_id=actor.id,
        last_seen_at=datetime.now(UTC),
        address=actor.address,
        bundle=serves if _SHA256.fullmatch(serves) else None,
        mode=request.query["mode"] if request.query["mode"] in ("off", "log", "enforce") else None,
    )
