//! Open connections per client, bounded: how many one address may have of all that there are.
//!
//! An entry lives as long as a connection of its client, so the table is never larger than the bound on connections.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// A client: an IPv4 address, or an IPv6 network of 64 bits, which is what one subscriber gets (RFC 6177).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct ClientPrefix(u128);

impl ClientPrefix {
    fn of(address: IpAddr) -> ClientPrefix {
        match address.to_canonical() {
            IpAddr::V4(address) => ClientPrefix(address.to_ipv6_mapped().into()),
            IpAddr::V6(address) => ClientPrefix(u128::from(address) >> 64 << 64),
        }
    }
}

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<Mutex<HashMap<ClientPrefix, usize>>>);

/// One open connection of a client, until dropped.
#[derive(Debug)]
pub struct ClientPlace {
    places: Places,
    prefix: ClientPrefix,
}

impl Places {
    /// A place for one more connection of this client, if it has fewer than `limit`.
    pub fn take(&self, client: IpAddr, limit: usize) -> Option<ClientPlace> {
        let prefix = ClientPrefix::of(client);
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(prefix).or_default();
        if *count >= limit {
            return None;
        }
        *count += 1;
        Some(ClientPlace { places: self.clone(), prefix })
    }
}

impl Drop for ClientPlace {
    fn drop(&mut self) {
        let mut counts = self.places.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.prefix) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.prefix);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_client_has_so_many_places_and_gets_them_back() {
        let places = Places::default();
        let held: Vec<_> = (0..2).map(|_| places.take(address("192.0.2.1"), 2).unwrap()).collect();
        assert!(places.take(address("192.0.2.1"), 2).is_none());
        assert!(places.take(address("::ffff:192.0.2.1"), 2).is_none(), "the same client");
        assert!(places.take(address("192.0.2.2"), 2).is_some());
        drop(held);
        assert!(places.take(address("192.0.2.1"), 2).is_some());
        assert!(places.0.lock().unwrap().is_empty(), "nobody is remembered");
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_client() {
        let places = Places::default();
        let _held = places.take(address("2001:db8::1"), 1).unwrap();
        assert!(places.take(address("2001:db8::ffff:0:0:1"), 1).is_none());
        assert!(places.take(address("2001:db8:0:1::1"), 1).is_some());
    }
}
