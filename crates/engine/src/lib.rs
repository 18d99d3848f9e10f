//! The engine: one Transaction at a time goes through it phase by phase, a Verdict and a TrafficRecord come out. Pure: no I/O,
//! no async, no clock and no randomness of its own, no Python.

#![forbid(unsafe_code)]

pub mod bundle;
pub mod fact;
pub mod features;
pub mod hash;
pub mod host;
pub mod identity;
pub mod json;
pub mod limits;
pub mod observe;
pub mod operations;
pub mod program;
pub mod record;
pub mod replay;
pub mod rules;
pub mod testing;
pub mod timestamp;
pub mod tokens;
pub mod transaction;
pub mod url;
pub mod value;
pub mod verdict;
pub mod violation;

pub use bundle::{
    BalancingMethod, BalancingSettings, BlockSettings, Bundle, BundleHash, HealthCheck, LoadError, LoadErrors,
    MaintenanceSettings, Manifest, ObserveSettings, RetrySettings, Timeouts, Upstream, UpstreamProtocol, Zone, ZoneIndex,
};
pub use fact::{Fact, FactDef, Facts, Phase};
pub use hash::Keys;
pub use limits::{StateAnswer, StateStep};
pub use observe::{Sample, Sampler};
pub use operations::{Operation, Operations};
pub use record::{Inspection, TrafficRecord, Violation};
pub use timestamp::Timestamp;
pub use transaction::{
    BodyLength, BodyNeed, Ended, HttpVersion, KnownHosts, Mode, Outcome, RequestHead, RequestId, RequestIdText, ResponseHead,
    Scene, Scheme, Step, Surroundings, Transaction,
};
pub use value::{Type, Value};
pub use verdict::{Action, CheckFailure, Effect, FactError, FailMode, OwnResponse, Verdict};
