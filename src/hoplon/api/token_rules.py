"""`/zones/{zone_id}/token_validation/rules`: what operations demand of tokens, in the order of precedence."""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from hoplon.api.bodies import Lenient
from hoplon.api.describe import described
from hoplon.api.envelope import Answer, answer, answer_page, moment
from hoplon.api.query import PAGING, Choice, Flag, Several
from hoplon.api.request import ApiRequest
from hoplon.model.operation import Operation
from hoplon.model.page import page_of
from hoplon.service import token_rules as service
from hoplon.service.token_preview import PreviewFilter, find_operation, preview
from hoplon.service.token_rules import Position, RuleEdit, RuleFilter
from hoplon.tokens.model import Action, TokenRule
from hoplon.tokens.selection import STATES, State

MAX_SELECTORS = 10
MAX_SELECTED = 1_000
"""Lists of a selector, and hosts or operations of each."""
MAX_BULK = 100
"""Rules of one request."""


class IncludeBody(Lenient):
    """Operations of these hosts."""

    host: Annotated[list[str], Field(default_factory=list, max_length=MAX_SELECTED)]


class ExcludeBody(Lenient):
    """But not these operations."""

    operation_ids: Annotated[list[str], Field(default_factory=list, max_length=MAX_SELECTED)]


class SelectorBody(Lenient):
    """Which operations a rule is about; without hosts: all."""

    include: Annotated[list[IncludeBody], Field(max_length=MAX_SELECTORS)] | None = None
    exclude: Annotated[list[ExcludeBody], Field(max_length=MAX_SELECTORS)] | None = None

    def members(self) -> dict[str, Any]:
        """As members of a `TokenRule`."""
        hosts = [host.lower() for each in self.include or () for host in each.host]
        excluded = [identity for each in self.exclude or () for identity in each.operation_ids]
        return {"hosts": tuple(dict.fromkeys(hosts)), "exclude": tuple(dict.fromkeys(excluded))}


class RuleBody(Lenient):
    """A token rule to make. The action is taken when the expression is false."""

    title: str
    description: str
    action: Action
    enabled: bool
    expression: str
    selector: SelectorBody


class PositionBody(Lenient):
    """Where a rule is moved to: a place from 1, or beside another rule."""

    index: Annotated[int, Field(ge=1)] | None = None
    before: str | None = None
    after: str | None = None

    def position(self) -> Position | None:
        """What is said of it; the first word counts."""
        for place in ("index", "before", "after"):
            value = getattr(self, place)
            if value is not None:
                return Position(place, value)
        return None


class RuleEditBody(Lenient):
    """What changes of a token rule."""

    title: str | None = None
    description: str | None = None
    action: Action | None = None
    enabled: bool | None = None
    expression: str | None = None
    selector: SelectorBody | None = None
    position: PositionBody | None = None

    def edit(self, identity: str) -> RuleEdit:
        """What shall be done to the rule with this id."""
        changes = self.model_dump(exclude={"selector", "position", "id"}, exclude_none=True)
        if self.selector is not None:
            changes |= self.selector.members()
        return RuleEdit(identity, changes, self.position.position() if self.position is not None else None)


class BulkEditBody(RuleEditBody):
    """What changes of one of several token rules."""

    id: str


class IncludeForm(TypedDict):
    host: list[str]


class ExcludeForm(TypedDict):
    operation_ids: list[str]


class SelectorForm(TypedDict):
    """Which operations a rule is about."""

    include: NotRequired[list[IncludeForm]]
    exclude: NotRequired[list[ExcludeForm]]


class RuleForm(TypedDict):
    """A token rule as Cloudflare writes it."""

    id: str
    title: str
    description: str
    action: Action
    enabled: bool
    expression: str
    selector: SelectorForm
    created_at: str
    last_updated: str


class DeletedForm(TypedDict):
    """What was removed."""

    id: str


class PreviewedForm(TypedDict):
    """An operation and what a selector says about it."""

    operation_id: str
    method: str
    host: str
    endpoint: str
    last_updated: str
    state: Literal["included", "excluded", "ignored"]


class PreviewForm(TypedDict):
    """What a selector takes; the numbers are of all operations, whatever is shown."""

    operations: list[PreviewedForm]
    total: int
    included: int
    excluded: int
    ignored: int
    selected_hosts: list[str]
    available_hosts: list[str]


@described(
    "The token rules, highest precedence first.",
    query=(
        *PAGING,
        Several("token_configuration", "Only rules that name one of these configurations."),
        Several("id", "Only rules with these ids."),
        Several("rule_id", "Only rules with these ids."),
        Several("host", "Only rules with one of these hosts in their selector."),
        Several("hostname", "Only rules with one of these hosts in their selector."),
        Choice("action", "Only rules with this action.", ("log", "block")),
        Flag("enabled", "Only rules that are on, or off."),
    ),
    result=list[RuleForm],
    is_paged=True,
    is_versioned=True,
)
def list_rules(request: ApiRequest) -> Answer:
    query = request.query
    wanted = RuleFilter(
        ids=(*query["id"], *query["rule_id"]),
        configurations=query["token_configuration"],
        hosts=(*query["host"], *query["hostname"]),
        action=query["action"],
        enabled=query["enabled"],
    )
    found = service.list_rules(request.workspace, request.zone_id, wanted)
    return answer_page(page_of(found.value, query["page"], query["per_page"]), rule_form, version=found.version)


