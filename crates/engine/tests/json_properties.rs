//! The parser against serde_json: where both are strict they accept and refuse the same texts and give the same values.

use engine::json::{Document, IssueKind, Kind, Limits, Number, Value, parse, parse_prefix};
use proptest::prelude::*;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 100, nodes: 1 << 16, issues: 16 };

fn to_serde(value: Value<'_, '_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Boolean => value.as_bool().unwrap().into(),
        Kind::String => value.as_str().unwrap().into_owned().into(),
        Kind::Array => value.elements().map(to_serde).collect(),
        Kind::Object => value.members().map(|(name, value)| (name.into_owned(), to_serde(value))).collect(),
        Kind::Integer | Kind::Number => match value.as_number().unwrap() {
            Number::Signed(n) => n.into(),
            Number::Unsigned(n) => n.into(),
            Number::Double(n) => serde_json::Number::from_f64(n).map_or(serde_json::Value::Null, Into::into),
        },
    }
}

/// What serde_json refuses although the grammar allows it.
fn is_stricter_in_serde(document: &Document<'_>) -> bool {
    document.issues_dropped() > 0
        || document
            .issues()
            .iter()
            .any(|issue| matches!(issue.kind, IssueKind::LoneSurrogate | IssueKind::ByteOrderMark | IssueKind::NumberOverflow))
}

fn agree(text: &[u8]) -> Result<(), TestCaseError> {
    let ours = parse(text, &LIMITS);
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) => prop_assert_eq!(to_serde(ours.root()), theirs),
        (Ok(ours), Err(error)) => {
            prop_assert!(is_stricter_in_serde(&ours), "only serde_json refuses {:?}: {}", text, error);
        }
        (Err(error), Ok(_)) => prop_assert!(false, "only we refuse {:?}: {}", String::from_utf8_lossy(text), error),
        (Err(_), Err(_)) => {}
    }
    Ok(())
}

fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        any::<u64>().prop_map(Into::into),
        any::<f64>().prop_map(|n| serde_json::Number::from_f64(n).map_or(serde_json::Value::Null, Into::into)),
        any::<String>().prop_map(Into::into),
        "[a-z\"\\\\\u{1}-\u{7f}é😀]{0,20}".prop_map(Into::into),
    ];
    leaf.prop_recursive(6, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Into::into),
            prop::collection::hash_map("[a-c~/*\"\\\\é]{0,3}", inner, 0..8)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Bytes that are often nearly JSON.
