"""`/hoplon/v1/zones/{zone_id}/upstreams`: where a zone's traffic goes. The first ones make a zone active."""

from typing import Annotated, Literal

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Strict
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer
from hoplon.api.request import ApiRequest
from hoplon.model.policy import Upstream
from hoplon.service.zones import get_zone, set_upstreams, zone_policy


class UpstreamForm(TypedDict):
    """One upstream; CA file and server name matter for https only, what drains gets no new requests."""

    url: str
    protocol: str
    ca_file: str | None
    server_name: str | None
    drain: bool


class UpstreamsForm(TypedDict):
    """The hosts that a zone takes, and its upstreams."""

    hosts: list[str]
    upstreams: list[UpstreamForm]


class UpstreamBody(Strict):
    """One upstream, spelled as in the policy document."""

    url: Annotated[str, Field(min_length=1, max_length=2048, json_schema_extra={"example": "http://127.0.0.1:9000"})]
    protocol: Literal["http1", "http2"] = "http1"
    ca_file: Annotated[str, Field(max_length=4096)] | None = None
    server_name: Annotated[str, Field(max_length=253)] | None = None
    drain: bool = False


class UpstreamsBody(Strict):
    """All upstreams of a zone: those before are replaced."""

    upstreams: Annotated[list[UpstreamBody], Field(max_length=100)]


@described("Where a zone's traffic goes.", result=UpstreamsForm, is_versioned=True)
def get_upstreams(request: ApiRequest) -> Answer:
    return _answer(request)


@described("Say where a zone's traffic goes.", body=UpstreamsBody, result=UpstreamsForm, is_versioned=True)
def put_upstreams(request: ApiRequest) -> Answer:
    body: UpstreamsBody = request.body
    upstreams = [each.model_dump(exclude_none=True) for each in body.upstreams]
    set_upstreams(request.workspace, request.caller.actor, request.zone_id, upstreams, request.if_match)
    return _answer(request)


def _answer(request: ApiRequest) -> Answer:
    zone = get_zone(request.workspace, request.zone_id)
    policy = zone_policy(request.workspace, request.zone_id)
    form: UpstreamsForm = {"hosts": list(policy.hosts), "upstreams": [_form(each) for each in policy.upstreams]}
    return answer(form, version=zone.version)


def _form(upstream: Upstream) -> UpstreamForm:
    return {
        "url": upstream.url,
        "protocol": upstream.protocol,
        "ca_file": upstream.ca_file,
        "server_name": upstream.server_name,
        "drain": upstream.drain,
    }
