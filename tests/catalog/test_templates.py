"""Which segments are variables and which are names."""

import pytest

from hoplon.catalog.templates import SuccessfulForm, TemplateTree, form_of

SESSIONS = 200


def guess(*calls: str | tuple[str, int], sessions: int = SESSIONS) -> TemplateTree:
    """A tree of `METHOD /form` calls, each used by one session or as many as said."""
    pairs = [call if isinstance(call, tuple) else (call, 1) for call in calls]
    forms = [SuccessfulForm(call.split(" ")[0], call.split(" ")[1], count) for call, count in pairs]
    return TemplateTree.guess(forms, sessions)


def templates(tree: TemplateTree, *calls: str) -> list[str | None]:
    found = (tree.resolve(*call.split(" ")) for call in calls)
    return [None if each is None else f"{each[0]} {each[1]}" for each in found]


def test_typed_segments_are_numbered_from_left_to_right() -> None:
    tree = guess("GET /users/{}/orders/{}")
    assert templates(tree, "GET /users/{}/orders/{}") == ["GET /users/{var1}/orders/{var2}"]


@pytest.mark.parametrize("count", [2, 40])
def test_versions_stay_apart_however_many(count: int) -> None:
    calls = [f"GET /v{number}/users" for number in range(count)]
    assert templates(guess(*calls), "GET /v1/users", "GET /v99/users") == ["GET /v1/users", None]


def test_a_leading_date_is_an_api_version_until_there_are_many() -> None:
    tree = guess("GET /2010-04-01/accounts", "GET /2024-01-15/accounts", "GET /reports/2024-05-01")
    assert templates(tree, "GET /2010-04-01/accounts", "GET /reports/2023-01-02") == [
        "GET /2010-04-01/accounts",
        "GET /reports/{var1}",
    ]
    many = guess(*(f"GET /2024-01-{day:02}/prices" for day in range(1, 9)))
    assert templates(many, "GET /2024-01-05/prices") == ["GET /{var1}/prices"]


def test_codes_are_values() -> None:
    tree = guess("GET /products/TEA-001", "GET /products/export", "GET /API/keys")
    assert templates(tree, "GET /products/MUG-42", "GET /products/export", "GET /API/keys") == [
        "GET /products/{var1}",
        "GET /products/export",
        "GET /API/keys",
    ]


def test_numbered_siblings_are_values_and_single_numbered_names_are_not() -> None:
    tree = guess(*(f"GET /api/contents/f{number}.txt" for number in range(10)), "GET /api/oauth2", "GET /api/s3")
    assert templates(tree, "GET /api/contents/f7.txt", "GET /api/oauth2") == [
        "GET /api/contents/{var1}",
        "GET /api/oauth2",
    ]


def test_names_that_share_a_continuation_become_a_variable_but_me_stays() -> None:
    people = [f"GET /users/{name}/orders" for name in _names(20)]
    tree = guess(*people, ("GET /users/me/orders", 150), ("GET /users/search", 90))
    assert templates(tree, people[0], "GET /users/me/orders", "GET /users/search") == [
        "GET /users/{var1}/orders",
        "GET /users/me/orders",
        "GET /users/search",
    ]


def test_many_rare_leaves_become_a_variable_and_few_do_not() -> None:
    slugs = [f"GET /articles/{name}" for name in _names(40)]
    assert templates(guess(*slugs), slugs[3], "GET /articles/never-seen") == ["GET /articles/{var1}"] * 2
    few = slugs[:29]
    assert templates(guess(*few), few[3], "GET /articles/never-seen") == [few[3], None]


def test_many_procedures_that_everybody_uses_stay_apart() -> None:
    procedures = [(f"POST /api/{name}.list", 60) for name in _names(80)]
    assert templates(guess(*procedures), procedures[5][0]) == [procedures[5][0]]


def test_resources_with_typed_children_are_not_merged() -> None:
    resources = [call for name in _names(25) for call in (f"GET /{name}/{{}}", f"POST /{name}/{{}}")]
    assert templates(guess(*resources), resources[0]) == [resources[0].replace("{}", "{var1}")]


def test_what_is_below_merged_siblings_is_merged_too() -> None:
    calls = [f"GET /users/{name}/files/{file}" for name in _names(20) for file in ("a", name)]
    tree = guess(*calls, *(f"GET /users/{name}/files/f{n}" for n, name in enumerate(_names(20))))
    assert templates(tree, "GET /users/{}/files/f3") == ["GET /users/{var1}/files/{var2}"]


def test_head_belongs_to_get_unless_there_is_a_head_operation() -> None:
    tree = guess("GET /a", "GET /b", "HEAD /b", "POST /c", "HEAD /d")
    assert templates(tree, "HEAD /a", "HEAD /b", "HEAD /c", "HEAD /d") == ["GET /a", "GET /b", None, "HEAD /d"]
    saved = TemplateTree.exact([SuccessfulForm("GET", "/b", 0), SuccessfulForm("HEAD", "/b", 0)])
    assert templates(saved, "HEAD /b") == ["HEAD /b"]


def test_literals_win_with_backtracking() -> None:
    tree = guess("GET /a/b/c", "GET /a/{}/d", "GET /{}/b/e")
    assert templates(tree, "GET /a/b/d", "GET /a/b/e") == ["GET /a/{var1}/d", "GET /{var1}/b/e"]


def test_exact_trees_guess_nothing() -> None:
    tree = TemplateTree.exact(SuccessfulForm("GET", f"/articles/{name}", 0) for name in _names(50))
    assert templates(tree, "GET /articles/never-seen") == [None]


@pytest.mark.parametrize(
    ("template", "form"), [("/users/{id}", "/users/{}"), ("/", "/"), ("/a/", "/a"), ("/{a}/{b-c}", "/{}/{}")]
)
def test_form_of_a_template(template: str, form: str) -> None:
    assert form_of(template) == form


def _names(count: int) -> list[str]:
    return [f"{chr(97 + number % 26)}{chr(97 + number // 26)}name" for number in range(count)]
