"""The `[tokens]` table: read, written, checked with sentences, compiled to what the engine asks."""

import tomllib
from typing import Any

import pytest

from hoplon.errors import HoplonError
from hoplon.model.policy import Policy
from hoplon.policy.assembly import surroundings
from hoplon.policy.document import read_policy, write_policy
from hoplon.service.agreement import disagreements
from hoplon.service.features import FEATURES
from support.jwks import rsa_signer

RSA = ", ".join(f'{name} = "{value}"' for name, value in rsa_signer().jwk.items())
BASIS = """
format = 1
[zone]
upstreams = [{ url = "http://127.0.0.1:9" }]
[operations]
saved = [
    { method = "GET", host = "*", path = "/open" },
    { method = "GET", host = "*", path = "/users/{user}" },
]
"""
TOKENS = f"""
[[tokens.configurations]]
id = "main"
token_sources = ['http.request.headers["Authorization"][0]', 'http.request.cookies["Token"][0]']
keys = [{{ {RSA} }}]

[[tokens.rules]]
title = "Users only"
action = "block"
expression = 'is_jwt_valid("main")'
exclude = ["GET /open"]

[[tokens.authorization]]
operation = "GET /users/{{user}}"
condition = 'claim("sub") eq path_variable("user")'
"""

TWIN = """
[[tokens.rules]]
id = "x"
title = "x"
expression = 'is_jwt_valid("main")'
"""
SECRET = "c2VjcmV0" * 5


def policy(text: str) -> Policy:
    return read_policy(BASIS + text, FEATURES, "it", disagreements)


def compiled(text: str) -> tuple[Any, list[Any]]:
    found = policy(text)
    feature = next(each for each in FEATURES if each.name == "tokens")
    result = feature.compile(found.features["tokens"], surroundings(found))
    return result.parts, list(result.rules)


def problems(text: str) -> list[str]:
    with pytest.raises(HoplonError) as raised:
        policy(text)
    return [f"{each.path}: {each.message} | {each.hint}" for each in raised.value.problems]


def test_what_was_written_is_read_again() -> None:
    text = write_policy(policy(TOKENS), FEATURES)
    assert read_policy(text, FEATURES) == policy(TOKENS)
    assert write_policy(read_policy(text, FEATURES), FEATURES) == text
    assert tomllib.loads(text)["tokens"]["rules"][0]["id"] == policy(TOKENS).features["tokens"].rules[0].id


def test_the_engine_gets_configurations_keys_and_inverted_rules() -> None:
    parts, rules = compiled(TOKENS)
    (configuration,) = parts["tokens"]["configurations"]
    assert configuration["sources"] == [{"header": "authorization"}, {"cookie": "Token"}]
    assert [key["kid"] for key in parts["token_keys"]["configurations"]["main"]] == ["rsa-1"]
    demanded, allowed = rules
    saved = {each.path: each.id for each in policy(TOKENS).features["operations"].saved}
    assert (demanded["operations"], demanded["action"], demanded["fail"]) == (
        [saved["/users/{user}"]],
        "block",
        "closed",
    )
    assert (allowed["operations"], allowed["action"], allowed["fail"]) == ([saved["/users/{user}"]], "log", "open")
    assert [each["violation"] for each in rules] == ["tokens.rule", "tokens.authorization"]
    nodes = demanded["when"]["nodes"]
    assert nodes[-1][0] == "and"
    assert [nodes[index] for index in nodes[-1][1:]] == [["not", len(nodes) - 3], ["not", len(nodes) - 5]]
    assert nodes[-3] == ["fact", "hoplon.cors.preflight"]
    assert ["key", 0, "main"] in nodes


def test_without_configurations_there_is_nothing() -> None:
    assert compiled("") == ({}, [])


def test_variables_have_the_names_that_the_condition_s_operation_gives_them() -> None:
    renamed = TOKENS.replace('operation = "GET /users/{user}"', 'operation = "GET /users/{who}"')
    assert "user" in problems(renamed)[0]
    by_id = policy(TOKENS).features["operations"].saved[1].id
    assert len(compiled(TOKENS.replace('operation = "GET /users/{user}"', f'operation = "{by_id}"'))[1]) == 2


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('id = "main"', 'id = "Main!"', "is no id"),
        ('is_jwt_valid("main")', 'is_jwt_valid("mian")', "mian"),
        ('is_jwt_valid("main")', "is_jwt_valid(", "line 1, column"),
        ('is_jwt_valid("main")', 'http.host eq "a"', "read no field but"),
        ('claim("sub")', 'claim("sub", "other")', "other"),
        ("GET /open", "open", "names no operation"),
        ('operation = "GET /users/{user}"', 'operation = "GET /x/{user}"', "is no saved operation"),
        ('http.request.cookies["Token"][0]', "http.request.body.raw", "is no place of a token"),
        ('kid = "rsa-1"', 'kid = "rsa-1", d = "AQAB"', "private key"),
        ('alg = "RS256"', 'alg = "RSA-OAEP"', "left out"),
        ("keys = [", 'jwks_url = "https://a.example/"\nkeys = [', "either written here or fetched"),
        ('id = "main"', 'id = "main"\nclock_skew_seconds = 601', "0 to 600"),
        ('id = "main"', 'id = "main"\nmax_age_seconds = 0', "1 second"),
        ('id = "main"', f'id = "main"\ntitle = "{"x" * 51}"', "at most 50"),
        ('id = "main"', 'id = "main"\nissuers = [""]', "1 to 1000"),
        ('action = "block"', 'action = "drop"', "drop"),
        ('action = "block"', 'hosts = ["https://a"]', "no host name"),
        ("[[tokens.rules]]", f"{TWIN}[[tokens.rules]]\nid = 'x'", "the same as"),
    ],
)
def test_a_fault_is_said(old: str, new: str, words: str) -> None:
    assert old in TOKENS
    found = problems(TOKENS.replace(old, new, 1))
    assert any(words in each for each in found), found


def test_a_secret_stands_in_no_document() -> None:
    symmetric = TOKENS.replace(
        RSA, 'kty = "oct", kid = "a", alg = "HS256", k = "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"'
    )
    found = problems(symmetric)
    assert any("names its secret by id" in each for each in found)
    assert SECRET not in str(found)


def test_authorization_without_configurations_is_refused() -> None:
    alone = TOKENS[TOKENS.index("[[tokens.authorization]]") :]
    assert any("only the claims of verified ones are read" in each for each in problems(alone))


def test_a_jwks_url_must_be_one() -> None:
    for url in ("a.example", "ftp://a.example/", "https://u@a.example/", "https://a.example/#x", "https://a b/"):
        text = TOKENS.replace(f"keys = [{{ {RSA} }}]", f'jwks_url = "{url}"')
        assert any("jwks_url" in each for each in problems(text)), url
