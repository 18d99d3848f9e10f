//! What must come through so that learning stays possible, and that pieces, bounds and damage change nothing but what they should.

mod projection;

use engine::record::{Location, Observation, ValueType};
use projection::{Call, Projection};
use proptest::prelude::*;
use serde_json::json;

fn json_call(body: &serde_json::Value) -> Call {
    Call {
        request_headers: vec![("content-type".to_owned(), b"application/json".to_vec())],
        request_body: body.to_string().into_bytes(),
        ..Call::default()
    }
}

fn find<'o>(rows: &'o [Observation], location: Location, pointer: &str) -> &'o Observation {
    rows.iter()
        .find(|row| row.location == location && &*row.pointer == pointer)
        .unwrap_or_else(|| panic!("no {pointer} in {rows:#?}"))
}

#[test]
fn ordinary_values_come_through_once_five_sessions_sent_them() {
    let mut call = json_call(&json!({
        "status": "shipped", "country": "DE", "currency": "EUR", "kind": "in_progress", "locale": "en-US", "unit": "kg", "theme": "dark-blue",
        "customer": {"tier": "gold"}, "items": [{"sku": "A-1042", "qty": 3}, {"sku": "A-1042", "qty": 3}], "active": true, "note": null,
        "total": 4711.5, "year": 2026, "created": "2026-11-21T12:00:00Z", "id": "0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f", "token_type": "bearer",
    }));
    call.target = "/v1/orders/42?page=2&sort=-created&state=open".to_owned();
    call.request_headers.push(("x-tenant".to_owned(), b"acme".to_vec()));
    let mut projection = Projection::new(&[["POST", "*", "/v1/orders/{order}"]]);
    let rows = (1..=5).map(|client| projection.send(&call, client).observations).last().unwrap();

    let literals = [
        (Location::Path, "order", "42"),
        (Location::Query, "page", "2"),
        (Location::Query, "sort", "-created"),
        (Location::Query, "state", "open"),
        (Location::Header, "x-tenant", "acme"),
        (Location::Header, "content-type", "application/json"),
        (Location::Body, "/status", "shipped"),
        (Location::Body, "/country", "DE"),
        (Location::Body, "/currency", "EUR"),
        (Location::Body, "/kind", "in_progress"),
        (Location::Body, "/locale", "en-US"),
        (Location::Body, "/unit", "kg"),
        (Location::Body, "/theme", "dark-blue"),
        (Location::Body, "/customer/tier", "gold"),
        (Location::Body, "/items/*/sku", "A-1042"),
        (Location::Body, "/token_type", "bearer"),
    ];
    for (location, pointer, literal) in literals {
        assert_eq!(find(&rows, location, pointer).literal.as_deref(), Some(literal), "{pointer}");
    }
    let body = |pointer| find(&rows, Location::Body, pointer);
    assert_eq!((body("/items").value_type, body("/items").length), (ValueType::Array, 2));
    assert_eq!((body("/items/*/qty").value_type, body("/items/*/qty").number), (ValueType::Integer, Some(3.0)));
    assert_eq!(body("/active").value_type, ValueType::Boolean);
    assert_eq!(body("/note").value_type, ValueType::Null);
    assert_eq!(body("/created").formats.names().collect::<Vec<_>>(), ["date-time"]);
    assert_eq!(body("/id").formats.names().collect::<Vec<_>>(), ["uuid"]);
    assert!((body("/total").number.unwrap() / 4711.5 - 1.0).abs() < 0.006);
    assert_eq!(find(&rows, Location::Path, "order").formats.names().collect::<Vec<_>>(), ["integer", "number"]);
}

#[test]
fn the_same_value_has_the_same_hash_wherever_it_is() {
    let id = "0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f";
    let mut call = json_call(&json!({"ref": id}));
    call.target = format!("/v1/orders/{id}?o={id}");
    call.response_headers = call.request_headers.clone();
    call.response_body = json!({"orders": [{"id": id}]}).to_string().into_bytes();
    let rows = Projection::new(&[["POST", "*", "/v1/orders/{order}"]]).send(&call, 1).observations;
    let hashes: Vec<_> =
        rows.iter().filter(|row| row.length == 36 && row.charset.to_string() == "lower+digit+dash").map(|row| row.hash).collect();
    assert_eq!(hashes.len(), 4);
    assert!(hashes[0].is_some() && hashes.iter().all(|hash| *hash == hashes[0]));
}

#[test]
fn passwords_and_codes_have_no_hash_and_secrets_no_number() {
    let call = json_call(&json!({"password": "hunter2", "otp": 493021, "api_key": "12", "token": 7, "value": "Tr0ub4dor&3"}));
    let rows = Projection::new(&[]).send(&call, 1).observations;
    for pointer in ["/password", "/otp", "/value"] {
        assert_eq!(find(&rows, Location::Body, pointer).hash, None, "{pointer}");
    }
    assert!(find(&rows, Location::Body, "/api_key").hash.is_some());
    for pointer in ["/otp", "/api_key", "/token"] {
        assert_eq!(find(&rows, Location::Body, pointer).number, None, "{pointer}");
    }
}

