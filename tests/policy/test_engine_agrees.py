"""Python and the engine agree on policy: what is accepted here loads there, and paths have one normal form."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hoplon.identity.policy import Identifier, IdentityPolicy
from hoplon.model.policy import Policy, Upstream
from hoplon.model.rules import RulesetPolicy
from hoplon.operations.policy import OperationsPolicy, SavedOperation
from hoplon.operations.template import canonical_path, path_fault
from hoplon.policy.assembly import ZoneVersion, assemble
from hoplon.policy.document import check_policy
from hoplon.service.features import FEATURES
from hoplon.service.policy import default_policy
from identity.test_policy import IDENTIFIERS
from limits.test_policy import LIMITING
from policy.test_document import POLICIES
from rules.test_policy import RULESETS, SAVED

native = pytest.importorskip("hoplon._native")

DEFAULT = default_policy("http://127.0.0.1:1")
HOSTS = st.one_of(
    st.just("*"), st.text("abz09-_.{}[]:*\u00e9A ", max_size=12), st.sampled_from(["[::1]", "[0::1]", "{t}.x"])
)
URLS = st.one_of(
    st.text("htps:/@?#[]{}ab.1 ", max_size=16),
    st.builds("unix:{}".format, st.text("/a.\u00e9 \x7f#?", max_size=6)),
    st.builds(
        "{}://{}{}".format, st.sampled_from(["http", "https"]), HOSTS, st.sampled_from(["", ":1", ":", "/", "/x", ":0"])
    ),
)


def engine_refuses(policy: Policy) -> list[tuple[str, str]]:
    bundle = assemble([ZoneVersion("a" * 32, 1, datetime.now(UTC), policy)], FEATURES)
    refused: list[tuple[str, str]] = native.check_bundle(bundle.manifest, dict(bundle.parts))
    return refused


@given(POLICIES)
def test_a_policy_that_is_accepted_here_loads_there(policy: Policy) -> None:
    assert check_policy(policy, FEATURES) == []
    assert engine_refuses(policy) == []


@given(st.lists(IDENTIFIERS, max_size=10, unique_by=lambda each: each.normal))
def test_session_identifiers_that_are_accepted_here_load_there(identifiers: list[Identifier]) -> None:
    features = {**DEFAULT.features, "identity": IdentityPolicy(tuple(identifiers))}
    assert engine_refuses(replace(DEFAULT, features=features)) == []


@given(RULESETS)
def test_custom_rules_that_are_accepted_here_load_there(rules: RulesetPolicy) -> None:
    saved = OperationsPolicy("log", (SAVED,))
    features = {**DEFAULT.features, "operations": saved, "rules": rules}
    assert engine_refuses(replace(DEFAULT, features=features)) == []


@given(LIMITING)
def test_limits_that_are_accepted_here_load_there(limits: RulesetPolicy) -> None:
    assert engine_refuses(replace(DEFAULT, features={**DEFAULT.features, "limits": limits})) == []


@given(st.lists(st.text("ab.;%2eEfF05cC/\\\u00e9 ~|{}?#\x01", max_size=6), max_size=4))
def test_a_literal_path_has_the_engines_normal_form(segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    if path_fault(path) is None and "{" not in path:
        assert native.normalise_path(path)[0] == canonical_path(path)


@given(HOSTS, URLS, st.text("ABZ-_ aé1", max_size=4))
def test_odd_hosts_upstreams_and_methods_are_accepted_by_both_or_refused_here(host: str, url: str, method: str) -> None:
    zone = replace(DEFAULT.zone, upstreams=(Upstream(url),), hosts=() if host == "*" else (host,))
    saved = SavedOperation("*", "/", method)
    policy = Policy(zone, {**DEFAULT.features, "operations": OperationsPolicy("log", (saved,))})
    if not check_policy(policy, FEATURES):
        assert engine_refuses(policy) == []
