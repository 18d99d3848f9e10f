"""The policy document: every error at once with its place, one canonical text, and nothing lost on the way."""

import time
import tomllib
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.errors import HoplonError
from hoplon.model.policy import (
    Balancing,
    Block,
    HealthChecks,
    Inspection,
    Maintenance,
    Observe,
    Policy,
    Retries,
    Timeouts,
    Upstream,
    ZonePolicy,
)
from hoplon.operations.policy import OperationsPolicy, SavedOperation
from hoplon.policy.document import read_policy, write_policy
from hoplon.service.features import FEATURES
from hoplon.service.policy import default_policy

SNAPSHOTS = Path(__file__).parent / "snapshots"
MINIMAL = 'format = 1\n[[zone.upstreams]]\nurl = "http://127.0.0.1:9000"\n'


def problems_of(text: str) -> list[str]:
    with pytest.raises(HoplonError) as caught:
        read_policy(text, FEATURES, "policy.toml")
    assert caught.value.code == "policy.invalid"
    return [f"{problem} | {problem.hint}" if problem.hint else str(problem) for problem in caught.value.problems]


def test_a_minimal_document_means_the_default_policy() -> None:
    assert read_policy(MINIMAL, FEATURES) == default_policy("http://127.0.0.1:9000")


def test_the_canonical_text_of_the_default_policy() -> None:
    text = write_policy(default_policy("http://127.0.0.1:9000"), FEATURES)
    assert text == (SNAPSHOTS / "default.toml").read_text()


def test_the_document_in_the_docs_shows_every_key_with_its_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "policy.md").read_text()
    policy = read_policy(page.partition("```toml\n")[2].partition("```")[0], FEATURES)
    default = default_policy("http://127.0.0.1:9000")
    assert policy.zone == default.zone
    shown = tomllib.loads(page.partition("```toml\n")[2].partition("```")[0])
    written = tomllib.loads(write_policy(policy, FEATURES))
    assert shown == written


def test_all_errors_come_at_once_with_path_line_and_hint() -> None:
    text = (SNAPSHOTS / "wrong.toml").read_text()
    assert "\n".join(problems_of(text)) + "\n" == (SNAPSHOTS / "wrong.txt").read_text()


def test_what_only_checks_find_comes_at_once_too() -> None:
    text = (SNAPSHOTS / "unsound.toml").read_text()
    assert "\n".join(problems_of(text)) + "\n" == (SNAPSHOTS / "unsound.txt").read_text()


def test_what_is_not_toml_is_said_with_its_line() -> None:
    assert problems_of("format = 1\nzone = = 3\n") == ["line 2: not TOML: Invalid value"]


def test_another_format_is_refused() -> None:
    assert problems_of(MINIMAL.replace("format = 1", "format = 2")) == [
        "line 1, format: this version of Hoplon reads policies of format 1 | write `format = 1`"
    ]


HOSTS = st.from_regex(r"[a-z][a-z0-9-]{0,8}[a-z0-9](\.[a-z]{2,5}){0,2}", fullmatch=True)
SEGMENTS = st.one_of(
    st.from_regex(r"\{[a-z][a-z0-9_]{0,7}\}", fullmatch=True),
    st.text(st.characters(exclude_characters="/?#\\{}%", exclude_categories=("Cs", "Cc")), max_size=8).filter(
        lambda segment: segment not in (".", "..")
    ),
)
OPERATIONS = st.builds(
    SavedOperation,
    host=st.just("*"),
    path=st.lists(SEGMENTS, max_size=5).map(lambda segments: "/" + "/".join(segments)),
    method=st.sampled_from(["GET", "POST", "PROPFIND"]),
)
ONE_LINE = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=100)
ZONES = st.builds(
    ZonePolicy,
    name=st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._ -]{0,20}", fullmatch=True),
    upstreams=st.lists(st.integers(1, 65535), min_size=1, max_size=3, unique=True).map(
        lambda ports: (
            Upstream(f"unix:/run/{ports[0]}.sock"),
            *(Upstream(f"http://127.0.0.1:{port}", drain=port > ports[0]) for port in ports),
        )
    ),
    hosts=st.sets(HOSTS, max_size=3).map(lambda hosts: tuple(sorted(hosts))),
    timeouts=st.builds(Timeouts, connect_seconds=st.floats(0.001, 3600)),
    inspection=st.builds(Inspection, limit_bytes=st.integers(0, 67108864)),
    observe=st.builds(Observe, probability=st.floats(0, 1)),
    block=st.builds(Block, status=st.integers(400, 599), show_violations=st.booleans()),
    maintenance=st.builds(
        Maintenance, enabled=st.booleans(), retry_after_seconds=st.integers(0, 86400), message=ONE_LINE
    ),
    balancing=st.builds(
        Balancing, method=st.sampled_from(["least_requests", "round_robin"]), panic_percent=st.integers(0, 100)
    ),
    health=st.builds(
        HealthChecks,
        path=st.none() | st.from_regex(r"/[!-\"$-~]{0,40}", fullmatch=True),
        interval_seconds=st.floats(0.1, 3600),
        status=st.integers(200, 599),
    ),
    retries=st.builds(Retries, budget_percent=st.integers(0, 100), min_per_second=st.integers(0, 1000)),
)
DEFAULTS = default_policy("http://127.0.0.1:9000").features
POLICIES = st.builds(
    lambda zone, saved: Policy(zone, {**DEFAULTS, "operations": OperationsPolicy("log", tuple(saved))}),
    ZONES,
    st.lists(OPERATIONS, max_size=6, unique_by=lambda saved: saved.id),
)


def test_dots_in_strings_cost_nothing() -> None:
    addresses = " ".join(f"10.0.{number}.1" for number in range(256))
    rules = "".join(
        f"[[rules.custom]]\nref = 'r{number}'\nexpression = \"ip.src in {{{addresses}}}\"\n" for number in range(60)
    )
    assert len(read_policy(MINIMAL + rules, FEATURES).features["rules"].rules) == 60


@given(POLICIES)
def test_the_canonical_text_reads_back_as_the_same_policy(policy: Policy) -> None:
    read = read_policy(write_policy(policy, FEATURES), FEATURES)
    canonical = write_policy(read, FEATURES)
    assert read.zone == policy.zone
    assert ids(read) == ids(policy)
    assert write_policy(read_policy(canonical, FEATURES), FEATURES) == canonical


def ids(policy: Policy) -> set[UUID]:
    return {saved.id for saved in policy.features["operations"].saved}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = " + "[" * 100_000, "nested too deep"),
        ("x = " + "{a=" * 50_000, "nested too deep"),
        ("x = " + "9" * 100_000, "a number too long"),
        ("a" + ".a" * 100_000 + " = 1", "so many dots"),
        ("[" + '"=\u2028".' * 100_000 + "a]", "so many dots"),
        (f"{'a.' * 1000}a = 1\n" * 1000, "so many dots"),
        ('a = ["""\nb""", {' + "a." * 100_000 + 'a = "b"}]', "so many dots"),
    ],
)
def test_what_would_take_the_parser_to_its_end_is_refused(text: str, reason: str) -> None:
    begun = time.process_time()
    assert reason in problems_of(text)[0]
    assert time.process_time() - begun < 5