#[test]
fn pointers_tell_elements_members_and_dynamic_names_apart() {
    let call = json_call(
        &json!({"*": 1, "a/b~c": 2, "list": [[3]], "2026-11-21": 4, "by_id": {"17": 5, "0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f": 6}}),
    );
    let rows = Projection::new(&[]).send(&call, 1).observations;
    for pointer in ["/~2", "/a~1b~0c", "/list/*/*"] {
        find(&rows, Location::Body, pointer);
    }
    for begins in ["/<date:", "/by_id/<integer:", "/by_id/<uuid:"] {
        assert!(rows.iter().any(|row| row.pointer.starts_with(begins)), "{begins} in {rows:#?}");
    }
}

#[test]
fn rows_are_bounded_and_a_long_list_hides_nothing_behind_it() {
    let items: Vec<_> = (0..500).map(|id| json!({"id": id, "name": "n"})).collect();
    let call = json_call(&json!({"items": items, "next": "none"}));
    let rows = Projection::new(&[]).send(&call, 1).observations;
    assert!(rows.len() <= 200);
    find(&rows, Location::Body, "/next");
    assert_eq!(find(&rows, Location::Body, "/items").length, 500);

    let wide = json_call(&serde_json::Value::Object(
        (0..1000).map(|i| (format!("k{}", "x".repeat(i % 7)) + &i.to_string(), json!(i))).collect(),
    ));
    let both = Call { response_headers: wide.request_headers.clone(), response_body: wide.request_body.clone(), ..wide };
    let rows = Projection::new(&[]).send(&both, 1).observations;
    assert_eq!(rows.len(), 200);
    let responses = rows.iter().filter(|row| row.direction == engine::record::Direction::Response).count();
    assert!(responses > 80, "the response keeps its half: {responses}");
}

#[test]
fn a_body_that_is_cut_off_or_broken_says_so() {
    let long = json!({"first": "value", "text": "x".repeat(100_000), "z": 1});
    let rows = Projection::new(&[]).send(&json_call(&long), 1).observations;
    assert_eq!(find(&rows, Location::Body, "").value_type, ValueType::Truncated);
    find(&rows, Location::Body, "/first");
    assert!(!rows.iter().any(|row| &*row.pointer == "/z"));

    for (body, content_type, expected) in [
        (&b"{\"a\":1"[..], "application/json", ValueType::Invalid),
        (b"\x89PNG", "image/png", ValueType::Opaque),
        (b"plain", "text/plain", ValueType::Opaque),
    ] {
        let call = Call {
            request_headers: vec![("content-type".to_owned(), content_type.as_bytes().to_vec())],
            request_body: body.to_vec(),
            ..Call::default()
        };
        let rows = Projection::new(&[]).send(&call, 1).observations;
        assert_eq!(find(&rows, Location::Body, "").value_type, expected);
    }
}

#[test]
fn a_flood_of_one_session_teaches_no_literal() {
    let call = json_call(&json!({"status": "shipped"}));
    let mut projection = Projection::new(&[]);
    for _ in 0..50 {
        let rows = projection.send(&call, 1).observations;
        assert!(rows.iter().all(|row| row.literal.is_none()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_chunking_gives_the_same_observations(
        body in prop_oneof![
            "[\\[\\]{}:,\"a-c0-9 ]{0,60}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..300),
            Just(json!({"a": [1, 2, {"b": "c"}], "d": "e"}).to_string().into_bytes()),
            (1000_usize..90_000).prop_map(|length| json!({"a": "x".repeat(length), "b": 1}).to_string().into_bytes()),
        ],
        encoding in prop::sample::select(vec!["identity", "gzip", "br", "deflate", "zstd"]),
        content_type in prop::sample::select(vec!["application/json", "application/x-www-form-urlencoded"]),
        cuts in prop::collection::vec(any::<usize>(), 0..20),
    ) {
        let headers = vec![
            ("content-type".to_owned(), content_type.as_bytes().to_vec()),
            ("content-encoding".to_owned(), encoding.as_bytes().to_vec()),
        ];
        let whole = Call {
            request_headers: headers.clone(),
            request_body: body.clone(),
            response_headers: headers,
            response_body: body,
            ..Call::default()
        };
        let cut = Call { cuts, ..whole.clone() };
        let rows = Projection::new(&[]).send(&whole, 1).observations;
        prop_assert_eq!(&rows, &Projection::new(&[]).send(&cut, 1).observations);
        prop_assert!(rows.len() <= 200);
    }

    #[test]
    fn arbitrary_targets_and_headers_never_panic(
        path in "[ -~&&[^?# \\\\]]{0,80}",
        query in "[ -~&&[^# ]]{0,80}",
        value in "[ -~]{0,80}",
    ) {
        let call = Call {
            target: format!("/{path}?{query}"),
            request_headers: ["cookie", "x-any", "authorization"].map(|name| (name.to_owned(), value.clone().into_bytes())).to_vec(),
            response_headers: vec![("set-cookie".to_owned(), value.clone().into_bytes())],
            ..Call::default()
        };
        let written = Projection::new(&[]).send(&call, 1);
        prop_assert!(written.ended.record.path.len() <= engine::observe::PATH_BYTES);
    }
}
