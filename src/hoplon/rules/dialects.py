"""What each place of the policy may say: the same language with other fields and functions."""

from collections.abc import Mapping
from dataclasses import dataclass

from hoplon.rules.functions import CLAIMS, GENERAL, TOKEN, Function


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """A dialect: `phases` whose facts may be read; `fields` and `operators` when it takes only some.

    `compares_values`: two values of a request may be compared with each other. `is_strict`: what is missing makes a
    condition false, under `not` too. Each dialect is itself only, so that programs can be kept by it.
    """

    name: str
    phases: tuple[str, ...]
    functions: Mapping[str, Function]
    fields: tuple[str, ...] | None = None
    operators: tuple[str, ...] | None = None
    compares_values: bool = False
    is_strict: bool = False


_REQUEST = ("request_head", "request_body")

CUSTOM = Dialect("custom rules", _REQUEST, GENERAL)
"""Custom rules (Cloudflare's phase `http_request_firewall_custom`)."""
LIMITS = Dialect("rate limits", _REQUEST, GENERAL)
"""Which requests a rate limit is about, and its characteristics (`http_ratelimit`)."""
COUNTING = Dialect("counting expressions", (*_REQUEST, "response_head"), GENERAL)
"""What a rate limit counts: the response is known by then."""
TOKENS = Dialect("token rules", ("request_head",), TOKEN, ("http.request.method",), ("eq",))
"""Token rules (`token_validation/rules`). They act when the expression is FALSE; whoever compiles one inverts it."""
AUTHORIZATION = Dialect("authorization", _REQUEST, {**GENERAL, **CLAIMS}, compares_values=True, is_strict=True)
"""Conditions over claims: a request is allowed when it is TRUE. Claims are read of verified tokens only, and
what is missing does not allow."""
