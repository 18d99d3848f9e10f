"""A token in Cloudflare's words and in ours: bodies in, forms out. Names of resources are known here only."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NotRequired
from uuid import uuid4

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient, Strict
from hoplon.api.envelope import moment
from hoplon.errors import HoplonError, Problem
from hoplon.model.api_token import ANY, AddressCondition, ApiToken, Network, Resource, TokenPolicy, parse_network
from hoplon.model.permissions import PermissionGroup, group_of_id
from hoplon.service.tokens import MAX_MEMBERS, MAX_NAME, MAX_POLICIES, TokenSpec

_PREFIX = "com.cloudflare.api."
_RESOURCE = re.compile(r"com\.cloudflare\.api\.(account\.zone|account|user)\.(\*|[0-9A-Za-z_-]{1,64})")
SCOPES = {"account": f"{_PREFIX}account", "zone": f"{_PREFIX}account.zone", "user": f"{_PREFIX}user"}
Texts = Annotated[list[str], Field(max_length=MAX_MEMBERS)]


class GroupBody(Lenient):
    """A permission group; its id says which."""

    id: str


class PolicyBody(Strict):
    """One policy. A misspelt member would grant something else, so unknown ones are refused."""

    id: str | None = None
    effect: Literal["allow", "deny"]
    permission_groups: Annotated[list[GroupBody], Field(min_length=1, max_length=MAX_MEMBERS)]
    resources: Annotated[dict[str, str | dict[str, str]], Field(min_length=1, max_length=MAX_MEMBERS)]


class RequestIpBody(Strict):
    """Networks in CIDR form."""

    in_: Annotated[Texts | None, Field(alias="in")] = None
    not_in: Texts | None = None


class ConditionBody(Strict):
    """`request_ip` is what the SDKs say, `request.ip` what the documentation says."""

    model_config = ConfigDict(populate_by_name=True)

    request_ip: RequestIpBody | None = None
    request_dot_ip: Annotated[RequestIpBody | None, Field(alias="request.ip")] = None


class TokenBody(Strict):
    """A token to make. Members that only answers have are taken and ignored: what was got can be sent back."""

    name: Annotated[str, Field(max_length=MAX_NAME)]
    policies: Annotated[list[PolicyBody], Field(min_length=1, max_length=MAX_POLICIES)]
    condition: ConditionBody | None = None
    not_before: datetime | None = None
    expires_on: datetime | None = None
    status: Literal["active", "disabled", "expired"] = "active"
    id: Any = None
    issued_on: Any = None
    modified_on: Any = None
    last_used_on: Any = None


class GroupForm(TypedDict):
    """A permission group of a policy."""

    id: str
    name: str


class PolicyForm(TypedDict):
    """A policy as Cloudflare writes it."""

    id: str
    effect: Literal["allow", "deny"]
    permission_groups: list[GroupForm]
    resources: dict[str, Any]


class TokenForm(TypedDict):
    id: str
    name: str
    status: Literal["active", "disabled", "expired"]
    issued_on: str
    modified_on: str
    last_used_on: NotRequired[str]
    not_before: NotRequired[str]
    expires_on: NotRequired[str]
    policies: list[PolicyForm]
    condition: NotRequired[dict[str, Any]]
    value: NotRequired[str]


"""A token as Cloudflare writes it; `value`, its secret, in the answer that made it only."""


def spec_of_body(body: TokenBody, kind: Literal["api", "gateway"] = "api") -> TokenSpec:
    """What is wanted. Raises `token.invalid` with every problem."""
    problems: list[Problem] = []
    policies = tuple(_policy(each, f"policies[{index}]", problems) for index, each in enumerate(body.policies))
    condition = _condition(body.condition, problems)
    if problems:
        raise HoplonError("token.invalid", "the token is wrong", None, tuple(problems))
    return TokenSpec(
        name=body.name,
        policies=policies,
        condition=condition,
        not_before=_in_utc(body.not_before),
        expires_on=_in_utc(body.expires_on),
        status="active" if body.status == "active" else "disabled",
        kind=kind,
    )


def token_form(token: ApiToken, secret: str | None = None) -> TokenForm:
    """A token as it is shown."""
    form: TokenForm = {
        "id": token.id,
        "name": token.name,
        "status": token.status_at(datetime.now(UTC)),
        "issued_on": moment(token.issued_on),
        "modified_on": moment(token.modified_on),
        "policies": [_policy_form(policy) for policy in token.policies],
    }
    if token.last_used_on is not None:
        form["last_used_on"] = moment(token.last_used_on)
    if token.not_before is not None:
        form["not_before"] = moment(token.not_before)
    if token.expires_on is not None:
        form["expires_on"] = moment(token.expires_on)
    if condition := _condition_form(token.condition):
        form["condition"] = {"request_ip": condition}
    if secret is not None:
        form["value"] = secret
    return form


def _policy(body: PolicyBody, path: str, problems: list[Problem]) -> TokenPolicy:
    groups: list[PermissionGroup] = []
    for index, each in enumerate(body.permission_groups):
        if group := group_of_id(each.id):
            groups.append(group)
        else:
            hint = "GET /user/tokens/permission_groups lists them"
            message = f"there is no permission group {each.id[:40]}"
            problems.append(Problem(f"{path}.permission_groups[{index}].id", message, hint))
    resources: list[Resource] = []
    for name, value in body.resources.items():
        try:
            resources += _resources(name, value)
        except ValueError as error:
            problems.append(Problem(f"{path}.resources", str(error)))
    return TokenPolicy(uuid4().hex, body.effect, tuple(resources), tuple(dict.fromkeys(groups)))


def _resources(name: str, value: str | Mapping[str, str]) -> Sequence[Resource]:
    """`com.cloudflare.api.account.<id>: "*"`, the same with zones inside, `….account.zone.<id>`, or `….user.<id>`."""
    kind, found = _named(name)
    if isinstance(value, str):
        if value != ANY:
            raise ValueError(f"`{name[:80]}`: the value is `*`, or for an account an object of its zones")
        if kind == "account.zone":
            return (Resource(ANY, found),)
        return (Resource(found, None, is_user=kind == "user"),)
    inner = [(_named(each), each, text) for each, text in value.items()]
    if kind != "account" or not inner or any(found[0] != "account.zone" or text != ANY for found, _, text in inner):
        raise ValueError(f"`{name[:80]}`: inside an account stand zones, each with the value `*`")
    return tuple(Resource(found, zone) for (_, zone), _, _ in inner)


def _named(name: str) -> tuple[str, str]:
    match = _RESOURCE.fullmatch(name)
    if match is None:
        raise ValueError(f"`{name[:80]}` is no resource, for example com.cloudflare.api.account.zone.<id>")
    return match[1], match[2]


def _policy_form(policy: TokenPolicy) -> PolicyForm:
    resources: dict[str, Any] = {}
    for resource in policy.resources:
        if resource.is_user:
            resources[f"{SCOPES['user']}.{resource.account}"] = ANY
        elif resource.zone is None:
            resources[f"{SCOPES['account']}.{resource.account}"] = ANY
        elif resource.account == ANY:
            resources[f"{SCOPES['zone']}.{resource.zone}"] = ANY
        else:
            inside = resources.setdefault(f"{SCOPES['account']}.{resource.account}", {})
            if inside != ANY:  # the whole account is there already, with this zone in it
                inside[f"{SCOPES['zone']}.{resource.zone}"] = ANY
    return {
        "id": policy.id,
        "effect": policy.effect,
        "permission_groups": [{"id": group.id, "name": group.name} for group in policy.groups],
        "resources": resources,
    }


def _condition(body: ConditionBody | None, problems: list[Problem]) -> AddressCondition:
    if body is None:
        return AddressCondition()
    if body.request_ip is not None and body.request_dot_ip is not None:
        problems.append(Problem("condition", "`request_ip` and `request.ip` are the same: send one"))
    ranges = body.request_ip or body.request_dot_ip or RequestIpBody()
    return AddressCondition(
        _networks(ranges.in_, "condition.request_ip.in", problems),
        _networks(ranges.not_in, "condition.request_ip.not_in", problems),
    )


def _networks(texts: Sequence[str] | None, path: str, problems: list[Problem]) -> tuple[Network, ...]:
    networks: list[Network] = []
    for index, text in enumerate(texts or ()):
        try:
            networks.append(parse_network(text))
        except ValueError:
            problems.append(Problem(f"{path}[{index}]", f"`{text[:60]}` is no address or network"))
    return tuple(networks)


def _condition_form(condition: AddressCondition) -> dict[str, list[str]]:
    pairs = (("in", condition.allowed), ("not_in", condition.denied))
    return {name: [str(network) for network in networks] for name, networks in pairs if networks}


def _in_utc(value: datetime | None) -> datetime | None:
    """A time without zone is UTC."""
    if value is None:
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)
