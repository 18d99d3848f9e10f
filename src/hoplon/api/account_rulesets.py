"""`/accounts/{account_id}/rulesets`: here rulesets belong to zones, so an account has none and makes none."""

from hoplon.api.describe import Handler, described
from hoplon.api.envelope import Answer, answer
from hoplon.api.query import Integer, Text
from hoplon.api.request import ApiRequest
from hoplon.api.rule_forms import RulesetSummary
from hoplon.errors import HoplonError

_HINT = "a zone's are below /zones/{zone_id}/rulesets"


@described(
    "The rulesets of the account: there are none, those of Hoplon belong to zones.",
    query=(Text("cursor", "Says nothing."), Integer("per_page", "Says nothing.", 1, 50, 50)),
    result=list[RulesetSummary],
)
def list_rulesets(request: ApiRequest) -> Answer:
    return answer([])


def _none_found() -> Handler:
    @described("Not found: an account has no rulesets here.")
    def handler(request: ApiRequest) -> Answer:
        raise HoplonError("ruleset.unknown", "an account has no rulesets here", _HINT)

    return handler


def _none_made() -> Handler:
    @described("Refused: an account has no rulesets here.")
    def handler(request: ApiRequest) -> Answer:
        raise HoplonError("ruleset.unsupported", "an account has no rulesets here", _HINT)

    return handler


create_ruleset = _none_made()
replace_entrypoint = _none_made()
get_entrypoint = _none_found()
list_entrypoint_versions = _none_found()
get_entrypoint_version = _none_found()
get_ruleset = _none_found()
replace_ruleset = _none_found()
delete_ruleset = _none_found()
add_rule = _none_found()
edit_rule = _none_found()
delete_rule = _none_found()
list_versions = _none_found()
get_version = _none_found()
delete_version = _none_found()
