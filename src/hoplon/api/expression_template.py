"""`/zones/{zone_id}/api_gateway/expression-template/fallthrough`: the expression of a custom rule about requests that
no saved operation matches. Cloudflare has deprecated it in favour of writing that expression oneself."""

import re
from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.request import ApiRequest
from hoplon.errors import HoplonError, Problem
from hoplon.policy.zone import host_hint, is_host_pattern
from hoplon.service.zones import get_zone

MAX_HOSTS = 100
_VARIABLE = re.compile(r"\{[^{}]*\}")


class HostsBody(Lenient):
    """The hosts that are meant; a label may be a variable (`{tenant}.example.com`)."""

    hosts: Annotated[list[str], Field(min_length=1, max_length=MAX_HOSTS)]


class TemplateForm(TypedDict):
    """An expression, and what a rule with it may be called."""

    expression: str
    title: str


@described(
    "An expression for requests to these hosts that no saved operation matches.", body=HostsBody, result=TemplateForm
)
def create_fallthrough(request: ApiRequest) -> Answer:
    get_zone(request.workspace, request.zone_id)
    hosts = [host.lower() for host in request.body.hosts]
    if problems := tuple(_problems(hosts)):
        raise HoplonError("request.body", "these are no hosts", None, problems)
    form: TemplateForm = {"expression": fallthrough_expression(hosts), "title": f"Fallthrough of {', '.join(hosts)}"}
    return answer(form)


def fallthrough_expression(hosts: list[str]) -> str:
    """Names are listed; a host with a variable is a wildcard, which matches labels below it too."""
    names = " ".join(f'"{host}"' for host in hosts if "{" not in host)
    patterns = [_VARIABLE.sub("*", host) for host in hosts if "{" in host]
    choices = [f"http.host in {{{names}}}"] if names else []
    choices += [f'http.host wildcard "{pattern}"' for pattern in patterns]
    chosen = choices[0] if len(choices) == 1 else f"({' or '.join(choices)})"
    return f"(cf.api_gateway.fallthrough_detected and {chosen})"


def _problems(hosts: list[str]) -> list[Problem]:
    return [
        Problem(f"hosts[{index}]", f"`{host[:80]}` is no host name", host_hint(host))
        for index, host in enumerate(hosts)
        if not is_host_pattern(host)
    ]
