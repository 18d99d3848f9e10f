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
    "hoplon.token.present": ("Map<Boolean>", "request_head", "verify"),
    "hoplon.operation.variables": ("Map<String>", "request_head", "free"),
    "hoplon.session.value": ("String", "request_head", "free"),
    "hoplon.path.anomalies": ("Array<String>", "request_head", "free"),
    "cf.api_gateway.auth_id_present": ("Boolean", "request_head", "free"),
}
FIELDS = {name: FieldDef(name, parse_type(kind), phase, cost) for name, (kind, phase, cost) in _FIELDS.items()}
"""The fields that tests of the language write about."""

POLICY = '''format = 1
[zone]
name = "default"
hosts = ["api.test"]
upstreams = [{ url = "http://127.0.0.1:9" }]

[[rules.custom]]
ref = "office"
description = "Admins come from the office"
action = "block"
expression = """
http.request.uri.path matches r"^/admin/"
and not ip.src in {10.0.0.0/8}"""

[[rules.custom]]
ref = "big"
expression = \'lookup_json_integer(http.request.body.raw, "n") gt 3\'

[[rules.custom]]
ref = "off"
enabled = false
expression = "ssl"
'''
"""A zone with three custom rules, one of them off."""
