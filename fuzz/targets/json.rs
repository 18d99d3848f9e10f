//! The JSON parser: it accepts what serde_json accepts, with the same values; and a text that is cut off gives a prefix of them.

#![no_main]

use engine::json::{Document, IssueKind, Kind, Limits, Number, Value, parse, parse_prefix};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { bytes: 1 << 20, depth: 100, nodes: 1 << 16, issues: 16 };

fuzz_target!(|text: &[u8]| {
    let theirs = serde_json::from_slice::<serde_json::Value>(text);
    match (parse(text, &LIMITS), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert_eq!(to_serde(ours.root()), theirs);
            check_leaves(&ours);
        }
        (Ok(ours), Err(error)) => assert!(is_stricter_in_serde(&ours), "only serde_json refuses: {error}"),
        (Err(error), Ok(_)) => assert_eq!(error.kind.as_str(), "too_deep", "only we refuse"),
        (Err(_), Err(_)) => {}
    }
    let prefix = parse_prefix(&text[..text.len() / 2], &LIMITS);
    if let Some(document) = &prefix.document {
        check_leaves(document);
    }
});

/// Every leaf can be read, and there are never more of them than nodes.
fn check_leaves(document: &Document<'_>) {
    let mut leaves = document.leaves();
    let mut count = 0;
    while let Some(leaf) = leaves.next_leaf() {
        count += 1;
        assert!(leaf.is_empty(), "a leaf holds nothing else");
        assert!(leaves.steps().len() <= LIMITS.depth);
        let _ = (leaf.as_str(), leaf.as_number(), leaf.as_bool());
    }
    assert!(count <= document.node_count());
}

fn to_serde(value: Value<'_, '_>) -> serde_json::Value {
    match value.kind() {
        Kind::Null => serde_json::Value::Null,
        Kind::Boolean => value.as_bool().into(),
        Kind::String => value.as_str().map(String::from).into(),
        Kind::Array => value.elements().map(to_serde).collect(),
        Kind::Object => value.members().map(|(name, value)| (name.into_owned(), to_serde(value))).collect(),
        Kind::Integer | Kind::Number => match value.as_number() {
            Some(Number::Signed(number)) => number.into(),
            Some(Number::Unsigned(number)) => number.into(),
            Some(Number::Double(number)) => number.into(),
            None => panic!("a number that is none: {:?}", value.raw()),
        },
    }
}

/// What the grammar allows and serde_json refuses.
fn is_stricter_in_serde(document: &Document<'_>) -> bool {
    let only_ours = [IssueKind::LoneSurrogate, IssueKind::ByteOrderMark, IssueKind::NumberOverflow];
    document.issues_dropped() > 0 || document.issues().iter().any(|issue| only_ours.contains(&issue.kind))
}
