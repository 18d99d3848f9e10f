//! The hosts that answered successfully, per zone: what makes a host known in a zone without configured hosts.
//!
//! Read by every transaction without a lock; a host is added at most [`MAX_HOSTS`] times per zone, so copying the set on each
//! addition is cheap. A full set takes no more: nothing is evicted, so nobody can push known hosts out.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use arc_swap::ArcSwap;

/// Hosts remembered per zone.
pub const MAX_HOSTS: usize = 1_000;
/// Zones for which hosts are remembered.
const MAX_ZONES: usize = 1_000;

type Zones = HashMap<Box<str>, Arc<HashSet<Box<str>>>>;

/// See the module.
#[derive(Debug, Default)]
pub struct KnownHosts(ArcSwap<Zones>);

/// What became of a host that was offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remembered {
    /// It is known from now on.
    New,
    /// It was known.
    Before,
    /// There is no room for it.
    Forgone,
}

impl KnownHosts {
    /// Whether this host (lower case, no port) answered successfully in this zone.
    pub fn contains(&self, zone: &str, host: &str) -> bool {
        self.0.load().get(zone).is_some_and(|hosts| hosts.contains(host))
    }

    /// Remembers a host, if there is room.
    pub fn remember(&self, zone: &str, host: &str) -> Remembered {
        if self.contains(zone, host) {
            return Remembered::Before;
        }
        if !self.has_room(zone) {
            return Remembered::Forgone;
        }
        self.0.rcu(|zones| with_host(zones, zone, host));
        Remembered::New
    }

    /// All of them, by zone.
    pub fn all(&self) -> BTreeMap<String, Vec<String>> {
        let names = |hosts: &HashSet<Box<str>>| hosts.iter().map(ToString::to_string).collect();
        self.0.load().iter().map(|(zone, hosts)| (zone.to_string(), names(hosts))).collect()
    }

    /// How many hosts are known, all zones.
    pub fn len(&self) -> usize {
        self.0.load().values().map(|hosts| hosts.len()).sum()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn has_room(&self, zone: &str) -> bool {
        let zones = self.0.load();
        zones.get(zone).map_or(zones.len() < MAX_ZONES, |hosts| hosts.len() < MAX_HOSTS)
    }
}

impl engine::transaction::KnownHosts for KnownHosts {
    fn is_known(&self, zone: &str, host: &str) -> bool {
        self.contains(zone, host)
    }
}

fn with_host(zones: &Zones, zone: &str, host: &str) -> Zones {
    let mut zones = zones.clone();
    let hosts = zones.entry(zone.into()).or_default();
    Arc::make_mut(hosts).insert(host.into());
    zones
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_known_in_its_zone_only() {
        let hosts = KnownHosts::default();
        assert_eq!(hosts.remember("a", "api.example.com"), Remembered::New);
        assert_eq!(hosts.remember("a", "api.example.com"), Remembered::Before);
        assert!(hosts.contains("a", "api.example.com"));
        assert!(!hosts.contains("b", "api.example.com"));
    }

    #[test]
    fn a_full_zone_forgets_nothing_and_takes_nothing() {
        let hosts = KnownHosts::default();
        assert!((0..MAX_HOSTS).all(|i| hosts.remember("a", &format!("h{i}")) == Remembered::New));
        assert_eq!(hosts.remember("a", "one-more"), Remembered::Forgone);
        assert!(hosts.contains("a", "h0"));
        assert_eq!(hosts.len(), MAX_HOSTS);
        assert_eq!(hosts.remember("b", "other-zone"), Remembered::New);
    }
}
