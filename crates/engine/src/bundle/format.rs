//! The serialisation of a bundle, format 1: the manifest and its parts as they are written, member by member. Reading them is
//! all that happens here; what they may say is checked in `load`.

use std::path::PathBuf;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::serving::{BalancingSettings, HealthEntry, MaintenanceSettings, RetrySettings};
use crate::program::ProgramEntry;

/// The format that this engine writes in its documentation and reads.
pub const FORMAT: u32 = 1;

/// What a bundle is made of.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    pub format: u32,
    /// RFC 3339; when the newest policy version in it was committed.
    pub created_at: String,
    pub zones: Vec<ManifestZone>,
    pub parts: Vec<ManifestPart>,
}

/// One zone and the policy version that the bundle holds of it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestZone {
    pub id: String,
    pub name: String,
    pub policy_version: u64,
}

/// One part: what it is, whose, and which bytes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestPart {
    pub kind: PartKind,
    pub zone: String,
    pub format: u32,
    pub sha256: String,
    pub bytes: u64,
}

/// The kinds of parts; each zone has one of each, but for those that it may do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartKind {
    Zone,
    Operations,
    Rules,
    Identity,
    Lists,
    Tokens,
    TokenKeys,
    Limits,
}

impl PartKind {
    /// The kinds that no zone may lack.
    pub const REQUIRED: [Self; 3] = [Self::Zone, Self::Operations, Self::Rules];

    /// The word in the manifest and in paths of errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Zone => "zone",
            Self::Operations => "operations",
            Self::Rules => "rules",
            Self::Identity => "identity",
            Self::Lists => "lists",
            Self::Tokens => "tokens",
            Self::TokenKeys => "token_keys",
            Self::Limits => "limits",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZonePart {
    pub id: String,
    pub name: String,
    pub hosts: Vec<String>,
    pub upstreams: Vec<UpstreamEntry>,
    pub timeouts: TimeoutsEntry,
    pub inspection_limit_bytes: usize,
    pub merge_slashes: bool,
    pub observe: ObserveSettings,
    pub block: BlockSettings,
    #[serde(default)]
    pub maintenance: MaintenanceSettings,
    #[serde(default)]
    pub balancing: BalancingSettings,
    #[serde(default)]
    pub retries: RetrySettings,
    #[serde(default)]
    pub health: Option<HealthEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamEntry {
    pub url: String,
    pub protocol: UpstreamProtocol,
    pub ca_file: Option<PathBuf>,
    pub server_name: Option<String>,
    #[serde(default)]
    pub drain: bool,
}

/// How an upstream is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UpstreamProtocol {
    Http1,
    Http2,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeoutsEntry {
    pub connect_seconds: f64,
    pub read_seconds: f64,
    pub idle_seconds: f64,
}

/// How much of a zone's traffic becomes Observations.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserveSettings {
    /// Of the transactions beyond `full_per_minute`, this share is sampled: 0 to 1.
    pub probability: f32,
    /// So many transactions of an operation are all sampled each minute.
    pub full_per_minute: u32,
    /// At most so many samples of one session each minute.
    pub per_session_per_minute: u32,
    /// At most so many values of one body.
    pub max_leaves: u32,
    /// At most so many bytes of one body are copied.
    pub body_copy_bytes: usize,
    /// A value itself is kept only after so many distinct sessions sent it.
    pub literal_sessions: u32,
}

/// How a block looks to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlockSettings {
    pub status: u16,
    pub show_violations: bool,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationsPart {
    /// Each is read on its own, so that every broken one is reported.
    pub operations: Vec<Box<RawValue>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationEntry {
    pub id: String,
    pub method: String,
    pub host: String,
    pub path: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RulesPart {
    /// Each is read on its own, so that every broken one is reported.
    pub rules: Vec<Box<RawValue>>,
}

/// One rule. What may be missing came later than format 1 was first written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleEntry {
    pub id: String,
    /// `features` when it is missing.
    #[serde(default)]
    pub stage: Option<String>,
    /// When it is missing: from which phase on its facts are known.
    #[serde(default)]
    pub phase: Option<String>,
    /// The condition; `fact` is short for a program that asks this one fact.
    #[serde(default)]
    pub when: Option<ProgramEntry>,
    #[serde(default)]
    pub fact: Option<String>,
    pub action: RuleAction,
    #[serde(default)]
    pub violation: Option<String>,
    pub fail: FailEntry,
    #[serde(default)]
    pub operations: Option<Vec<String>>,
    #[serde(default)]
    pub response: Option<ResponseEntry>,
    #[serde(default)]
    pub skip: Option<SkipEntry>,
}

/// What a rule or a limit answers instead of the zone's problem document.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResponseEntry {
    pub status: u16,
    pub content_type: String,
    pub content: String,
}

/// What the action `skip` skips.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkipEntry {
    #[serde(default)]
    pub rest: bool,
    #[serde(default)]
    pub stages: Vec<String>,
    #[serde(default)]
    pub rules: Vec<String>,
    #[serde(default)]
    pub log: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentityPart {
    pub identifiers: Vec<IdentifierEntry>,
}

/// Where a session identifier is found, and its name there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifierEntry {
    pub r#type: IdentifierType,
    pub name: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentifierType {
    Header,
    Cookie,
    Jwt,
}

/// What a rule does when its fact is true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RuleAction {
    Log,
    Block,
    /// It lets the request pass rules behind it.
    Skip,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailEntry {
    Open,
    Closed,
}
