"""The `[identity]` table: the zone's session identifiers, in the order in which they are asked. Compiles to the
engine's identity part; a zone without identifiers has none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from pydantic import Field

from hoplon.errors import Problem
from hoplon.model.policy import ZonePolicy
from hoplon.policy.feature import Compiled, Surroundings, Table
from hoplon.spelling import did_you_mean

IdentifierKind = Literal["header", "cookie", "jwt"]
MAX_IDENTIFIERS = 10
MAX_NAME = 255
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
"""RFC 9110 §5.6.2: the name of a header; RFC 6265 §4.1.1 takes the same for cookies."""
_CLAIM = re.compile(r"(?P<token_config_id>[a-z0-9\-]{1,36}):\$(?P<json_path>.*)")
"""As Cloudflare documents it, but that ids in a policy document may be shorter than theirs."""
_NAME = r"[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*"
_QUOTED = r"""'[^'\\\x00-\x1f]+'|"[^"\\\x00-\x1f]+\""""
_STEP = rf"\.{_NAME}|\[(?:0|[1-9][0-9]{{0,5}}|{_QUOTED})\]"
_PATH = re.compile(rf"(?:{_STEP}){{1,16}}")
"""What selects one value (RFC 9535 §2.3.5.1): members by name and elements by index, without escapes."""


class IdentifierTable(Table):
    """One identifier: the name of a header or cookie, or a claim as `<token configuration>:$<JSON path>`."""

    type: IdentifierKind
    name: str


class IdentityTable(Table):
    """The identifiers; the first one that a request carries is its session."""

    identifiers: tuple[IdentifierTable, ...] = Field(default=(), max_length=MAX_IDENTIFIERS, strict=False)


@dataclass(frozen=True, slots=True)
class Identifier:
    """One identifier as it was written: the case of a header's name says nothing."""

    kind: IdentifierKind
    name: str

    @property
    def token_configuration(self) -> str | None:
        """The id of the configuration whose tokens have the claim; None for a header or cookie."""
        claim = _CLAIM.fullmatch(self.name) if self.kind == "jwt" else None
        return claim["token_config_id"] if claim else None

    @property
    def normal(self) -> "Identifier":
        """The canonical form: headers in lower case; the names of cookies and claims mean what they are."""
        return replace(self, name=self.name.lower()) if self.kind == "header" else self

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class IdentityPolicy:
    """The feature's policy."""

    identifiers: tuple[Identifier, ...] = ()


class IdentityFeature:
    """Identity's side of policy (see `hoplon.policy.feature.Feature`)."""

    name = "identity"
    table: type[Table] = IdentityTable

    def read(self, table: IdentityTable) -> IdentityPolicy:
        return IdentityPolicy(tuple(Identifier(each.type, each.name) for each in table.identifiers))

    def write(self, policy: IdentityPolicy) -> dict[str, Any]:
        return {"identifiers": [{"type": each.kind, "name": each.name} for each in policy.identifiers]}

    def check(self, policy: IdentityPolicy, zone: ZonePolicy) -> list[Problem]:
        return check_identifiers(policy.identifiers, "identity.identifiers")

    def compile(self, policy: IdentityPolicy, around: Surroundings) -> Compiled:
        identifiers = [{"type": each.kind, "name": each.normal.name} for each in policy.identifiers]
        return Compiled({"identity": {"identifiers": identifiers}} if identifiers else {})

    def describe(self, old: IdentityPolicy, new: IdentityPolicy) -> Sequence[str]:
        return describe_identifiers(old.identifiers, new.identifiers)


def check_identifiers(identifiers: Sequence[Identifier], path: str) -> list[Problem]:
    """Everything wrong with them; `path` is where their list stands."""
    problems = []
    if len(identifiers) > MAX_IDENTIFIERS:
        problems.append(Problem(path, f"a zone has at most {MAX_IDENTIFIERS} identifiers, not {len(identifiers)}"))
    first: dict[Identifier, int] = {}
    for index, identifier in enumerate(identifiers):
        earlier = first.setdefault(identifier.normal, index)
        fault = _fault(identifier)
        if fault is not None:
            problems.append(Problem(f"{path}[{index}].name", *fault))
        elif earlier != index:
            problems.append(Problem(f"{path}[{index}]", f"{identifier} is listed twice", "remove one"))
    return problems


def describe_identifiers(old: Sequence[Identifier], new: Sequence[Identifier]) -> Sequence[str]:
    """What changes, in words; empty when nothing does."""
    sentences = [f"removes session identifier {each}" for each in old if each not in new]
    sentences += [f"adds session identifier {each}" for each in new if each not in old]
    if not sentences and tuple(old) != tuple(new):
        sentences.append("changes the order of the session identifiers")
    return sentences


def _fault(identifier: Identifier) -> tuple[str, str] | None:
    if len(identifier.name) > MAX_NAME:
        return f"a name has at most {MAX_NAME} characters", "shorten it"
    if identifier.kind == "jwt":
        return _claim_fault(identifier.name)
    if _TOKEN.fullmatch(identifier.name):
        return None
    return (
        f"`{identifier.name}` is no name of a {identifier.kind}",
        "letters, digits and !#$%&'*+-.^_`|~, without a colon or blanks",
    )


def _claim_fault(name: str) -> tuple[str, str] | None:
    claim = _CLAIM.fullmatch(name)
    if claim is None:
        return (
            f"`{name}` is no claim of a token",
            "write `<token configuration's id>:$<JSON path>`, for example `…:$.sub`",
        )
    if _PATH.fullmatch(claim["json_path"]):
        return None
    return (
        f"`${claim['json_path']}` does not select one claim",
        "name members and indexes only: `$.sub`, `$.user.id`, `$['https://example.com/id']`, `$.aud[0]`",
    )


def claim_problems(identifiers: Sequence[Identifier], configurations: Sequence[str], path: str) -> list[Problem]:
    """Claims of token configurations that do not exist: only those of a verified token identify a session."""
    return [
        Problem(
            f"{path}[{index}].name",
            f"there is no token configuration `{each.token_configuration}`",
            did_you_mean(each.token_configuration, configurations)
            if configurations
            else "add one first (`hoplon tokens add`), or identify sessions by a header or a cookie",
        )
        for index, each in enumerate(identifiers)
        if each.token_configuration is not None and each.token_configuration not in configurations
    ]
