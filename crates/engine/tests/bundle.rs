//! What the loader refuses, and how it says so: every error with its path, nothing of a bad bundle used.

use engine::testing::{BundleText, ZONE_ID, operations_part, rule, zone};
use engine::{Bundle, BundleHash, LoadErrors, Scheme, UpstreamProtocol};
use serde_json::{Value, json};

const OTHER_ID: &str = "ffffffffffffffffffffffffffffffff";

fn good_rule() -> Value {
    rule("operations.fallthrough", "request_head", "cf.api_gateway.fallthrough_detected", "log", "operations.fallthrough", "open")
}

fn load(zone: &Value, operations: &Value, rules: &Value) -> Result<Bundle, LoadErrors> {
    BundleText::default().with(zone, operations, rules).load()
}

/// The errors, with the zone's id left out of their paths.
fn errors(loaded: Result<Bundle, LoadErrors>) -> Vec<String> {
    let errors = loaded.expect_err("a bad bundle");
    errors.0.iter().map(|error| format!("{} {}", error.path.replace(&format!("[{ZONE_ID}]"), "[zone]"), error.message)).collect()
}

/// A zone part with the members that a part may do without, at their defaults.
fn full_zone() -> Value {
    let mut part = zone(ZONE_ID, &[]);
    part["upstreams"][0]["drain"] = json!(false);
    part["maintenance"] = json!({"enabled": false, "retry_after_seconds": 60, "message": ""});
    part["balancing"] = json!({"method": "least_requests", "panic_percent": 50});
    part["health"] = json!(null);
    part["retries"] = json!({"budget_percent": 20, "min_per_second": 3});
    part
}

/// A health check with these members and others that are good.
fn check(members: Value) -> Value {
    let mut check =
        json!({"path": "/", "interval_seconds": 5, "timeout_seconds": 2, "status": 200, "failures": 3, "successes": 2});
    check.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    check
}

/// The errors of a zone part in which this place holds this value.
fn zone_errors(pointer: &str, value: Value) -> Vec<String> {
    let mut part = full_zone();
    *part.pointer_mut(pointer).expect("a place in the zone part") = value;
    errors(load(&part, &operations_part(&[]), &json!({"rules": []})))
}

#[test]
fn a_good_bundle_gives_its_zones() {
    let mut part = zone(ZONE_ID, &["api.example.com", "{tenant}.example.com"]);
    part["upstreams"][0] =
        json!({"url": "https://[::1]:8443/", "protocol": "http2", "ca_file": "ca.pem", "server_name": "api.internal"});
    let text = BundleText::default()
        .with(&part, &operations_part(&[["GET", "*", "/users/{id}"]]), &json!({"rules": [good_rule()]}))
        .with(&zone(OTHER_ID, &[]), &operations_part(&[]), &json!({"rules": []}));
    let bundle = text.load().unwrap();
    assert_eq!(bundle.hash, BundleHash::of(text.manifest.to_string().as_bytes()));
    assert_eq!(bundle.hash.to_string().get(..16), Some(bundle.short_hash()));
    let zone_of = |host: &str| bundle.zone_for(host).map(|index| &*bundle.zone(index).id);
    assert_eq!(
        [zone_of("api.example.com"), zone_of("x.example.com"), zone_of("elsewhere.net")],
        [Some(ZONE_ID), Some(ZONE_ID), Some(OTHER_ID)]
    );
    let upstream = &bundle.zones()[0].upstreams[0];
    assert_eq!((upstream.scheme, upstream.host.as_str(), upstream.port), (Scheme::Https, "::1", 8443));
    assert_eq!(upstream.protocol, UpstreamProtocol::Http2);
    assert_eq!(bundle.zones()[0].policy_version, 1);
}

