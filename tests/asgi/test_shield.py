"""The Shield between client and application: what passes, what is answered in its place, what the application sees."""

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("hoplon._native")

from hoplon._native import Engine
from hoplon.asgi import Shield
from hoplon.errors import HoplonError
from support.asgi import BASE, BLOCKING, Echo, ask, http_scope, put_in_place, talk

if TYPE_CHECKING:
    from hoplon._native import Inspection


@pytest.fixture
def bundles(tmp_path: Path) -> Path:
    return put_in_place(tmp_path / "state", BLOCKING)


def test_what_may_pass_reaches_the_application_and_says_its_id(bundles: Path) -> None:
    echo = Echo(headers={"x-own": "1"})
    answered = ask(Shield(echo, bundles=bundles))
    assert (answered.status, answered.body, answered.headers["x-own"]) == (200, b"hello", "1")
    assert answered.headers["hoplon-request-id"] == echo.scopes[0]["hoplon.request_id"]
    assert echo.scopes[0]["path"] == "/items/1"


def test_a_block_is_answered_in_the_applications_place(bundles: Path, caplog: pytest.LogCaptureFixture) -> None:
    echo, ended = Echo(), list["Inspection"]()
    shield = Shield(echo, bundles=bundles, on_end=ended.append)
    headers = [(b"host", b"api.test"), (b"origin", b"https://app.test"), (b"authorization", b"Bearer very-secret")]
    with caplog.at_level(logging.INFO, "hoplon.asgi"):
        answered = ask(shield, "/debug?token=very-secret", headers=headers)
    assert not echo.scopes
    document = json.loads(answered.body)
    assert (answered.status, document["type"], answered.headers["content-type"]) == (
        403,
        "urn:hoplon:blocked",
        "application/problem+json",
    )
    assert answered.headers["hoplon-request-id"] == document["request_id"]
    assert answered.headers["access-control-allow-origin"] == "https://app.test"
    line = json.loads(caplog.records[-1].message)
    assert (line["id"], line["action"], line["rule"]) == (document["request_id"], "block", "operations.fallthrough")
    assert "very-secret" not in caplog.text
    assert (shield.counts.requests, shield.counts.blocked) == (1, 1)
    (record,) = [each["record"] for each in ended]
    assert (record["status"], record["upstream_status"], record["response_bytes"]) == (403, None, len(answered.body))


def test_a_head_request_is_blocked_without_a_body(bundles: Path) -> None:
    answered = ask(Shield(Echo(), bundles=bundles), "/debug", "HEAD")
    assert (answered.status, answered.body) == (403, b"")


def test_a_request_that_can_be_read_in_two_ways_is_refused_in_every_mode(bundles: Path) -> None:
    two_hosts = [(b"host", b"api.test"), (b"host", b"other.test")]
    for mode in ("enforce", "log", "off"):
        echo = Echo()
        answered = ask(Shield(echo, bundles=bundles, mode=mode), headers=two_hosts)
        assert (answered.status, json.loads(answered.body)["type"]) == (400, "urn:hoplon:refused")
        assert not echo.scopes
    assert ask(Shield(Echo(), bundles=bundles), headers=[(b"host", b"api.test"), (b"x", b"a\nb")]).status == 400
    assert ask(Shield(Echo(), bundles=bundles), headers=[]).status == 400


def test_in_the_mode_log_nothing_is_blocked_but_everything_is_written_down(bundles: Path) -> None:
    ended = list["Inspection"]()
    shield = Shield(Echo(), bundles=bundles, mode="log", on_end=ended.append)
    assert ask(shield, "/debug").status == 200
    assert (ended[0]["action"], ended[0]["violations"][0]["code"]) == ("log", "operations.fallthrough")
    assert (shield.counts.logged, shield.counts.blocked) == (1, 0)
    assert ask(Shield(Echo(), bundles=bundles, mode="off"), "/debug").status == 200


def test_the_application_is_asked_for_the_path_that_was_judged(bundles: Path) -> None:
    for sent, path, raw in (
        ("/items/x/../1", "/items/1", b"/items/1"),
        ("/items/%41", "/items/A", b"/items/A"),
        ("/items/a%2Fb", "/items/a%2Fb", b"/items/a%2Fb"),
        ("/items/a%2fb", "/items/a%2Fb", b"/items/a%2Fb"),
        ("/items/caf%C3%A9%5c", "/items/café%5C", b"/items/caf%C3%A9%5C"),
    ):
        echo = Echo()
        assert ask(Shield(echo, bundles=bundles), sent, query_string=b"q=%2f\xff").status == 200, sent
        assert (echo.scopes[0]["path"], echo.scopes[0]["raw_path"]) == (path, raw)
        assert echo.scopes[0]["query_string"] == b"q=%2f\xff", "a query is not normalised"


def test_a_server_that_keeps_only_the_decoded_path_is_understood(bundles: Path) -> None:
    echo = Echo()
    assert ask(Shield(echo, bundles=bundles), raw_path=None, path="/items/a b").status == 200
    assert echo.scopes[0]["path"] == "/items/a b"


@pytest.mark.parametrize("client", [None, ("testclient", 1), ("2001:db8::1", 1)])
def test_any_client_that_a_server_names_can_be_judged(bundles: Path, client: Any) -> None:
    assert ask(Shield(Echo(), bundles=bundles), client=client).status == 200


def test_a_maintenance_of_the_zone_holds_here_too(tmp_path: Path) -> None:
    closed = f"{BASE}[zone.maintenance]\nenabled = true\nretry_after_seconds = 7\n"
    answered = ask(Shield(Echo(), bundles=put_in_place(tmp_path / "state", closed)))
    assert (answered.status, answered.headers["retry-after"]) == (503, "7")