@described("Makes a token rule, with the lowest precedence.", body=RuleBody, result=RuleForm, is_versioned=True)
def create_rule(request: ApiRequest) -> Answer:
    added = service.add_rules(
        request.workspace, request.caller.actor, request.zone_id, [_members(request.body)], request.if_match, ""
    )
    return answer(rule_form(added.value[0]), version=added.version)


@described(
    "Makes token rules, all or none.",
    body=Annotated[list[RuleBody], Field(max_length=MAX_BULK)],
    result=list[RuleForm],
    is_versioned=True,
)
def create_rules(request: ApiRequest) -> Answer:
    wanted = [_members(each) for each in request.body]
    added = service.add_rules(request.workspace, request.caller.actor, request.zone_id, wanted, request.if_match)
    return answer([rule_form(rule) for rule in added.value], version=added.version)


@described("One token rule.", result=RuleForm, is_versioned=True)
def get_rule(request: ApiRequest) -> Answer:
    found = service.get_rule(request.workspace, request.zone_id, request.ids["rule_id"])
    return answer(rule_form(found.value), version=found.version)


@described(
    "Changes a token rule, and moves it; what is left out stays.", body=RuleEditBody, result=RuleForm, is_versioned=True
)
def edit_rule(request: ApiRequest) -> Answer:
    edits = [request.body.edit(request.ids["rule_id"])]
    edited = service.edit_rules(request.workspace, request.caller.actor, request.zone_id, edits, request.if_match, "")
    return answer(rule_form(edited.value[0]), version=edited.version)


@described(
    "Changes token rules and moves them, one after the other, all or none.",
    body=Annotated[list[BulkEditBody], Field(max_length=MAX_BULK)],
    result=list[RuleForm],
    is_versioned=True,
)
def edit_rules(request: ApiRequest) -> Answer:
    edits = [each.edit(each.id) for each in request.body]
    edited = service.edit_rules(request.workspace, request.caller.actor, request.zone_id, edits, request.if_match)
    return answer([rule_form(rule) for rule in edited.value], version=edited.version)


@described("Removes a token rule.", result=DeletedForm, is_versioned=True)
def delete_rule(request: ApiRequest) -> Answer:
    identity = request.ids["rule_id"]
    version = service.remove_rule(request.workspace, request.caller.actor, request.zone_id, identity, request.if_match)
    form: DeletedForm = {"id": identity}
    return answer(form, version=version)


@described(
    "What a selector would take: every saved operation, and whether it is included, excluded or left alone.",
    query=(
        *PAGING,
        Several("state", "Only operations in these states.", STATES),
        Several("host", "Only operations of these hosts."),
        Several("hostname", "Only operations of these hosts."),
        Several("method", "Only operations with these methods."),
        Several("endpoint", "Only operations with one of these texts in their path."),
    ),
    body=SelectorBody,
    result=PreviewForm,
    is_paged=True,
)
def preview_rule(request: ApiRequest) -> Answer:
    query, members = request.query, request.body.members()
    wanted = PreviewFilter(query["state"], (*query["host"], *query["hostname"]), query["method"], query["endpoint"])
    found = preview(request.workspace, request.zone_id, members["hosts"], members["exclude"], wanted)
    page = page_of(found.shown, query["page"], query["per_page"])
    shown = answer_page(page, lambda pair: _previewed_form(*pair))
    counts = found.counts
    form: PreviewForm = {
        "operations": shown.result,
        "total": sum(counts.values()),
        "included": counts["included"],
        "excluded": counts["excluded"],
        "ignored": counts["ignored"],
        "selected_hosts": list(found.selected_hosts),
        "available_hosts": list(found.available_hosts),
    }
    return Answer(form, result_info=shown.result_info)


def rule_form(rule: TokenRule) -> RuleForm:
    """A rule with the operations that it excludes named by id."""
    selector: SelectorForm = {}
    if rule.hosts:
        selector["include"] = [{"host": list(rule.hosts)}]
    if rule.exclude:
        selector["exclude"] = [{"operation_ids": [find_operation(text) for text in rule.exclude]}]
    return {
        "id": rule.id,
        "title": rule.title,
        "description": rule.description,
        "action": rule.action,
        "enabled": rule.enabled,
        "expression": rule.expression,
        "selector": selector,
        "created_at": moment(rule.created_at),
        "last_updated": moment(rule.last_updated),
    }


def _members(body: RuleBody) -> dict[str, Any]:
    return {**body.model_dump(exclude={"selector"}), **body.selector.members()}


def _previewed_form(operation: Operation, state: State) -> PreviewedForm:
    return {
        "operation_id": operation.id,
        "method": operation.method,
        "host": operation.host,
        "endpoint": operation.template,
        "last_updated": moment(operation.last_updated),
        "state": state,
    }
