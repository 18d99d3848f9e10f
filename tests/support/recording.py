"""Every answer of the API under test, held against the documents that promise its form: Cloudflare's, else our own."""

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator, MutableMapping
from functools import cache
from pathlib import Path
from typing import Any

from hoplon.api.app import load_target
from hoplon.api.openapi import write_document
from hoplon.api.routes import ROUTES
from support.contract import Contract, Exchange

SHARED = Path(os.environ.get("HOPLON_SHARED", Path(__file__).parents[3] / "shared"))
SUBSET = SHARED / "reference" / "cloudflare-api-subset.json"
PREFIX = "/client/v4"
NOT_A_ROUTE = (401, 404, 405)
"""What a request gets that no document describes."""
PUBLIC = ("/readyz", "/metrics", "/errors/", "/openapi.json")
"""Pages beside the API."""

App = Callable[
    [MutableMapping[str, Any], Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]], Awaitable[None]
]


class Recorded:
    """An ASGI application that keeps what the one within answers, in `exchanges`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.exchanges: list[Exchange] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent: list[MutableMapping[str, Any]] = []

        async def keep(message: MutableMapping[str, Any]) -> None:
            sent.append(message)
            await send(message)

        await self._app(scope, receive, keep)
        if sent:  # nothing is sent to who hung up
            self.exchanges.append(_exchange(scope, sent))


def _exchange(scope: MutableMapping[str, Any], sent: list[MutableMapping[str, Any]]) -> Exchange:
    path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    body = b"".join(message.get("body", b"") for message in sent[1:])
    return Exchange(scope["method"], path, sent[0]["status"], headers.get("content-type", ""), body)


def complaints(exchanges: Iterable[Exchange]) -> Iterator[str]:
    """What is wrong with these answers. Cloudflare's document decides where it knows the route, else our own."""
    for exchange in exchanges:
        judged = _judged(exchange)
        if judged is None and exchange.status not in NOT_A_ROUTE and not exchange.path.startswith(PUBLIC):
            yield f"{exchange}: the route is in no document"
        yield from judged or ()


def _judged(exchange: Exchange) -> list[str] | None:
    documents = (document for document in (subset(), own()) if document is not None)
    found = (document.complaints(exchange) for document in documents)
    return next((judged for judged in found if judged is not None), None)


@cache
def subset() -> Contract | None:
    """Cloudflare's own description of the resources that Hoplon has; None where the shared data is not at hand."""
    return Contract.of_file(SUBSET, PREFIX) if SUBSET.exists() else None


@cache
def own() -> Contract:
    """Our own description of everything that we answer."""
    targets = [load_target(route) for route in ROUTES]
    return Contract(write_document([(target.route, target.description) for target in targets], "0.0.0"))
