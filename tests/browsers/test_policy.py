"""`[browsers]`: requests that ask for another method are logged but where an operation is meant to take one."""

from pathlib import Path

from hoplon.browsers.policy import BrowsersFeature, BrowsersPolicy, BrowsersTable
from hoplon.operations.template import operation_id
from hoplon.policy.feature import Surroundings
from hoplon.service.features import FEATURES
from hoplon.service.policy import default_policy

FEATURE = BrowsersFeature(operation_id)
ZONE = default_policy("http://127.0.0.1:9000").zone
POST_FORMS = {"method": "POST", "path": "/forms/{id}"}


def read(**table: object) -> BrowsersPolicy:
    return FEATURE.read(BrowsersTable.model_validate(table))


def compiled(policy: BrowsersPolicy) -> list[dict[str, object]]:
    return [dict(rule) for rule in FEATURE.compile(policy, Surroundings(ZONE)).rules]


def test_by_default_both_kinds_are_logged_and_never_stop_anything() -> None:
    rules = compiled(read())
    assert [(rule["fact"], rule["action"], rule["fail"]) for rule in rules] == [
        ("hoplon.method_override", "log", "open"),
        ("hoplon.method_override.form", "log", "open"),
    ]


def test_none_compiles_to_no_rule_and_a_block_is_closed() -> None:
    assert compiled(read(method_override="none")) == []
    assert {rule["fail"] for rule in compiled(read(method_override="block"))} == {"closed"}


def test_a_declared_operation_is_left_out_whatever_its_variables_are_called() -> None:
    policy = read(taken_by=[POST_FORMS])
    nodes = compiled(policy)[0]["when"]["nodes"]  # type: ignore[index]
    assert nodes[2] == ["in", 1, {"strs": [str(operation_id("POST", "*", "/forms/{other}"))]}]


def test_what_is_written_means_the_same_again() -> None:
    policy = read(method_override="block", taken_by=[POST_FORMS])
    assert FEATURE.read(BrowsersTable.model_validate(FEATURE.write(policy))) == policy


def test_the_same_operation_twice_is_a_mistake() -> None:
    twice = read(taken_by=[POST_FORMS, {**POST_FORMS, "path": "/forms/{number}"}])
    assert [(each.path, each.hint) for each in FEATURE.check(twice, ZONE)] == [("browsers.taken_by[1]", "remove one")]
    assert FEATURE.check(read(taken_by=[POST_FORMS]), ZONE) == []


def test_a_change_is_said_in_sentences() -> None:
    old, new = read(), read(method_override="block", taken_by=[POST_FORMS])
    assert list(FEATURE.describe(old, new)) == [
        "browsers.method_override: log → block",
        "POST /forms/{id} takes another method",
    ]
    assert list(FEATURE.describe(new, old))[1] == "POST /forms/{id} no longer takes another method"


def test_the_page_shows_the_default() -> None:
    page = (Path(__file__).parents[2] / "docs" / "features" / "browsers.md").read_text()
    assert f'method_override = "{BrowsersPolicy().method_override}"' in page
    assert FEATURE.name in [feature.name for feature in FEATURES]
