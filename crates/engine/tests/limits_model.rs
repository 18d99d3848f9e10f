//! The counters against a slow model that remembers every event: random requests of random limits, times, responses and ends. Every
//! answer must be the same, in rational numbers, whatever happened before.

use std::collections::HashMap;

use engine::Timestamp;
use engine::limits::{Check, Checked, Count, Counter, Counters, Held, Key, Outcome, StateAnswer, StateStep, Test};
use proptest::prelude::*;

const SECOND: u64 = 1_000_000;

/// What the model remembers of one key: each count with the time it was made at.
#[derive(Debug, Default)]
struct Remembered {
    counted: Vec<(u64, u64)>,
    in_flight: u64,
    until: u64,
}

impl Remembered {
    fn sum(&self, window: Option<u64>, period: u64) -> u128 {
        let amounts = self.counted.iter().filter(|(at, _)| Some(at / period) == window).map(|(_, amount)| u128::from(*amount));
        amounts.sum()
    }

    /// `prev * (1 - f) + cur`, times the period.
    fn estimate(&self, now: u64, period: u64) -> u128 {
        let window = now / period;
        self.sum(window.checked_sub(1), period) * u128::from(period - now % period)
            + self.sum(Some(window), period) * u128::from(period)
    }

    fn fits(&self, check: &Check, now: u64) -> bool {
        let period = u64::from(check.counter.period_seconds) * SECOND;
        let limit = u128::from(check.limit);
        match (period, check.test) {
            (0, _) => self.in_flight < u64::from(check.limit),
            (_, Test::Counting) => self.estimate(now, period) < limit * u128::from(period),
            (_, Test::Checking) => self.estimate(now, period) <= limit * u128::from(period),
        }
    }
}

#[derive(Debug, Default)]
struct Model {
    keys: HashMap<Key, Remembered>,
}

impl Model {
    fn outcome(&self, check: &Check, now: u64) -> Outcome {
        let none = Remembered::default();
        let key = self.keys.get(&check.counter.key).unwrap_or(&none);
        match () {
            () if key.until > now => Outcome::Mitigated,
            () if !key.fits(check, now) => Outcome::Exceeds,
            () => Outcome::Fits,
        }
    }

    fn decide(&mut self, step: &StateStep, now: u64) -> Vec<Outcome> {
        let outcomes: Vec<_> = step.checks.iter().map(|check| self.outcome(check, now)).collect();
        let is_stopped = step.checks.iter().zip(&outcomes).any(|(check, outcome)| check.stops && *outcome != Outcome::Fits);
        for (check, outcome) in step.checks.iter().zip(&outcomes) {
            let key = self.keys.entry(check.counter.key).or_default();
            match outcome {
                Outcome::Exceeds if check.mitigation_seconds > 0 => {
                    key.until = now + u64::from(check.mitigation_seconds) * SECOND
                }
                Outcome::Fits if !is_stopped && check.test == Test::Counting && check.counter.period_seconds == 0 => {
                    key.in_flight += 1;
                }
                Outcome::Fits if !is_stopped && check.test == Test::Counting => key.counted.push((now, 1)),
                _ => {}
            }
        }
        outcomes
    }
}

/// One of six limits: three that count, one that is counted after the response, one towards the upstream, one in flight.
fn check(limit: usize, client: u64) -> Check {
    let (period_seconds, most, test, mitigation_seconds, stops, to_origin) = match limit {
        0 => (10, 3, Test::Counting, 0, true, false),
        1 => (60, 1, Test::Counting, 30, true, false),
        2 => (7, 2, Test::Counting, 5, false, false),
        3 => (10, 2, Test::Checking, 20, true, false),
        4 => (10, 2, Test::Counting, 0, true, true),
        _ => (0, 2, Test::Counting, 0, true, false),
    };
    let key = Key::new((limit as u64 + 1) << 60 | (client + 1) << 20 | 7);
    let counter = Counter { key, overflow: Key::new(limit as u64 + 1), period_seconds };
    Check { counter, limit: most, test, mitigation_seconds, stops, to_origin }
}

#[derive(Clone, Debug)]
enum Act {
    Request { limits: Vec<usize>, client: u64 },
    Response { client: u64, amount: u32 },
    End { which: prop::sample::Index, went_upstream: bool },
}

fn act() -> impl Strategy<Value = Act> {
    let limits = prop::sample::subsequence((0..6).collect::<Vec<usize>>(), 1..=6);
    prop_oneof![
        6 => (limits, 0u64..3).prop_map(|(limits, client)| Act::Request { limits, client }),
        2 => (0u64..3, 1u32..4).prop_map(|(client, amount)| Act::Response { client, amount }),
        3 => (any::<prop::sample::Index>(), any::<bool>()).prop_map(|(which, went_upstream)| Act::End { which, went_upstream }),
    ]
}

/// A request that is under way: what it holds, and since when.
struct Under {
    at: u64,
    held: Vec<(Check, Held)>,
}

fn checked(answer: StateAnswer) -> Vec<Checked> {
    let StateAnswer::Checked(checked) = answer else { panic!("the counters are always there") };
    checked.into_vec()
}

fn end(model: &mut Model, counters: &Counters, under: Under, went_upstream: bool) {
    for (check, held) in under.held {
        counters.release(&held, went_upstream);
        let key = model.keys.get_mut(&check.counter.key).unwrap();
        if check.counter.period_seconds == 0 {
            key.in_flight -= 1;
        } else if !went_upstream {
            let at = key.counted.iter().position(|counted| *counted == (under.at, 1)).unwrap();
            key.counted.swap_remove(at);
        }
    }
}

proptest! {
    #[test]
    fn counters_decide_as_the_model_that_remembers_everything(
        acts in prop::collection::vec((act(), prop_oneof![3 => 0u64..900_000, 2 => 900_000u64..4_000_000, 1 => 4_000_000u64..70_000_000]), 1..120),
    ) {
        let (counters, mut model) = (Counters::new(0), Model::default());
        let mut now = 1_763_700_000 * SECOND;
        let mut running: Vec<Under> = Vec::new();
        for (act, later) in acts {
            now += later;
            let time = Timestamp::from_micros(now as i64);
            match act {
                Act::Request { limits, client } => {
                    let step = StateStep { checks: limits.iter().map(|limit| check(*limit, client)).collect() };
                    let answers = checked(counters.decide(&step, time));
                    let outcomes: Vec<_> = answers.iter().map(|answer| answer.outcome).collect();
                    prop_assert_eq!(outcomes, model.decide(&step, now));
                    let held = step.checks.iter().zip(&answers).filter_map(|(check, answer)| Some((*check, answer.held?)));
                    running.push(Under { at: now, held: held.collect() });
                }
                Act::Response { client, amount } => {
                    let counter = check(3, client).counter;
                    counters.count(&Count { counter, amount }, time);
                    model.keys.entry(counter.key).or_default().counted.push((now, amount.into()));
                }
                Act::End { which, went_upstream } if !running.is_empty() => {
                    let under = running.swap_remove(which.index(running.len()));
                    end(&mut model, &counters, under, went_upstream);
                }
                Act::End { .. } => {}
            }
        }
        running.into_iter().for_each(|under| end(&mut model, &counters, under, true));
        prop_assert!(model.keys.values().all(|key| key.in_flight == 0));
        prop_assert_eq!(counters.usage().tally.overflowed, 0);
    }
}
