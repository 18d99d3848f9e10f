//! From a value at a place to its row: everything that is written down of a value is decided here.

use std::hash::{DefaultHasher, Hasher};

use super::charset::Charset;
use super::detectors::{DetectorSet, detect};
use super::formats::{FormatSet, formats_of};
use super::literals::{LiteralTable, Sender};
use crate::hash::{Hash64, Keys};
use crate::json::Number;
use crate::record::{Direction, Location, Observation, ValueType};

/// Longest literal, in bytes.
pub const LITERAL_BYTES: usize = 64;
/// Up to here a number is kept exactly.
pub const EXACT_NUMBER: f64 = 1000.0;

/// Where a value stands and what its name says.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    pub direction: Direction,
    pub location: Location,
    pub pointer: &'p str,
    /// Kinds of secret that the names announce.
    pub kinds: DetectorSet,
    /// The name is `code`: four to eight digits under it are a one-time code.
    pub is_code: bool,
    /// The value may become a literal once the rule for literals is met.
    pub may_be_literal: bool,
}

/// Collects the rows of one transaction, at most `limit` of them.
pub(super) struct Rows<'a> {
    pub keys: &'a Keys,
    pub literals: &'a mut LiteralTable,
    pub sender: Sender,
    pub literal_sessions: usize,
    /// Keyed hash of zone, method, host and operation.
    pub seed: Hash64,
    pub limit: usize,
    pub rows: Vec<Observation>,
}

/// Formats of what identifies one thing: no enumeration has them, so they never become literals.
const IDENTIFYING: FormatSet = FormatSet::UUID
    .with(FormatSet::ULID)
    .with(FormatSet::TIME)
    .with(FormatSet::DATE_TIME)
    .with(FormatSet::EMAIL)
    .with(FormatSet::IPV4)
    .with(FormatSet::IPV6)
    .with(FormatSet::HEX)
    .with(FormatSet::BASE64)
    .with(FormatSet::JWT);

impl Rows<'_> {
    pub fn is_full(&self) -> bool {
        self.rows.len() >= self.limit
    }

    /// A text: a string of JSON, or any parameter.
    pub fn text(&mut self, place: Place<'_>, value: &str) {
        self.text_with(place, value, FormatSet::NONE);
    }

    /// A text of which formats are known that its form does not show.
    pub fn text_with(&mut self, place: Place<'_>, value: &str, known: FormatSet) {
        let charset = Charset::of(value.as_bytes());
        let formats = formats_of(value, charset).with(known);
        let is_one_time_code = place.is_code && (4..=8).contains(&value.len()) && charset.is_within(Charset::DIGIT);
        let kinds = place.kinds.with(if is_one_time_code { DetectorSet::OTP_NAME } else { DetectorSet::NONE });
        let detectors = kinds.with(detect(value, charset));
        let number = if formats.has_any(FormatSet::INTEGER.with(FormatSet::NUMBER)) { value.parse().ok() } else { None };
        let has_identity =
            !value.is_empty() && !formats.has_any(FormatSet::BOOLEAN) && !detectors.has_any(DetectorSet::GUESSABLE);
        let hash = has_identity.then(|| self.keys.value(value.as_bytes()));
        let literal = hash.and_then(|hash| self.literal(place, value, hash, (charset, formats, detectors, number)));
        self.push(Observation {
            charset,
            number: number.filter(|_| detectors.is_empty()).and_then(magnitude),
            formats,
            detectors,
            hash,
            literal,
            ..row(place, ValueType::String, value.len())
        });
    }

    /// A number of JSON. It becomes no literal: its magnitude says as much as may be known.
    pub fn number(&mut self, place: Place<'_>, raw: &str, number: Number, value_type: ValueType) {
        let is_one_time_code = place.is_code && (4..=8).contains(&raw.len()) && value_type == ValueType::Integer;
        let kinds = place.kinds.with(if is_one_time_code { DetectorSet::OTP_NAME } else { DetectorSet::NONE });
        let detectors = kinds.with(detect(raw, Charset::of(raw.as_bytes())));
        self.push(Observation {
            number: detectors.is_empty().then(|| number.as_f64()).and_then(magnitude),
            detectors,
            hash: (!detectors.has_any(DetectorSet::GUESSABLE)).then(|| self.keys.value(raw.as_bytes())),
            ..row(place, value_type, raw.len())
        });
    }

    /// What carries no identity: a boolean, null, a container, a whole body.
    pub fn plain(&mut self, place: Place<'_>, value_type: ValueType, length: usize) {
        self.push(Observation { detectors: place.kinds, ..row(place, value_type, length) });
    }

    fn push(&mut self, row: Observation) {
        if !self.is_full() {
            self.rows.push(row);
        }
    }

    fn literal(
        &mut self,
        place: Place<'_>,
        value: &str,
        hash: Hash64,
        seen: (Charset, FormatSet, DetectorSet, Option<f64>),
    ) -> Option<Box<str>> {
        let (charset, formats, detectors, number) = seen;
        let may_be = place.may_be_literal
            && detectors.is_empty()
            && !value.is_empty()
            && value.len() <= LITERAL_BYTES
            && !formats.has_any(IDENTIFYING)
            && !charset.has_any(Charset::CONTROL)
            && number.is_none_or(|number| number.abs() <= EXACT_NUMBER && value.len() <= 8)
            && !self.is_full();
        if !may_be {
            return None;
        }
        let place = self.key_of(place);
        self.literals.note(place, hash, self.sender, self.literal_sessions).then(|| value.into())
    }

    /// Two places share a key only by accident: the seed is a keyed hash.
    fn key_of(&self, place: Place<'_>) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed.0);
        hasher.write_u8(place.direction as u8);
        hasher.write_u8(place.location as u8);
        hasher.write(place.pointer.as_bytes());
        hasher.finish()
    }
}

fn row(place: Place<'_>, value_type: ValueType, length: usize) -> Observation {
    Observation {
        direction: place.direction,
        location: place.location,
        pointer: place.pointer.into(),
        value_type,
        length: u32::try_from(length).unwrap_or(u32::MAX),
        charset: Charset::NONE,
        number: None,
        formats: FormatSet::NONE,
        detectors: DetectorSet::NONE,
        hash: None,
        literal: None,
    }
}

/// Exact up to [`EXACT_NUMBER`], beyond that the middle of a bucket 1 % wide: powers of 1.01. None for what is not finite.
fn magnitude(number: f64) -> Option<f64> {
    if !number.is_finite() {
        return None;
    }
    if number.abs() <= EXACT_NUMBER {
        return Some(number);
    }
    let bucket = ((number.abs() / EXACT_NUMBER).ln() / 1.01_f64.ln()).round();
    let middle = EXACT_NUMBER * 1.01_f64.powf(bucket);
    middle.is_finite().then_some(middle.copysign(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_exact_up_to_a_thousand_then_to_one_per_cent() {
        for exact in [0.0, -3.0, 12.5, 1000.0, -1000.0] {
            assert_eq!(magnitude(exact), Some(exact));
        }
        for large in [1001.0, 493_021.0, -7e12, 1e300] {
            let got = magnitude(large).unwrap();
            assert!((got / large - 1.0).abs() < 0.006, "{large} became {got}");
        }
        assert_eq!(magnitude(493_021.0), magnitude(493_500.0), "neighbours share a bucket");
        assert_eq!(magnitude(f64::INFINITY), None);
    }
}
