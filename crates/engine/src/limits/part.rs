//! The limits of a zone: the part of the bundle as it is written, and the limits made of it. Every mistake is told.

use std::collections::HashMap;
use std::sync::Arc;

use http::HeaderName;
use serde::Deserialize;
use serde_json::value::RawValue;
use smallvec::SmallVec;

use super::limit::{Counting, Limit, Quantity, counters_name};
use super::told::Told;
use crate::bundle::{FailEntry, ResponseEntry, RuleAction};
use crate::fact::{BodyUse, HeaderUse, Phase};
use crate::program::{Program, ProgramEntry};
use crate::rules::{Mistakes, References, named_operations, own_response};
use crate::transaction::Inspected;

/// Limits of a zone.
pub const MAX_LIMITS: usize = 10_000;
const MAX_CHARACTERISTICS: usize = 20;
const MAX_SECONDS: u32 = 86_400;
const MAX_QUANTITY: u32 = 1_000_000_000;

/// The part.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitsPart {
    /// Each is read on its own, so that every broken one is reported.
    pub limits: Vec<Box<RawValue>>,
}

/// One limit as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LimitEntry {
    pub id: String,
    pub when: ProgramEntry,
    #[serde(default)]
    pub operations: Option<Vec<String>>,
    pub key: Vec<ProgramEntry>,
    #[serde(default)]
    pub count_when: Option<ProgramEntry>,
    pub period_seconds: u32,
    #[serde(default)]
    pub requests: Option<u32>,
    #[serde(default)]
    pub score: Option<u32>,
    #[serde(default)]
    pub score_header: Option<String>,
    #[serde(default)]
    pub in_flight: Option<u32>,
    pub mitigation_seconds: u32,
    pub to_origin: bool,
    pub action: RuleAction,
    #[serde(default)]
    pub response: Option<ResponseEntry>,
    pub fail: FailEntry,
    pub violation: String,
}

/// The limits of a zone, as they run.
#[derive(Debug, Default)]
pub struct Limits {
    all: Vec<Limit>,
    /// Those about every request, by the phase they are checked in.
    general: [Vec<u32>; Phase::ALL.len()],
    /// Those about one operation only: they cost nothing elsewhere.
    by_operation: HashMap<(u32, Phase), Vec<u32>>,
}

impl Limits {
    pub(crate) fn add(&mut self, limit: Limit) {
        let index = self.all.len() as u32;
        match &limit.operations {
            None => self.general[limit.phase as usize].push(index),
            Some(operations) => {
                operations
                    .iter()
                    .for_each(|operation| self.by_operation.entry((*operation, limit.phase)).or_default().push(index));
            }
        }
        self.all.push(limit);
    }

    /// All of them, in the order of the bundle.
    #[must_use]
    pub fn all(&self) -> &[Limit] {
        &self.all
    }

    /// The places of those that are checked in this phase of a request to this operation, in the order of the bundle.
    #[must_use]
    pub fn about(&self, phase: Phase, operation: Option<u32>) -> SmallVec<[u32; 8]> {
        let own = operation.and_then(|operation| self.by_operation.get(&(operation, phase)));
        let mut places = SmallVec::from_slice(&self.general[phase as usize]);
        if let Some(own) = own {
            places.extend_from_slice(own);
            places.sort_unstable();
        }
        places
    }

    /// The places of all that are checked in this phase, whatever operation is called.
    #[must_use]
    pub fn in_phase(&self, phase: Phase) -> SmallVec<[u32; 8]> {
        self.all.iter().zip(0..).filter(|(limit, _)| limit.phase == phase).map(|(_, place)| place).collect()
    }

    /// How much of the body those of the phase `RequestBody` need of this transaction.
    pub(crate) fn body_use(&self, seen: &Inspected) -> BodyUse {
        let limits = self.about(Phase::RequestBody, seen.operation_index()).into_iter().map(|place| &self.all[place as usize]);
        limits.flat_map(Limit::facts).map(|(_, fact)| (fact.body)(seen)).max().unwrap_or(BodyUse::Nothing)
    }

    /// Where headers are read: for the rules, which know how long they are kept.
    pub(crate) fn readers(&self) -> impl Iterator<Item = (Phase, HeaderUse)> {
        self.all.iter().flat_map(Limit::facts).map(|(phase, fact)| (phase, fact.headers))
    }

    /// Whether a response may ask facts of the request's body.
    pub(crate) fn keeps_body(&self) -> bool {
        self.all
            .iter()
            .flat_map(Limit::facts)
            .any(|(phase, fact)| phase == Phase::ResponseHead && fact.phase == Phase::RequestBody)
    }
}

