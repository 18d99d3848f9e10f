//! What the values of a sampled transaction looked like: from its Sample and TrafficRecord to its Observations, and what a record may
//! hold of texts that a client chose. Runs off the serving threads, but for the sampler and the copying. Secrets end here: nothing
//! behind this module sees a value that was not judged by it.

mod body;
mod charset;
mod decompress;
mod detectors;
mod formats;
mod head;
mod literals;
mod names;
mod numbers_in_text;
mod random;
mod redact;
mod rows;
mod sample;
mod sampler;
mod sets;

pub use charset::Charset;
pub use detectors::{DetectorSet, detect};
pub use formats::{FormatSet, formats_of};
pub use literals::{LiteralTable, MAX_SESSIONS, Sender};
pub use names::kinds_of_name;
pub use redact::{
    NAME_BYTES, OTHER_METHOD, PATH_BYTES, PathPlan, SEGMENT_BYTES, describe, media_type, redact_host, redact_method, redact_name,
    redact_path,
};
pub(crate) use redact::{Redacted, redacted};
pub use rows::{EXACT_NUMBER, LITERAL_BYTES};
pub use sample::Sample;
pub use sampler::Sampler;

use crate::hash::{Hash64, Keys};
use crate::record::{Direction, Observation, TrafficRecord};

/// The rows of a sampled transaction, at most `max_leaves` of its zone's settings: path, query and headers first, then the request's
/// body, then the response's. Which values appear as literals depends on what `literals` has seen before.
#[must_use]
pub fn observe(sample: &Sample, record: &TrafficRecord, literals: &mut LiteralTable, keys: &Keys) -> Vec<Observation> {
    let limit = sample.settings.max_leaves as usize;
    let template = record.operation_path.as_deref();
    let mut rows = rows::Rows {
        keys,
        literals,
        sender: Sender {
            session: record.session.unwrap_or(record.client),
            client: record.client,
            verified: record.session_verified,
        },
        literal_sessions: sample.settings.literal_sessions as usize,
        seed: place_seed(record, keys),
        limit,
        rows: Vec::with_capacity(limit.min(64)),
    };
    let copy_bound = sample.settings.body_copy_bytes;
    head::observe_path(&mut rows, &sample.path, template);
    head::observe_query(&mut rows, &sample.query);
    head::observe_headers(&mut rows, &sample.request, Direction::Request);
    head::observe_headers(&mut rows, &sample.response, Direction::Response);
    if !sample.response.body.is_empty() {
        rows.limit = limit - limit.saturating_sub(rows.rows.len()) / 2;
    }
    body::observe_body(&mut rows, &sample.request, Direction::Request, copy_bound);
    rows.limit = limit;
    body::observe_body(&mut rows, &sample.response, Direction::Response, copy_bound);
    rows.rows
}

/// The operation that matched, else the shape of the path: `/orders/1` and `/orders/2` are one place.
fn place_seed(record: &TrafficRecord, keys: &Keys) -> Hash64 {
    let path = record.operation_path.as_deref().map_or_else(|| redact::shape_of(&record.path), str::to_owned);
    let status_class = [b'0' + (record.status / 100).min(9) as u8];
    let parts = [record.zone.as_bytes(), record.method.as_bytes(), record.host.as_bytes(), path.as_bytes(), &status_class];
    keys.value(&parts.join(&0))
}
