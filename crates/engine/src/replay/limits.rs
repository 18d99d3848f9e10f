//! What limits ask about a record, and what they count of it. The questions are the engine's; where a characteristic is kept as a hash
//! only, the hash stands for it, as its counters go by it anyway.

use std::time::Duration;

use super::counts::{Amount, Change, CountKey, Counts, Excess};
use super::facts::Recorded;
use super::judge::{Certainty, Judgement};
use crate::bundle::RuleAction;
use crate::fact::Fact;
use crate::hash::SessionSource;
use crate::limits::{
    Check, Counted, Counter, Counting, Key, KeyHasher, KeySecret, Limit, MAX_SCORE, Quantity, Question, Test, ValueTag,
};
use crate::program::{Program, Truth};
use crate::timestamp::Timestamp;
use crate::verdict::Action;

/// What a limit asks about a record.
pub(super) enum Asking {
    Nothing,
    This(Asked),
    /// It could not be found out: the fail mode applies.
    Failed(Certainty),
}

impl Asking {
    /// Whether something that was not recorded may make it another one.
    pub fn is_open(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Failed(certainty) => *certainty == Certainty::Possible,
            Self::This(asked) => asked.key.key.is_none() || [asked.checked, asked.counted].contains(&Some(Certainty::Possible)),
        }
    }
}

/// A question to the counters.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub key: CountKey,
    pub check: Check,
    pub action: Action,
    /// Whether it is checked; none: it is only counted.
    pub checked: Option<Certainty>,
    counted: Option<Certainty>,
    /// It is open whether this one is counted, apart from whether it is checked.
    may_be_checked_only: bool,
    when: When,
}

/// When it is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum When {
    Now,
    ToOrigin,
    InFlight,
    /// With the response.
    Response,
}

/// What is counted once the verdict is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    key: CountKey,
    period_seconds: u32,
    amount: Amount,
    when: When,
}

/// What this limit asks. `is_open`: whether it was asked at all.
pub(super) fn ask(place: u32, limit: &Limit, facts: &Recorded<'_>, is_open: bool) -> Asking {
    let known = if is_open { Certainty::Possible } else { Certainty::Certain };
    let certainty = |truth| match truth {
        Truth::True => Ok(Some(known)),
        Truth::False => Ok(None),
        Truth::Unknown => Ok(Some(Certainty::Possible)),
        Truth::Error(_) => Err(known),
    };
    let (is_by_response, counting) = match &limit.counting {
        Counting::Matching => (false, None),
        Counting::Request(program) => (false, Some(program)),
        Counting::Response(_) => (true, None),
    };
    let found = certainty(limit.when.truth(facts)).and_then(|checked| {
        let counted = match counting {
            _ if is_by_response => Some(known),
            None => checked,
            Some(program) => certainty(program.truth(facts))?,
        };
        Ok((checked, counted))
    });
    let (checked, counted) = match found {
        Ok((None, None)) => return Asking::Nothing,
        Ok(found) => found,
        Err(certainty) => return Asking::Failed(certainty),
    };
    match key(limit, facts) {
        Err(Failed) => {
            let is_certain = [checked, counted].contains(&Some(Certainty::Certain));
            Asking::Failed(if is_certain { Certainty::Certain } else { Certainty::Possible })
        }
        Ok(key) => Asking::This(Asked::new(CountKey { limit: place, key }, limit, checked, counted)),
    }
}

struct Failed;

/// The hash of gateway and characteristics; none where the record does not tell them.
fn key(limit: &Limit, facts: &Recorded<'_>) -> Result<Option<u64>, Failed> {
    let mut hasher = KeySecret::new(&[0; 32]).of_limit(limit.name);
    hasher.bytes(ValueTag::Bytes, facts.row.gateway.as_bytes());
    for program in &limit.key {
        let is_known = match program.plain_fact() {
            Some("ip.src") => hash_client(facts, &mut hasher),
            Some("hoplon.session.value") => hash_session(facts, &mut hasher),
            _ => hash_value(program, facts, &mut hasher)?,
        };
        if !is_known {
            return Ok(None);
        }
    }
    Ok(Some(hasher.finish().get()))
}

fn hash_value(program: &Program, facts: &Recorded<'_>, hasher: &mut KeyHasher) -> Result<bool, Failed> {
    match program.value(facts) {
        Fact::Value(value) => hasher.value(value),
        Fact::Missing => hasher.missing(),
        Fact::NotRecorded => return Ok(false),
        Fact::Error(_) => return Err(Failed),
    }
    Ok(true)
}

/// Counters go by the same as the record's hash: an IPv4 address whole, IPv6 by its /64.
fn hash_client(facts: &Recorded<'_>, hasher: &mut KeyHasher) -> bool {
    let client = facts.row.client;
    if let Some(client) = client {
        hasher.word(ValueTag::Address, client.0);
    }
    client.is_some()
}

/// An identifier's value, where the session is one of the policy's identifiers: equal values of two identifiers are one value
/// there and two sessions here, so with several of them it is not known.
fn hash_session(facts: &Recorded<'_>, hasher: &mut KeyHasher) -> bool {
    match (facts.session(), facts.row.session_source) {
        (Some(_), Some(SessionSource::Authorization | SessionSource::ClientAddress)) => hasher.missing(),
        (Some(session), Some(SessionSource::Identifier)) if facts.zone.identifiers.0.len() == 1 => {
            hasher.word(ValueTag::Bytes, session.0);
        }
        _ => return false,
    }
    true
}

