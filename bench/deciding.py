"""What deciding costs: who is calling, may they, how often. Each feature alone and all together, beside bare proxying.

The policy is what a user could write: expressions are compiled by `hoplon.rules`. No request is refused, so that every
one of them takes the whole way.
"""

from functools import cache
from typing import Any, NamedTuple

from bench.bundle import Options
from bench.tokens import ISSUER, Signed, rs256
from hoplon.rules.compile import compile_expression, compile_value
from hoplon.rules.dialects import CUSTOM, LIMITS

CONFIGURATION = "5b8c0a52-6d57-4f2c-9d5e-1f0a4b8e7c11"
OPERATIONS = 1000
OBSERVED = 0.02
PLENTY = 1_000_000_000

RULES = (
    'http.request.method eq "TRACE"',
    'http.request.uri.path contains "/.git/"',
    'http.request.uri.path contains "../"',
    'starts_with(http.request.uri.path, "/internal/")',
    'ends_with(http.request.uri.path, ".php")',
    'http.user_agent eq "-"',
    'http.user_agent contains "sqlmap"',
    'lower(http.user_agent) contains "masscan"',
    'http.request.uri.query contains "debug=true"',
    'http.request.uri.query matches "(?i)union.{1,40}select"',
    'any(http.request.headers["x-forwarded-host"][*] ne "api.example.com")',
    "len(http.request.uri.query) gt 4096",
    "ip.src in {192.0.2.0/24 198.51.100.0/24 2001:db8::/32}",
    'http.host in {"old.example.com" "staging.example.com" "test.example.com"}',
    'http.request.method in {"PUT" "DELETE" "PATCH"} and not starts_with(http.request.uri.path, "/api/")',
    'http.request.uri.path wildcard "/admin/*" and not ip.src in {10.0.0.0/8}',
    'http.referer contains "evil.example"',
    'any(lower(http.request.headers["content-type"][*])[*] contains "xml")',
    'http.request.uri.path matches "^/api/v[0-9]+/admin(/|$)"',
    'http.cookie contains "session=deleted"',
)
"""Twenty rules as they stand in front of APIs; none of them is true of the benchmark's request."""


class Variant(NamedTuple):
    """What is switched on, and the headers that the client sends for it."""

    name: str
    options: Options
    headers: tuple[str, ...] = ()


@cache
def _signed() -> Signed:
    return rs256()


def _tokens() -> dict[str, Any]:
    configuration = {
        "id": CONFIGURATION,
        "sources": [{"header": "authorization"}],
        "issuers": [ISSUER],
        "audiences": ["orders"],
        "types": [],
        "required_claims": ["sub"],
        "max_age_seconds": None,
        "clock_skew_seconds": 60,
    }
    return {
        "tokens": {"configurations": [configuration]},
        "token_keys": {"configurations": {CONFIGURATION: [_signed().jwk]}},
    }


def _token_rule() -> dict[str, Any]:
    """Every operation asks for a valid token, preflights excepted."""
    valid = ["key", ["fact", "hoplon.token.valid"], CONFIGURATION]
    nodes = [
        valid[1],
        ["key", 0, CONFIGURATION],
        ["not", 1],
        ["fact", "hoplon.cors.preflight"],
        ["not", 3],
        ["and", 4, 2],
    ]
    return {
        "id": "token",
        "stage": "features",
        "when": {"nodes": nodes},
        "action": "block",
        "violation": "tokens.rule",
        "fail": "closed",
    }


def _rules() -> tuple[dict[str, Any], ...]:
    return tuple(
        {
            "id": f"{number:032x}",
            "stage": "custom",
            "when": compile_expression(text, CUSTOM).program,
            "action": "block",
            "violation": "rules.custom",
            "fail": "open",
        }
        for number, text in enumerate(RULES)
    )


def _limits() -> dict[str, Any]:
    """By session, by address, by address and path; none is reached."""
    keys = (["hoplon.session"], ["ip.src"], ["ip.src", "http.request.uri.path"])
    whole = compile_expression('http.request.uri.path ne "/healthz"', LIMITS).program
    return {
        "limits": [
            {
                "id": f"{number:031x}f",
                "when": whole,
                "key": [compile_value(text, LIMITS).program for text in key],
                "count_when": None,
                "period_seconds": 60,
                "requests": PLENTY,
                "score": None,
                "score_header": None,
                "in_flight": None,
                "mitigation_seconds": 60,
                "to_origin": False,
                "action": "block",
                "fail": "open",
                "violation": "limits.exceeded",
            }
            for number, key in enumerate(keys)
        ]
    }


def variants() -> tuple[Variant, ...]:
    """Bare, each feature alone, everything; the client's requests differ only in their `Authorization`."""
    bearer = (f"Authorization: Bearer {_signed().token}",)
    by_header = {"identity": {"identifiers": [{"type": "header", "name": "authorization"}]}}
    by_claim = {"identity": {"identifiers": [{"type": "jwt", "name": f"{CONFIGURATION}:$.sub"}]}}
    limits = {"limits": _limits()}
    return (
        Variant("bare", Options(0, 0.0), bearer),
        Variant("operations: 1,000 saved", Options(OPERATIONS, 0.0), bearer),
        Variant("observations: 2 %", Options(0, OBSERVED), bearer),
        Variant("identity: a header", Options(0, 0.0, parts=by_header), bearer),
        Variant("tokens: RS256, cached", Options(0, 0.0, (_token_rule(),), _tokens()), bearer),
        Variant("identity: a claim", Options(0, 0.0, parts=_tokens() | by_claim), bearer),
        Variant("rules: 20", Options(0, 0.0, _rules()), bearer),
        Variant("limits: 3", Options(0, 0.0, parts=limits), bearer),
        everything(),
    )


def everything() -> Variant:
    """Session from a claim, matching, a verified token, 20 rules, 3 limits, records with Observations."""
    parts = _tokens() | {"limits": _limits()}
    parts |= {"identity": {"identifiers": [{"type": "jwt", "name": f"{CONFIGURATION}:$.sub"}]}}
    options = Options(OPERATIONS, OBSERVED, (*_rules(), _token_rule()), parts)
    return Variant("everything", options, (f"Authorization: Bearer {_signed().token}",))