#[test]
#[rustfmt::skip]
fn every_setting_has_its_range() {
    let cases = [
        ("/hosts", json!(["API.example.com"]), "zone[zone].hosts[0] is not in its normal form: write `api.example.com`"),
        ("/hosts", json!(["*"]), "zone[zone].hosts[0] is `*`: an empty list means any host"),
        ("/hosts", json!(["a.b", "a.b"]), "zone[zone].hosts[1] is already a host of zone"),
        ("/upstreams", json!([]), "zone[zone].upstreams has 0 entries, not 1 to 64"),
        ("/upstreams/0/url", json!("ftp://a"), "zone[zone].upstreams[0].url does not begin with http://, https:// or unix:"),
        ("/upstreams/0/url", json!("http://a/b"), "zone[zone].upstreams[0].url has a path or a query"),
        ("/upstreams/0/url", json!("http://u:p@a"), "zone[zone].upstreams[0].url has no valid host and port"),
        ("/upstreams/0/ca_file", json!("x.pem"), "zone[zone].upstreams[0].ca_file is for https only"),
        ("/upstreams/0/server_name", json!("a.b"), "zone[zone].upstreams[0].server_name is for https only"),
        ("/upstreams/0/protocol", json!("http3"), "zone[zone].upstreams[0].protocol cannot be read: unknown variant `http3`"),
        ("/timeouts/connect_seconds", json!(0), "zone[zone].timeouts.connect_seconds is 0, not 0.001 to 86400"),
        ("/timeouts/read_seconds", json!(1e9), "zone[zone].timeouts.read_seconds is 1000000000, not 0.001 to 86400"),
        ("/timeouts/idle_seconds", json!(-1), "zone[zone].timeouts.idle_seconds is -1, not 0.001 to 86400"),
        ("/inspection_limit_bytes", json!(1 << 30), "zone[zone].inspection_limit_bytes is 1073741824, not 0 to 67108864"),
        ("/inspection_limit_bytes", json!(-1), "zone[zone].inspection_limit_bytes cannot be read: invalid value"),
        ("/merge_slashes", json!("yes"), "zone[zone].merge_slashes cannot be read: invalid type"),
        ("/observe/probability", json!(1.5), "zone[zone].observe.probability is 1.5, not 0 to 1"),
        ("/observe/literal_sessions", json!(1), "zone[zone].observe.literal_sessions is 1, not 2 to 1000"),
        ("/block/status", json!(200), "zone[zone].block.status is 200, not 400 to 599"),
        ("/upstreams/0/drain", json!(true), "zone[zone].upstreams all drain"),
        ("/maintenance/retry_after_seconds", json!(86_401), "zone[zone].maintenance.retry_after_seconds is 86401, not 0 to 86400"),
        ("/maintenance/message", json!("a\nb"), "zone[zone].maintenance.message is not at most 1000 bytes without control"),
        ("/balancing/method", json!("random"), "zone[zone].balancing.method cannot be read: unknown variant `random`"),
        ("/balancing/panic_percent", json!(101), "zone[zone].balancing.panic_percent is 101, not 0 to 100"),
        ("/upstreams/0/url", json!("unix:run/a"), "zone[zone].upstreams[0].url has no absolute path"),
        ("/upstreams/0/url", json!("unix:///run/a"), "zone[zone].upstreams[0].url has no absolute path"),
        ("/upstreams/0/url", json!(format!("unix:/{}", "a".repeat(107))), "zone[zone].upstreams[0].url has a path that is not at most 107"),
        ("/health", check(json!({"path": "health"})), "zone[zone].health.path is not a path with `/` first"),
        ("/health", check(json!({"path": "/a b"})), "zone[zone].health.path is not a path with `/` first"),
        ("/health", check(json!({"interval_seconds": 0})), "zone[zone].health.interval_seconds is 0, not 0.1 to 3600"),
        ("/health", check(json!({"timeout_seconds": 61})), "zone[zone].health.timeout_seconds is 61, not 0.001 to 60"),
        ("/health", check(json!({"status": 100})), "zone[zone].health.status is 100, not 200 to 599"),
        ("/health", check(json!({"failures": 0})), "zone[zone].health.failures is 0, not 1 to 100"),
        ("/health", check(json!({"successes": 101})), "zone[zone].health.successes is 101, not 1 to 100"),
        ("/retries/budget_percent", json!(101), "zone[zone].retries.budget_percent is 101, not 0 to 100"),
        ("/retries/min_per_second", json!(1001), "zone[zone].retries.min_per_second is 1001, not 0 to 1000"),
    ];
    for (pointer, value, expected) in cases {
        let found = zone_errors(pointer, value.clone());
        assert!(found.len() == 1 && found[0].starts_with(expected), "{pointer} = {value}: {found:#?}");
    }
}

