"""How an error looks outside: its stable code to an HTTP status and a number, its problems to JSON pointers.

One table; docs/api.md is tested against it, and a test finds every code that is raised anywhere in the package.
"""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import NamedTuple

from hoplon.api.envelope import Message
from hoplon.errors import HoplonError, Problem

SHOWN_PROBLEMS = 20
"""So many of a request's problems are listed; the last entry says how many more there are."""


class ErrorForm(NamedTuple):
    """The HTTP status of an error and its number in the envelope."""

    status: HTTPStatus
    number: int


INTERNAL = ErrorForm(HTTPStatus.INTERNAL_SERVER_ERROR, 10500)

ERRORS: dict[str, ErrorForm] = {
    # the request itself
    "request.no_route": ErrorForm(HTTPStatus.NOT_FOUND, 7003),
    "request.method": ErrorForm(HTTPStatus.METHOD_NOT_ALLOWED, 10405),
    "request.query": ErrorForm(HTTPStatus.BAD_REQUEST, 10400),
    "request.header": ErrorForm(HTTPStatus.BAD_REQUEST, 10401),
    "request.body_missing": ErrorForm(HTTPStatus.BAD_REQUEST, 10402),
    "request.not_json": ErrorForm(HTTPStatus.BAD_REQUEST, 10403),
    "request.body": ErrorForm(HTTPStatus.BAD_REQUEST, 10404),
    "request.too_large": ErrorForm(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, 10413),
    "request.media_type": ErrorForm(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, 10415),
    "request.rate": ErrorForm(HTTPStatus.TOO_MANY_REQUESTS, 10429),
    "precondition.failed": ErrorForm(HTTPStatus.PRECONDITION_FAILED, 10412),
    "feature.unavailable": ErrorForm(HTTPStatus.NOT_IMPLEMENTED, 10501),
    # who may do what
    "auth.missing": ErrorForm(HTTPStatus.UNAUTHORIZED, 9106),
    "auth.invalid": ErrorForm(HTTPStatus.UNAUTHORIZED, 9109),
    "auth.address": ErrorForm(HTTPStatus.FORBIDDEN, 10001),
    "auth.forbidden": ErrorForm(HTTPStatus.FORBIDDEN, 10000),
    # the resources
    "account.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11001),
    "zone.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11011),
    "zone.missing": ErrorForm(HTTPStatus.NOT_FOUND, 11012),
    "zone.exists": ErrorForm(HTTPStatus.CONFLICT, 11013),
    "zone.overlap": ErrorForm(HTTPStatus.CONFLICT, 11014),
    "zone.unsupported": ErrorForm(HTTPStatus.BAD_REQUEST, 11015),
    "zone.last_active": ErrorForm(HTTPStatus.CONFLICT, 11016),
    "zone.too_many": ErrorForm(HTTPStatus.BAD_REQUEST, 11017),
    "policy.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11021),
    "policy.version_unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11022),
    "policy.locked": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 11023),
    "operation.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11031),
    "operation.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11032),
    "operation.too_many": ErrorForm(HTTPStatus.BAD_REQUEST, 11033),
    "operation.last": ErrorForm(HTTPStatus.CONFLICT, 11034),
    "operation.in_use": ErrorForm(HTTPStatus.CONFLICT, 11035),
    "identity.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11041),
    # token configurations and rules
    "token_configuration.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11801),
    "token_configuration.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11802),
    "token_configuration.too_many": ErrorForm(HTTPStatus.BAD_REQUEST, 11803),
    "token_configuration.in_use": ErrorForm(HTTPStatus.CONFLICT, 11804),
    "token_rule.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11811),
    "token_rule.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11812),
    "token_rule.too_many": ErrorForm(HTTPStatus.BAD_REQUEST, 11813),
    "token_authorization.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11821),
    # tokens and secrets
    "token.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11101),
    "token.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11102),
    "token.excess": ErrorForm(HTTPStatus.FORBIDDEN, 11103),
    "secrets.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11111),
    "secrets.damaged": ErrorForm(HTTPStatus.INTERNAL_SERVER_ERROR, 11112),
    "secrets.key_missing": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 11113),
    "keys.unusable": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 11114),
    # traffic records
    "records.query": ErrorForm(HTTPStatus.BAD_REQUEST, 11501),
    "records.limit": ErrorForm(HTTPStatus.BAD_REQUEST, 11502),
    "records.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11503),
    "records.busy": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 11504),
    "records.damaged": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 11505),
    "usage": ErrorForm(HTTPStatus.BAD_REQUEST, 11506),
    "replay.limit": ErrorForm(HTTPStatus.BAD_REQUEST, 11507),
    "replay.busy": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 11508),
    # bundles and gateways
    "bundle.no_part": ErrorForm(HTTPStatus.NOT_FOUND, 11201),
    "delivery.busy": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 11202),
    # labels
    "label.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11301),
    "label.exists": ErrorForm(HTTPStatus.CONFLICT, 11302),
    "label.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11303),
    "label.too_many": ErrorForm(HTTPStatus.BAD_REQUEST, 11304),
    # lists
    "list.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11401),
    "list.exists": ErrorForm(HTTPStatus.CONFLICT, 11402),
    "list.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11403),
    "list.too_many": ErrorForm(HTTPStatus.BAD_REQUEST, 11404),
    "list.item_unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11405),
    "list.operation_unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11406),
    "list.in_use": ErrorForm(HTTPStatus.CONFLICT, 11407),
    # rulesets
    "ruleset.no_entrypoint": ErrorForm(HTTPStatus.NOT_FOUND, 10003),
    "ruleset.unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11701),
    "ruleset.rule_unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11702),
    "ruleset.version_unknown": ErrorForm(HTTPStatus.NOT_FOUND, 11703),
    "ruleset.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 11704),
    "ruleset.exists": ErrorForm(HTTPStatus.CONFLICT, 11705),
    "ruleset.unsupported": ErrorForm(HTTPStatus.BAD_REQUEST, 11706),
    # an OpenAPI description
    "description.unreadable": ErrorForm(HTTPStatus.BAD_REQUEST, 11601),
    "description.unsupported": ErrorForm(HTTPStatus.BAD_REQUEST, 11602),
    "description.empty": ErrorForm(HTTPStatus.BAD_REQUEST, 11603),
    # the installation
    "internal": INTERNAL,
    "mode.unreadable": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12011),
    "bundle.refused": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12012),
    "bundle.unwritable": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12014),
    "bundle.failed": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12013),
    "restore.unfinished": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12015),
    "database.locked": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12001),
    "database.unusable": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12002),
    "database.newer": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12003),
    "state.unusable": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12004),
    "state.missing": ErrorForm(HTTPStatus.SERVICE_UNAVAILABLE, 12005),
    "settings.invalid": ErrorForm(HTTPStatus.BAD_REQUEST, 12006),
}
"""Every code that can reach a caller. The numbers below 10000, and 10003, are Cloudflare's own."""

