//! What a rule with the action `skip` lets a transaction pass. Acts on what stands behind that rule only.

use std::sync::Arc;

use smallvec::SmallVec;

use super::{Rule, Stage};

/// What one rule skips.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Skip {
    /// The custom rules behind it.
    pub rest: bool,
    /// Whole stages behind it.
    pub stages: Vec<Stage>,
    /// Rules and limits by id.
    pub rules: Vec<Arc<str>>,
    /// Whether the match is written down.
    pub log: bool,
}

/// What a transaction skips, in all its phases.
#[derive(Clone, Debug, Default)]
pub struct Skips(SmallVec<[(u32, Arc<Skip>); 1]>);

impl Skips {
    pub(crate) fn add(&mut self, place: u32, skip: &Arc<Skip>) {
        self.0.push((place, skip.clone()));
    }

    /// Whether a whole stage is passed.
    #[must_use]
    pub fn has_stage(&self, stage: Stage) -> bool {
        self.0.iter().any(|(_, skip)| skip.stages.contains(&stage))
    }

    /// Whether a limit or a rule behind the stage of custom rules is passed by its id.
    #[must_use]
    pub fn has_id(&self, id: &str) -> bool {
        self.0.iter().any(|(_, skip)| skip.rules.iter().any(|skipped| **skipped == *id))
    }

    pub(crate) fn has_rule(&self, rule: &Rule) -> bool {
        match rule.stage {
            Stage::Custom => {
                self.0.iter().any(|(place, skip)| *place < rule.place && (skip.rest || skip.rules.contains(&rule.id)))
            }
            stage => self.has_stage(stage) || self.has_id(&rule.id),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