def test_what_an_application_raises_goes_on_to_the_server(bundles: Path) -> None:
    async def broken(scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("mine")

    ended = list["Inspection"]()
    with pytest.raises(LookupError, match="mine"):
        ask(Shield(broken, bundles=bundles, on_end=ended.append))
    assert ended[0]["record"]["status"] == 0


def test_lifespan_goes_through_untouched(bundles: Path) -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append((scope["type"], await receive()))
        await send({"type": "lifespan.startup.complete"})

    answered = talk(Shield(app, bundles=bundles), {"type": "lifespan"}, [{"type": "lifespan.startup"}])
    assert seen == [("lifespan", {"type": "lifespan.startup"})]
    assert answered.messages == [{"type": "lifespan.startup.complete"}]


class Broken:
    """An engine that fails at one of its steps."""

    def __init__(self, engine: Engine, step: str) -> None:
        self._engine = engine
        self._step = step

    def begin(self, *arguments: Any, **named: Any) -> Any:
        if self._step == "begin":
            raise RuntimeError("the engine failed")
        exchange = self._engine.begin(*arguments, **named)
        step = self._step

        class Failing:
            def __getattr__(self, name: str) -> Any:
                return getattr(exchange, name)

            def response_head(self, *arguments: Any) -> Any:
                raise RuntimeError("the engine failed")

            def end(self, *arguments: Any, **named: Any) -> Any:
                if step == "end":
                    raise RuntimeError("the engine failed")
                return exchange.end(*arguments, **named)

        return Failing()


@pytest.mark.parametrize("step", ["begin", "response_head"])
@pytest.mark.parametrize(
    ("mode", "fail", "status"), [("enforce", "closed", 500), ("enforce", "open", 200), ("log", "closed", 200)]
)
def test_an_engine_that_fails_means_the_fail_mode_and_is_counted(
    bundles: Path, step: str, mode: Any, fail: Any, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    shield = Shield(Echo(), bundles=bundles, mode=mode, fail=fail)
    shield._loaded.engine = Broken(shield._loaded.engine, step)  # type: ignore[assignment]
    answered = ask(shield)
    assert answered.status == status
    assert (shield.counts.failed_closed, shield.counts.failed_open) == ((1, 0) if status == 500 else (0, 1))
    assert "could not judge" in caplog.text
    if status == 500:
        assert json.loads(answered.body)["type"] == "urn:hoplon:engine_failed"


def test_what_fails_after_the_answer_is_logged_only(bundles: Path, caplog: pytest.LogCaptureFixture) -> None:
    shield = Shield(Echo(), bundles=bundles, fail="open")
    shield._loaded.engine = Broken(shield._loaded.engine, "end")  # type: ignore[assignment]
    assert ask(shield).status == 200
    assert "could not be written down" in caplog.text


def test_a_folder_that_is_not_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(HoplonError) as error:
        Shield(Echo(), bundles=tmp_path / "nowhere")
    assert error.value.code == "shield.no_bundles"
    with pytest.raises(ValueError, match="mode is"):
        Shield(Echo(), bundles=tmp_path, mode="strict")  # type: ignore[arg-type]


def test_the_length_of_a_body_is_what_its_framing_says() -> None:
    from hoplon.asgi.target import body_bytes

    for headers, version, length in (
        ([], "1.1", 0),
        ([(b"content-length", b"12")], "1.1", 12),
        ([(b"content-length", b"-1")], "1.1", None),
        ([(b"transfer-encoding", b"chunked")], "1.1", None),
        ([], "2", None),
    ):
        assert body_bytes(http_scope("/", http_version=version, headers=headers)) == length


def test_a_custom_rule_answers_with_its_own_response(tmp_path: Path) -> None:
    policy = f"""{BASE}
[[rules.custom]]
ref = "teapot"
expression = 'http.request.headers["x-brew"][0] eq "coffee"'
action = "block"
response = {{ status_code = 418, content_type = "text/plain", content = "I am a teapot." }}
"""
    shield = Shield(Echo(), bundles=put_in_place(tmp_path / "state", policy))
    answered = ask(shield, headers=[(b"host", b"api.test"), (b"x-brew", b"coffee")])
    assert (answered.status, answered.body, answered.headers["content-type"]) == (418, b"I am a teapot.", "text/plain")
    assert ask(shield, headers=[(b"host", b"api.test"), (b"x-brew", b"tea")]).status == 200


def test_a_limit_counts_in_this_process_and_is_told_to_the_client(tmp_path: Path) -> None:
    policy = f"""{BASE}
[[limits.rules]]
ref = "two-a-minute"
expression = 'http.request.method eq "GET"'
action = "block"
characteristics = ["ip.src"]
period = 60
requests_per_period = 2
"""
    state = tmp_path / "state"
    shield = Shield(Echo(), bundles=put_in_place(state, policy))
    first = ask(shield)
    assert first.status == 200 and "r=1" in first.headers["ratelimit"]
    put_in_place(state, policy + '\n[operations]\nfallthrough = "none"\n')
    shield.refresh()
    assert ask(shield).status == 200
    refused = ask(shield)
    assert (refused.status, json.loads(refused.body)["type"]) == (429, "urn:hoplon:limited")
    assert int(refused.headers["retry-after"]) > 0
    assert ask(shield, client=("192.0.2.8", 1)).status == 200
    assert shield.counts.bundles_loaded == 2, "another bundle begins no new count"