_STEP = re.compile(r"[^.\[\]]+")


def error_form(code: str) -> ErrorForm:
    """The status and number of an error by its stable code."""
    return ERRORS.get(code, INTERNAL)


def error_messages(error: HoplonError) -> list[Message]:
    """The entries of `errors`: one per problem, or the error itself when it lists none."""
    number = error_form(error.code).number
    if not error.problems:
        return [_message(number, _with_hint(error.message, error.hint))]
    shown = [
        _message(number, _with_hint(problem.message, problem.hint), problem)
        for problem in error.problems[:SHOWN_PROBLEMS]
    ]
    if (hidden := len(error.problems) - len(shown)) > 0:
        shown.append(_message(number, f"and {hidden} more"))
    return shown


def pointer(path: str) -> str:
    """A dotted path (`operations[3].host`) as a JSON pointer (`/operations/3/host`, RFC 6901); a pointer as it is."""
    if path.startswith("/") or not path:
        return path
    return "".join(f"/{_escaped(step)}" for step in _STEP.findall(path))


def pointer_of(steps: Iterator[object] | tuple[object, ...]) -> str:
    """The JSON pointer of member names and indexes, from the outermost."""
    return "".join(f"/{_escaped(str(step))}" for step in steps)


def _escaped(step: str) -> str:
    return step.replace("~", "~0").replace("/", "~1")


def _message(number: int, text: str, problem: Problem | None = None) -> Message:
    message: Message = {"code": number, "message": text, "documentation_url": f"/errors/{number}"}
    if problem is not None and problem.path:
        message["source"] = {"pointer": pointer(problem.path)}
    return message


def _with_hint(text: str, hint: str | None) -> str:
    return f"{text}: {hint}" if hint else text
