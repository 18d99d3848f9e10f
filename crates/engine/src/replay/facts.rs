//! What a record answers when rules ask their facts. ONE table: a fact that is not in it is not recorded, so a new fact can never make
//! replay guess.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::LazyLock;

use smallvec::SmallVec;

use super::path::{has_anomaly, path_under};
use super::row::RecordRow;
use super::tokens;
use crate::bundle::Zone;
use crate::fact::{Fact, FactDef, Facts};
use crate::features;
use crate::hash::{Hash64, SessionSource};
use crate::operations::recorded::{Called, ReplacedLiterals};
use crate::url::Anomaly;
use crate::value::{Array, Map, MapKey, Value};
use crate::verdict::FactError;

/// One record under one policy, as a source of facts.
#[derive(Debug)]
pub struct Recorded<'r> {
    pub(super) row: &'r RecordRow<'r>,
    pub(super) zone: &'r Zone,
    pub(super) called: Called,
    /// None: the record does not tell. Replaced segments stand in it.
    path: Option<Cow<'r, str>>,
    /// Facts that were asked and are not recorded, since they were last taken.
    gaps: RefCell<SmallVec<[&'static str; 4]>>,
}

type Answer = for<'t> fn(&'t Recorded<'t>) -> Fact<'t>;

/// How records answer, by the fact's name.
#[rustfmt::skip]
const ANSWERS: &[(&str, Answer)] = &[
    ("http.request.method", |t| unless_replaced(t.row.method)),
    ("http.host", |t| unless_replaced(t.row.host)),
    ("http.request.version", |t| match t.row.http_version {
        "1.0" => Fact::text("HTTP/1.0"),
        "1.1" => Fact::text("HTTP/1.1"),
        "2" => Fact::text("HTTP/2"),
        _ => Fact::NotRecorded,
    }),
    ("ssl", |t| Fact::bool(t.row.scheme == "https")),
    ("http.request.timestamp.sec", |t| Fact::Value(Value::Integer(t.row.time.micros().div_euclid(1_000_000)))),
    ("http.request.timestamp.msec", |t| Fact::Value(Value::Integer(t.row.time.micros().div_euclid(1_000).rem_euclid(1_000)))),
    ("http.request.headers.truncated", |_| Fact::bool(false)),
    ("http.request.uri.path", |t| t.path.as_deref().map_or(Fact::NotRecorded, unless_replaced)),
    ("http.request.uri.path.extension", |t| t.path.as_deref().map_or(Fact::NotRecorded, extension)),
    ("raw.http.request.uri.path", |t| if_normal(t, unless_replaced)),
    ("raw.http.request.uri.path.extension", |t| if_normal(t, extension)),
    ("hoplon.path.anomalies", |t| Fact::Value(Value::texts(t.row.path_anomalies.split(',').filter(|word| !word.is_empty())))),
    ("hoplon.path.normalised", normalised),
    ("hoplon.host.known", |t| match (t.zone.hosts.is_empty(), t.row.host_known) {
        (false, _) => Fact::bool(true),
        (true, false) => Fact::bool(false),
        // Perhaps only because the zone named it then.
        (true, true) => Fact::NotRecorded,
    }),
    ("hoplon.operation.id", |t| match t.called {
        Called::None => Fact::Missing,
        Called::Unknown => Fact::NotRecorded,
        Called::Operation(index) => Fact::text(&t.zone.operations.list()[index as usize].id),
    }),
    ("hoplon.operation.variables", |t| variables(t, None)),
    ("cf.api_gateway.fallthrough_detected", |t| match t.called {
        Called::Unknown => Fact::NotRecorded,
        called => Fact::bool(called == Called::None),
    }),
    ("hoplon.session", |t| t.session().map_or(Fact::NotRecorded, |session| {
        Fact::Value(Value::String(session.to_string().into_bytes().into()))
    })),
    ("cf.api_gateway.auth_id_present", |t| match t.row.session_source {
        _ if t.zone.identifiers.is_empty() => Fact::bool(false),
        Some(source) if t.has_same_sessions() => Fact::bool(source == SessionSource::Identifier),
        _ => Fact::NotRecorded,
    }),
    ("hoplon.cors.preflight", |t| match t.row.preflight {
        Some(preflight) => Fact::bool(preflight),
        None if t.row.method == "OPTIONS" => Fact::NotRecorded,
        None => Fact::bool(false),
    }),
    ("hoplon.method_override", |t| t.row.method_override.map_or(Fact::NotRecorded, Fact::bool)),
    ("hoplon.method_override.form", |t| match t.is_form() {
        Some(false) => Fact::Missing,
        _ => t.row.form_override.map_or(Fact::NotRecorded, Fact::bool),
    }),
    ("http.request.body.size", body_size),
    ("http.request.body.truncated", truncated),
    ("hoplon.request.body.truncated", truncated),
    ("http.request.body.raw", |t| if t.body_bytes() == Some(0) { Fact::text("") } else { Fact::NotRecorded }),
    ("http.request.body.form", |t| unless_form(t, || Value::Map(Map::Entries(Vec::new())))),
    ("http.request.body.form.names", |t| unless_form(t, || Value::Array(Array::Values(Vec::new())))),
    ("http.request.body.form.values", |t| unless_form(t, || Value::Array(Array::Values(Vec::new())))),
    ("hoplon.request.json.invalid", missing_without_body),
    ("hoplon.request.json.duplicate_key", missing_without_body),
    ("http.response.code", |t| t.row.upstream_status.map_or(Fact::NotRecorded, |status| Fact::Value(Value::Integer(status.into())))),
    ("http.response.content_type.media_type", |t| match (t.row.upstream_status, t.row.response_content_type) {
        (Some(_), Some(media_type)) => unless_replaced(media_type),
        _ => Fact::NotRecorded,
    }),
];

