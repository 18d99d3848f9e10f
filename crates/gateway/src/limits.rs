//! What one connection, one client and one request may take, as the process settings say.

use std::time::Duration;

use engine::limits::DEFAULT_BYTES;
use serde::Deserialize;

use crate::config::seconds;
use crate::h1_guard::HeadLimits;

/// See the module. 0 means no bound where it says so.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsConfig {
    /// Bytes of a request line, or of `:path` over HTTP/2.
    pub target_bytes: usize,
    /// Bytes of a request head.
    pub head_bytes: usize,
    /// Fields of a request head, and of trailers.
    pub head_fields: usize,
    /// A request head takes at most this long, from its first byte to its last.
    #[serde(deserialize_with = "seconds", rename = "head_seconds")]
    pub head: Duration,
    /// A connection without a request is closed after this time.
    #[serde(deserialize_with = "seconds", rename = "idle_seconds")]
    pub idle: Duration,
    /// Bytes of a request body; 0: no bound.
    pub body_bytes: u64,
    /// A body that comes slower than this is given up; 0: no bound.
    pub body_bytes_per_second: u32,
    /// So long a body may pause before its rate counts.
    #[serde(deserialize_with = "seconds", rename = "body_grace_seconds")]
    pub body_grace: Duration,
    /// Requests on one connection; 0: no bound.
    pub requests_per_connection: u64,
    /// Open connections of clients.
    pub connections: usize,
    /// Open connections of one client: an IPv4 address or an IPv6 /64; 0: no bound. Trusted proxies have none.
    pub connections_per_client: usize,
    /// Requests that are being answered at the same time.
    pub requests_in_flight: usize,
    /// Resident memory of the process; beyond it, new connections are closed and new requests get 503. 0: no bound.
    pub memory_bytes: u64,
    /// Memory for the counters of rate limits; what happens when it is full is in docs/features/limits.md.
    pub counter_bytes: usize,
    /// Requests at the same time on one HTTP/2 connection.
    pub http2_streams: u32,
    /// Memory of verified tokens; 0: each is verified each time.
    pub token_cache_bytes: usize,
}

impl Default for LimitsConfig {
    fn default() -> Self {
        LimitsConfig {
            target_bytes: 16 << 10,
            head_bytes: 64 << 10,
            head_fields: 100,
            head: Duration::from_secs(30),
            idle: Duration::from_secs(75),
            body_bytes: 0,
            body_bytes_per_second: 240,
            body_grace: Duration::from_secs(20),
            requests_per_connection: 100_000,
            connections: 65_536,
            connections_per_client: 16_384,
            requests_in_flight: 16_384,
            memory_bytes: 0,
            counter_bytes: DEFAULT_BYTES,
            http2_streams: 128,
            token_cache_bytes: 16 << 20,
        }
    }
}

impl LimitsConfig {
    /// Whether a body may be as long as this.
    pub fn allows_body(&self, bytes: u64) -> bool {
        self.body_bytes == 0 || bytes <= self.body_bytes
    }

    /// What the scanner of requests is given.
    pub fn head(&self) -> HeadLimits {
        HeadLimits { start_line_bytes: self.target_bytes, head_bytes: self.head_bytes, fields: self.head_fields }
    }
}
