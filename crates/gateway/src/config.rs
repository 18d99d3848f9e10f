//! The gateway's process settings: the one JSON document that Python hands to [`crate::run`].
//!
//! Gives [`Config`]. Holds where to listen, how many threads, where state lives; never policy, which comes in bundles.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer};

use crate::limits::LimitsConfig;

/// Everything a gateway process needs to know before the first bundle.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The state directory: bundles, keys, records, run files.
    pub state_dir: PathBuf,
    /// The name of this gateway in records and metrics.
    pub instance: String,
    /// Where clients connect.
    pub listen: Vec<Listen>,
    /// Where `/metrics`, `/healthz` and `/readyz` are served.
    pub status: StatusListen,
    /// Serving threads, one single-threaded runtime each.
    #[serde(default = "default_threads")]
    pub threads: usize,
    /// Networks whose `Forwarded` and `X-Forwarded-*` headers are believed.
    #[serde(default)]
    pub trusted_proxies: Vec<Network>,
    /// How long a stop waits for running transactions.
    #[serde(default = "default_drain", deserialize_with = "seconds", rename = "drain_seconds")]
    pub drain: Duration,
    /// How long, after a successor has taken over, idle client connections are kept for one more request.
    #[serde(default = "default_handover", deserialize_with = "seconds", rename = "handover_seconds")]
    pub handover: Duration,
    /// The process whose place this one takes: it still runs and holds the lock of the state directory.
    #[serde(default)]
    pub predecessor: Option<u32>,
    /// The record queue, its segments and their retention.
    #[serde(default)]
    pub records: RecordsConfig,
    /// What connections, clients and requests may take.
    #[serde(default)]
    pub limits: LimitsConfig,
}

/// One address for clients.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// The address to bind, or the address that `fd` is bound to.
    pub address: SocketAddr,
    /// A listening socket opened by the supervisor.
    #[serde(default)]
    pub fd: Option<i32>,
    /// Whether each connection begins with a PROXY header, which only trusted proxies may send.
    #[serde(default)]
    pub proxy_protocol: bool,
    /// TLS by certificate files; plain when absent.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
}

/// The status listener: never TLS, never proxied.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusListen {
    /// The address to bind, or the address that `fd` is bound to.
    pub address: SocketAddr,
    /// A listening socket opened by the supervisor.
    #[serde(default)]
    pub fd: Option<i32>,
}

/// A certificate chain and its private key, both PEM, and a directory with more of them.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    /// The certificate chain, leaf first.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
    /// `NAME.pem` and `NAME.key` pairs, chosen by the names in the certificates (SNI).
    #[serde(default)]
    pub directory: Option<PathBuf>,
}

/// Bounds of the record writer.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RecordsConfig {
    /// An open segment is flushed this often.
    #[serde(deserialize_with = "seconds", rename = "flush_seconds")]
    pub flush: Duration,
    /// A segment is closed at this age.
    #[serde(deserialize_with = "seconds", rename = "rotate_seconds")]
    pub rotate: Duration,
    /// A segment is closed at this size.
    pub rotate_bytes: u64,
    /// Records waiting for the writer; beyond it they are dropped and counted.
    pub queue: usize,
    /// Records older than this are deleted.
    #[serde(deserialize_with = "seconds", rename = "retention_seconds")]
    pub retention: Duration,
    /// The oldest records are deleted beyond this size.
    pub retention_bytes: u64,
}

impl Default for RecordsConfig {
    fn default() -> Self {
        RecordsConfig {
            flush: Duration::from_secs(1),
            rotate: Duration::from_secs(300),
            rotate_bytes: 64 << 20,
            queue: 65_536,
            retention: Duration::from_secs(7 * 86_400),
            retention_bytes: 10 << 30,
        }
    }
}

