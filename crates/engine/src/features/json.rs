//! Whether a JSON request body can be read, and in one way only. One parse for all its facts, at the first question.
//!
//! A body is JSON when a `Content-Type` says so (`application/json`, `…+json`); one that is encoded (`Content-Encoding`) is not judged:
//! the rule's fail mode applies.

use super::RuleViolation;
use crate::fact::{BodyUse, Cost, Fact, FactDef, Phase, Read};
use crate::json::{ErrorKind, IssueKind, Limits, ParseError, parse};
use crate::transaction::{BodyLength, Inspected};
use crate::value::Type;
use crate::verdict::FactError;
use crate::violation::ViolationDef;

/// What is looked for in a body at most. Issues are 16 bytes each.
const DEPTH: usize = 128;
const NODES: usize = 1 << 20;
const ISSUES: usize = 1 << 16;

pub(super) const FACTS: &[FactDef] = &[
    body_fact("hoplon.request.json.invalid", "the body is not the JSON (RFC 8259) that its Content-Type says", |t| {
        answer(t.seen, |json| Fact::bool(json.error.is_some()))
    }),
    body_fact(
        "hoplon.request.json.duplicate_key",
        "an object of the JSON body has a name twice; servers differ in which one counts",
        |t| answer(t.seen, |json| if json.error.is_some() { Fact::Missing } else { Fact::bool(json.duplicates.is_some()) }),
    ),
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[
    RuleViolation {
        def: ViolationDef { code: "json.invalid", location: "body", doc: "the body is not the JSON that its Content-Type says" },
        evidence: |t| evidence(t.seen, |json| json.error.map(|error| error.to_string())),
    },
    RuleViolation {
        def: ViolationDef { code: "json.duplicate_key", location: "body", doc: "an object in the JSON body has a name twice" },
        evidence: |t| {
            evidence(t.seen, |json| {
                json.duplicates.map(|(count, first)| format!("repeated names: {count}, the first at byte {first}"))
            })
        },
    },
];

/// What a parse found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct JsonBody {
    error: Option<ParseError>,
    /// How many names stand twice, and the byte of the first.
    duplicates: Option<(usize, usize)>,
}

const fn body_fact(name: &'static str, doc: &'static str, read: Read) -> FactDef {
    let base = FactDef::head(name, Type::Bool, "Hoplon; RFC 8259", doc, read);
    FactDef { phase: Phase::RequestBody, cost: Cost::Parse, body: body_use, ..base }
}

fn body_use(t: &Inspected) -> BodyUse {
    let is_readable = t.claims_json && !t.is_encoded && t.body_length != BodyLength::None;
    if is_readable { BodyUse::Whole } else { BodyUse::Nothing }
}

fn answer<'t>(t: &'t Inspected, read: fn(&JsonBody) -> Fact<'t>) -> Fact<'t> {
    match json_body(t) {
        Ok(Some(json)) => read(&json),
        Ok(None) => Fact::Missing,
        Err(error) => Fact::Error(error),
    }
}

fn evidence(t: &Inspected, say: fn(&JsonBody) -> Option<String>) -> String {
    json_body(t).ok().flatten().and_then(|json| say(&json)).unwrap_or_default()
}

/// The parse; none where there is no JSON body.
fn json_body(t: &Inspected) -> Result<Option<JsonBody>, FactError> {
    if !t.claims_json || t.body_length == BodyLength::None {
        return Ok(None);
    }
    if t.is_encoded {
        return Err(FactError::Encoded);
    }
    let body = t.body.whole()?;
    if body.is_empty() { Ok(None) } else { t.json.get_or_init(|| read(body)).map(Some) }
}

fn read(body: &[u8]) -> Result<JsonBody, FactError> {
    let limits = Limits { bytes: body.len(), depth: DEPTH, nodes: NODES, issues: ISSUES };
    match parse(body, &limits) {
        Err(ParseError { kind: ErrorKind::TooLong | ErrorKind::TooDeep | ErrorKind::TooManyNodes, .. }) => {
            Err(FactError::TooComplex)
        }
        Err(error) => Ok(JsonBody { error: Some(error), duplicates: None }),
        Ok(document) if document.issues_dropped() > 0 => Err(FactError::TooComplex),
        Ok(document) => {
            let duplicates =
                || document.issues().iter().filter(|issue| issue.kind == IssueKind::DuplicateKey).map(|issue| issue.offset);
            Ok(JsonBody { error: None, duplicates: duplicates().min().map(|first| (duplicates().count(), first)) })
        }
    }
}
