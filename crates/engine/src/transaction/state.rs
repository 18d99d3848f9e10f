//! What a check needs from the counters outside: steps that read and change a key in one atomic act, and their answers. The
//! driver brings the answers, from memory at once or from a store by awaiting.

use std::sync::Arc;
use std::time::Duration;

/// One atomic step on one key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateStep {
    /// Unique over the installation: it begins with the zone's id and the rule's.
    pub key: Arc<str>,
    pub change: StateChange,
}

/// What is changed, and so what is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum StateChange {
    /// Adds to the counter of the current window; a window begins with the first addition. Answers the sum with this addition.
    Add { amount: u64, window: Duration },
}

/// The answer to one step, in the order of the steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateAnswer {
    /// The number after the change.
    Number(u64),
    /// The store is away or too slow: the rule's fail mode applies.
    Failed,
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use serde_json::json;

    use super::*;
    use crate::testing::{self, BundleText};
    use crate::{Action, BodyLength, FactError, FailMode, HttpVersion, Keys, Mode, RequestHead, RequestId, Scheme, Step};
    use crate::{Surroundings, Timestamp, Transaction};

    /// A request under a rule that blocks clients seen before; it stands where it needs the counter.
    fn waiting(fail: &str) -> (Transaction, Step) {
        let rule = testing::rule("probe", "request_head", "hoplon.probe.repeated", "block", "operations.fallthrough", fail);
        let bundle = BundleText::of(&[], &json!([rule])).load().unwrap();
        let now = Timestamp::from_micros(0);
        let mut transaction =
            Transaction::begin(bundle.into(), &Keys::derive(&[0; 32]), RequestId::new(now, 0), now, Mode::Enforce);
        let head = RequestHead {
            method: "GET",
            scheme: Scheme::Http,
            version: HttpVersion::Http2,
            authority: Some("api.example.com"),
            target: "/",
            headers: &HeaderMap::new(),
            client: [192, 0, 2, 1].into(),
            body: BodyLength::None,
        };
        let step = transaction.request_head(&head, &Surroundings::default());
        (transaction, step)
    }

    #[test]
    fn a_rule_waits_for_the_counter_and_then_decides() {
        for (sum, action) in [(1, Action::Allow), (2, Action::Block)] {
            let (mut transaction, step) = waiting("open");
            let change = StateChange::Add { amount: 1, window: Duration::from_secs(60) };
            assert_eq!(step, Step::NeedState(vec![StateStep { key: "probe/192.0.2.1".into(), change }]));
            assert_eq!(transaction.resume(&[StateAnswer::Number(sum)]), Step::Decided(action));
            assert_eq!(transaction.resume(&[StateAnswer::Number(9)]), Step::Decided(action), "answers that nobody waits for");
        }
    }

    #[test]
    fn a_store_that_is_away_means_the_rules_fail_mode_and_is_counted() {
        for (fail, mode, action) in [("open", FailMode::Open, Action::Allow), ("closed", FailMode::Closed, Action::Block)] {
            for answers in [&[StateAnswer::Failed][..], &[]] {
                let (mut transaction, _) = waiting(fail);
                assert_eq!(transaction.resume(answers), Step::Decided(action));
                let failures = &transaction.verdict().failures;
                assert_eq!((failures.len(), failures[0].error, failures[0].mode), (1, FactError::State, mode));
                assert!(transaction.verdict().violations.is_empty(), "a check that failed found nothing");
            }
        }
    }
}