impl Config {
    /// Parses the JSON document and checks what types alone cannot say.
    ///
    /// # Errors
    /// One sentence naming the member that is wrong and what to do.
    pub fn parse(json: &str) -> Result<Config, String> {
        let config: Config = serde_json::from_str(json).map_err(|e| format!("gateway configuration: {e}"))?;
        if config.listen.is_empty() {
            return Err("gateway configuration: `listen` is empty; name at least one address".into());
        }
        if !(1..=MAX_THREADS).contains(&config.threads) {
            return Err(format!("gateway configuration: `threads` must be 1 to {MAX_THREADS}"));
        }
        let limits = &config.limits;
        if !(1024..=MAX_HEAD_BYTES).contains(&limits.head_bytes) || limits.target_bytes == 0 || limits.head_fields == 0 {
            return Err(format!(
                "gateway configuration: `limits.head_bytes` must be 1024 to {MAX_HEAD_BYTES}, the others above 0"
            ));
        }
        Ok(config)
    }

    /// Whether this address is a proxy's that is believed.
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted_proxies.iter().any(|network| network.contains(address))
    }

    /// A path below the state directory.
    pub fn state_path(&self, relative: impl AsRef<Path>) -> PathBuf {
        self.state_dir.join(relative)
    }
}

/// More threads than this is a typing error, not a machine.
const MAX_THREADS: usize = 1024;
/// More than this would let one head fill a connection's buffers many times.
const MAX_HEAD_BYTES: usize = 1 << 20;

fn default_threads() -> usize {
    1
}

fn default_drain() -> Duration {
    Duration::from_secs(10)
}

fn default_handover() -> Duration {
    Duration::from_secs(5)
}

/// Reads a non-negative number of seconds, fractions allowed.
pub(crate) fn seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let value = f64::deserialize(deserializer)?;
    Duration::try_from_secs_f64(value).map_err(|e| serde::de::Error::custom(format!("{value} seconds: {e}")))
}

/// An IP network in CIDR form; a lone address is a network of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

impl Network {
    /// Whether `address` lies inside. An IPv4-mapped IPv6 address counts as its IPv4 address.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(net), IpAddr::V4(ip)) => same_prefix(u32::from(net).into(), u32::from(ip).into(), 32, self.prefix),
            (IpAddr::V6(net), IpAddr::V6(ip)) => same_prefix(net.into(), ip.into(), 128, self.prefix),
            _ => false,
        }
    }
}

fn same_prefix(a: u128, b: u128, width: u32, prefix: u8) -> bool {
    (a ^ b).checked_shr(width - u32::from(prefix)).is_none_or(|rest| rest == 0)
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(a, p)| (a, Some(p)));
        let address: IpAddr = address.parse().map_err(|_| format!("`{text}` is not an address or a network"))?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(p) => p.parse().ok().filter(|p| *p <= width).ok_or(format!("`{text}`: the prefix must be 0 to {width}"))?,
        };
        Ok(Network { address, prefix })
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINIMAL: &str =
        r#"{"state_dir":"s","instance":"gw-1","listen":[{"address":"127.0.0.1:0"}],"status":{"address":"127.0.0.1:0"}}"#;

    #[test]
    fn defaults_are_the_contract() {
        let config = Config::parse(MINIMAL).unwrap();
        assert_eq!(config.threads, 1);
        assert_eq!(config.drain, Duration::from_secs(10));
        assert_eq!(config.records.queue, 65_536);
        assert_eq!(config.records.rotate_bytes, 67_108_864);
        assert_eq!(config.records.retention_bytes, 10_737_418_240);
    }

    #[test]
    fn an_unknown_member_is_an_error() {
        let error = Config::parse(&MINIMAL.replace("\"state_dir\"", "\"stat_dir\"")).unwrap_err();
        assert!(error.contains("stat_dir"), "{error}");
    }

    #[test]
    fn networks_contain_their_addresses_only() {
        let network: Network = "10.0.0.0/8".parse().unwrap();
        assert!(network.contains("10.255.0.1".parse().unwrap()));
        assert!(network.contains("::ffff:10.1.2.3".parse().unwrap()));
        assert!(!network.contains("11.0.0.1".parse().unwrap()));
        assert!(!network.contains("::1".parse().unwrap()));
        let everything: Network = "0.0.0.0/0".parse().unwrap();
        assert!(everything.contains("1.2.3.4".parse().unwrap()));
        let one: Network = "2001:db8::1".parse().unwrap();
        assert!(one.contains("2001:db8::1".parse().unwrap()));
        assert!(!one.contains("2001:db8::2".parse().unwrap()));
        assert!("10.0.0.0/33".parse::<Network>().is_err());
        assert!("ten".parse::<Network>().is_err());
    }
}
