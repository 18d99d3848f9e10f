//! Sampling of transactions and what their values looked like.

use crate::bundle::ObserveSettings;
use crate::hash::{Hash64, Keys};
use crate::timestamp::Timestamp;
use crate::transaction::{RequestHead, ResponseHead};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Charset(pub u16);
impl std::fmt::Display for Charset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FormatSet(pub u32);
impl FormatSet {
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        std::iter::empty()
    }
}
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DetectorSet(pub u32);
impl DetectorSet {
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        std::iter::empty()
    }
}

/// Decides which transactions are sampled.
#[derive(Debug, Default)]
pub struct Sampler;

impl Sampler {
    /// 0: not sampled, else the probability with which it was.
    pub fn decide(&self, _operation: u64, _session: Hash64, settings: &ObserveSettings, _now: Timestamp, dice: u64) -> f32 {
        if (dice as f64) < f64::from(settings.probability) * u64::MAX as f64 { settings.probability } else { 0.0 }
    }
}

/// Raw bounded copies of a sampled transaction; in memory only.
#[derive(Debug)]
pub struct Sample {
    pub probability: f32,
}

impl Sample {
    pub fn new(probability: f32, _settings: &ObserveSettings, _head: &RequestHead<'_>, _path: &str) -> Self {
        Self { probability }
    }
    pub fn request_piece(&mut self, _piece: &[u8]) {}
    pub fn response_head(&mut self, _head: &ResponseHead<'_>) {}
    pub fn response_piece(&mut self, _piece: &[u8]) {}
}

/// The path as a record may hold it.
#[must_use]
pub fn redact_path(path: &str, _keys: &Keys) -> Box<str> {
    path.chars().take(1024).collect()
}

/// Values that enough sessions sent.
#[derive(Debug, Default)]
pub struct LiteralTable;
