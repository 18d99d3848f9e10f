//! Laws that hold for any input. `PROPTEST_CASES` sets how many are tried.

use std::net::IpAddr;
use std::sync::Arc;

use engine::host::{HostPattern, parse_authority, parse_host};
use engine::testing::{self, BundleText};
use engine::url::normalise_path;
use engine::{
    BodyLength, Bundle, HttpVersion, Inspection, Keys, Mode, RequestHead, RequestId, Scheme, Step, Surroundings, Timestamp,
    Transaction, Verdict,
};
use http::HeaderMap;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

/// Texts that are often nearly paths: pieces that matter to the normaliser in any order.
fn pathlike() -> impl Strategy<Value = String> {
    let piece = select(vec![
        "/", "//", ".", "..", "a", "B", "é", "%", "%2e", "%2E", "%2f", "%2F", "%5c", "%00", "%41", "%c3", "%25", ";", ";x=1",
        "\\", " ", "{", "?", "#", "~", "\u{7f}", "\n", "users", "[",
    ]);
    prop_oneof![vec(piece, 0..12).prop_map(|pieces| format!("/{}", pieces.concat())), any::<String>()]
}

proptest! {
    #[test]
    fn what_holds_of_every_program_holds_of_random_ones(how in 1_u8..4, bytes in vec(any::<u8>(), 0..600)) {
        testing::programs::check(&[&[how], &bytes[..]].concat());
    }

    #[test]
    fn normalising_twice_changes_nothing(path in pathlike(), merge_slashes: bool) {
        if let Ok(once) = normalise_path(&path, merge_slashes) {
            let twice = normalise_path(&once.path, merge_slashes).unwrap();
            prop_assert_eq!(&twice.path, &once.path);
            // What is left to remark stands in the path itself.
            let left = ["encoded_slash", "encoded_backslash", "encoded_control", "empty_segment", "parameters"];
            prop_assert!(twice.anomalies.names().all(|name| left.contains(&name)), "{:?}", twice.anomalies);
        }
    }

    #[test]
    fn a_normal_path_is_plain_ascii_without_dot_segments(path in pathlike(), merge_slashes: bool) {
        if let Ok(normal) = normalise_path(&path, merge_slashes) {
            let path = &normal.path;
            let is_allowed = |byte: u8| byte.is_ascii_graphic() && !b"\\#?<>\"{}|^`[]".contains(&byte);
            prop_assert!(path.starts_with('/') && path.bytes().all(is_allowed));
            prop_assert!(!path.split('/').any(|segment| matches!(segment, "." | "..")));
            prop_assert!(!merge_slashes || !path.contains("//"));
        }
    }

    #[test]
    fn any_bytes_are_normalised_or_refused(bytes in vec(any::<u8>(), 0..64)) {
        let path = String::from_utf8_lossy(&bytes);
        let _ = normalise_path(&path, false);
        let _ = normalise_path(&format!("/{path}"), true);
    }

    #[test]
    fn a_host_is_normal_after_the_first_reading(text in "[a-zA-Z0-9._:\\[\\]%@-]{0,24}") {
        if let Some(host) = parse_host(&text) {
            prop_assert_eq!(parse_host(&host), Some(host.clone()));
        }
        let _ = parse_authority(&text);
    }
}

/// A small world, so that operations and requests often meet.
fn host() -> impl Strategy<Value = String> {
    select(vec!["*", "a.x", "b.x", "{h}.x", "a.{h}", "{g}.{h}", "a", "{h}"]).prop_map(str::to_owned)
}

fn template() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "me", "{v}", "{w}"]);
    (vec(segment, 0..4), any::<bool>()).prop_map(|(segments, slash)| {
        let slash = if slash && !segments.is_empty() { "/" } else { "" };
        format!("/{}{slash}", segments.join("/"))
    })
}

fn path() -> impl Strategy<Value = String> {
    let segment = select(vec!["a", "b", "me", "x", ""]);
    (vec(segment, 0..4), any::<bool>())
        .prop_map(|(segments, slash)| format!("/{}{}", segments.join("/"), if slash { "/" } else { "" }))
}

fn method() -> impl Strategy<Value = &'static str> {
    select(vec!["GET", "HEAD", "POST"])
}

type Saved = (&'static str, String, String);

/// The rules of matching, said slowly: of all operations that fit, the one with the best rank.
fn oracle<'o>(operations: &'o [Saved], method: &str, host: &str, path: &str) -> Option<&'o Saved> {
    let best = |method: &str| {
        let fitting =
            operations.iter().filter(|(m, h, t)| *m == method && HostPattern::parse(h).unwrap().matches(host) && fits(t, path));
        fitting.min_by_key(|(_, h, t)| rank(h, t, path))
    };
    best(method).or_else(|| if method == "HEAD" { best("GET") } else { None })
}

