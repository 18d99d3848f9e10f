//! What was decided about a Transaction: the action, every violation found, the rule that decided, the Effects to apply, and
//! which checks failed themselves. Plain data; the deciding is done in `rules`, the acting in the gateway.

use std::sync::Arc;

use smallvec::SmallVec;

use crate::bundle::BundleHash;
use crate::limits::Told;
use crate::record::Violation;

/// Violations kept in a verdict; those beyond are counted only.
pub const MAX_VIOLATIONS: usize = 32;

/// What happens to the transaction, in order of severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// It goes on.
    #[default]
    Allow,
    /// It goes on, and what was found is written down.
    Log,
    /// A rule stops it, in mode `enforce`.
    Block,
    /// It cannot be read in one way only, or belongs to no zone: stopped in every mode.
    Refuse,
}

impl Action {
    /// The word that records and metrics hold.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Log => "log",
            Self::Block => "block",
            Self::Refuse => "refuse",
        }
    }

    /// The action of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Allow, Self::Log, Self::Block, Self::Refuse].into_iter().find(|action| action.as_str() == word)
    }

    /// Whether the transaction goes on.
    #[must_use]
    pub const fn passes(self) -> bool {
        matches!(self, Self::Allow | Self::Log)
    }
}

/// What a rule does when its own check fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailMode {
    /// As if the fact were false.
    Open,
    /// As if the fact were true.
    Closed,
}

impl FailMode {
    /// The word that records and metrics hold.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// Why a fact could not be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FactError {
    /// The body is longer than the zone's inspection limit.
    OverLimit,
    /// The body is encoded, and only the upstream decodes it.
    Encoded,
    /// The body is nested deeper, or holds more, than is judged.
    TooComplex,
    /// The state store did not answer.
    State,
}

impl FactError {
    /// The word that records and metrics hold.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::OverLimit => "over_limit",
            Self::Encoded => "encoded",
            Self::TooComplex => "too_complex",
            Self::State => "state",
        }
    }
}

/// A check that failed itself, and so used its fail mode. Each use is counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckFailure {
    pub rule: Arc<str>,
    pub error: FactError,
    pub mode: FailMode,
}

/// What is to be done after the decision, exactly once, by the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// A host of a zone that names none answered successfully: it is known from now on.
    RememberHost { zone: Arc<str>, host: Arc<str> },
}

/// What a rule answers instead of the zone's problem document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnResponse {
    /// 400 to 499.
    pub status: u16,
    pub content_type: Arc<str>,
    /// At most 30 KB.
    pub content: Arc<str>,
}

/// What a quota is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaUnit {
    Requests,
    /// The upstream says how much each request costs.
    Score,
    /// Requests at the same time.
    InFlight,
}

impl QuotaUnit {
    /// The word in Python.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Score => "score",
            Self::InFlight => "in_flight",
        }
    }
}

/// What a limit that acts leaves to a client, at the moment of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quota {
    /// The limit's id.
    pub limit: Arc<str>,
    pub unit: QuotaUnit,
    pub most: u32,
    /// How clients are told of the limit; a score is not told.
    pub told: Option<Told>,
    /// 0: requests at the same time.
    pub period_seconds: u32,
    /// How many more fit.
    pub remaining: u32,
    /// To the end of the running window.
    pub reset_seconds: u32,
    /// Until one fits again; at least 1.
    pub retry_after_seconds: u32,
}

/// The decision about one transaction, as far as it got.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    pub action: Action,
    /// Every violation found, at most [`MAX_VIOLATIONS`].
    pub violations: Vec<Violation>,
    /// Violations found beyond those.
    pub violations_dropped: u32,
    /// The rule that decided: the first with the severest action.
    pub rule: Option<Arc<str>>,
    /// What that rule answers, when it blocks with a response of its own.
    pub response: Option<Arc<OwnResponse>>,
    /// The policy that decided.
    pub bundle: BundleHash,
    pub effects: SmallVec<[Effect; 1]>,
    pub failures: Vec<CheckFailure>,
    /// Of the limits that act: the one that stopped the transaction, else the tightest that was checked.
    pub quota: Option<Quota>,
    /// That one stopped it.
    pub is_limited: bool,
}

impl Verdict {
    /// Nothing found yet.
    #[must_use]
    pub(crate) fn new(bundle: BundleHash) -> Self {
        Self {
            action: Action::Allow,
            violations: Vec::new(),
            violations_dropped: 0,
            rule: None,
            response: None,
            bundle,
            effects: SmallVec::new(),
            failures: Vec::new(),
            quota: None,
            is_limited: false,
        }
    }

    /// Why the transaction was refused, if it was: the code of the violation.
    #[must_use]
    pub fn refusal(&self) -> Option<&str> {
        let found = self.violations.iter().find(|v| v.action == Action::Refuse);
        found.map(|violation| &*violation.code)
    }

    pub(crate) fn add(&mut self, violation: Violation) {
        if self.violations.len() < MAX_VIOLATIONS {
            self.violations.push(violation);
        } else {
            self.violations_dropped += 1;
        }
    }

    /// A limit let the transaction pass: of several, the one with the least left is shown.
    pub(crate) fn show_quota(&mut self, quota: Quota) {
        let is_tighter = |shown: &Quota| (quota.remaining, shown.reset_seconds) < (shown.remaining, quota.reset_seconds);
        if !self.is_limited && self.quota.as_ref().is_none_or(is_tighter) {
            self.quota = Some(quota);
        }
    }

    /// A limit stopped the transaction: of several, the one with the longest wait is shown.
    pub(crate) fn limit(&mut self, quota: Quota) {
        let is_longer = |shown: &Quota| quota.retry_after_seconds > shown.retry_after_seconds;
        if !self.is_limited || self.quota.as_ref().is_none_or(is_longer) {
            self.quota = Some(quota);
        }
        self.is_limited = true;
    }

    /// Takes the action of a rule, unless an earlier one was as severe.
    pub(crate) fn decide(&mut self, action: Action, rule: Option<&Arc<str>>, response: Option<&Arc<OwnResponse>>) {
        if action > self.action {
            self.action = action;
            self.rule = rule.cloned();
            self.response = response.filter(|_| action == Action::Block).cloned();
        }
    }
}