static BY_NAME: LazyLock<HashMap<&str, Answer>> = LazyLock::new(|| ANSWERS.iter().copied().collect());

/// Whether records can answer this fact at all.
#[must_use]
pub fn is_recorded(fact: &str) -> bool {
    BY_NAME.contains_key(fact) || tokens::is_recorded(fact)
}

impl Facts for Recorded<'_> {
    fn read(&self, fact: &'static FactDef) -> Fact<'_> {
        let answer = match BY_NAME.get(fact.name) {
            Some(answer) => answer(self),
            None => tokens::answer(self, fact.name, None).unwrap_or(Fact::NotRecorded),
        };
        self.noting(fact, answer)
    }

    fn read_key(&self, fact: &'static FactDef, key: &MapKey) -> Fact<'_> {
        let answer = match BY_NAME.get(fact.name) {
            _ if fact.name == "hoplon.operation.variables" => variables(self, Some(key)),
            None => tokens::answer(self, fact.name, Some(key)).unwrap_or(Fact::NotRecorded),
            Some(answer) => match answer(self) {
                Fact::Value(Value::Map(map)) => Fact::some(map.get(key)),
                Fact::Value(_) => Fact::Missing,
                other => other,
            },
        };
        self.noting(fact, answer)
    }
}

impl<'r> Recorded<'r> {
    pub(super) fn new(row: &'r RecordRow<'r>, zone: &'r Zone, replaced: &ReplacedLiterals) -> Self {
        let path = path_under(row, zone.merge_slashes);
        let called = match &path {
            _ if zone.operations.is_empty() => Called::None,
            Some(path) if !row.method.contains('<') => zone.operations.find_recorded(replaced, row.method, row.host, path),
            _ => Called::Unknown,
        };
        Self { row, zone, called, path, gaps: RefCell::default() }
    }

    /// The facts that were not recorded, asked since this was last called.
    pub(super) fn take_gaps(&self) -> SmallVec<[&'static str; 4]> {
        self.gaps.take()
    }

    fn noting<'t>(&self, fact: &'static FactDef, answer: Fact<'t>) -> Fact<'t> {
        if matches!(answer, Fact::NotRecorded) {
            self.gaps.borrow_mut().push(fact.name);
        }
        answer
    }

    /// Whether sessions were told by the identifiers that the policy has.
    fn has_same_sessions(&self) -> bool {
        self.row.session_policy == Some(&*self.zone.identity_hash)
    }

    /// The session, if it is the same under the policy.
    pub(super) fn session(&self) -> Option<Hash64> {
        self.row.session.filter(|_| self.has_same_sessions())
    }

    /// The length of the request's body, if it was read to its end.
    fn body_bytes(&self) -> Option<u64> {
        (self.row.request_complete == Some(true)).then_some(self.row.request_bytes)
    }

    /// Whether the body is a form that is searched; none: it cannot be told.
    fn is_form(&self) -> Option<bool> {
        match self.row.request_content_type {
            Some("application/x-www-form-urlencoded") if self.body_bytes() == Some(0) => None,
            Some("application/x-www-form-urlencoded") => Some(true),
            _ => Some(false),
        }
    }
}

/// What records replace they write in `<>`, which stands in no method, host, path or media type.
fn unless_replaced(text: &str) -> Fact<'_> {
    if text.contains('<') { Fact::NotRecorded } else { Fact::text(text) }
}

