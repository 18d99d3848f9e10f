//! For tests of the engine only: a fact that needs a counter, so that the seam to the state store is driven.

use std::time::Duration;

use crate::fact::{Cost, Fact, FactDef};
use crate::transaction::{StateAnswer, StateChange, StateStep};
use crate::value::Type;
use crate::verdict::FactError;

pub(super) const FACTS: &[FactDef] = &[FactDef {
    cost: Cost::State,
    state: Some(|t| StateStep {
        key: format!("probe/{}", t.client).into(),
        change: StateChange::Add { amount: 1, window: Duration::from_secs(60) },
    }),
    ..FactDef::head("hoplon.probe.repeated", Type::Bool, "test", "the client was seen in the last minute", |t| {
        match t.seen.answer("hoplon.probe.repeated") {
            Some(StateAnswer::Number(sum)) => Fact::bool(sum > 1),
            Some(StateAnswer::Failed) => Fact::Error(FactError::State),
            None => Fact::Missing,
        }
    })
}];