/// Segments, and whether a slash is left at the end.
fn cut(path: &str) -> (Vec<&str>, bool) {
    let inner = &path[1..];
    match inner.strip_suffix('/') {
        Some(before) => (before.split('/').collect(), true),
        None if inner.is_empty() => (vec![], false),
        None => (inner.split('/').collect(), false),
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path) = (cut(template).0, cut(path).0);
    template.len() == path.len() && template.iter().zip(path).all(|(t, p)| *t == p || (t.starts_with('{') && !p.is_empty()))
}

/// Smaller is better, level by level: 0 for a literal, 1 for a variable, 2 for any host.
fn rank(host: &str, template: &str, path: &str) -> Vec<u8> {
    let level = |text: &str| u8::from(text.starts_with('{'));
    let host: Vec<u8> = if host == "*" { vec![2] } else { host.rsplit('.').map(level).collect() };
    let (segments, slash) = cut(template);
    let segments = segments.into_iter().map(level);
    host.into_iter().chain(segments).chain([u8::from(slash != cut(path).1)]).collect()
}

/// A variable's name makes no difference: of operations that are the same, the first stays.
fn distinct(operations: Vec<Saved>) -> Vec<Saved> {
    let shape = |text: &str| text.replace("{w}", "{v}").replace("{g}", "{h}");
    let mut seen = std::collections::HashSet::new();
    operations.into_iter().filter(|(m, h, t)| seen.insert((*m, shape(h), shape(t)))).collect()
}

proptest! {
    #[test]
    fn the_trie_finds_what_a_slow_search_finds(
        operations in vec((method(), host(), template()), 0..24).prop_map(distinct),
        requests in vec((method(), select(vec!["a.x", "b.x", "c.x", "a.y", "a", "x.y.z"]), path()), 1..24),
    ) {
        let list: Vec<[&str; 3]> = operations.iter().map(|(m, h, t)| [*m, h.as_str(), t.as_str()]).collect();
        let bundle = BundleText::of(&list, &json!([])).load().unwrap();
        for (method, host, path) in requests {
            let found = bundle.zones()[0].operations().find(method, host, &path).map(|(index, _)| &operations[index]);
            prop_assert_eq!(found, oracle(&operations, method, host, &path), "{} {} {}", method, host, path);
        }
    }
}

/// A bundle whose rule asks for the body: counted in pieces, or held back whole.
fn judging_bundle((fact, code): (&str, &str), limit_bytes: usize, fail: &str, action: &str) -> Arc<Bundle> {
    let rule = testing::rule("r", "request_body", fact, action, code, fail);
    let mut zone = testing::zone(testing::ZONE_ID, &[]);
    zone["inspection_limit_bytes"] = json!(limit_bytes);
    let rules = json!({"rules": [rule]});
    Arc::new(BundleText::default().with(&zone, &testing::operations_part(&[]), &rules).load().unwrap())
}

/// Bodies that are often nearly JSON.
fn jsonlike() -> impl Strategy<Value = Vec<u8>> {
    let piece = select(vec![
        "{",
        "}",
        "[",
        "]",
        "\"a\":",
        "\"\\u0061\":",
        "1",
        "\"é\"",
        ",",
        "null",
        " ",
        "{\"a\":1,\"a\":2}",
        "\u{feff}",
    ]);
    prop_oneof![vec(piece, 0..12).prop_map(|pieces| pieces.concat().into_bytes()), vec(any::<u8>(), 0..96)]
}

/// Drives one request with this body, cut at these places.
fn judge(
    bundle: &Arc<Bundle>,
    mode: Mode,
    content_type: &str,
    body: &[u8],
    length: BodyLength,
    cuts: &[usize],
) -> (Verdict, Inspection) {
    let now = Timestamp::from_micros(0);
    let mut transaction = Transaction::begin(bundle.clone(), &Keys::derive(&[0; 32]), RequestId::new(now, 0), now, mode);
    let mut headers = HeaderMap::new();
    headers.insert("host", "api.example.com".parse().unwrap());
    headers.insert("content-type", content_type.parse().unwrap());
    let client: IpAddr = [192, 0, 2, 1].into();
    let (scheme, version) = (Scheme::Http, HttpVersion::Http11);
    let head =
        RequestHead { method: "POST", scheme, version, authority: None, target: "/a", headers: &headers, client, body: length };
    let mut step = transaction.request_head(&head, &Surroundings::default());
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).collect();
    cuts.sort_unstable();
    let mut start = 0;
    for cut in cuts {
        if let Step::NeedBody(_) = step {
            step = transaction.request_body(&body[start..cut], false);
            start = cut;
        }
    }
    if let Step::NeedBody(_) = step {
        step = transaction.request_body(&body[start..], true);
    }
    assert!(matches!(step, Step::Decided(action) if action == transaction.verdict().action));
    (transaction.verdict().clone(), transaction.inspected().body.inspection())
}