fn extension(path: &str) -> Fact<'_> {
    let last = path.rsplit('/').next().unwrap_or_default();
    if last.contains('<') { Fact::NotRecorded } else { features::extension(path) }
}

/// Of the path as received, where nothing in it was odd: then it is the normal one.
fn if_normal<'t>(t: &'t Recorded<'t>, read: fn(&'t str) -> Fact<'t>) -> Fact<'t> {
    if t.row.path_anomalies.is_empty() { read(t.row.path) } else { Fact::NotRecorded }
}

/// Some anomalies are always changed, none of them is never; of the others the record does not tell.
fn normalised<'t>(t: &'t Recorded<'t>) -> Fact<'t> {
    const CHANGED: [Anomaly; 5] =
        [Anomaly::DotSegments, Anomaly::EncodedUnreserved, Anomaly::NonAscii, Anomaly::IllegalCharacter, Anomaly::LowerCaseHex];
    match () {
        () if t.row.path_anomalies.is_empty() => Fact::bool(false),
        () if CHANGED.iter().any(|anomaly| has_anomaly(t.row, anomaly.word())) => Fact::bool(true),
        () => Fact::NotRecorded,
    }
}

fn variables<'t>(t: &'t Recorded<'t>, key: Option<&MapKey>) -> Fact<'t> {
    let (Called::Operation(index), Some(path)) = (t.called, t.path.as_deref()) else {
        return if t.called == Called::None { no_variables(key) } else { Fact::NotRecorded };
    };
    let template = &t.zone.operations.list()[index as usize].path;
    let mut all = features::path_variables(template, path);
    match key {
        Some(key) => match all.find(|(name, _)| name.as_bytes() == key.bytes()) {
            None => Fact::Missing,
            Some((_, value)) if value.contains('<') => Fact::NotRecorded,
            Some((_, value)) => Fact::Value(features::path_variable(value)),
        },
        None if path.contains('<') => Fact::NotRecorded,
        None => {
            let entries = all.map(|(name, value)| (name.as_bytes().into(), features::path_variable(value)));
            Fact::Value(Value::Map(Map::Entries(entries.collect())))
        }
    }
}

fn no_variables<'t>(key: Option<&MapKey>) -> Fact<'t> {
    if key.is_some() { Fact::Missing } else { Fact::Value(Value::Map(Map::Entries(Vec::new()))) }
}

fn body_size<'t>(t: &'t Recorded<'t>) -> Fact<'t> {
    match t.body_bytes() {
        Some(bytes) if bytes > t.zone.inspection_limit_bytes as u64 => Fact::Error(FactError::OverLimit),
        Some(bytes) => Fact::Value(Value::count(bytes)),
        None => Fact::NotRecorded,
    }
}

fn truncated<'t>(t: &'t Recorded<'t>) -> Fact<'t> {
    t.body_bytes().map_or(Fact::NotRecorded, |bytes| Fact::bool(bytes > t.zone.inspection_limit_bytes as u64))
}

fn unless_form<'t>(t: &'t Recorded<'t>, nothing: fn() -> Value<'t>) -> Fact<'t> {
    if t.is_form() == Some(false) { Fact::Value(nothing()) } else { Fact::NotRecorded }
}

/// Without a media type a body can still be called JSON by a second, odd field: only without a body is it certain.
fn missing_without_body<'t>(t: &'t Recorded<'t>) -> Fact<'t> {
    if t.body_bytes() == Some(0) && t.row.request_content_type.is_none() { Fact::Missing } else { Fact::NotRecorded }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_a_facts_and_stands_once() {
        for (name, _) in ANSWERS {
            assert!(features::all_facts().any(|fact| fact.name == *name), "{name} is no fact");
        }
        assert_eq!(BY_NAME.len(), ANSWERS.len());
    }
}
