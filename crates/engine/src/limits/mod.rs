//! How often may they: limits on requests, on scores and on requests at the same time, per key.

mod counters;
mod key;
mod sets;
mod slide;
mod step;

pub use counters::{Counters, DEFAULT_BYTES, MIN_BYTES, Mitigation, Tally, Usage};
pub use key::{Key, KeyHasher, KeySecret, ValueTag};
pub use slide::{Now, Slide, Test};
pub use step::{Check, Checked, Count, Counter, Held, Outcome, StateAnswer, StateStep};
