//! How often may they: limits on requests, on scores and on requests at the same time, per key. A [`Limit`] asks facts and names a
//! counter; [`Counters`] decide; what comes of it is in the Verdict. Pure: time is handed in, nothing here waits.

mod counters;
mod drive;
mod key;
mod limit;
mod part;
mod sets;
mod slide;
mod step;
mod told;

pub use counters::{Counters, DEFAULT_BYTES, MIN_BYTES, Mitigation, Tally, Usage};
pub use key::{Key, KeyHasher, KeySecret, ValueTag};
pub use limit::{Asking, Counted, Counting, Limit, MAX_SCORE, Quantity, Question, counters_name};
pub use part::Limits;
pub(crate) use part::{LimitEntry, LimitsPart, MAX_LIMITS};
pub use slide::{Now, Slide, Test};
pub use step::{Check, Checked, Count, Counter, Held, Outcome, StateAnswer, StateStep};
pub use told::Told;
