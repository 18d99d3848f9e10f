//! Rows of a body: the leaves of JSON, the pairs of a form, or one row that says why there are none.

use http::header;

use super::decompress::decode;
use super::detectors::DetectorSet;
use super::names::{holds_secrets, kinds_of_name};
use super::redact::{percent_bytes, redact_name};
use super::rows::{Place, Rows};
use super::sample::MessageCopy;
use crate::json::{Document, ErrorKind, Kind, Leaves, Limits, Step, Value, parse, parse_prefix};
use crate::record::{Direction, Location, ValueType};

/// How much more than the copy a coded body may become.
const EXPANSION: usize = 4;
/// In a document with more leaves than rows, so many elements of each array are looked at.
const ELEMENTS: u32 = 8;
/// Longest pointer; what lies deeper is left out.
const POINTER_BYTES: usize = 512;

/// Appends the rows of a message's body. Nothing for a body without bytes.
pub(super) fn observe_body(rows: &mut Rows<'_>, copy: &MessageCopy, direction: Direction, copy_bound: usize) {
    if copy.body.is_empty() {
        return;
    }
    let decoded = decode(&copy.body, copy.header(&header::CONTENT_ENCODING), copy_bound.saturating_mul(EXPANSION));
    let (Some(decoded), form) = (decoded, BodyForm::of(copy)) else {
        return rows.plain(whole(direction), ValueType::Opaque, copy.body.len());
    };
    let is_whole = decoded.is_whole && !copy.is_cut;
    match form {
        BodyForm::Json => observe_json(rows, &decoded.bytes, is_whole, direction),
        BodyForm::Form => observe_form(rows, &decoded.bytes, is_whole, direction),
        BodyForm::Other => rows.plain(whole(direction), ValueType::Opaque, decoded.bytes.len()),
    }
}

enum BodyForm {
    Json,
    Form,
    Other,
}

impl BodyForm {
    fn of(copy: &MessageCopy) -> Self {
        let essence = copy.header(&header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let begins_as_json = || matches!(copy.body.iter().find(|b| !b.is_ascii_whitespace()), Some(b'{' | b'['));
        match essence.as_str() {
            "application/json" | "text/json" => Self::Json,
            "application/x-www-form-urlencoded" => Self::Form,
            "" if begins_as_json() => Self::Json,
            other if other.ends_with("+json") => Self::Json,
            _ => Self::Other,
        }
    }
}

fn whole(direction: Direction) -> Place<'static> {
    Place { direction, location: Location::Body, pointer: "", kinds: DetectorSet::NONE, is_code: false, may_be_literal: false }
}

fn observe_json(rows: &mut Rows<'_>, text: &[u8], is_whole: bool, direction: Direction) {
    let limits = Limits { bytes: text.len(), depth: 64, nodes: 1 << 16, issues: 0 };
    if is_whole {
        match parse(text, &limits) {
            Ok(document) => return observe_leaves(rows, &document, direction),
            Err(error) if matches!(error.kind, ErrorKind::TooDeep | ErrorKind::TooManyNodes) => {}
            Err(_) => return rows.plain(whole(direction), ValueType::Invalid, text.len()),
        }
    }
    rows.plain(whole(direction), ValueType::Truncated, text.len());
    if let Some(document) = parse_prefix(text, &limits).document {
        observe_leaves(rows, &document, direction);
    }
}

fn observe_leaves(rows: &mut Rows<'_>, document: &Document<'_>, direction: Direction) {
    let room = rows.limit.saturating_sub(rows.rows.len());
    let skips_elements = document.node_count() > room.saturating_mul(2);
    let mut trail = Trail { pointer: String::new(), steps: Vec::new() };
    let mut leaves = document.leaves();
    while let Some(leaf) = leaves.next_leaf() {
        if rows.is_full() {
            return;
        }
        let beyond =
            leaves.steps().iter().position(|step| skips_elements && matches!(step, Step::Element(index) if *index >= ELEMENTS));
        if let Some(depth) = beyond {
            leaves.skip_rest_of(depth);
            trail.forget_behind(depth);
            continue;
        }
        trail.follow(rows, &leaves, direction);
        if trail.pointer.len() <= POINTER_BYTES {
            observe_leaf(rows, &trail, &leaves, leaf, direction);
        }
    }
}

fn observe_leaf(rows: &mut Rows<'_>, trail: &Trail, leaves: &Leaves<'_, '_>, leaf: Value<'_, '_>, direction: Direction) {
    let last = trail.steps.last();
    let named = if last.is_some_and(|step| step.is_generic) { kinds_of_sibling(leaves) } else { DetectorSet::NONE };
    let place = Place {
        pointer: &trail.pointer,
        kinds: last.map_or(DetectorSet::NONE, |step| step.kinds).with(named),
        is_code: last.is_some_and(|step| step.is_code),
        may_be_literal: true,
        ..whole(direction)
    };
    match leaf.kind() {
        Kind::String => rows.text(place, &leaf.as_str().unwrap_or_default()),
        Kind::Boolean => rows.plain(place, ValueType::Boolean, leaf.raw().len()),
        Kind::Null => rows.plain(place, ValueType::Null, leaf.raw().len()),
        Kind::Array => rows.plain(place, ValueType::Array, 0),
        Kind::Object => rows.plain(place, ValueType::Object, 0),
        kind @ (Kind::Integer | Kind::Number) => {
            let value_type = if kind == Kind::Integer { ValueType::Integer } else { ValueType::Number };
            if let Some(number) = leaf.as_number() {
                rows.number(place, leaf.raw(), number, value_type);
            }
        }
    }
}

