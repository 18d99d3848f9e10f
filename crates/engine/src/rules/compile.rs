//! From a rule's entry in a bundle to a rule that runs. Every mistake is told, each with the member it stands in.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Rule, Skip, Stage};
use crate::bundle::{FailEntry, ResponseEntry, RuleAction, RuleEntry, SkipEntry};
use crate::fact::Phase;
use crate::features;
use crate::program::{Lists, Program};
use crate::value::Type;
use crate::verdict::{FailMode, OwnResponse};

/// Bytes of a response's content, as Cloudflare allows them.
const MAX_CONTENT_BYTES: usize = 30_720;
const MAX_CONTENT_TYPE_BYTES: usize = 255;
/// Operations and ids that one rule names.
const MAX_NAMED: usize = 100_000;

/// Where mistakes go: the member, and a sentence.
pub(crate) type Mistakes = Vec<(String, String)>;

/// What a rule may refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct References<'z> {
    /// Indexes of the saved operations, by id.
    pub operations: &'z HashMap<&'z str, u32>,
    pub lists: &'z Lists,
}

impl Rule {
    /// The rule at this place of the bundle.
    ///
    /// # Errors
    /// Every mistake.
    pub(crate) fn compile(entry: RuleEntry, place: u32, references: References<'_>) -> Result<Self, Mistakes> {
        let mut mistakes = Mistakes::new();
        let mut note = |member: &str, message: String| mistakes.push((member.to_owned(), message));
        let phase = entry.phase.as_deref().map(phase).transpose().map_err(|message| note("phase", message));
        let stage = entry.stage.as_deref().map_or(Ok(Stage::Features), stage).map_err(|message| note("stage", message));
        let when = program(&entry, references.lists).map_err(|(member, message)| note(&member, message));
        let violation = features::violation(violation_code(&entry)).map_err(|message| note("violation", message));
        let operations = entry.operations.map(|ids| named_operations(&ids, references)).transpose();
        let operations = operations.map_err(|message| note("operations", message));
        let response = entry.response.map(|response| own_response(response, entry.action)).transpose();
        let response = response.map_err(|(member, message)| note(member, message));
        let skip = skip(entry.skip, entry.action).map_err(|(member, message)| note(member, message));
        if let (Ok(when), Ok(Some(phase))) = (&when, &phase)
            && when.phase() > *phase
        {
            let member = if entry.when.is_some() { "when" } else { "fact" };
            note(member, format!("is not known before the phase {}", when.phase().as_str()));
        }
        match (phase, stage, when, violation, operations, response, skip) {
            (Ok(phase), Ok(stage), Ok(when), Ok(violation), Ok(operations), Ok(response), Ok(skip)) if mistakes.is_empty() => {
                Ok(Self {
                    id: entry.id.into(),
                    stage,
                    phase: phase.unwrap_or_else(|| when.phase()),
                    when,
                    place,
                    operations,
                    action: entry.action,
                    code: violation.def.code.into(),
                    violation,
                    fail: entry.fail.into(),
                    response: response.map(Arc::new),
                    skip: skip.map(Arc::new),
                })
            }
            _ => Err(mistakes),
        }
    }
}

fn program(entry: &RuleEntry, lists: &Lists) -> Result<Program, (String, String)> {
    match (&entry.when, entry.fact.as_deref()) {
        (Some(when), None) => Program::load_condition(when, lists).map_err(|(place, message)| (format!("when.{place}"), message)),
        (None, Some(fact)) => asked(fact).map_err(|message| ("fact".into(), message)),
        (None, None) => Err(("when".into(), "is missing: a rule asks something".into())),
        (Some(_), Some(_)) => Err(("fact".into(), "stands beside `when`: a rule asks one of them".into())),
    }
}

fn asked(fact: &str) -> Result<Program, String> {
    let program = Program::of_fact(features::fact(fact)?);
    match program.result() {
        Type::Bool => Ok(program),
        other => Err(format!("is of type {other}: a rule asks a Boolean")),
    }
}

