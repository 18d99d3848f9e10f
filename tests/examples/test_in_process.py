"""The examples of Hoplon inside of an application do what they say, in three frameworks, behind a real server too."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn

pytest.importorskip("hoplon._native")

import in_process
from in_process import django_app, fastapi_app, inspect_requests, litestar_app
from support.asgi import ask, put_in_place

FOLDER = Path(in_process.__file__).parent
MAKERS: dict[str, Callable[..., Any]] = {
    "fastapi": fastapi_app.make_app,
    "django": django_app.make_app,
    "litestar": litestar_app.make_app,
}
JSON = (b"content-type", b"application/json")


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return put_in_place(tmp_path_factory.mktemp("examples") / "state", (FOLDER / "policy.toml").read_text())


@pytest.fixture(params=MAKERS)
def make_app(request: pytest.FixtureRequest, bundles: Path) -> Callable[..., Any]:
    """Makes one framework's application; keyword arguments are the Shield's."""
    return lambda **settings: MAKERS[request.param](str(bundles), **settings)


def test_what_is_saved_is_served(make_app: Callable[..., Any]) -> None:
    answered = ask(make_app(), "/items/7")
    assert (answered.status, json.loads(answered.body)) == (200, {"item": "7"})
    assert len(answered.headers["hoplon-request-id"]) == 36


def test_a_posted_body_arrives_whole_however_it_is_cut(make_app: Callable[..., Any]) -> None:
    body = b'{"name": "a cup"}'
    headers = [(b"host", b"api.test"), JSON, (b"content-length", str(len(body)).encode())]
    for pieces in ([body], [body[:5], body[5:6], body[6:]]):
        answered = ask(make_app(), "/items", "POST", pieces, headers=headers)
        assert (answered.status, json.loads(answered.body)) == (201, {"name": "a cup"})


def test_what_is_not_saved_never_reaches_the_framework(make_app: Callable[..., Any]) -> None:
    for path in ("/debug", "/items/../debug", "/items/%2e%2e/debug"):
        answered = ask(make_app(), path)
        assert (answered.status, json.loads(answered.body)["type"]) == (403, "urn:hoplon:blocked")
    assert b"configuration" in ask(make_app(mode="off"), "/debug").body


def test_behind_a_server_connections_are_kept_and_ids_differ(make_app: Callable[..., Any]) -> None:
    ended: list[Any] = []
    with served(make_app(on_end=ended.append)) as connection:
        ids = []
        for path, status in (("/items/1", 200), ("/debug", 403), ("/items/a%2Fb", 200)):
            connection.request("GET", path)
            response = connection.getresponse()
            content = response.read()
            assert response.status == status, content
            ids.append(response.getheader("hoplon-request-id"))
    assert [each["record"]["id"] for each in ended] == ids and len(set(ids)) == 3
    assert json.loads(content) == {"item": "a%2Fb"}, "an encoded slash stays inside of its segment"
    assert {each["record"]["operation_path"] for each in ended} == {"/items/{var1}", None}


def test_the_engine_judges_requests_in_plain_python(bundles: Path) -> None:
    assert inspect_requests.verdicts(str(bundles)) == [
        "allow  GET /items/1: nothing found",
        "allow  POST /items: nothing found",
        "block  GET /debug: operations.fallthrough",
        "block  DELETE /items/1: operations.fallthrough",
    ]


@contextmanager
def served(app: Any) -> Iterator[http.client.HTTPConnection]:
    """A connection to uvicorn in a thread, which serves `app`."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="auto"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + 60
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    host, port = listener.getsockname()
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        yield connection
    finally:
        connection.close()
        server.should_exit = True
        thread.join(30)
