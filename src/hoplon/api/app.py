"""The ASGI application: takes a request to its route, its caller, its handler, and writes the answer.

One thread speaks HTTP; handlers are plain functions in two bounded pools, so that writers who queue for the database
never keep readers waiting. A handler that is a coroutine function waits on the HTTP thread (long polls).
"""

import asyncio
import inspect
import secrets
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any, TypeVar

from hoplon.api.auth import Authorise, Caller, RequestFacts
from hoplon.api.content import Receive, has_content, is_small, read_content, receive_content
from hoplon.api.describe import Description, Handler, description_of
from hoplon.api.exchange import NO_ROUTE, Exchange
from hoplon.api.gatekeeper import Gatekeeper
from hoplon.api.metrics import Metrics
from hoplon.api.openapi import document_bytes
from hoplon.api.public import Page, public_pages
from hoplon.api.query import read_query
from hoplon.api.request import ApiRequest
from hoplon.api.response import Response, Send, failure, refusal, send_response, success
from hoplon.api.routes import ROUTES, Route
from hoplon.api.routing import Found, Router
from hoplon.api.unavailable import unavailable
from hoplon.errors import HoplonError
from hoplon.model.permissions import PermissionGroup, group_named
from hoplon.service.delivery import Offers
from hoplon.service.workspace import Workspace
from hoplon.settings.fields import ApiSettings

Outcome = TypeVar("Outcome")
Scope = MutableMapping[str, Any]

READERS = 8
WRITERS = 8
BODIES_AT_ONCE = 8
"""So many bodies that are not small are held in memory at once; who comes later waits before sending."""


@dataclass(frozen=True, slots=True)
class Target:
    """A route with its handler loaded."""

    route: Route
    groups: tuple[PermissionGroup, ...]
    handler: Handler
    description: Description
    waits: bool

    @property
    def path(self) -> str:
        return self.route.path


@dataclass(frozen=True, slots=True)
class Public:
    """A page that needs no token, under the template of its path."""

    path: str
    page: Page


@dataclass(slots=True)
class _Call:
    """One request on its way."""

    id: str
    method: str
    path: str
    facts: RequestFacts
    query: bytes
    route: str = NO_ROUTE
    caller: Caller | None = None


