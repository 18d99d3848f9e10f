"""Everything that can be asked for: method, path, who may, and the handler (`module:function` of this package).

A route without handler belongs to a feature that this version does not have: after the permission check it answers 501.
Rows of one resource stand together, in the order of docs/api.md; who adds a resource adds its rows here.
"""

from collections.abc import Iterator
from typing import NamedTuple

CLOUDFLARE = "/client/v4"
OWN = "/hoplon/v1"

ZONE_READ = "Zone Read"
ZONE_WRITE = "Zone Write"
GATEWAY_READ = "API Gateway Read"
GATEWAY_WRITE = "API Gateway Write"
ACCOUNT_GATEWAY_READ = "Account API Gateway Read"
ACCOUNT_GATEWAY_WRITE = "Account API Gateway Write"
SETTINGS_READ = "Account Settings Read"
LISTS_READ = "Account Filter Lists Read"
LISTS_WRITE = "Account Filter Lists Edit"
OPERATE = "Hoplon Operate"
GATEWAY = "Hoplon Gateway"
TOKENS_READ = "API Tokens Read"
TOKENS_WRITE = "API Tokens Write"
AUDIT_READ = "Audit Logs Read"
ANY_TOKEN = None


class Route(NamedTuple):
    """One method of one path.

    `group` is the permission group (`hoplon.model.permissions`) that a token must be granted on the zone or account of
    the path, `also` a second one; None: any valid token may call. `feature` is the word of design section 6, or the
    resource's own.
    """

    method: str
    path: str
    group: str | None
    feature: str
    handler: str | None = None
    also: str | None = None


def _account(path: str) -> str:
    return f"{CLOUDFLARE}/accounts/{{account_id}}{path}"


def _zone(path: str) -> str:
    return f"{CLOUDFLARE}/zones/{{zone_id}}{path}"


def _gateway(path: str) -> str:
    return _zone(f"/api_gateway{path}")


def _own_zone(path: str) -> str:
    return f"{OWN}/zones/{{zone_id}}{path}"


def _unavailable(feature: str, read: str, write: str, paths: dict[str, str]) -> Iterator[Route]:
    """Rows of a feature to come: path to its methods."""
    for path, methods in paths.items():
        for method in methods.split():
            yield Route(method, path, read if method == "GET" else write, feature)


def _routes(read: str, write: str, paths: dict[str, str], feature: str = "rules") -> Iterator[Route]:
    """Rows of one feature: path to its methods, each with its handler."""
    for path, handlers in paths.items():
        for each in handlers.split(", "):
            method, _, handler = each.partition(" ")
            yield Route(method, path, read if method == "GET" else write, feature, handler)


def _tokens(path: str) -> Iterator[Route]:
    """The rows of tokens, which stand below `/user` and below the account."""
    yield Route("GET", f"{path}/tokens", TOKENS_READ, "access", "tokens:list_tokens")
    yield Route("POST", f"{path}/tokens", TOKENS_WRITE, "access", "tokens:create_token")
    yield Route("GET", f"{path}/tokens/verify", ANY_TOKEN, "access", "tokens:verify_token")
    yield Route("GET", f"{path}/tokens/permission_groups", TOKENS_READ, "access", "tokens:list_permission_groups")
    yield Route("GET", f"{path}/tokens/{{token_id}}", TOKENS_READ, "access", "tokens:get_token")
    yield Route("PUT", f"{path}/tokens/{{token_id}}", TOKENS_WRITE, "access", "tokens:replace_token")
    yield Route("DELETE", f"{path}/tokens/{{token_id}}", TOKENS_WRITE, "access", "tokens:delete_token")
    yield Route("PUT", f"{path}/tokens/{{token_id}}/value", TOKENS_WRITE, "access", "tokens:roll_token")


