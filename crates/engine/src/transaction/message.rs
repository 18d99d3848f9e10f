//! What the driver hands in: the heads of a request and its response, what happened outside, the mode. Borrowed views, nothing
//! decided.

use std::fmt;
use std::net::IpAddr;

use http::HeaderMap;

use crate::observe::Sampler;
use crate::timestamp::Timestamp;

/// The one switch over everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Forward and count only.
    Off,
    /// Every block becomes a log.
    Log,
    /// Actions act as the policy says.
    #[default]
    Enforce,
}

impl Mode {
    /// The word in `bundles/mode`, in records and in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Log => "log",
            Self::Enforce => "enforce",
        }
    }

    /// The mode of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Off, Self::Log, Self::Enforce].into_iter().find(|mode| mode.as_str() == word)
    }
}

/// The id of one request, a UUIDv7 (RFC 9562 §5.7): the same in the response header, the log, the record and the dashboard.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RequestId(u128);

impl RequestId {
    /// An id from the clock's milliseconds and 74 of the random bits.
    #[must_use]
    pub fn new(now: Timestamp, random: u128) -> Self {
        let millis = u128::try_from(now.micros() / 1000).unwrap_or(0) & ((1 << 48) - 1);
        let fixed = (millis << 80) | (0x7 << 76) | (0x2 << 62);
        let free: u128 = (0xfff << 64) | ((1 << 62) - 1);
        Self(fixed | (random & free))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(RequestIdText::from(*self).as_str())
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

/// The 36 characters of an id, without allocation.
#[derive(Clone, Copy)]
pub struct RequestIdText([u8; 36]);

impl RequestIdText {
    /// Lower-case hex digits in groups of 8-4-4-4-12.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl From<RequestId> for RequestIdText {
    fn from(id: RequestId) -> Self {
        let mut text = [b'-'; 36];
        let places = (0..36).filter(|place| !matches!(place, 8 | 13 | 18 | 23));
        for (digit, place) in places.enumerate() {
            let nibble = (id.0 >> (124 - 4 * digit)) & 0xf;
            text[place] = b"0123456789abcdef"[nibble as usize];
        }
        Self(text)
    }
}

/// `http` or `https`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scheme {
    Http,
    Https,
}

impl Scheme {
    /// As in a URL.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port where none is written.
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// Which HTTP the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HttpVersion {
    Http10,
    Http11,
    Http2,
}

impl HttpVersion {
    /// As in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "1.0",
            Self::Http11 => "1.1",
            Self::Http2 => "2",
        }
    }

    /// As in Cloudflare's `http.request.version`.
    #[must_use]
    pub const fn as_fact(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        }
    }
}

/// What the framing says about a body before it arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    None,
    /// `Content-Length`.
    Known(u64),
    /// Chunked, or HTTP/2 without a length.
    Unknown,
}

/// A request as it was received, before its body.
#[derive(Clone, Copy, Debug)]
pub struct RequestHead<'a> {
    pub method: &'a str,
    pub scheme: Scheme,
    pub version: HttpVersion,
    /// Of an absolute-form target, or HTTP/2's `:authority`.
    pub authority: Option<&'a str>,
    /// Path and query as received; `*` for `OPTIONS *`.
    pub target: &'a str,
    pub headers: &'a HeaderMap,
    /// The client's address, after trusted proxies.
    pub client: IpAddr,
    pub body: BodyLength,
}

/// A response as the upstream gave it, before its body.
#[derive(Clone, Copy, Debug)]
pub struct ResponseHead<'a> {
    pub status: u16,
    pub headers: &'a HeaderMap,
    pub body: BodyLength,
}

/// Hosts that zones without host names have learned, kept by the driver.
pub trait KnownHosts {
    /// Whether this host (lower case, no port) answered successfully in this zone before.
    fn is_known(&self, zone: &str, host: &str) -> bool;
}

/// Nobody remembers anything: replays and tests.
impl KnownHosts for () {
    fn is_known(&self, _zone: &str, _host: &str) -> bool {
        false
    }
}

/// What a request head is judged with beside the bundle: looked up at once, never awaited.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// None: nothing is sampled.
    pub sampler: Option<&'a Sampler>,
    /// 64 random bits for sampling.
    pub dice: u64,
    pub hosts: &'a dyn KnownHosts,
}

impl Default for Surroundings<'_> {
    fn default() -> Self {
        Self { sampler: None, dice: 0, hosts: &() }
    }
}

/// What happened outside the engine, told at the end.
#[derive(Clone, Copy, Debug, Default)]
pub struct Outcome {
    pub end: Timestamp,
    /// What the client got; 0: nothing.
    pub status: u16,
    pub upstream_status: Option<u16>,
    /// Until the upstream's response head.
    pub upstream_micros: Option<u32>,
    pub request_body_bytes: u64,
    pub response_body_bytes: u64,
    /// `upstream.connect_failed` and the like.
    pub error: Option<&'static str>,
    pub upgraded: bool,
    /// Index in the zone's list.
    pub upstream: Option<u16>,
    pub tls: bool,
    pub retried: bool,
    /// The request's body was read to its end.
    pub request_complete: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_uuids_of_version_7_in_the_order_of_time() {
        let id = |micros, random| RequestId::new(Timestamp::from_micros(micros), random).to_string();
        // The time of RFC 9562's example in appendix A.6.
        assert_eq!(id(0x017F_22E2_79B0 * 1000, 0xCC3 << 64 | 0x18C4_DC0C_0C07_398F), "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
        assert!(id(1_000_000, u128::MAX) < id(1_001_000, 0));
    }
}