/// In `{"name": "password", "value": …}` the name stands beside the value.
fn kinds_of_sibling(leaves: &Leaves<'_, '_>) -> DetectorSet {
    const NAMING: &[&str] = &["name", "key", "field", "id", "type", "label", "header", "parameter", "param", "property", "k"];
    let Some(holder) = leaves.steps().len().checked_sub(1).and_then(|depth| leaves.container(depth)) else {
        return DetectorSet::NONE;
    };
    holder
        .members()
        .take(16)
        .filter(|(name, value)| value.kind() == Kind::String && NAMING.contains(&name.to_ascii_lowercase().as_str()))
        .fold(DetectorSet::NONE, |kinds, (_, value)| kinds.with(kinds_of_name(&value.as_str().unwrap_or_default())))
}

/// The pointer to the current leaf, and what the names on the way announce.
struct Trail {
    pointer: String,
    steps: Vec<TrailStep>,
}

struct TrailStep {
    /// Length of the pointer with this step.
    pointer_end: usize,
    kinds: DetectorSet,
    is_generic: bool,
    /// Whatever stands inside is a secret: `credentials`, `tokens`.
    holds_secrets: bool,
    is_code: bool,
}

impl Trail {
    fn forget_behind(&mut self, depth: usize) {
        self.steps.truncate(depth);
        self.pointer.truncate(self.steps.last().map_or(0, |step| step.pointer_end));
    }

    /// Takes the steps that are new since the leaf before; an array that is entered gets a row of its own.
    fn follow(&mut self, rows: &mut Rows<'_>, leaves: &Leaves<'_, '_>, direction: Direction) {
        self.forget_behind(leaves.unchanged());
        for depth in self.steps.len()..leaves.steps().len() {
            match leaves.steps()[depth] {
                Step::Member(name) => self.enter_member(&name.as_str().unwrap_or_default(), rows),
                Step::Element(index) => {
                    if let Some(array) = leaves.container(depth).filter(|array| index == 0 && array.is_complete()) {
                        let place = Place { pointer: &self.pointer, ..whole(direction) };
                        rows.plain(place, ValueType::Array, array.elements().count());
                    }
                    self.enter_element();
                }
            }
        }
    }

    fn enter_member(&mut self, name: &str, rows: &Rows<'_>) {
        let (outer, outer_holds) = self.steps.last().map_or((DetectorSet::NONE, false), |step| (step.kinds, step.holds_secrets));
        let is_generic = is_generic(name);
        let inherits = is_generic || outer_holds || outer.has_any(DetectorSet::GUESSABLE);
        let inherited = if inherits { outer } else { DetectorSet::NONE };
        self.pointer.push('/');
        push_member(&mut self.pointer, &redact_name(name, rows.keys));
        self.steps.push(TrailStep {
            pointer_end: self.pointer.len(),
            kinds: kinds_of_name(name).with(inherited),
            is_generic,
            holds_secrets: holds_secrets(name),
            is_code: name.eq_ignore_ascii_case("code"),
        });
    }

    fn enter_element(&mut self) {
        let outer = self.steps.last();
        let (kinds, is_code) = outer.map_or((DetectorSet::NONE, false), |step| (step.kinds, step.is_code));
        let holds_secrets = outer.is_some_and(|step| step.holds_secrets);
        self.pointer.push_str("/*");
        self.steps.push(TrailStep { pointer_end: self.pointer.len(), kinds, is_generic: false, holds_secrets, is_code });
    }
}

/// Names that say nothing by themselves: what holds them says it.
fn is_generic(name: &str) -> bool {
    matches!(
        name,
        "value"
            | "val"
            | "v"
            | "data"
            | "content"
            | "text"
            | "raw"
            | "id"
            | "key"
            | "current"
            | "old"
            | "new"
            | "confirm"
            | "plain"
            | "string"
            | "code"
    )
}

/// A member as a step of a pointer (RFC 6901); a member named `*` is `~2`, so that it is not taken for an element.
fn push_member(pointer: &mut String, name: &str) {
    if name == "*" {
        pointer.push_str("~2");
        return;
    }
    if !name.bytes().any(|b| matches!(b, b'~' | b'/')) {
        pointer.push_str(name);
        return;
    }
    for c in name.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

fn observe_form(rows: &mut Rows<'_>, text: &[u8], is_whole: bool, direction: Direction) {
    let mut kept = text;
    if !is_whole {
        rows.plain(whole(direction), ValueType::Truncated, text.len());
        let end = text.iter().rposition(|b| *b == b'&').unwrap_or(0);
        kept = &text[..end];
    }
    for (name, value) in pairs(kept) {
        let mut pointer = String::from("/");
        push_member(&mut pointer, &redact_name(&name, rows.keys));
        let place = Place {
            pointer: &pointer,
            kinds: kinds_of_name(&name),
            is_code: name.eq_ignore_ascii_case("code"),
            may_be_literal: true,
            ..whole(direction)
        };
        rows.text(place, &value);
    }
}

/// The pairs of a form or query, decoded; at most 256.
pub(super) fn pairs(text: &[u8]) -> impl Iterator<Item = (String, String)> {
    let decode = |part: &[u8]| String::from_utf8_lossy(&percent_bytes(part, true)).into_owned();
    text.split(|b| *b == b'&').filter(|pair| !pair.is_empty()).take(256).map(move |pair| {
        let sign = pair.iter().position(|b| *b == b'=').unwrap_or(pair.len());
        (decode(&pair[..sign]), decode(pair.get(sign + 1..).unwrap_or_default()))
    })
}