#[test]
fn a_part_of_the_version_before_means_the_defaults() {
    let zone_of = |part: &Value| {
        let bundle = load(part, &operations_part(&[]), &json!({"rules": []})).unwrap();
        let zone = &bundle.zones()[0];
        (zone.upstreams.clone(), zone.maintenance.clone(), zone.balancing, zone.retries, zone.health.clone())
    };
    assert_eq!(zone_of(&zone(ZONE_ID, &[])), zone_of(&full_zone()));
}

#[test]
fn an_upstream_on_a_unix_socket_is_spoken_to_as_localhost() {
    let mut part = zone(ZONE_ID, &[]);
    part["upstreams"][0]["url"] = json!("unix:/run/api.sock");
    part["health"] = check(json!({"path": "/healthz?deep=1"}));
    let bundle = load(&part, &operations_part(&[]), &json!({"rules": []})).unwrap();
    let upstream = &bundle.zones()[0].upstreams[0];
    assert_eq!(upstream.socket.as_deref(), Some("/run/api.sock".as_ref()));
    assert_eq!((upstream.authority().as_str(), upstream.scheme), ("localhost", Scheme::Http));
    assert_eq!(bundle.zones()[0].health.as_ref().unwrap().interval, std::time::Duration::from_secs(5));
    part["upstreams"][0]["url"] = json!("http://[::1]:9000");
    let bundle = load(&part, &operations_part(&[]), &json!({"rules": []})).unwrap();
    assert_eq!(bundle.zones()[0].upstreams[0].authority(), "[::1]:9000");
}

#[test]
fn session_identifiers_have_one_form_and_are_listed_once() {
    let with = |identifiers: &[[&str; 2]]| BundleText::of(&[], &json!([])).identified_by(identifiers).load();
    assert!(with(&[["cookie", "SID"], ["cookie", "sid"], ["header", "x-user"]]).is_ok());
    let found = errors(with(&[["header", "X-User"], ["cookie", "a b"], ["header", "x"], ["header", "x"], ["cookie", ""]]));
    assert_eq!(
        found,
        [
            "identity[zone].identifiers[0].name is not in lower case",
            "identity[zone].identifiers[1].name is not the name of a header or cookie of 1 to 255 bytes",
            "identity[zone].identifiers[3] is there twice",
            "identity[zone].identifiers[4].name is not the name of a header or cookie of 1 to 255 bytes",
        ]
    );
    assert_eq!(errors(with(&[["cookie", "a"]; 11]))[0], "identity[zone].identifiers has 11 entries, not 0 to 10");
    assert!(errors(with(&[["jwt", "x"]]))[0].contains("is not a token configuration"));
}

#[test]
fn an_unknown_member_is_an_error_with_its_path() {
    let mut part = zone(ZONE_ID, &[]);
    part["timeouts"]["conect_seconds"] = json!(1);
    let found = errors(load(&part, &operations_part(&[]), &json!({"rules": []})));
    assert!(
        found[0].starts_with("zone[zone].timeouts.conect_seconds cannot be read: unknown field `conect_seconds`, expected"),
        "{found:?}"
    );
}