ROUTES: tuple[Route, ...] = (
    # accounts
    Route("GET", f"{CLOUDFLARE}/accounts", SETTINGS_READ, "accounts", "accounts:list_accounts"),
    Route("GET", _account(""), SETTINGS_READ, "accounts", "accounts:get_account"),
    # tokens, audit log
    *_tokens(f"{CLOUDFLARE}/user"),
    *_tokens(_account("")),
    Route("GET", f"{CLOUDFLARE}/user/audit_logs", AUDIT_READ, "access", "audit_logs:list_audit_logs"),
    Route("GET", _account("/audit_logs"), AUDIT_READ, "access", "audit_logs:list_audit_logs"),
    Route("GET", _account("/logs/audit"), AUDIT_READ, "access", "audit:list_audit"),
    Route("GET", _account("/logs/audit/product_categories"), AUDIT_READ, "access", "audit:list_product_categories"),
    Route("GET", _account("/logs/audit/{audit_id}/history"), AUDIT_READ, "access", "audit:list_history"),
    # zones
    Route("GET", f"{CLOUDFLARE}/zones", ZONE_READ, "zones", "zones:list_zones"),
    Route("POST", f"{CLOUDFLARE}/zones", ZONE_WRITE, "zones", "zones:create_zone"),
    Route("GET", _zone(""), ZONE_READ, "zones", "zones:get_zone"),
    Route("PATCH", _zone(""), ZONE_WRITE, "zones", "zones:edit_zone"),
    Route("DELETE", _zone(""), ZONE_WRITE, "zones", "zones:delete_zone"),
    # api_gateway/configuration
    Route("GET", _gateway("/configuration"), GATEWAY_READ, "identity", "configuration:get_configuration"),
    Route("PUT", _gateway("/configuration"), GATEWAY_WRITE, "identity", "configuration:set_configuration"),
    # api_gateway/operations
    Route("GET", _gateway("/operations"), GATEWAY_READ, "operations", "operations:list_operations"),
    Route("POST", _gateway("/operations"), GATEWAY_WRITE, "operations", "operations:save_operations"),
    Route("DELETE", _gateway("/operations"), GATEWAY_WRITE, "operations", "operations:delete_operations"),
    Route("POST", _gateway("/operations/item"), GATEWAY_WRITE, "operations", "operations:save_operation"),
    Route("GET", _gateway("/operations/{operation_id}"), GATEWAY_READ, "operations", "operations:get_operation"),
    Route("DELETE", _gateway("/operations/{operation_id}"), GATEWAY_WRITE, "operations", "operations:delete_operation"),
    Route("GET", _gateway("/schemas"), GATEWAY_READ, "operations", "schemas:export_schemas"),
    # api_gateway/labels
    Route("GET", _gateway("/labels"), GATEWAY_READ, "labels", "labels:list_labels"),
    Route("POST", _gateway("/labels/user"), GATEWAY_WRITE, "labels", "labels:create_labels"),
    Route("DELETE", _gateway("/labels/user"), GATEWAY_WRITE, "labels", "labels:delete_labels"),
    Route("GET", _gateway("/labels/user/{name}"), GATEWAY_READ, "labels", "labels:get_user_label"),
    Route("PUT", _gateway("/labels/user/{name}"), GATEWAY_WRITE, "labels", "labels:replace_label"),
    Route("PATCH", _gateway("/labels/user/{name}"), GATEWAY_WRITE, "labels", "labels:edit_label"),
    Route("DELETE", _gateway("/labels/user/{name}"), GATEWAY_WRITE, "labels", "labels:delete_label"),
    Route(
        "PUT",
        _gateway("/labels/user/{name}/resources/operation"),
        GATEWAY_WRITE,
        "labels",
        "labels:set_user_operations",
    ),
    Route("GET", _gateway("/labels/managed/{name}"), GATEWAY_READ, "labels", "labels:get_managed_label"),
    Route(
        "PUT",
        _gateway("/labels/managed/{name}/resources/operation"),
        GATEWAY_WRITE,
        "labels",
        "labels:set_managed_operations",
    ),
    Route("POST", _gateway("/operations/labels"), GATEWAY_WRITE, "labels", "operation_labels:attach_labels_to_many"),
    Route("PUT", _gateway("/operations/labels"), GATEWAY_WRITE, "labels", "operation_labels:replace_labels_of_many"),
    Route(
        "DELETE", _gateway("/operations/labels"), GATEWAY_WRITE, "labels", "operation_labels:detach_labels_from_many"
    ),
    Route(
        "POST", _gateway("/operations/{operation_id}/labels"), GATEWAY_WRITE, "labels", "operation_labels:attach_labels"
    ),
    Route(
        "PUT", _gateway("/operations/{operation_id}/labels"), GATEWAY_WRITE, "labels", "operation_labels:replace_labels"
    ),
    Route(
        "DELETE",
        _gateway("/operations/{operation_id}/labels"),
        GATEWAY_WRITE,
        "labels",
        "operation_labels:detach_labels",
    ),
    # rules/lists
    Route("GET", _account("/rules/lists"), LISTS_READ, "rules", "lists:list_lists"),
    Route("POST", _account("/rules/lists"), LISTS_WRITE, "rules", "lists:create_list"),
    Route(
        "GET",
        _account("/rules/lists/bulk_operations/{operation_id}"),
        LISTS_READ,
        "rules",
        "list_items:get_bulk_operation",
    ),
    Route("GET", _account("/rules/lists/{list_id}"), LISTS_READ, "rules", "lists:get_list"),
    Route("PUT", _account("/rules/lists/{list_id}"), LISTS_WRITE, "rules", "lists:update_list"),
    Route("DELETE", _account("/rules/lists/{list_id}"), LISTS_WRITE, "rules", "lists:delete_list"),
    Route("GET", _account("/rules/lists/{list_id}/items"), LISTS_READ, "rules", "list_items:list_items"),
    Route("POST", _account("/rules/lists/{list_id}/items"), LISTS_WRITE, "rules", "list_items:append_items"),
    Route("PUT", _account("/rules/lists/{list_id}/items"), LISTS_WRITE, "rules", "list_items:replace_items"),
    Route("DELETE", _account("/rules/lists/{list_id}/items"), LISTS_WRITE, "rules", "list_items:remove_items"),
    Route("GET", _account("/rules/lists/{list_id}/items/{item_id}"), LISTS_READ, "rules", "list_items:get_item"),
    # rulesets
    *_routes(
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _gateway("/expression-template/fallthrough"): "POST expression_template:create_fallthrough",
            _zone("/rulesets"): "GET rulesets:list_rulesets, POST rulesets:create_ruleset",
            _zone("/rulesets/phases/{ruleset_phase}/entrypoint"): (
                "GET rulesets:get_entrypoint, PUT rulesets:replace_entrypoint"
            ),
            _zone("/rulesets/phases/{ruleset_phase}/entrypoint/versions"): (
                "GET ruleset_versions:list_entrypoint_versions"
            ),
            _zone("/rulesets/phases/{ruleset_phase}/entrypoint/versions/{ruleset_version}"): (
                "GET ruleset_versions:get_entrypoint_version"
            ),
            _zone("/rulesets/{ruleset_id}"): (
                "GET rulesets:get_ruleset, PUT rulesets:replace_ruleset, DELETE rulesets:delete_ruleset"
            ),
            _zone("/rulesets/{ruleset_id}/rules"): "POST rulesets:add_rule",
            _zone("/rulesets/{ruleset_id}/rules/{rule_id}"): "PATCH rulesets:edit_rule, DELETE rulesets:delete_rule",
            _zone("/rulesets/{ruleset_id}/versions"): "GET ruleset_versions:list_versions",
            _zone("/rulesets/{ruleset_id}/versions/{ruleset_version}"): (
                "GET ruleset_versions:get_version, DELETE ruleset_versions:delete_version"
            ),
        },
    ),
    *_routes(
        ACCOUNT_GATEWAY_READ,
        ACCOUNT_GATEWAY_WRITE,
        {
            _account("/rulesets"): "GET account_rulesets:list_rulesets, POST account_rulesets:create_ruleset",
            _account("/rulesets/phases/{ruleset_phase}/entrypoint"): (
                "GET account_rulesets:get_entrypoint, PUT account_rulesets:replace_entrypoint"
            ),
            _account("/rulesets/phases/{ruleset_phase}/entrypoint/versions"): (
                "GET account_rulesets:list_entrypoint_versions"
            ),
            _account("/rulesets/phases/{ruleset_phase}/entrypoint/versions/{ruleset_version}"): (
                "GET account_rulesets:get_entrypoint_version"
            ),
            _account("/rulesets/{ruleset_id}"): (
                "GET account_rulesets:get_ruleset, PUT account_rulesets:replace_ruleset, "
                "DELETE account_rulesets:delete_ruleset"
            ),
            _account("/rulesets/{ruleset_id}/rules"): "POST account_rulesets:add_rule",
            _account("/rulesets/{ruleset_id}/rules/{rule_id}"): (
                "PATCH account_rulesets:edit_rule, DELETE account_rulesets:delete_rule"
            ),
            _account("/rulesets/{ruleset_id}/versions"): "GET account_rulesets:list_versions",
            _account("/rulesets/{ruleset_id}/versions/{ruleset_version}"): (
                "GET account_rulesets:get_version, DELETE account_rulesets:delete_version"
            ),
        },
    ),
    # token_validation
    *_routes(
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _zone("/token_validation/config"): (
                "GET token_validation:list_configurations, POST token_validation:create_configuration"
            ),
            _zone("/token_validation/config/{config_id}"): (
                "GET token_validation:get_configuration, PATCH token_validation:edit_configuration, "
                "DELETE token_validation:delete_configuration"
            ),
            _zone("/token_validation/config/{config_id}/credentials"): (
                "PUT token_validation:replace_credentials, PATCH token_validation:edit_credentials"
            ),
            _zone("/token_validation/rules"): "GET token_rules:list_rules, POST token_rules:create_rule",
            _zone("/token_validation/rules/bulk"): "POST token_rules:create_rules, PATCH token_rules:edit_rules",
            _zone("/token_validation/rules/preview"): "POST token_rules:preview_rule",
            _zone("/token_validation/rules/{rule_id}"): (
                "GET token_rules:get_rule, PATCH token_rules:edit_rule, DELETE token_rules:delete_rule"
            ),
        },
        "tokens",
    ),
    # what Cloudflare has no word for
    Route("GET", _own_zone("/upstreams"), ZONE_READ, "zones", "hoplon_v1.upstreams:get_upstreams"),
    Route("PUT", _own_zone("/upstreams"), ZONE_WRITE, "zones", "hoplon_v1.upstreams:put_upstreams"),
    *_routes(
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _own_zone("/token_validation/config"): (
                "GET hoplon_v1.token_validation:list_configurations, "
                "POST hoplon_v1.token_validation:create_configuration"
            ),
            _own_zone("/token_validation/config/{config_id}"): "PATCH hoplon_v1.token_validation:edit_configuration",
            _own_zone("/token_validation/config/{config_id}/refresh"): "POST hoplon_v1.token_validation:refresh",
            _own_zone("/token_validation/authorization"): (
                "GET hoplon_v1.token_validation:get_authorization, PUT hoplon_v1.token_validation:set_authorization"
            ),
        },
        "tokens",
    ),
    Route("GET", _own_zone("/identity/proposals"), GATEWAY_READ, "identity", "hoplon_v1.identity:list_proposals"),
    Route("GET", _own_zone("/operations.csv"), GATEWAY_READ, "operations", "hoplon_v1.operations:download"),
    Route("GET", f"{OWN}/status", OPERATE, "status", "hoplon_v1.status:get_status"),
    Route("GET", f"{OWN}/bundles", OPERATE, "bundles", "hoplon_v1.status:list_bundles"),
    Route("POST", f"{OWN}/records/query", OPERATE, "records", "hoplon_v1.records:query"),
    Route("GET", f"{OWN}/records/{{record_id}}", OPERATE, "records", "hoplon_v1.records:show"),
    Route("GET", f"{OWN}/decisions", OPERATE, "records", "hoplon_v1.decisions:list_of_all"),
    Route("GET", f"{OWN}/decisions/{{record_id}}", OPERATE, "records", "hoplon_v1.decisions:show_of_all"),
    Route("GET", _own_zone("/decisions"), GATEWAY_READ, "records", "hoplon_v1.decisions:list_of_zone"),
    Route("GET", _own_zone("/decisions/{record_id}"), GATEWAY_READ, "records", "hoplon_v1.decisions:show_of_zone"),
    # zones, mode and policy documents, as the command line sees them
    Route("GET", f"{OWN}/zones", ZONE_READ, "zones", "hoplon_v1.zones:list_zones"),
    Route("GET", f"{OWN}/mode", OPERATE, "mode", "hoplon_v1.mode:get_mode"),
    Route("PUT", f"{OWN}/mode", OPERATE, "mode", "hoplon_v1.mode:set_mode"),
    # a policy says where traffic goes as well: whoever writes it needs both
    Route("POST", f"{OWN}/policies", GATEWAY_WRITE, "policy", "hoplon_v1.policy:create", ZONE_WRITE),
    Route("POST", f"{OWN}/policies/diff", GATEWAY_READ, "policy", "hoplon_v1.policy:diff_new", ZONE_READ),
    Route("GET", _own_zone("/policy"), GATEWAY_READ, "policy", "hoplon_v1.policy:export", ZONE_READ),
    Route("PUT", _own_zone("/policy"), GATEWAY_WRITE, "policy", "hoplon_v1.policy:apply", ZONE_WRITE),
    Route("POST", _own_zone("/policy/diff"), GATEWAY_READ, "policy", "hoplon_v1.policy:diff", ZONE_READ),
    Route("POST", _own_zone("/policy/rollback"), GATEWAY_WRITE, "policy", "hoplon_v1.policy:rollback", ZONE_WRITE),
    Route("GET", _own_zone("/policy/versions"), GATEWAY_READ, "policy", "hoplon_v1.policy:versions", ZONE_READ),
    Route("POST", _own_zone("/replays"), GATEWAY_READ, "policy", "hoplon_v1.replays:run", ZONE_READ),
    # tokens and audit log, as the command line sees them
    Route("GET", f"{OWN}/tokens", TOKENS_READ, "access", "hoplon_v1.tokens:list_tokens"),
    Route("POST", f"{OWN}/tokens", TOKENS_WRITE, "access", "hoplon_v1.tokens:create_token"),
    Route("GET", f"{OWN}/audit", AUDIT_READ, "access", "hoplon_v1.audit:list_records"),
    Route("GET", f"{OWN}/audit/report", AUDIT_READ, "access", "hoplon_v1.audit:verify"),
    # bundle delivery
    Route("GET", f"{OWN}/bundles/current", GATEWAY, "bundles", "hoplon_v1.bundles:current"),
    Route("GET", f"{OWN}/bundles/parts/{{sha256}}", GATEWAY, "bundles", "hoplon_v1.bundles:part"),
    Route("GET", f"{OWN}/bundles/secrets", GATEWAY, "bundles", "hoplon_v1.bundles:secrets"),
    Route("GET", f"{OWN}/gateways", OPERATE, "bundles", "hoplon_v1.bundles:list_gateways"),
    # what a feature's own issue brings
    *_unavailable(
        "discovery",
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _gateway("/discovery"): "GET",
            _gateway("/discovery/operations"): "GET PATCH",
            _gateway("/discovery/operations/{operation_id}"): "GET PATCH",
        },
    ),
    *_unavailable(
        "schemas",
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _gateway("/operations/schema_validation"): "PATCH",
            _gateway("/operations/{operation_id}/schema_validation"): "GET PUT",
            _gateway("/settings/schema_validation"): "GET PUT PATCH",
            _gateway("/user_schemas"): "GET POST",
            _gateway("/user_schemas/hosts"): "GET",
            _gateway("/user_schemas/{schema_id}"): "GET PATCH DELETE",
            _gateway("/user_schemas/{schema_id}/operations"): "GET",
            _zone("/schema_validation/schemas"): "GET POST",
            _zone("/schema_validation/schemas/{schema_id}"): "GET PATCH DELETE",
            _zone("/schema_validation/settings"): "GET PUT PATCH",
            _zone("/schema_validation/settings/operations"): "GET PATCH",
            _zone("/schema_validation/settings/operations/{operation_id}"): "GET PUT DELETE",
        },
    ),
    *_unavailable(
        "sequences",
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _gateway("/seqrules"): "GET PUT",
            _gateway("/seqrules/rules"): "POST",
            _gateway("/seqrules/rules/{rule_id}"): "DELETE",
        },
    ),
    *_unavailable(
        "mtls",
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _zone("/certificate_authorities/hostname_associations"): "GET PUT",
            _zone("/client_certificates"): "GET POST",
            _zone("/client_certificates/{client_certificate_id}"): "GET PATCH DELETE",
        },
    ),
    *_unavailable(
        "mtls",
        ACCOUNT_GATEWAY_READ,
        ACCOUNT_GATEWAY_WRITE,
        {
            _account("/mtls_certificates"): "GET POST",
            _account("/mtls_certificates/{mtls_certificate_id}"): "GET DELETE",
            _account("/mtls_certificates/{mtls_certificate_id}/associations"): "GET",
        },
    ),
    *_unavailable(
        "findings",
        GATEWAY_READ,
        GATEWAY_WRITE,
        {
            _zone("/security-center/insights"): "GET",
            _zone("/security-center/insights/audit-log"): "GET",
            _zone("/security-center/insights/class"): "GET",
            _zone("/security-center/insights/severity"): "GET",
            _zone("/security-center/insights/type"): "GET",
            _zone("/security-center/insights/{issue_id}/audit-log"): "GET",
            _zone("/security-center/insights/{issue_id}/classification"): "PATCH",
            _zone("/security-center/insights/{issue_id}/dismiss"): "PUT",
        },
    ),
    *_unavailable(
        "findings",
        ACCOUNT_GATEWAY_READ,
        ACCOUNT_GATEWAY_WRITE,
        {
            _account("/security-center/insights"): "GET",
            _account("/security-center/insights/audit-log"): "GET",
            _account("/security-center/insights/class"): "GET",
            _account("/security-center/insights/severity"): "GET",
            _account("/security-center/insights/type"): "GET",
            _account("/security-center/insights/{issue_id}/audit-log"): "GET",
            _account("/security-center/insights/{issue_id}/classification"): "PATCH",
            _account("/security-center/insights/{issue_id}/context"): "GET",
            _account("/security-center/insights/{issue_id}/dismiss"): "PUT",
        },
    ),
    *_unavailable(
        "scanner",
        ACCOUNT_GATEWAY_READ,
        ACCOUNT_GATEWAY_WRITE,
        {
            _account("/vuln_scanner/credential_sets"): "GET POST",
            _account("/vuln_scanner/credential_sets/{credential_set_id}"): "GET PUT PATCH DELETE",
            _account("/vuln_scanner/credential_sets/{credential_set_id}/credentials"): "GET POST",
            _account("/vuln_scanner/credential_sets/{credential_set_id}/credentials/{credential_id}"): (
                "GET PUT PATCH DELETE"
            ),
            _account("/vuln_scanner/scans"): "GET POST",
            _account("/vuln_scanner/scans/{scan_id}"): "GET",
            _account("/vuln_scanner/scans/{scan_id}/report"): "GET",
            _account("/vuln_scanner/target_environments"): "GET POST",
            _account("/vuln_scanner/target_environments/{target_environment_id}"): "GET PUT PATCH DELETE",
        },
    ),
)
