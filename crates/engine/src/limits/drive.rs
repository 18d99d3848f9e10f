//! Counters and a transaction together: what every driver does that has the counters in its own memory (the gateway, the engine
//! in process). The time is the driver's: it must not go back, or counters restart (see [`super::Slide::at`]).

use http::HeaderMap;

use super::counters::Counters;
use crate::timestamp::Timestamp;
use crate::transaction::{Step, Transaction};

impl Counters {
    /// Answers what a step asks of the counters, until it asks for something else. `head` is the message's head where the step
    /// came from one.
    pub fn answer(&self, mut step: Step, transaction: &mut Transaction, head: Option<&HeaderMap>, now: Timestamp) -> Step {
        while let Step::NeedState(asked) = step {
            step = transaction.resume(&self.decide(&asked, now), head);
        }
        step
    }

    /// Counts what the response made countable. To be called as soon as its head was judged.
    pub fn count_response(&self, transaction: &mut Transaction, now: Timestamp) {
        transaction.take_counts().iter().for_each(|count| self.count(count, now));
    }

    /// Gives back what ends with a transaction.
    pub fn end(&self, transaction: &mut Transaction, went_upstream: bool) {
        transaction.take_held().iter().for_each(|held| self.release(held, went_upstream));
    }
}
