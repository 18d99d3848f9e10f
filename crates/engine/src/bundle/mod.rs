//! Policy as the engine runs it: zones with their hosts, upstreams, settings, operations and rules, immutable. Made from a
//! manifest of content-hashed parts by [`Bundle::load`], all or nothing. Knows no traffic.

mod check;
mod format;
mod load;
mod serving;
mod tokens;
mod zone;

use std::fmt;
use std::sync::Arc;

pub use format::{BlockSettings, Manifest, ManifestPart, ManifestZone, ObserveSettings, PartKind, UpstreamProtocol};
pub(crate) use format::{FailEntry, ResponseEntry, RuleAction, RuleEntry, SkipEntry};
pub use load::{LoadError, LoadErrors, MAX_MANIFEST_BYTES, MAX_PART_BYTES};
pub use serving::{BalancingMethod, BalancingSettings, HealthCheck, MaintenanceSettings, RetrySettings};
use sha2::{Digest, Sha256};
pub use tokens::TokenInputs;
pub use zone::{Timeouts, Upstream, Zone};

use crate::operations::HostTable;
use crate::tokens::{Key, TokenCache};

/// The bundle's name: SHA-256 of the manifest's bytes, displayed as 64 hex digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct BundleHash(pub [u8; 32]);

impl BundleHash {
    /// The hash of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// The first 16 hex digits, as records hold it.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string()[..16].to_owned()
    }
}

impl fmt::Display for BundleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BundleHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BundleHash({self})")
    }
}

/// A zone's place in its bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ZoneIndex(u32);

impl ZoneIndex {
    /// For `bundle.zones()[…]`.
    #[must_use]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// See the module.
#[derive(Debug)]
pub struct Bundle {
    pub hash: BundleHash,
    pub manifest: Manifest,
    pub(crate) short_hash: Arc<str>,
    pub(crate) token_cache: Arc<TokenCache>,
    zones: Vec<Zone>,
    hosts: HostTable,
}

impl Bundle {
    /// Loads a bundle, all or nothing. `fetch` gives the bytes of the part with this SHA-256 (64 hex digits), or a sentence why
    /// it cannot.
    ///
    /// # Errors
    /// Every error of every part, each with its path.
    pub fn load(manifest: &[u8], fetch: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>) -> Result<Self, LoadErrors> {
        Self::load_with(manifest, fetch, &TokenInputs::default())
    }

    /// As [`Bundle::load`], with the secrets of HMAC keys and a memory of verified tokens.
    ///
    /// # Errors
    /// As there. A secret that is missing is none: its key verifies nothing ([`Bundle::missing_secrets`]).
    pub fn load_with(
        manifest: &[u8],
        fetch: &mut dyn FnMut(&str) -> Result<Vec<u8>, String>,
        tokens: &TokenInputs,
    ) -> Result<Self, LoadErrors> {
        load::load(manifest, fetch, tokens)
    }

    /// Ids of secrets that keys name and that were not handed in, or are too short.
    pub fn missing_secrets(&self) -> impl Iterator<Item = &str> {
        let configurations = self.zones.iter().flat_map(|zone| &zone.tokens);
        configurations.flat_map(|configuration| configuration.keys.list()).filter_map(Key::missing_secret)
    }

    /// What requests are refused under before any bundle was loaded: no zone, and a hash of zeros that no manifest has.
    #[must_use]
    pub fn none() -> Self {
        let manifest = Manifest { format: format::FORMAT, created_at: String::new(), zones: Vec::new(), parts: Vec::new() };
        let hash = BundleHash::default();
        Self {
            hash,
            manifest,
            short_hash: hash.short().into(),
            token_cache: TokenInputs::default().cache,
            zones: Vec::new(),
            hosts: HostTable::default(),
        }
    }

    /// The first 16 hex digits of the hash.
    #[must_use]
    pub fn short_hash(&self) -> &str {
        &self.short_hash
    }

    /// The zone of this host (lower case, no port): the one that names it, else by a pattern, else the one for any host.
    #[must_use]
    pub fn zone_for(&self, host: &str) -> Option<ZoneIndex> {
        self.hosts.find(host).map(ZoneIndex)
    }

    /// The zone at this place of this bundle.
    #[must_use]
    pub fn zone(&self, index: ZoneIndex) -> &Zone {
        &self.zones[index.index()]
    }

    /// The place of the zone with this id.
    #[must_use]
    pub fn zone_index(&self, id: &str) -> Option<ZoneIndex> {
        self.zones.iter().position(|zone| *zone.id == *id).map(|index| ZoneIndex(index as u32))
    }

    /// All zones, in the manifest's order.
    #[must_use]
    pub fn zones(&self) -> &[Zone] {
        &self.zones
    }
}