#[test]
fn every_broken_operation_and_rule_is_reported_in_one_go() {
    let operations = json!({"operations": [
        {"id": "a", "method": "GET", "host": "*", "path": "/users/{id}"},
        {"id": "a", "method": "get", "host": "", "path": "users"},
        {"id": "c", "method": "GET", "host": "*", "path": "/users/{other}"},
        {"id": "d", "method": "GET", "host": "*", "path": "/a{b}"},
        {"id": "e", "method": "GET", "host": "*", "path": "/%7euser"},
        {"id": "f", "method": "GET", "host": "*", "path": "/a/../b"},
        {"id": "g", "method": "GET", "host": "*"},
        {"id": "h", "method": "GET", "host": "*", "path": "/a?b"},
        {"id": "i", "method": "GET", "host": "*", "path": "/a\\b"},
    ]});
    let rules = json!({"rules": [
        rule("a", "request_head", "cf.api_gateway.falthrough_detected", "log", "operations.falltrough", "open"),
        rule("a", "request_haed", "ssl", "log", "operations.fallthrough", "open"),
        rule("c", "request_head", "http.host", "log", "operations.fallthrough", "open"),
        rule("d", "request_head", "hoplon.request.body.truncated", "log", "http.body_over_limit", "open"),
        rule("e", "request_head", "ssl", "drop", "operations.fallthrough", "open"),
    ]});
    let expected = [
        "operations[zone].operations[1].id is the id of operations[0]",
        "operations[zone].operations[1].method is not a method of 1 to 32 upper-case letters (nor CONNECT)",
        "operations[zone].operations[1].host is not a host name, an address (IPv6 in brackets), or a pattern like {hostVar1}.example.com",
        "operations[zone].operations[1].path does not begin with `/`",
        "operations[zone].operations[2] is the same operation as operations[0]",
        "operations[zone].operations[3].path `a{b}` mixes text and a variable: a variable is a whole segment",
        "operations[zone].operations[4].path `%7euser` is not in its normal form: write `~user`",
        "operations[zone].operations[5].path `..` is a dot segment: it is removed from every path before matching",
        "operations[zone].operations[6] cannot be read: missing field `path`",
        "operations[zone].operations[7].path `a?b` holds a query or a fragment: a template is a path only",
        "operations[zone].operations[8].path `a\\b` can never match, such a path is refused (protocol.path.backslash)",
        "rules[zone].rules[0].fact is an unknown fact: did you mean `cf.api_gateway.fallthrough_detected`?",
        "rules[zone].rules[0].violation is an unknown violation: did you mean `operations.fallthrough`?",
        "rules[zone].rules[1].id is the id of rules[0]",
        "rules[zone].rules[1].phase is an unknown phase: did you mean `request_head`?",
        "rules[zone].rules[2].fact is of type String: a rule asks a Boolean",
        "rules[zone].rules[3].fact is not known before the phase request_body",
        "rules[zone].rules[4].action cannot be read: unknown variant `drop`, expected one of `log`, `block`, `skip`",
    ];
    let found = errors(load(&zone(ZONE_ID, &[]), &operations, &rules));
    let found: Vec<_> = found.iter().map(|error| error.split(" at line ").next().unwrap()).collect();
    assert_eq!(found, expected);
}

#[test]
fn parts_must_be_the_bytes_that_the_manifest_names() {
    let good = BundleText::of(&[], &json!([]));
    let sha256 = good.manifest["parts"][0]["sha256"].as_str().unwrap().to_owned();

    let mut longer = good.clone();
    longer.parts.get_mut(&sha256).unwrap().push(b' ');
    assert!(errors(longer.load())[0].contains("bytes, the manifest says"));

    let mut other = good.clone();
    let bytes = other.parts.get_mut(&sha256).unwrap();
    let last = bytes.len() - 1;
    bytes[last] = b' ';
    assert!(errors(other.load())[0].starts_with("zone[zone] has the SHA-256"));

    let mut missing = good;
    missing.parts.clear();
    assert_eq!(
        errors(missing.load()),
        ["zone", "operations", "rules"].map(|kind| format!("{kind}[zone] cannot be read: there is no such file"))
    );
}