impl Asked {
    fn new(key: CountKey, limit: &Limit, checked: Option<Certainty>, counted: Option<Certainty>) -> Self {
        let is_score = matches!(limit.quantity, Quantity::Score { .. });
        let is_later = is_score || matches!(limit.counting, Counting::Response(_));
        let when = match limit.quantity {
            _ if is_later => When::Response,
            Quantity::InFlight(_) => When::InFlight,
            _ if limit.to_origin => When::ToOrigin,
            _ => When::Now,
        };
        let counter = Counter { key: Key::new(0), overflow: Key::new(0), period_seconds: limit.period_seconds };
        let is_counted_now = counted.is_some() && !is_later;
        let question =
            Question { counter, is_checked: checked.is_some(), counted: if is_counted_now { Counted::Now } else { Counted::No } };
        let stops = limit.action == RuleAction::Block;
        let nothing = Check {
            counter,
            limit: u32::MAX,
            test: Test::Checking,
            mitigation_seconds: 0,
            stops: false,
            to_origin: limit.to_origin,
        };
        let check = limit.check(&question, stops).unwrap_or(nothing);
        let action = if stops { Action::Block } else { Action::Log };
        let is_apart = matches!(limit.counting, Counting::Request(_));
        let may_be_checked_only = is_apart && counted == Some(Certainty::Possible) && !is_later;
        Self { key, check, action, checked, counted, may_be_checked_only, when }
    }

    pub fn excess(&self, counts: &Counts, now: Timestamp) -> Excess {
        let by = |test| counts.excess(self.key, &Check { test, ..self.check }, now);
        match self.checked {
            None => Excess::No,
            // One that is counted itself is held against a lower bar than one that is only checked.
            Some(_) if self.may_be_checked_only && by(Test::Counting) != by(Test::Checking) => Excess::Maybe,
            Some(_) => by(self.check.test),
        }
    }

    /// Whether it stops the request.
    pub fn stops(&self, excess: Excess) -> Excess {
        match self.checked {
            Some(checked) if self.check.stops => excess.if_asked(checked),
            _ => Excess::No,
        }
    }

    /// What is counted: what fits, of requests that are not stopped.
    pub fn pending(&self, excess: Excess, stopped: Excess) -> Option<Pending> {
        let counted = self.counted?;
        let over = match (self.when, self.checked) {
            // The response is counted whatever the check said, if there is one.
            (When::Response, _) | (_, None) => Excess::No,
            (_, Some(checked)) => excess.if_asked(checked),
        };
        let amount = match Excess::or(over, stopped) {
            Excess::Yes => return None,
            Excess::No if counted == Certainty::Certain => Amount { least: 1, most: 1 },
            _ => Amount { least: 0, most: 1 },
        };
        Some(Pending { key: self.key, period_seconds: self.check.counter.period_seconds, amount, when: self.when })
    }
}

impl Excess {
    /// Of a check that may not have been asked.
    fn if_asked(self, asked: Certainty) -> Self {
        if asked == Certainty::Possible && self == Self::Yes { Self::Maybe } else { self }
    }

    /// Either of two.
    pub fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Maybe,
        }
    }
}

impl Pending {
    /// Counts it, now or when it happened.
    pub fn count(&self, facts: &Recorded<'_>, judgement: &Judgement, counts: &mut Counts) {
        let Self { key, period_seconds, amount, when } = *self;
        let (row, now) = (facts.row, facts.row.time);
        let passes = judgement.high.passes();
        let is_stopped = !judgement.low.passes();
        match when {
            When::Now => counts.count(key, period_seconds, amount, now),
            When::ToOrigin if is_stopped => {}
            When::ToOrigin => {
                let went = row.upstream.is_some() || row.upstream_status.is_some();
                counts.count(key, period_seconds, if passes && went { amount } else { amount.at_most() }, now);
            }
            When::InFlight if is_stopped => {}
            When::InFlight => {
                // Of a request that was stopped then it is not known how long it would have taken.
                let is_measured = row.action.is_some_and(Action::passes);
                let amount = if passes && is_measured { amount } else { amount.at_most() };
                counts.count(key, period_seconds, amount, now);
                if is_measured {
                    let end = now.plus(Duration::from_micros(row.duration_us.into()));
                    counts.later(end, key, period_seconds, Change::Release(amount));
                }
            }
            When::Response => {
                let Some(of_response) = response_amount(facts, key) else { return };
                let is_certain = passes && amount.least > 0 && matches!(row.upstream_status, Some(status) if status != 101);
                let at = row.upstream_us.map_or(now, |micros| now.plus(Duration::from_micros(micros.into())));
                let amount = if is_certain { of_response } else { of_response.at_most() };
                counts.later(at, key, period_seconds, Change::Count(amount));
            }
        }
    }
}

/// What the response counts for; none when it is not counted.
fn response_amount(facts: &Recorded<'_>, key: CountKey) -> Option<Amount> {
    let limit = &facts.zone.limits.all()[key.limit as usize];
    let each = match limit.quantity {
        Quantity::Score { .. } => Amount { least: 0, most: MAX_SCORE },
        Quantity::Requests(_) | Quantity::InFlight(_) => Amount { least: 1, most: 1 },
    };
    let truth = match &limit.counting {
        Counting::Response(program) => program.truth(facts),
        _ => Truth::True,
    };
    facts.take_gaps();
    match truth {
        Truth::True => Some(each),
        Truth::Unknown => Some(each.at_most()),
        Truth::False | Truth::Error(_) => None,
    }
}
