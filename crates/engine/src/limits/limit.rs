//! One limit as it runs: which requests it is about, what they are counted by, and how much may be counted. Takes facts, gives the
//! question for the counters; decides nothing itself, so that a replay asks the same.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};

use super::key::{KeyHasher, KeySecret};
use super::slide::Test;
use super::step::{Check, Counter};
use super::told::Told;
use crate::bundle::RuleAction;
use crate::fact::{Fact, FactDef, Facts, Phase};
use crate::program::{Program, Truth};
use crate::verdict::{FactError, FailMode, OwnResponse, QuotaUnit};

/// What a response's score may be (Cloudflare, "Complexity-based rate limiting").
pub const MAX_SCORE: u32 = 1_000_000;

/// See the module.
#[derive(Debug)]
pub struct Limit {
    pub id: Arc<str>,
    /// When it is checked: as soon as everything it asks of the request is known.
    pub phase: Phase,
    /// Which requests are checked.
    pub when: Program,
    /// The characteristics, in order.
    pub key: Box<[Program]>,
    pub counting: Counting,
    pub quantity: Quantity,
    /// The sliding window; 0: requests in flight.
    pub period_seconds: u32,
    pub mitigation_seconds: u32,
    /// Requests that do not go upstream are not counted.
    pub to_origin: bool,
    /// Indexes of the operations that it is about; none: every request.
    pub(crate) operations: Option<Box<[u32]>>,
    pub(crate) action: RuleAction,
    pub(crate) fail: FailMode,
    pub(crate) response: Option<Arc<OwnResponse>>,
    pub(crate) code: Arc<str>,
    /// What tells its counters from another limit's.
    pub(crate) name: u64,
    /// How clients are told of it.
    pub(crate) told: Option<Told>,
}

/// Which requests are counted.
#[derive(Debug)]
pub enum Counting {
    /// Those that are checked.
    Matching,
    /// Those that the request tells, checked or not.
    Request(Program),
    /// Those that the response tells, checked or not.
    Response(Program),
}

/// What is counted, and how much of it may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quantity {
    Requests(u32),
    /// The number in this header of the response.
    Score {
        most: u32,
        header: HeaderName,
    },
    InFlight(u32),
}

/// What a limit asks about one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asking {
    /// It is neither checked nor counted.
    Nothing,
    This(Question),
    /// Only in replays: it hangs on a fact that was not recorded.
    Unknown,
    /// It hangs on a fact that could not be found out: the fail mode applies.
    Failed(FactError),
}

/// The counter, and what is done with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Question {
    pub counter: Counter,
    pub is_checked: bool,
    pub counted: Counted,
}

/// Whether a request is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    No,
    /// With the check, in one act.
    Now,
    /// When the response is known: by its score.
    ByScore,
    /// When the response is known: if it says so.
    ByResponse,
}

impl Limit {
    /// How much may be counted.
    #[must_use]
    pub fn most(&self) -> u32 {
        match self.quantity {
            Quantity::Requests(most) | Quantity::Score { most, .. } | Quantity::InFlight(most) => most,
        }
    }

