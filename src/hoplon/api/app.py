"""The ASGI application: takes a request to its route, its caller, its handler, and writes the answer.

One thread speaks HTTP; handlers are plain functions in two bounded pools, so that writers who queue for the database
never keep readers waiting. A handler that is a coroutine function waits on the HTTP thread (long polls).
"""

import asyncio
import inspect
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from importlib import import_module
from typing import Any, TypeVar

from hoplon.api.auth import Authorise, Caller, RequestFacts, authorise
from hoplon.api.bodies import read_body
from hoplon.api.describe import Description, Handler, description_of
from hoplon.api.envelope import Answer, write_answer, write_errors
from hoplon.api.errors import INTERNAL, error_form, error_messages
from hoplon.api.query import read_query
from hoplon.api.request import ApiRequest
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
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

READERS = 8
WRITERS = 8
BODIES_AT_ONCE = 8
"""So many bodies are held in memory at once; who comes later waits before sending."""
_BODY_SECONDS = 60.0
_DRAINED_BYTES = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class Target:
    """A route with its handler loaded."""

    route: Route
    group: PermissionGroup | None
    handler: Handler
    description: Description
    waits: bool


@dataclass(frozen=True, slots=True)
class Response:
    """An answer as it goes out."""

    status: int
    body: bytes
    media_type: str
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Exchange:
    """One finished exchange, as the log and the metrics see it. `route` is the path's template, never the path."""

    id: str
    method: str
    route: str
    path: str
    status: int
    seconds: float
    address: str
    caller: str | None


@dataclass(slots=True)
class _Call:
    """One request on its way."""

    id: str
    method: str
    path: str
    facts: RequestFacts
    query: bytes
    route: str = "(none)"
    caller: Caller | None = None


class ControlPlane:
    """The API of one installation, as an ASGI application."""

    def __init__(
        self,
        workspace: Workspace,
        settings: ApiSettings,
        authorise: Authorise = authorise,
        finished: Callable[[Exchange], None] = lambda exchange: None,
        failed: Callable[[str, BaseException], None] = lambda request_id, error: None,
    ) -> None:
        self._workspace = workspace
        self._settings = settings
        self._authorise = authorise
        self._finished = finished
        self._failed = failed
        self._router = Router([(route.method, route.path, load_target(route)) for route in ROUTES])
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
            await _send(send, call.id, response)
        self._finished(_exchange_of(call, response.status, time.perf_counter() - started))

    async def _respond(self, call: _Call, receive: Receive) -> Response:
        target = self._find(call)
        if not _has_body(call.facts.headers) and not target.waits:
            return await self._in_thread(call, self._handle, call, target, b"")
        caller = await self._in_thread(call, self._check, call, target)
        if target.waits:
            return await _unless_gone(self._wait(call, target, caller), receive)
        async with self._bodies:
            content = await self._read(receive)
            return await self._in_thread(call, self._handle, call, target, content)

    def _find(self, call: _Call) -> Target:
        found = self._router.find(call.method, call.path)
        if isinstance(found, Found):
            call.facts = replace(call.facts, ids=found.ids)
            call.route = found.target.route.path
            return found.target
        if not found:
            raise HoplonError("request.no_route", "No route for the URI")
        raise HoplonError("request.method", f"this path takes {', '.join(found)}")

    def _check(self, call: _Call, target: Target) -> Caller:
        call.caller = self._authorise(self._workspace, call.facts, target.group)
        return call.caller

    def _handle(self, call: _Call, target: Target, content: bytes) -> Response:
        caller = call.caller or self._check(call, target)
        handler: Any = target.handler
        given: Answer = handler(self._request(call, target, caller, content))
        return success(given)

    async def _wait(self, call: _Call, target: Target, caller: Caller) -> Response:
        handler: Any = target.handler
        given: Answer = await handler(self._request(call, target, caller, b""))
        await self._in_thread(call, self._check, call, target)  # a token may have been revoked meanwhile
        return success(given)

    def _request(self, call: _Call, target: Target, caller: Caller, content: bytes) -> ApiRequest:
        headers = call.facts.headers
        query = read_query(call.query, target.description.query)
        body = read_content(target.description, headers, content)
        return ApiRequest(call.id, self._workspace, caller, call.facts.ids, query, headers, self._offers, body, content)

    async def _in_thread(self, call: _Call, function: Callable[..., Outcome], *arguments: Any) -> Outcome:
        pool = self._readers if call.method == "GET" else self._writers
        return await asyncio.get_running_loop().run_in_executor(pool, function, *arguments)

    async def _read(self, receive: Receive) -> bytes:
        limit = self._settings.max_body_bytes
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                return await _read_content(receive, limit)
        except TimeoutError:
            raise HoplonError("request.body", f"the body did not arrive within {_BODY_SECONDS:g} s") from None


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
    group = group_named(route.group) if route.group else None
    return Target(route, group, handler, description_of(handler), inspect.iscoroutinefunction(handler))


