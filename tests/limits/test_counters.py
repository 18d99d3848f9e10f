"""The limits of a loaded bundle against the model, through the engine as Python has it: the next answer is the model's,
whatever was asked before."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, rule

from limits.model import LIMITS, SECOND, Call, Model, entry
from support.rule_engine import engine_of

START = 1_763_700_000 * SECOND
EXAMPLES = 400 if os.environ.get("HOPLON_EVAL") else 10

calls = st.builds(
    Call,
    client=st.sampled_from(["192.0.2.1", "192.0.2.2"]),
    key=st.sampled_from([None, b"", b"a", b"b"]),
    login=st.booleans(),
    status=st.sampled_from([200, 401]),
    score=st.sampled_from([None, b"1", b"20", b"1000000", b"1000001", b"0", b"-1", b"x"]),
)
pauses = st.one_of(st.integers(0, SECOND), st.integers(0, 12 * SECOND), st.integers(0, 130 * SECOND))


class Counters(RuleBasedStateMachine):
    """Requests at random times."""

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        self.engine = engine_of(Path(self.folder.name), [], limits={"limits": [limit.entry for limit in LIMITS]})
        self.model = Model(LIMITS)
        self.now = START

    @rule(call=calls, pause=pauses, times=st.integers(1, 4))
    def request(self, call: Call, pause: int, times: int) -> None:
        self.now += pause
        for _ in range(times):
            found = self.engine.inspect(
                "GET", call.url, headers=call.headers, client=call.client, response=call.response, now=self.now
            )
            exceeded = [violation["rule"] for violation in found["violations"]]
            assert (found["action"], exceeded) == self.model.decide(call, self.now)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


class InFlight(RuleBasedStateMachine):
    """Requests that begin, end and are forgotten in any order: at most two of a client at the same time."""

    running = Bundle("running")

    @initialize()
    def begin(self) -> None:
        self.folder = TemporaryDirectory()
        busy = entry("busy", requests=None, in_flight=2, period_seconds=0, violation="limits.in_flight")
        self.engine = engine_of(Path(self.folder.name), [], limits={"limits": [busy]})
        self.exchanges: list[tuple[str, Any]] = []

    @rule(target=running, client=st.sampled_from(["192.0.2.1", "192.0.2.2"]))
    def arrives(self, client: str) -> int:
        in_flight = sum(
            1 for caller, exchange in self.exchanges if caller == client and exchange and exchange.next == "pass"
        )
        exchange = self.engine.begin(START, "GET", b"/", headers=[(b"host", b"api.example.com")], client=client)
        assert exchange.next == ("pass" if in_flight < 2 else "stop")
        self.exchanges.append((client, exchange))
        return len(self.exchanges) - 1

    @rule(ended=consumes(running), times=st.integers(0, 2))
    def ends(self, ended: int, times: int) -> None:
        client, exchange = self.exchanges[ended]
        for _ in range(times):
            exchange.end(START, status=200, answered=200)
        self.exchanges[ended] = (client, None)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.folder.cleanup()


for machine in (Counters, InFlight):
    machine.TestCase.settings = settings(max_examples=EXAMPLES, stateful_step_count=30, deadline=None)
TestCounters = Counters.TestCase
TestInFlight = InFlight.TestCase


def decide(engine: Any, seconds: float) -> str:
    now = START + int(seconds * SECOND)
    return str(engine.inspect("GET", "http://api.example.com/", now=now)["action"])


def test_a_clock_that_steps_back_an_hour_neither_frees_nor_punishes_for_long(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, [], limits={"limits": [entry("one", requests=1, period_seconds=10)]})
    assert [decide(engine, 3600), decide(engine, 3600)] == ["allow", "block"]
    assert decide(engine, 0) == "block", "what was counted stays counted"
    assert decide(engine, 20) == "allow", "and slides out in the new time"


@pytest.mark.parametrize(("seconds", "expected"), [(59.9, "block"), (60, "allow")])
def test_a_mitigation_ends_on_time(tmp_path: Path, seconds: float, expected: str) -> None:
    engine = engine_of(
        tmp_path, [], limits={"limits": [entry("one", requests=1, period_seconds=10, mitigation_seconds=60)]}
    )
    assert [decide(engine, 0), decide(engine, 0)] == ["allow", "block"]
    assert decide(engine, seconds) == expected


def test_the_verdict_tells_what_is_left_and_when_to_come_again(tmp_path: Path) -> None:
    engine = engine_of(tmp_path, [], limits={"limits": [entry("two", requests=2), entry("five", requests=5)]})
    quotas = [engine.inspect("GET", "http://api.example.com/", now=START)["quota"] for _ in range(3)]
    assert [quota and (quota["limit"], quota["remaining"]) for quota in quotas] == [("two", 1), ("two", 0), ("two", 0)]
    assert quotas[0] == {
        "limit": "two", "unit": "requests", "most": 2, "period_seconds": 10, "remaining": 1, "reset_seconds": 10,
        "retry_after_seconds": 1,
    }  # fmt: skip
    assert quotas[2] is not None
    assert quotas[2]["retry_after_seconds"] == 11