impl Limit {
    /// # Errors
    /// Every mistake: the member and a sentence.
    pub(crate) fn compile(entry: LimitEntry, zone: &str, references: References<'_>) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::new();
        check_numbers(&entry, &mut mistakes);
        let quantity = quantity(&entry, &mut mistakes);
        let when = condition("when", &entry.when, references, &mut mistakes);
        let key = keys(&entry.key, references, &mut mistakes);
        let counting = match &entry.count_when {
            None => Some(Counting::Matching),
            Some(program) => counting(program, references, &mut mistakes),
        };
        for (member, asked) in when
            .iter()
            .map(|when| ("when".to_owned(), when))
            .chain(key.iter().zip(0..).map(|(key, index)| (format!("key[{index}]"), key)))
        {
            if asked.phase() == Phase::ResponseHead {
                mistakes.push((member, "asks the response: only `count_when` may".into()));
            }
        }
        let operations = entry.operations.map(|ids| named_operations(&ids, references)).transpose();
        let operations = operations.map_err(|message| mistakes.push(("operations".into(), message)));
        let response = entry.response.map(|response| own_response(response, entry.action)).transpose();
        let response = response.map_err(|(member, message)| mistakes.push((member.into(), message)));
        match (quantity, when, counting, operations, response) {
            (Some(quantity), Some(when), Some(counting), Ok(operations), Ok(response)) if mistakes.is_empty() => Ok(Self {
                phase: phase(&when, &key, &counting),
                name: counters_name(zone, &entry.id, entry.period_seconds),
                told: Told::of(&entry.id, &quantity, entry.period_seconds),
                id: entry.id.into(),
                when,
                key,
                counting,
                quantity,
                period_seconds: entry.period_seconds,
                mitigation_seconds: entry.mitigation_seconds,
                to_origin: entry.to_origin,
                operations,
                action: entry.action,
                fail: entry.fail.into(),
                response: response.map(Arc::new),
                code: entry.violation.into(),
            }),
            _ => Err(mistakes),
        }
    }
}

fn check_numbers(entry: &LimitEntry, mistakes: &mut Mistakes) {
    let mut note = |member: &str, message: String| mistakes.push((member.into(), message));
    let is_in_flight = entry.in_flight.is_some();
    let periods = if is_in_flight { 0..=0 } else { 1..=MAX_SECONDS };
    if !periods.contains(&entry.period_seconds) {
        note("period_seconds", format!("is {}, not {} to {}", entry.period_seconds, periods.start(), periods.end()));
    }
    let mitigations = if is_in_flight { 0..=0 } else { 0..=MAX_SECONDS };
    if !mitigations.contains(&entry.mitigation_seconds) {
        note("mitigation_seconds", format!("is {}, not 0 to {}", entry.mitigation_seconds, mitigations.end()));
    }
    for (member, value) in [("requests", entry.requests), ("score", entry.score), ("in_flight", entry.in_flight)] {
        if let Some(value) = value.filter(|value| *value > MAX_QUANTITY) {
            note(member, format!("is {value}, not 0 to {MAX_QUANTITY}"));
        }
    }
    if is_in_flight && (entry.count_when.is_some() || entry.to_origin) {
        note("in_flight", "goes with neither `count_when` nor `to_origin`".into());
    }
    if entry.action == RuleAction::Skip {
        note("action", "is skip: a limit logs or blocks".into());
    }
    let code = if is_in_flight { "limits.in_flight" } else { "limits.exceeded" };
    if entry.violation != code {
        note("violation", format!("is not `{code}`"));
    }
    if entry.key.len() > MAX_CHARACTERISTICS {
        note("key", format!("has {} entries, not 0 to {MAX_CHARACTERISTICS}", entry.key.len()));
    }
}

fn quantity(entry: &LimitEntry, mistakes: &mut Mistakes) -> Option<Quantity> {
    let mut note = |member: &str, message: &str| mistakes.push((member.into(), message.into()));
    match (entry.requests, entry.score, entry.in_flight, entry.score_header.as_deref()) {
        (Some(most), None, None, None) => return Some(Quantity::Requests(most)),
        (None, None, Some(most), None) => return Some(Quantity::InFlight(most)),
        (None, Some(most), None, Some(name)) => match HeaderName::from_bytes(name.as_bytes()) {
            Ok(header) => return Some(Quantity::Score { most, header }),
            Err(_) => note("score_header", "is not a header's name"),
        },
        (None, Some(_), None, None) => note("score_header", "is missing: it names the response's header with the score"),
        (_, None, _, Some(_)) => note("score_header", "is for a score only"),
        _ => note("requests", "has to stand alone: exactly one of requests, score and in_flight"),
    }
    None
}

fn program(member: &str, entry: &ProgramEntry, references: References<'_>, mistakes: &mut Mistakes) -> Option<Program> {
    let loaded = Program::load(entry, references.lists);
    loaded.map_err(|(place, message)| mistakes.push((format!("{member}.{place}"), message))).ok()
}

fn condition(member: &str, entry: &ProgramEntry, references: References<'_>, mistakes: &mut Mistakes) -> Option<Program> {
    let loaded = Program::load_condition(entry, references.lists);
    loaded.map_err(|(place, message)| mistakes.push((format!("{member}.{place}"), message))).ok()
}

fn keys(entries: &[ProgramEntry], references: References<'_>, mistakes: &mut Mistakes) -> Box<[Program]> {
    let load = |(entry, index)| program(&format!("key[{index}]"), entry, references, mistakes);
    entries.iter().zip(0..MAX_CHARACTERISTICS).filter_map(load).collect()
}

fn counting(entry: &ProgramEntry, references: References<'_>, mistakes: &mut Mistakes) -> Option<Counting> {
    let program = condition("count_when", entry, references, mistakes)?;
    Some(if program.phase() == Phase::ResponseHead { Counting::Response(program) } else { Counting::Request(program) })
}

/// Check and count are one act: it waits for the last thing that either asks of the request.
fn phase(when: &Program, key: &[Program], counting: &Counting) -> Phase {
    let counting = if let Counting::Request(program) = counting { Some(program) } else { None };
    key.iter().chain(counting).map(Program::phase).max().unwrap_or(Phase::RequestHead).max(when.phase())
}