    /// What it says of an excess: log or block.
    #[must_use]
    pub fn action_word(&self) -> &'static str {
        if self.action == RuleAction::Block { "block" } else { "log" }
    }

    /// The stable code of an excess.
    #[must_use]
    pub fn violation_code(&self) -> &str {
        &self.code
    }

    /// How clients are told of it.
    #[must_use]
    pub fn told(&self) -> Option<&Told> {
        self.told.as_ref()
    }

    /// What its quota is counted in.
    pub(crate) fn unit(&self) -> QuotaUnit {
        match self.quantity {
            Quantity::Requests(_) => QuotaUnit::Requests,
            Quantity::Score { .. } => QuotaUnit::Score,
            Quantity::InFlight(_) => QuotaUnit::InFlight,
        }
    }

    /// The facts that it asks of the request, and those that it asks of the response.
    pub(crate) fn facts(&self) -> impl Iterator<Item = (Phase, &'static FactDef)> {
        let (request, response) = match &self.counting {
            Counting::Matching => (None, None),
            Counting::Request(program) => (Some(program), None),
            Counting::Response(program) => (None, Some(program)),
        };
        let asked = std::iter::once(&self.when).chain(&self.key).chain(request).map(|program| (self.phase, program));
        let asked = asked.chain(response.map(|program| (Phase::ResponseHead, program)));
        asked.flat_map(|(phase, program)| program.facts().iter().map(move |fact| (phase, *fact)))
    }

    /// What it asks about a request. `client` names the overflow bucket.
    pub fn ask(&self, facts: &impl Facts, secret: &KeySecret, client: IpAddr) -> Asking {
        match self.match_request(facts) {
            Err(unknown) => unknown,
            Ok((false, Counted::No)) => Asking::Nothing,
            Ok((is_checked, counted)) => match self.counter(facts, secret, client) {
                Err(unknown) => unknown,
                Ok(counter) => Asking::This(Question { counter, is_checked, counted }),
            },
        }
    }

    fn match_request(&self, facts: &impl Facts) -> Result<(bool, Counted), Asking> {
        let matches = known(self.when.truth(facts))?;
        let counted = match &self.counting {
            Counting::Matching => matches,
            Counting::Request(program) => known(program.truth(facts))?,
            Counting::Response(_) => return Ok((matches, Counted::ByResponse)),
        };
        let is_score = matches!(self.quantity, Quantity::Score { .. });
        Ok(match (counted, is_score) {
            (false, _) => (matches, Counted::No),
            (true, false) => (matches, Counted::Now),
            (true, true) => (matches, Counted::ByScore),
        })
    }

    fn counter(&self, facts: &impl Facts, secret: &KeySecret, client: IpAddr) -> Result<Counter, Asking> {
        let mut hasher = secret.of_limit(self.name);
        let overflow = hasher.clone().overflow(client);
        self.key.iter().try_for_each(|program| hash_fact(program.value(facts), &mut hasher))?;
        Ok(Counter { key: hasher.finish(), overflow, period_seconds: self.period_seconds })
    }

    /// The check for the counters: what is only counted, or only later, is a check that cannot be exceeded, or that counts nothing.
    #[must_use]
    pub fn check(&self, question: &Question, stops: bool) -> Option<Check> {
        let test = if question.counted == Counted::Now { Test::Counting } else { Test::Checking };
        let Question { counter, is_checked, .. } = *question;
        match (is_checked, test) {
            (false, Test::Checking) => None,
            (false, Test::Counting) => Some(Check {
                counter,
                limit: u32::MAX,
                test,
                mitigation_seconds: self.mitigation_seconds,
                stops: false,
                to_origin: self.to_origin,
            }),
            (true, _) => Some(Check {
                counter,
                limit: self.most(),
                test,
                mitigation_seconds: self.mitigation_seconds,
                stops,
                to_origin: self.to_origin,
            }),
        }
    }

    /// How much is counted once the response is there; none when it is not counted.
    ///
    /// # Errors
    /// What could not be found out.
    pub fn amount(&self, counted: Counted, facts: &impl Facts, response: &HeaderMap) -> Result<Option<u32>, FactError> {
        let is_counted = match (counted, &self.counting) {
            (Counted::ByScore, _) => true,
            (Counted::ByResponse, Counting::Response(program)) => match program.truth(facts) {
                Truth::True => true,
                Truth::False | Truth::Unknown => false,
                Truth::Error(error) => return Err(error),
            },
            _ => false,
        };
        Ok(match &self.quantity {
            _ if !is_counted => None,
            Quantity::Score { header, .. } => score(response, header),
            Quantity::Requests(_) | Quantity::InFlight(_) => Some(1),
        })
    }

    /// What was found, in words: numbers only.
    #[must_use]
    pub fn evidence(&self) -> String {
        let period = self.period_seconds;
        match self.quantity {
            Quantity::Requests(most) => format!("more than {most} requests in {period} s"),
            Quantity::Score { most, .. } => format!("a score of more than {most} in {period} s"),
            Quantity::InFlight(most) => format!("more than {most} requests at the same time"),
        }
    }
}

/// The name of a limit's counters: its zone, its id and its period. Another period begins anew.
#[must_use]
pub fn counters_name(zone: &str, id: &str, period_seconds: u32) -> u64 {
    let hash = blake3::hash(format!("{zone}\0{id}\0{period_seconds}").as_bytes());
    hash.as_bytes()[..8].iter().fold(0, |name, byte| name << 8 | u64::from(*byte))
}

fn known(truth: Truth) -> Result<bool, Asking> {
    match truth {
        Truth::True => Ok(true),
        Truth::False => Ok(false),
        Truth::Unknown => Err(Asking::Unknown),
        Truth::Error(error) => Err(Asking::Failed(error)),
    }
}

fn hash_fact(fact: Fact<'_>, hasher: &mut KeyHasher) -> Result<(), Asking> {
    match fact {
        Fact::Value(value) => hasher.value(value),
        Fact::Missing => hasher.missing(),
        Fact::NotRecorded => return Err(Asking::Unknown),
        Fact::Error(error) => return Err(Asking::Failed(error)),
    }
    Ok(())
}

/// A number in digits, in its range; anything else counts nothing.
fn score(response: &HeaderMap, header: &HeaderName) -> Option<u32> {
    let text = response.get(header)?.to_str().ok()?.trim();
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|score| is_number && (1..=MAX_SCORE).contains(score))
}