class ControlPlane:
    """The API of one installation, as an ASGI application."""

    def __init__(
        self,
        workspace: Workspace,
        settings: ApiSettings,
        authorise: Authorise | None = None,
        metrics: Metrics | None = None,
        finished: Callable[[Exchange], None] = lambda exchange: None,
        failed: Callable[[str, BaseException], None] = lambda request_id, error: None,
    ) -> None:
        self._workspace = workspace
        self._settings = settings
        self._finished = finished
        self._failed = failed
        metrics = metrics or Metrics()
        self._gatekeeper = Gatekeeper(workspace, settings, metrics.refuse)
        self._authorise = authorise or self._gatekeeper
        targets = [load_target(route) for route in ROUTES]
        described = [(target.route, target.description) for target in targets]
        pages = public_pages(workspace, metrics, cache(lambda: document_bytes(described)))
        self._router: Router[Target | Public] = Router(
            [
                *((target.route.method, target.path, target) for target in targets),
                *(("GET", path, Public(path, page)) for path, page in pages.items()),
            ]
        )
        self._readers = ThreadPoolExecutor(READERS, "read")
        self._writers = ThreadPoolExecutor(WRITERS, "write")
        self._bodies = asyncio.Semaphore(BODIES_AT_ONCE)
        self._offers = Offers(workspace.state)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._exchange(scope, receive, send)

    def stopping(self) -> None:
        """The server is about to end: answer those who wait for news, so that it need not wait for them."""
        self._offers.close()

    def close(self) -> None:
        """Wait for the handlers under way."""
        self._readers.shutdown()
        self._writers.shutdown()
        self._gatekeeper.close()

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return

    async def _exchange(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        call = _call(scope)
        try:
            response = await self._respond(call, receive)
        except HoplonError as error:
            response = refusal(error)
        except Exception as error:  # noqa: BLE001 - whatever failed is told, logged and counted; the server goes on
            self._failed(call.id, error)
            response = failure()
        with suppress(OSError):
            await send_response(send, call.id, response)
        self._finished(_exchange_of(call, response.status, time.perf_counter() - started))

    async def _respond(self, call: _Call, receive: Receive) -> Response:
        target = self._find(call)
        if isinstance(target, Public):
            return success(await _in_thread(self._readers, target.page, call.facts.ids))
        pool = self._readers if call.method == "GET" else self._writers
        if not has_content(call.facts.headers) and not target.waits:
            return await _in_thread(pool, self._handle, call, target, b"")
        caller = await _in_thread(self._readers, self._check, call, target)
        if target.waits:
            return await _unless_gone(self._wait(call, target, caller), receive)
        async with nullcontext() if is_small(call.facts.headers) else self._bodies:
            content = await receive_content(receive, self._settings.max_body_bytes)
            return await _in_thread(pool, self._handle, call, target, content)

    def _find(self, call: _Call) -> Target | Public:
        found = self._router.find(call.method, call.path)
        if isinstance(found, Found):
            call.facts = replace(call.facts, ids=found.ids)
            call.route = found.target.path
            return found.target
        if not found:
            raise HoplonError("request.no_route", "No route for the URI")
        raise HoplonError("request.method", f"this path takes {', '.join(found)}")

    def _check(self, call: _Call, target: Target) -> Caller:
        call.caller = self._authorise(self._workspace, call.facts, target.groups)
        return call.caller

    def _handle(self, call: _Call, target: Target, content: bytes) -> Response:
        caller = call.caller or self._check(call, target)
        handler: Any = target.handler
        return success(handler(self._request(call, target, caller, content)))

    async def _wait(self, call: _Call, target: Target, caller: Caller) -> Response:
        handler: Any = target.handler
        given = await handler(self._request(call, target, caller, b""))
        await _in_thread(self._readers, self._check, call, target)  # a token may have been revoked meanwhile
        return success(given)

    def _request(self, call: _Call, target: Target, caller: Caller, content: bytes) -> ApiRequest:
        headers = call.facts.headers
        query = read_query(call.query, target.description.query)
        body = read_content(target.description, headers, content)
        return ApiRequest(call.id, self._workspace, caller, call.facts.ids, query, headers, self._offers, body, content)


def create_app(workspace: Workspace, settings: ApiSettings, **hooks: Any) -> ControlPlane:
    """The API of `workspace` as an ASGI application; `hooks` are those of `ControlPlane`."""
    return ControlPlane(workspace, settings, **hooks)


def load_target(route: Route) -> Target:
    """Import a route's handler."""
    if route.handler is None:
        handler = unavailable(route.feature)
    else:
        module, _, name = route.handler.partition(":")
        handler = getattr(import_module(f"hoplon.api.{module}"), name)
    groups = tuple(group_named(name) for name in (route.group, route.also) if name is not None)
    return Target(route, groups, handler, description_of(handler), inspect.iscoroutinefunction(handler))


def _call(scope: Scope) -> _Call:
    headers = _joined(scope["headers"])
    client = scope.get("client")
    request_id = secrets.token_hex(16)
    facts = RequestFacts({}, headers, client[0] if client else "", scope["method"], request_id)
    path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    return _Call(request_id, scope["method"], path, facts, scope["query_string"])


def _joined(pairs: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by name; what is sent several times is one list (RFC 9110, 5.3), so that no line of it is overlooked."""
    headers: dict[str, str] = {}
    for name, value in pairs:
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    return headers


def _exchange_of(call: _Call, status: int, seconds: float) -> Exchange:
    caller = call.caller.actor.name if call.caller else None
    return Exchange(call.id, call.method, call.route, call.path, status, seconds, call.facts.address, caller)


async def _in_thread(pool: ThreadPoolExecutor, function: Callable[..., Outcome], *arguments: Any) -> Outcome:
    return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)


async def _unless_gone(waiting: Awaitable[Response], receive: Receive) -> Response:
    """The response, unless the caller hangs up before: then what waits is cancelled."""
    task = asyncio.ensure_future(waiting)
    gone = asyncio.ensure_future(_until_gone(receive))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise HoplonError("request.body", "the caller has hung up")
        return task.result()
    finally:
        task.cancel()
        gone.cancel()


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