proptest! {
    #[test]
    fn a_body_gives_the_same_verdict_however_it_is_cut(
        rule in select(vec![
            ("hoplon.request.body.truncated", "http.body_over_limit"),
            ("hoplon.request.json.invalid", "json.invalid"),
            ("hoplon.request.json.duplicate_key", "json.duplicate_key"),
        ]),
        content_type in select(vec!["text/plain", "application/json"]),
        body in jsonlike(),
        cuts in vec(any::<usize>(), 0..12),
        limit_bytes in 0_usize..96,
        is_length_known: bool,
        fail in select(vec!["open", "closed"]),
        action in select(vec!["log", "block"]),
        mode in select(vec![Mode::Off, Mode::Log, Mode::Enforce]),
    ) {
        let bundle = judging_bundle(rule, limit_bytes, fail, action);
        let length = if is_length_known { BodyLength::Known(body.len() as u64) } else { BodyLength::Unknown };
        let whole = judge(&bundle, mode, content_type, &body, BodyLength::Unknown, &[]);
        prop_assert_eq!(&judge(&bundle, mode, content_type, &body, length, &cuts), &whole);
        prop_assert_eq!(&judge(&bundle, mode, content_type, &body, length, &(0..body.len()).collect::<Vec<_>>()), &whole);
    }
}

/// Changes one place of a JSON document: a mutation that keeps it JSON reaches deeper than random bytes.
fn mutate(document: &mut Value, place: usize, with: &Value) {
    let mut at = place;
    let mut current = document;
    loop {
        let children = match current {
            Value::Array(list) => list.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        if children == 0 || at % (children + 2) >= children {
            *current = with.clone();
            return;
        }
        let child = at % (children + 2);
        at /= children + 2;
        current = match current {
            Value::Array(list) => &mut list[child],
            Value::Object(members) => members.values_mut().nth(child).unwrap(),
            _ => return,
        };
    }
}

fn odd_value() -> impl Strategy<Value = Value> {
    select(vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("\u{0}"),
        json!("/a/{"),
        json!("*"),
        json!("{a}.b"),
        json!("http://"),
        json!("https://[::1]:0/"),
        json!([]),
        json!({}),
        json!({"x": 1}),
        json!([[[[]]]]),
        json!("request_head"),
        json!(2),
        json!(0),
    ])
}

proptest! {
    #[test]
    fn the_loader_reports_and_never_panics_on_mutated_bundles(
        part in 0_usize..4, place: usize, other: usize, with in odd_value(), and in odd_value(),
    ) {
        let rule = testing::rule("r", "request_head", "ssl", "log", "operations.fallthrough", "open");
        let mut parts = [
            testing::zone(testing::ZONE_ID, &["api.example.com", "{t}.example.com"]),
            testing::operations_part(&[["GET", "*", "/users/{id}"], ["POST", "api.example.com", "/users"]]),
            json!({"rules": [rule]}),
        ];
        if let Some(part) = parts.get_mut(part) {
            mutate(part, place, &with);
            mutate(part, other, &and);
        }
        let [zone, operations, rules] = parts;
        let mut text = BundleText::default().with(&zone, &operations, &rules);
        if part == 3 {
            mutate(&mut text.manifest, place, &with);
            mutate(&mut text.manifest, other, &and);
        }
        match text.load() {
            Ok(bundle) => prop_assert!(bundle.zones().len() == 1),
            Err(errors) => {
                prop_assert!(!errors.0.is_empty());
                prop_assert!(errors.0.iter().all(|error| !error.path.is_empty() && !error.message.is_empty()));
            }
        }
    }

    #[test]
    fn the_loader_reports_and_never_panics_on_any_bytes(manifest in vec(any::<u8>(), 0..128), text in "[{}\\[\\]\",:a-z0-9]{0,64}") {
        prop_assert!(Bundle::load(&manifest, &mut |_| Err("none".into())).is_err());
        prop_assert!(Bundle::load(text.as_bytes(), &mut |_| Ok(vec![])).is_err());
    }
}