def read_content(description: Description, headers: Mapping[str, str], content: bytes) -> Any:
    """The body in the form that the handler asks for; None when there is none or the handler wants none."""
    if description.body is None and not description.body_media_types:
        return None
    if not content:
        if description.is_body_required:
            raise HoplonError("request.body_missing", "this request needs a body")
        return None
    media_type = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise HoplonError("request.media_type", "compressed bodies are not taken", "send it without Content-Encoding")
    if media_type in description.body_media_types:
        return None
    if description.body is None or not (media_type == "application/json" or media_type.endswith("+json")):
        taken = (*(("application/json",) if description.body is not None else ()), *description.body_media_types)
        raise HoplonError("request.media_type", f"the body is {media_type}", f"Content-Type: {' or '.join(taken)}")
    return read_body(content, description.body)


def success(given: Answer) -> Response:
    """An answer as it goes out."""
    headers = dict(given.headers)
    if given.version is not None:
        headers["etag"] = f'"{given.version}"'
    return Response(given.status, write_answer(given), given.media_type, headers)


def refusal(error: HoplonError) -> Response:
    """What a caller gets for an error of ours with a code."""
    form = error_form(error.code)
    headers: dict[str, str] = {}
    if error.code == "request.method":
        headers["allow"] = error.message.removeprefix("this path takes ")
    if form.status == 401:
        headers["www-authenticate"] = "Bearer"
    return Response(form.status, write_errors(error_messages(error)), "application/json", headers)


def failure() -> Response:
    """What a caller gets for an error that nobody foresaw: no detail; the log has it under the request's id."""
    error = HoplonError("internal", "Hoplon itself failed", "the log of the API has more under the id of this request")
    return Response(INTERNAL.status, write_errors(error_messages(error)), "application/json")


def _call(scope: Scope) -> _Call:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    client = scope.get("client")
    facts = RequestFacts({}, headers, client[0] if client else "")
    path = scope.get("raw_path", scope["path"].encode()).partition(b"?")[0].decode("latin-1")
    return _Call(secrets.token_hex(16), scope["method"], path, facts, scope["query_string"])


def _exchange_of(call: _Call, status: int, seconds: float) -> Exchange:
    caller = call.caller.actor.name if call.caller else None
    return Exchange(call.id, call.method, call.route, call.path, status, seconds, call.facts.address, caller)


def _has_body(headers: Mapping[str, str]) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _read_content(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise HoplonError("request.body", "the connection closed before the body was complete")
        size += len(message.get("body", b""))
        if size <= limit:
            chunks.append(message.get("body", b""))
        elif size > limit + _DRAINED_BYTES:
            break
        else:
            chunks.clear()
        if not message.get("more_body"):
            break
    if size > limit:
        raise HoplonError(
            "request.too_large", f"the body has more than {limit} bytes", "`api.max_body_bytes` is a setting"
        )
    return b"".join(chunks)


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


async def _send(send: Send, request_id: str, response: Response) -> None:
    content = [
        (b"content-type", response.media_type.encode()),
        (b"content-length", str(len(response.body)).encode()),
    ]
    headers = [
        *(content if response.status != HTTPStatus.NO_CONTENT else ()),
        (b"x-request-id", request_id.encode()),
        (b"cache-control", b"no-store"),
        *((name.encode(), value.encode()) for name, value in response.headers.items()),
    ]
    await send({"type": "http.response.start", "status": int(response.status), "headers": headers})
    await send({"type": "http.response.body", "body": response.body})
