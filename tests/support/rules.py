"""Fields to write expressions over, whatever the engine that is installed knows."""

from hoplon.rules.fields import FieldDef
from hoplon.rules.types import parse_type

_FIELDS = {
    "ssl": ("Boolean", "request_head", "free"),
    "ip.src": ("IP address", "request_head", "free"),
    "http.host": ("String", "request_head", "free"),
    "http.user_agent": ("String", "request_head", "free"),
    "http.x_forwarded_for": ("String", "request_head", "free"),
    "http.referer": ("String", "request_head", "free"),
    "http.cookie": ("String", "request_head", "free"),
    "http.request.method": ("String", "request_head", "free"),
    "http.request.uri": ("String", "request_head", "free"),
    "http.request.full_uri": ("String", "request_head", "free"),
    "http.request.uri.path": ("String", "request_head", "free"),
    "http.request.uri.query": ("String", "request_head", "free"),
    "http.request.uri.args": ("Map<Array<String>>", "request_head", "free"),
    "http.request.uri.args.names": ("Array<String>", "request_head", "free"),
    "http.request.uri.args.values": ("Array<String>", "request_head", "free"),
    "http.request.headers": ("Map<Array<String>>", "request_head", "free"),
    "http.request.headers.names": ("Array<String>", "request_head", "free"),
    "http.request.headers.values": ("Array<String>", "request_head", "free"),
    "http.request.cookies": ("Map<Array<String>>", "request_head", "free"),
    "http.request.timestamp.sec": ("Integer", "request_head", "free"),
    "http.request.timestamp.msec": ("Integer", "request_head", "free"),
    "http.request.body.raw": ("String", "request_body", "parse"),
    "http.request.body.size": ("Integer", "request_body", "count"),
    "http.response.code": ("Integer", "response_head", "free"),
    "http.request.jwt.claims": ("Map<Array<String>>", "request_head", "verify"),
    "hoplon.token.valid": ("Map<Boolean>", "request_head", "verify"),
    "hoplon.token.present": ("Map<Boolean>", "request_head", "free"),
    "hoplon.operation.variables": ("Map<String>", "request_head", "free"),
    "hoplon.session.value": ("String", "request_head", "free"),
    "hoplon.path.anomalies": ("Array<String>", "request_head", "free"),
    "cf.api_gateway.auth_id_present": ("Boolean", "request_head", "free"),
}
FIELDS = {name: FieldDef(name, parse_type(kind), phase, cost) for name, (kind, phase, cost) in _FIELDS.items()}
"""The fields that tests of the language write about."""
