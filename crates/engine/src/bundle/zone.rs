//! One zone as it runs: settings, upstreams, operations, rules.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::format::{BlockSettings, ObserveSettings, UpstreamProtocol};
use super::serving::{BalancingSettings, HealthCheck, MaintenanceSettings, RetrySettings};
use crate::host::HostPattern;
use crate::identity::Identifiers;
use crate::limits::Limits;
use crate::operations::Operations;
use crate::rules::Rules;
use crate::tokens::Configuration;
use crate::transaction::Scheme;

/// An API that is shielded, and its policy.
#[derive(Debug)]
pub struct Zone {
    /// 32 hex digits.
    pub id: Arc<str>,
    pub name: Arc<str>,
    /// Empty: any host.
    pub hosts: Vec<HostPattern>,
    /// At least one that does not drain.
    pub upstreams: Vec<Upstream>,
    pub timeouts: Timeouts,
    /// A body that a rule judges is held back up to this length.
    pub inspection_limit_bytes: usize,
    /// Whether `//` in a path becomes `/`.
    pub merge_slashes: bool,
    pub observe: ObserveSettings,
    pub block: BlockSettings,
    pub maintenance: MaintenanceSettings,
    pub balancing: BalancingSettings,
    pub retries: RetrySettings,
    /// Absent: nobody asks.
    pub health: Option<HealthCheck>,
    pub policy_version: u64,
    pub(crate) operations: Operations,
    pub(crate) rules: Rules,
    pub(crate) identifiers: Identifiers,
    /// Which identifiers they are, as records hold it: 16 hex digits, empty when there are none.
    pub(crate) identity_hash: Arc<str>,
    pub(crate) tokens: Vec<Configuration>,
    pub(crate) limits: Limits,
}

impl Zone {
    /// The rules.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// How often requests may come.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The saved operations.
    #[must_use]
    pub fn operations(&self) -> &Operations {
        &self.operations
    }

    /// The token configurations.
    #[must_use]
    pub fn tokens(&self) -> &[Configuration] {
        &self.tokens
    }
}

/// How long the gateway waits for an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    pub connect: Duration,
    /// Until the response's head.
    pub read: Duration,
    /// Between two pieces of a body.
    pub idle: Duration,
}

/// A server behind the gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upstream {
    /// As written: scheme, host and port, or `unix:` and a path.
    pub url: String,
    pub scheme: Scheme,
    /// Name or address; IPv6 without brackets.
    pub host: String,
    pub port: u16,
    /// The Unix socket to connect to, instead of host and port.
    pub socket: Option<PathBuf>,
    pub protocol: UpstreamProtocol,
    /// Certificates that are trusted instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The name asked for and verified in TLS, where it is not the host.
    pub server_name: Option<String>,
    /// It gets no new requests; those under way end.
    pub drain: bool,
}

impl Upstream {
    /// Its own name in a `Host` field (RFC 9110 §7.2): host, and the port where it is not the scheme's. A Unix socket is `localhost`.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == self.scheme.default_port() { host } else { format!("{host}:{}", self.port) }
    }
}