#[test]
fn the_manifest_is_checked_before_its_parts() {
    let broken = |pointer: &str, value: Value| {
        let mut text = BundleText::of(&[], &json!([]));
        *text.manifest.pointer_mut(pointer).unwrap() = value;
        errors(text.load())
    };
    assert_eq!(
        broken("/format", json!(0)),
        ["manifest.format is 0: the first format was 1, write the bundle again with this version"]
    );
    assert_eq!(broken("/format", json!(2)), ["manifest.format is 2, this gateway reads up to 1: update the gateway first"]);
    assert_eq!(
        broken("/parts/1/format", json!(7)),
        ["manifest.parts[1].format is 7, this gateway reads up to 1: update the gateway first"]
    );
    assert_eq!(
        broken("/created_at", json!("yesterday")),
        ["manifest.created_at is not a time as in RFC 3339: 2026-11-21T12:00:00Z"]
    );
    assert_eq!(broken("/zones", json!([]))[0], "manifest.zones has 0 entries, not 1 to 1000");
    assert_eq!(broken("/parts", json!([])).len(), 3);
    assert_eq!(
        broken("/parts/0/sha256", json!("../../etc/passwd")),
        ["manifest.parts[0].sha256 is not 64 lower-case hex digits"]
    );
    assert_eq!(
        broken("/parts/0/kind", json!("rules"))[0],
        "manifest.parts[2] is a second rules part of its zone, after manifest.parts[0]"
    );
    assert!(
        broken("/parts/0/kind", json!("schemas"))[0]
            .starts_with("manifest.parts[0].kind cannot be read: unknown variant `schemas`")
    );
}

#[test]
fn a_zone_part_is_the_zone_that_the_manifest_names() {
    let mut text = BundleText::of(&[], &json!([]));
    text.manifest["zones"][0]["name"] = json!("other");
    assert_eq!(errors(text.load()), ["zone[zone].name is `default`, the manifest says `other`"]);
}

#[test]
fn two_zones_never_claim_one_host() {
    let two = |first: &[&str], second: &[&str]| {
        let none = (operations_part(&[]), json!({"rules": []}));
        BundleText::default().with(&zone(ZONE_ID, first), &none.0, &none.1).with(&zone(OTHER_ID, second), &none.0, &none.1).load()
    };
    let conflict = |loaded| errors(loaded)[0].replace(OTHER_ID, "other").replace(ZONE_ID, "zone");
    assert_eq!(conflict(two(&["a.b"], &["a.b"])), "zone[other].hosts[0] is already a host of zone zone");
    assert_eq!(conflict(two(&["{a}.b"], &["{x}.b"])), "zone[other].hosts[0] is already a host of zone zone");
    assert_eq!(conflict(two(&[], &[])), "zone[other].hosts is empty (any host), and so is that of zone zone");
    assert!(two(&["{a}.b"], &["a.b"]).is_ok());
}

#[test]
fn errors_are_counted_beyond_a_bound() {
    let operations: Vec<[&str; 3]> = vec![["GET", "*", "x"]; 1500];
    let found = errors(load(&zone(ZONE_ID, &[]), &operations_part(&operations), &json!({"rules": []})));
    assert_eq!((found.len(), found[1000].as_str()), (1001, "bundle has 500 more errors"));
}

#[test]
fn deep_and_endless_documents_are_refused() {
    let deep = "[".repeat(100_000);
    assert!(Bundle::load(deep.as_bytes(), &mut |_| Err(String::new())).is_err());
    let long = vec![b' '; engine::bundle::MAX_MANIFEST_BYTES + 1];
    assert_eq!(errors(Bundle::load(&long, &mut |_| Err(String::new()))), ["manifest is longer than 4194304 bytes"]);
}