fn violation_code(entry: &RuleEntry) -> &str {
    match (&entry.violation, entry.action) {
        (Some(code), _) => code,
        (None, RuleAction::Skip) => "rules.skipped",
        (None, _) => "",
    }
}

fn phase(word: &str) -> Result<Phase, String> {
    let found = Phase::ALL.into_iter().find(|phase| phase.as_str() == word);
    found.ok_or_else(|| features::unknown("phase", word, Phase::ALL.into_iter().map(Phase::as_str)))
}

/// Limits are no rules: they have a part of their own.
fn stage(word: &str) -> Result<Stage, String> {
    let stages = || [Stage::Custom, Stage::Features].into_iter();
    let found = stages().find(|stage| stage.as_str() == word);
    found.ok_or_else(|| features::unknown("stage", word, stages().map(Stage::as_str)))
}

/// The indexes of the operations with these ids.
///
/// # Errors
/// A sentence with the first that there is not.
pub(crate) fn named_operations(ids: &[String], references: References<'_>) -> Result<Box<[u32]>, String> {
    if ids.len() > MAX_NAMED {
        return Err(format!("has {} entries, not 0 to {MAX_NAMED}", ids.len()));
    }
    let index = |id: &String| {
        let index = references.operations.get(id.as_str()).copied();
        index.ok_or_else(|| format!("names `{}`, which is no operation of the zone", id.chars().take(64).collect::<String>()))
    };
    let mut indexes = ids.iter().map(index).collect::<Result<Vec<_>, _>>()?;
    indexes.sort_unstable();
    indexes.dedup();
    Ok(indexes.into())
}

/// The response of a rule or a limit that blocks.
///
/// # Errors
/// The member and a sentence.
pub(crate) fn own_response(entry: ResponseEntry, action: RuleAction) -> Result<OwnResponse, (&'static str, String)> {
    let wrong = |member, message: String| Err((member, message));
    let is_type = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    match entry {
        _ if action != RuleAction::Block => wrong("response", "is for the action block only".into()),
        ResponseEntry { status, .. } if !(400..=499).contains(&status) => {
            wrong("response.status", format!("is {status}, not 400 to 499"))
        }
        ResponseEntry { content, .. } if content.len() > MAX_CONTENT_BYTES => {
            wrong("response.content", format!("has {} bytes, not at most {MAX_CONTENT_BYTES}", content.len()))
        }
        ResponseEntry { content_type, .. }
            if !matches!(content_type.len(), 1..=MAX_CONTENT_TYPE_BYTES) || !content_type.bytes().all(is_type) =>
        {
            wrong("response.content_type", "is not a media type".into())
        }
        entry => Ok(OwnResponse { status: entry.status, content_type: entry.content_type.into(), content: entry.content.into() }),
    }
}

fn skip(entry: Option<SkipEntry>, action: RuleAction) -> Result<Option<Skip>, (&'static str, String)> {
    match (entry, action) {
        (None, RuleAction::Skip) => Err(("skip", "is missing: it says what is skipped".into())),
        (None, _) => Ok(None),
        (Some(_), RuleAction::Log | RuleAction::Block) => Err(("skip", "is for the action skip only".into())),
        (Some(entry), _) if entry.rules.len() > MAX_NAMED => Err(("skip.rules", format!("has more than {MAX_NAMED} entries"))),
        (Some(entry), RuleAction::Skip) => {
            let stage = |word: &String| Stage::ALL[1..].iter().copied().find(|stage| stage.as_str() == word);
            let stages = entry.stages.iter().map(stage).collect::<Option<Vec<_>>>();
            let stages = stages.ok_or(("skip.stages", "are limits and features".to_owned()))?;
            let rules = entry.rules.into_iter().map(Into::into).collect();
            Ok(Some(Skip { rest: entry.rest, stages, rules, log: entry.log }))
        }
    }
}

impl From<FailEntry> for FailMode {
    fn from(entry: FailEntry) -> Self {
        match entry {
            FailEntry::Open => Self::Open,
            FailEntry::Closed => Self::Closed,
        }
    }
}
