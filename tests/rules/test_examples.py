"""Every example expression of Cloudflare's documentation and of our reference acts as described there, or is refused
with the sentence that says why Hoplon cannot.

Pages (developers.cloudflare.com): ruleset-engine/rules-language {operators, values, functions, expressions},
waf/custom-rules/use-cases, waf/rate-limiting-rules {use-cases, best-practices}, api-shield/security {jwt-validation,
sequence-mitigation, mtls, graphql-protection}.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

pytest.importorskip("hoplon._native")

from hoplon.rules.around import Around
from hoplon.rules.compile import compile_expression, compile_value, read_expression
from hoplon.rules.dialects import COUNTING, CUSTOM, LIMITS, TOKENS, Dialect
from hoplon.rules.refusal import ExpressionError
from support import rule_oracle
from support.rule_engine import engine_of, true_rules
from support.rule_requests import Request, facts_of, request
from support.rules import FIELDS

COLUMBIA = request("/?search=red+apples&filter=waf&filter=botm&filter=cdn", Content_Type="application/json")
PLAIN = request("/")

ACTS: Mapping[str, tuple[list[Request], list[Request]]] = {
    # operators
    'http.request.uri.path eq "/articles/2008/"': ([request("/articles/2008/")], [request("/articles/2009/")]),
    "ip.src ne 203.0.113.0": ([PLAIN], [request(client="203.0.113.0")]),
    'http.request.uri.path contains "/articles/"': ([request("/x/articles/1")], [request("/Articles/1")]),
    'http.request.uri.path matches "^/articles/200[7-8]/$"': (
        [request("/articles/2007/"), request("/articles/2008/")],
        [request("/articles/2009/"), request("/x/articles/2007/")],
    ),
    "ip.src in { 203.0.113.0 203.0.113.1 }": ([request(client="203.0.113.1")], [request(client="203.0.113.2")]),
    'ends_with(http.request.uri.path, ".html")': ([request("/a.html")], [request("/a.htm"), request("/a.html/b")]),
    'lower(http.request.uri.path) contains "/wp-login.php"': ([request("/WP-Login.php")], [request("/login")]),
    'http.request.full_uri wildcard "https://example.com/a/*"': (
        [
            request("https://example.com/a/"),
            request("https://example.com/a/page.html"),
            request("https://EXAMPLE.com/A/sub/folder/?name=value"),
        ],
        [
            request("https://example.com/ab/"),
            request("https://example.com/b/page.html"),
            request("https://sub.example.com/a/"),
        ],
    ),
    'http.request.full_uri wildcard "*.example.com/*/page.html"': (
        [
            request("http://sub.example.com/folder/page.html"),
            request("https://admin.example.com/team/subteam/page.html"),
        ],
        [
            request("https://example.com/ab/page.html"),
            request("https://sub.example.com/folder2/page.html?s=value"),
            request("https://sub.example.com/a/"),
        ],
    ),
    'http.request.full_uri wildcard "*.example.com/*" or http.request.full_uri wildcard "http*://example.com/*"': (
        [request("https://example.com/folder/list.htm"), request("https://admin.example.com/folder/team/?s=foobar")],
        [request("https://example.org/folder/")],
    ),
    'http.request.uri.path strict wildcard "/AdminTeam/*"': ([request("/AdminTeam/x")], [request("/adminteam/x")]),
    'not ( http.host eq "www.cloudflare.com" and ip.src in {203.0.113.0/24} )': (
        [PLAIN, request("https://www.cloudflare.com/")],
        [request("https://www.cloudflare.com/", client="203.0.113.9")],
    ),
    'http.host eq "www.cloudflare.com" xor ip.src in {203.0.113.0/24}': (
        [request("https://www.cloudflare.com/"), request(client="203.0.113.9")],
        [PLAIN, request("https://www.cloudflare.com/", client="203.0.113.9")],
    ),
    '(http.host eq "api.example.com" and http.request.uri.path eq "/api/v2/auth") or '
    r'(http.host matches "^(www|store|blog)\.example\.com" and http.request.uri.path contains "wp-login.php")': (
        [request("https://api.example.com/api/v2/auth"), request("https://blog.example.com/wp-login.php")],
        [request("https://api.example.com/wp-login.php"), request("https://wwwXexample.com/wp-login.php")],
    ),
    # expressions, values
    r'http.request.uri.path matches "/autodiscover\.(xml|src)$"': (
        [request("/a/autodiscover.xml")],
        [request("/autodiscover.xml2"), request("/autodiscoverxxml")],
    ),
    r'http.request.uri.path matches "a\"b"': ([request('/a"b')], [request("/ab")]),
    r'http.request.uri.path matches "a\"#b"': ([request('/a"#b')], [request('/a"b')]),
    r'http.request.uri.path matches r#"a"b"#': ([request('/a"b')], [request("/ab")]),
    r'http.request.uri.path matches r##"a"#b"##': ([request('/a"#b')], [request('/a"b')]),
    r'http.request.uri.path matches r"/api/login\.aspx$"': ([request("/api/login.aspx")], [request("/api/loginXaspx")]),
    "ssl": ([PLAIN], [request("http://www.example.com/")]),
    "not ssl": ([request("http://www.example.com/")], [PLAIN]),
    'http.request.headers.names[0] == "content-type"': ([COLUMBIA], [PLAIN]),
    'any(http.request.headers.names[*] == "content-type")': ([COLUMBIA], [PLAIN]),
    'any(lower(http.request.headers.names[*])[*] == "content-type")': ([COLUMBIA], [PLAIN]),
    'any(http.request.headers["accept"][*] == "application/json")': (
        [request(Accept="application/json")],
        [request(Accept="text/plain"), PLAIN],
    ),
    'http.request.headers["accept"][0] == "application/json"': ([request(Accept="application/json")], [PLAIN]),
    'len(http.request.uri.args["filter"][1]) == 4': ([COLUMBIA], [PLAIN]),
    'all(len(http.request.uri.args["filter"][*])[*] in {3 4})': ([COLUMBIA], [request("/?filter=abcde")]),
    'all(not len(http.request.uri.args["filter"][*])[*] in {3 4})': ([request("/?filter=abcde")], [COLUMBIA]),
    'len(http.request.uri.args["filter"]) >= 0': ([COLUMBIA], [PLAIN]),
    'not len(http.request.uri.args["order"]) >= 0': ([COLUMBIA, PLAIN], [request("/?order=asc")]),
    'any(http.request.uri.args["search"][*] == "red+apples")': ([COLUMBIA], [PLAIN]),
    'http.host in {"example.com" "example.net"}': ([request("https://example.net/")], [PLAIN]),
    "ip.src in {198.51.100.1 198.51.100.3..198.51.100.7 192.0.2.0/24 2001:0db8::/32}": (
        [request(client=address) for address in ("198.51.100.1", "198.51.100.5", "192.0.2.77", "2001:db8::1")],
        [request(client=address) for address in ("198.51.100.2", "198.51.100.8", "2001:db9::1")],
    ),
    "http.request.body.size in {8000..8009 3..4}": ([request(body=b"1234")], [request(body=b"12345"), PLAIN]),
    # functions
    'lower(http.host) == "www.cloudflare.com"': ([request("https://WWW.cloudflare.com/")], [PLAIN]),
    'upper(http.host) == "WWW.EXAMPLE.COM"': ([PLAIN], [request("https://example.com/")]),
    'all(http.request.headers["content-type"][*] == "application/json")': ([COLUMBIA], [request(Content_Type="a/b")]),
    "cidr(ip.src, 24, 24) eq 113.10.0.0": ([request(client="113.10.0.2")], [request(client="113.10.1.2")]),
    "cidr(ip.src, 24, 24) eq 2001::": ([request(client="2001:0000:130F::09C0:876A:130B")], [PLAIN]),
    "cidr6(ip.src, 24) eq 113.10.0.2": ([request(client="113.10.0.2")], [request(client="113.10.0.3")]),
    'concat("String1", " ", http.request.method, 2) == "String1 GET2"': ([PLAIN], [request(method="PUT")]),
    '(any(decode_base64(http.request.headers["client_id"][*])[*] eq "123abc"))': (
        [Request(headers=(("client_id", b"MTIzYWJj"),))],
        [Request(headers=(("client_id", b"MTIzYWJk"),)), PLAIN],
    ),
    'join(http.request.headers.names, ",") eq "a,b"': ([request(a="1", b="2")], [request(a="1"), PLAIN]),
    "len(http.host) eq 11": ([request("https://example.com/")], [PLAIN]),
    'lookup_json_integer(http.request.body.raw, "version") eq 2': (
        [request(body=b'{ "record_id": "aed53a", "version": 2 }')],
        [request(body=b'{"version": 2.0}'), request(body=b'{"version": "2"}'), request(body=b"no"), PLAIN],
    ),
    'lookup_json_integer(http.request.body.raw, "product", "id") eq 356': (
        [request(body=b'{ "product": { "id": 356 } }')],
        [request(body=b'{"product": 356}')],
    ),
    "lookup_json_integer(http.request.body.raw, 1) eq -234": ([request(body=b'["first_item", -234]')], [PLAIN]),
    'lookup_json_integer(http.request.body.raw, "network_ids", 0) eq 123': (
        [request(body=b'{ "network_ids": [123, 456] }')],
        [request(body=b'{ "network_ids": [] }')],
    ),
    'lookup_json_integer(http.request.body.raw, 1, "product_id") eq 456': (
        [request(body=b'[{ "product_id": 123 }, { "product_id": 456 }]')],
        [request(body=b'[{ "product_id": 456 }]')],
    ),
    'lookup_json_string(http.request.body.raw, "company") == "cloudflare"': (
        [request(body=b'{ "company": "cloudflare", "product": "rulesets" }')],
        [request(body=b'{ "company": 1 }')],
    ),
    'lookup_json_string(http.request.body.raw, "networks", 1) == "cloudflare"': (
        [request(body=b'{ "networks": ["other_company", "cloudflare"] }')],
        [request(body=b'{ "networks": "cloudflare" }')],
    ),
    'lookup_json_string(http.request.body.raw, 1, "network") == "cloudflare"': (
        [request(body=b'[{ "network": "other_company" }, { "network": "cloudflare" }]')],
        [request(body=b"[]")],
    ),
    r'remove_bytes(http.host, "\x2e\x77") eq "cloudflarecom"': ([request("https://www.cloudflare.com/")], [PLAIN]),
    'starts_with(http.request.uri.path, "/blog")': ([request("/blog/first-post")], [request("/Blog")]),
    'substring(http.request.body.raw, 2, 5) eq "dfg"': ([request(body=b"asdfghjk")], [PLAIN]),
    'substring(http.request.body.raw, 2) eq "dfghjk"': ([request(body=b"asdfghjk")], [PLAIN]),
    'substring(http.request.body.raw, -2) eq "jk"': ([request(body=b"asdfghjk")], [PLAIN]),
    'substring(http.request.body.raw, 0, -2) eq "asdfgh"': ([request(body=b"asdfghjk")], [PLAIN]),
    'url_decode(http.request.uri.query) eq "John Doe"': ([request("/?John%20Doe"), request("/?John+Doe")], [PLAIN]),
    'url_decode(http.request.uri.query) eq "%20"': ([request("/?%2520")], [request("/?%20")]),
    'url_decode(http.request.uri.query, "r") eq " "': ([request("/?%2520"), request("/?%20")], [PLAIN]),
    r'url_decode(http.request.uri.query, "u") eq "\xe2\x98\x81"': ([request("/?%u2601")], [request("/?u2601")]),
    'any(url_decode(http.request.uri.args.values[*])[*] contains "an xss attack")': (
        [request("/?a=b&c=an+xss%20attack")],
        [request("/?a=an&b=xss"), PLAIN],
    ),
    # custom rules: use cases
    'not any(lower(http.request.headers.names[*])[*] eq "x-csrf-token") and '
    '(http.request.full_uri eq "https://www.example.com/somepath")': (
        [request("/somepath")],
        [request("/somepath", X_CSRF_Token="1"), PLAIN],
    ),
    '(ends_with(http.request.uri.path, "/autodiscover.xml") or '
    'ends_with(http.request.uri.path, "/autodiscover.src"))': (
        [request("/autodiscover.src")],
        [PLAIN],
    ),
    '(http.request.method eq "POST" and http.request.uri.path matches "(comment|conversation|event|poll)/create" '
    'and not http.cookie matches "auth_session=[0-9a-zA-Z]{32}-[0-9]{10}-[0-9a-z]{6}")': (
        [request("/poll/create", "POST"), request("/event/create", "POST", Cookie="auth_session=1")],
        [
            request("/poll/create", "POST", Cookie=f"auth_session={'a' * 32}-0123456789-abc123"),
            request("/poll/create"),
        ],
    ),
    'not (http.referer contains "example.com" or http.referer eq "www.example.net" or '
    'http.referer eq "www.cloudflare.com")': (
        [PLAIN, request(Referer="www.example.org")],
        [request(Referer="www.example.net"), request(Referer="https://www.example.com/x")],
    ),
    '(http.cookie contains "devaccess=james" or http.cookie contains "devaccess=matt" or '
    'http.cookie contains "devaccess=michael") and http.host eq "dev.www.example.com"': (
        [request("https://dev.www.example.com/", Cookie="a=b; devaccess=matt")],
        [request("https://dev.www.example.com/"), request(Cookie="devaccess=matt")],
    ),
    '(ip.src eq 203.0.113.1 and http.host eq "example.com")': (
        [request("https://example.com/", client="203.0.113.1")],
        [PLAIN, request("https://example.com/")],
    ),
    'any(http.request.cookies["app"][*] == "test")': (
        [request(Cookie="a=b; app=test")],
        [request(Cookie="app=x"), PLAIN],
    ),
    'http.user_agent eq ""': ([PLAIN], [request(User_Agent="curl")]),
    # rate limits
    'http.user_agent eq "MobileApp"': ([request(User_Agent="MobileApp")], [PLAIN]),
    '(http.request.uri.path contains "/product" and http.request.method eq "POST")': (
        [request("/product/1", "POST")],
        [request("/product/1")],
    ),
    '(http.request.uri.path wildcard "/graphql/*")': (
        [request("/graphql/"), request("/GraphQL/x")],
        [request("/graphql")],
    ),
    'http.request.uri.path eq "/merchant" and http.request.uri.query contains "action=lookup_price"': (
        [request("/merchant?action=lookup_price&product_id=215")],
        [request("/merchant")],
    ),
    'http.request.uri.path eq "/merchant" and lookup_json_string(http.request.body.raw, "action") eq "lookup_price"': (
        [request("/merchant", "POST", b'{"action": "lookup_price", "product_id": 215}')],
        [request("/merchant", "POST", b'{"action": "buy"}')],
    ),
}
"""Expression: requests that it is true of, and requests that it is not true of."""

COUNTED: Mapping[str, tuple[list[Request], list[Request]]] = {
    'http.request.uri.path eq "/login" and http.request.method eq "POST" and http.response.code in {401 403}': (
        [Request("https://example.com/login", "POST", status=401)],
        [Request("https://example.com/login", "POST", status=200), Request("https://example.com/login", status=403)],
    ),
}

PLACES = "where an address is (country, city, network operator) stands in data bases that Hoplon does not carry"
BOTS = "bot scores come from the traffic of all of Cloudflare's customers; Hoplon sees yours"
SCORES = "attack scores and content scans are Cloudflare's WAF, which Hoplon does not have"
FINGERPRINTS = "fingerprints of TLS clients (JA3, JA4) are not computed"
SEQUENCES = "sequences of operations are not followed yet"
CERTIFICATES = "client certificates are not checked yet"
EDGE = "it tells about Cloudflare's network; there is none between you and Hoplon"
REWRITES = "changes a request on its way; rules here decide about requests and change none"


def lacks(name: str, why: str) -> str:
    return f"`{name}` is not available: {why}"


REFUSED: Mapping[str, str] = {
    # what Hoplon lacks
    'ip.src.country in {"CN" "TH" "US"} or ip.src.asnum in {12345 54321}': lacks("ip.src.country", PLACES),
    'ip.geoip.country in {"CN"}': lacks("ip.geoip.country", PLACES),
    "(ip.geoip.asnum eq 64496 and cf.threat_score lt 14)": lacks("ip.geoip.asnum", PLACES),
    '(http.request.uri.path eq "/login" and ip.src.country eq "US" and ip.src ne 192.0.0.1)': lacks(
        "ip.src.country", PLACES
    ),
    '(ip.src.continent eq "T1")': lacks("ip.src.continent", PLACES),
    "cf.threat_score lt 10": lacks("cf.threat_score", "Cloudflare has ended it too: its value there is always 0"),
    "cf.waf.score lt 10": lacks("cf.waf.score", SCORES),
    "(cf.bot_management.score gt 1 and cf.bot_management.score lt 30)": lacks("cf.bot_management.score", BOTS),
    "(cf.bot_management.verified_bot)": lacks("cf.bot_management.verified_bot", BOTS),
    "not cf.client.bot": lacks("cf.client.bot", BOTS),
    '(cf.bot_management.ja3_hash eq "df669e7ea913f1ac0c0cce9a201a2ec1")': lacks(
        "cf.bot_management.ja3_hash", FINGERPRINTS
    ),
    'cf.bot_management.ja4 eq "x"': lacks("cf.bot_management.ja4", FINGERPRINTS),
    'cf.unique_visitor_id eq "x"': lacks(
        "cf.unique_visitor_id",
        "`cf.unique_visitor_id` is a cookie of Cloudflare's; session identifiers (`[identity]`) say who a caller is",
    ),
    'http.host eq "www.example.com" and not cf.edge.server_port in {80 443}': lacks("cf.edge.server_port", EDGE),
    'cf.sequence.current_op eq "bbbbbbbb" and cf.sequence.msec_since_op["aaaaaaaa"] ge 2000': lacks(
        "cf.sequence.current_op", SEQUENCES
    ),
    "not cf.tls_client_auth.cert_verified": lacks("cf.tls_client_auth.cert_verified", CERTIFICATES),
    "cf.api_gateway.graphql.query_size > 10": lacks("cf.api_gateway.graphql.query_size", "GraphQL is not parsed yet"),
    'cf.worker.upstream_zone ne ""': lacks("cf.worker.upstream_zone", EDGE),
    'http.request.body.mime in {"image/bmp"}': lacks("http.request.body.mime", "this form of the body is not read"),
    "tcp.dstport in {8000..8009 8080..8089}": lacks(
        "tcp.dstport", "it is a field of packets (Cloudflare Network Firewall); Hoplon sees requests"
    ),
    # functions of rewrites
    'regex_replace(http.host, "/bar$", "/baz") == "/foo/baz"': f"`regex_replace` {REWRITES}",
    'wildcard_replace(http.request.uri.path, "/*", "/apps/${1}") eq ""': f"`wildcard_replace` {REWRITES}",
    'remove_query_args(http.request.uri.query, "country") eq ""': f"`remove_query_args` {REWRITES}",
    'uuidv4(cf.random_seed) eq ""': f"`uuidv4` {REWRITES}",
    'to_string(ssl) eq "true"': "`to_string` is Cloudflare's for rewrites only: compare the value itself",
    'split(http.request.headers["x-categories"][0], ",", 64)[0] eq "a"': (
        "`split` is Cloudflare's for response headers and error pages only: use `contains` or `matches`"
    ),
    'is_timed_hmac_valid_v0("mysecretkey", http.request.uri, 100000, http.request.timestamp.sec, 8)': (
        "`is_timed_hmac_valid_v0` keeps its secret in the rule, where every reader of the policy sees it; "
        "Hoplon has no such function"
    ),
    'is_jwt_valid("a")': (
        "`is_jwt_valid` stands in token rules (`[[tokens.rules]]`) only; read the verified claims instead"
    ),
    # what the documentation calls invalid
    'http.request.uri.path ends_with ".html"': "`ends_with` is a function, no operator",
    'http.request.headers.names[*] == "Content-Type"': "a rule is true or false, this is an Array<Boolean>",
    "ip.src == 192.0.2.0/24": "a range is no single value",
    "ip.src in 203.0.113.0/24": "`in` takes a set in braces or the name of a list, not `203.0.113.0/24`",
    'http.request.uri.path wildcard "/a**"': "`**` in a wildcard is no more than `*`",
    'ends_with("/a.html", ".html")': "`ends_with`: source is read from the request, not written out",
    'url_decode("John%20Doe") eq "John Doe"': "`url_decode`: source is read from the request, not written out",
    'lower(http.request.headers.names[*]) eq "a"': "an Array<String> is not compared as a whole",
    'concat(http.host, http.request.headers.names[*]) eq "a"': (
        "`[*]` may stand in the first argument of a function only"
    ),
    'http.host EQ "a"': "operators are written in lower case, not `EQ`",
    "http.response.code eq 200": "`http.response.code` is known only with the response; custom rules decide before",
}
"""Expression: why it is refused."""


def holds(text: str, sent: Request, dialect: Dialect) -> bool:
    expression, _ = read_expression(text, dialect, Around(), FIELDS)
    return rule_oracle.is_true(expression, facts_of(sent))


@pytest.mark.parametrize("text", ACTS)
def test_acts_as_described(text: str) -> None:
    yes, no = ACTS[text]
    assert yes and all(holds(text, sent, CUSTOM) for sent in yes)
    assert no and not any(holds(text, sent, CUSTOM) for sent in no)
    assert compile_expression(text, CUSTOM, fields=FIELDS).type == "Boolean"


NEVER_THERE = ('/a"b', '/a"#b')
"""Paths of examples that no upstream sees: `"` becomes `%22`, and a target with `#` is refused before any rule."""


@pytest.mark.parametrize("text", ACTS)
def test_acts_as_described_in_the_engine(text: str, tmp_path: Path) -> None:
    yes, no = ACTS[text]
    engine = engine_of(tmp_path, [compile_expression(text, CUSTOM).program])
    for sent in (each for each in (*yes, *no) if not each.url.endswith(NEVER_THERE)):
        assert true_rules(engine, sent) == ({0} if sent in yes else set()), sent


@pytest.mark.parametrize("text", COUNTED)
def test_counting_expressions_read_the_response(text: str) -> None:
    yes, no = COUNTED[text]
    assert all(holds(text, sent, COUNTING) for sent in yes) and not any(holds(text, sent, COUNTING) for sent in no)


@pytest.mark.parametrize("text", REFUSED)
def test_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text, CUSTOM, fields=FIELDS)
    assert refused.value.message == REFUSED[text]


CONFIGURATION = "51231d16-01f1-48e3-93f8-91c99e81288e"
TOKEN_RULES = (
    f'is_jwt_valid("{CONFIGURATION}")',
    f'is_jwt_valid("{CONFIGURATION}") or not is_jwt_present("{CONFIGURATION}")',
    f'(is_jwt_valid("{CONFIGURATION}") or is_jwt_valid("{CONFIGURATION}"))',
    f'is_jwt_valid("{CONFIGURATION}") and is_jwt_valid("{CONFIGURATION}")',
    f'(is_jwt_valid("{CONFIGURATION}") or http.request.method eq "OPTIONS")',
)


@pytest.mark.parametrize("text", TOKEN_RULES)
def test_token_rules_of_the_documentation(text: str) -> None:
    assert compile_expression(text, TOKENS, fields=FIELDS).token_configurations == {CONFIGURATION}


VALUES = {
    "cf.colo.id": "String",
    "ip.src": "IP address",
    "http.host": "String",
    "http.request.uri.path": "String",
    "http.request.body.raw": "String",
    "http.request.body.size": "Integer",
    'http.request.headers["x-api-key"]': "Array<String>",
    'http.request.headers["authorization"][0]': "String",
    'http.request.cookies["Authorization"][0]': "String",
    'http.request.uri.args["product_id"]': "Array<String>",
    'lookup_json_string(http.request.body.raw, "user", "id")': "String",
    'lookup_json_integer(http.request.body.raw, "id")': "Integer",
    f'lookup_json_string(http.request.jwt.claims["{CONFIGURATION}"][0], "sub")': "String",
    "cidr(ip.src, 24, 64)": "IP address",
}
"""Characteristics of rate limits and sources of tokens, with what they give."""


@pytest.mark.parametrize("text", VALUES)
def test_values_of_the_documentation(text: str) -> None:
    assert compile_value(text, LIMITS, fields=FIELDS).type == VALUES[text]


@pytest.mark.parametrize(
    "name", ["cf.unique_visitor_id", "ip.src.asnum", "ip.src.country", "cf.bot_management.ja3_hash"]
)
def test_characteristics_that_hoplon_lacks(name: str) -> None:
    with pytest.raises(ExpressionError, match=rf"`{name}` is not available"):
        compile_value(name, LIMITS, fields=FIELDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('http.host eq "a"', "token rules read no field but `http.request.method`"),
        ('http.request.method contains "OPT"', "token rules compare with `eq` only"),
        ("len(http.request.method) eq 3", "unknown function `len`"),
    ],
)
def test_token_rules_say_no_more(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_expression(text, TOKENS, fields=FIELDS)
    assert refused.value.message == message


def test_claims_are_read_of_a_configuration() -> None:
    text = f'lookup_json_string(http.request.jwt.claims["{CONFIGURATION}"][0], "user") eq "admin"'
    expression, _ = read_expression(text, CUSTOM, Around(), FIELDS)
    claims = {CONFIGURATION: [b'{"user": "admin", "sub": "1"}']}
    assert rule_oracle.is_true(expression, {"http.request.jwt.claims": claims})
    assert not rule_oracle.is_true(expression, {})


def test_a_list_is_asked_by_name() -> None:
    expression, _ = read_expression("(ip.src in $allowed_ips)", CUSTOM, Around({"allowed_ips": "ip"}), FIELDS)
    lists = {"allowed_ips": lambda address: str(address) == "192.0.2.1"}
    assert rule_oracle.is_true(expression, facts_of(PLAIN), lists)
    assert not rule_oracle.is_true(expression, facts_of(request(client="192.0.2.2")), lists)