fn nearly_json() -> impl Strategy<Value = Vec<u8>> {
    let token = prop_oneof![
        4 => prop::sample::select(vec![
            "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\"\\u0061\"", "\"\\ud800\"", "\"\\ud83d\\ude00\"", "1", "-", "0", ".5", "1e9",
            "1e999", "1E-999", "true", "false", "null", "tru", " ", "\n", "\\", "\u{feff}", "\u{0}", "01", "1.", "{\"a\":", "[[", "]]",
            "12345678901234567890123", "0.1234567890123456789",
        ]).prop_map(|token| token.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(token, 0..24).prop_map(|tokens| tokens.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8 * ProptestConfig::default().cases, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn valid_texts_give_the_values_that_serde_json_gives(value in json(), pretty: bool) {
        let text = if pretty { serde_json::to_vec_pretty(&value) } else { serde_json::to_vec(&value) }.unwrap();
        agree(&text)?;
        prop_assert!(parse(&text, &LIMITS).is_ok());
    }

    #[test]
    fn texts_that_are_nearly_json_are_accepted_or_refused_by_both(text in nearly_json()) {
        agree(&text)?;
    }

    #[test]
    fn a_damaged_text_is_accepted_or_refused_by_both(value in json(), at: prop::sample::Index, byte: u8) {
        let mut text = serde_json::to_vec(&value).unwrap();
        let at = at.index(text.len());
        text[at] = byte;
        agree(&text)?;
    }

    #[test]
    fn arbitrary_bytes_never_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        agree(&text)?;
        let prefix = parse_prefix(&text, &LIMITS);
        if let Some(document) = prefix.document {
            let mut leaves = document.leaves();
            while leaves.next_leaf().is_some() {}
        }
    }

    #[test]
    fn every_leaf_is_found_at_the_pointer_of_its_steps(value in json()) {
        let text = serde_json::to_vec(&value).unwrap();
        let document = parse(&text, &LIMITS).unwrap();
        let mut leaves = document.leaves();
        let mut count = 0;
        while let Some(leaf) = leaves.next_leaf() {
            let pointer: String = leaves.steps().iter().map(|step| match step {
                engine::json::Step::Member(name) => format!("/{}", name.as_str().unwrap().replace('~', "~0").replace('/', "~1")),
                engine::json::Step::Element(index) => format!("/{index}"),
            }).collect();
            prop_assert_eq!(document.pointer(&pointer).map(Value::offset), Some(leaf.offset()), "{}", pointer);
            prop_assert_eq!(value.pointer(&pointer).cloned(), Some(to_serde(leaf)));
            count += 1;
        }
        prop_assert_eq!(count, leaf_count(&value));
    }

    #[test]
    fn a_prefix_holds_only_what_the_whole_text_holds(value in json(), cut: prop::sample::Index) {
        let text = serde_json::to_vec(&value).unwrap();
        let whole = parse(&text, &LIMITS).unwrap();
        let prefix = parse_prefix(&text[..cut.index(text.len() + 1)], &LIMITS);
        let Some(document) = prefix.document else { return Ok(()) };
        let (mut some, mut all) = (document.leaves(), whole.leaves());
        while let Some(leaf) = some.next_leaf() {
            let same = all.next_leaf().unwrap();
            prop_assert_eq!(leaf.raw(), same.raw());
            prop_assert_eq!(leaf.offset(), same.offset());
        }
    }
}

fn leaf_count(value: &serde_json::Value) -> usize {
    match value {
        serde_json::Value::Array(elements) if !elements.is_empty() => elements.iter().map(leaf_count).sum(),
        serde_json::Value::Object(members) if !members.is_empty() => members.values().map(leaf_count).sum(),
        _ => 1,
    }
}

fn issues(text: &str) -> Vec<(IssueKind, usize)> {
    parse(text.as_bytes(), &LIMITS).unwrap().issues().iter().map(|issue| (issue.kind, issue.offset)).collect()
}

#[test]
fn what_parsers_read_differently_is_reported_with_its_place() {
    assert_eq!(issues(r#"{"a":1,"b":2,"a":3}"#), [(IssueKind::DuplicateKey, 14)]);
    assert_eq!(issues(r#"{"a":1,"\u0061":3}"#), [(IssueKind::DuplicateKey, 8)]);
    assert_eq!(issues(r#"[{"a":1},{"a":1}]"#), []);
    assert_eq!(issues(r#"["\ud800"]"#), [(IssueKind::LoneSurrogate, 2)]);
    assert_eq!(issues("\u{feff}1"), [(IssueKind::ByteOrderMark, 0)]);
    assert_eq!(issues("[1e999]"), [(IssueKind::NumberOverflow, 1)]);
}

#[test]
fn limits_are_errors_and_issues_are_bounded() {
    let deep = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    assert!(parse(deep(100).as_bytes(), &LIMITS).is_ok());
    let error = |text: &str, limits: &Limits| parse(text.as_bytes(), limits).unwrap_err().kind.as_str();
    assert_eq!(error(&deep(101), &LIMITS), "too_deep");
    assert_eq!(error(&"[".repeat(1_000_000), &LIMITS), "too_deep");
    assert_eq!(error("[1,2,3]", &Limits { nodes: 3, ..LIMITS }), "too_many_nodes");
    assert_eq!(error("[1,2,3]", &Limits { bytes: 6, ..LIMITS }), "too_long");
    assert_eq!(error("1 2", &LIMITS), "trailing_data");
    assert_eq!(error("", &LIMITS), "unexpected_end");
    assert_eq!(parse(b"\"\xff\"", &LIMITS).unwrap_err().kind.as_str(), "invalid_utf8");

    let same = format!("{{{}}}", vec!["\"k\":0"; 1000].join(","));
    let document = parse(same.as_bytes(), &LIMITS).unwrap();
    assert_eq!(document.issues().len(), LIMITS.issues);
    assert_eq!(document.issues_dropped(), 999 - LIMITS.issues);
}

#[test]
fn an_object_of_many_names_costs_time_in_proportion() {
    let names: Vec<_> = (0..20_000).map(|i| format!("\"a long common beginning of every name {i}\":0")).collect();
    let text = format!("{{{}}}", names.join(","));
    let started = std::time::Instant::now();
    assert!(parse(text.as_bytes(), &LIMITS).unwrap().issues().is_empty());
    assert!(started.elapsed().as_secs() < 5, "duplicate names are found by sorting, not pairwise");
}
