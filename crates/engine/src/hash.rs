//! Keyed hashes: from a session's, client's or value's bytes to the 16 hex digits that a record holds.
//! Each purpose has its own subkey of the installation key, so that a session's hash is never equal to a value's. Whoever
//! holds the key can guess short inputs; without it a hash says only "the same again". Knows nothing of what it hashes.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use smallvec::SmallVec;

use crate::limits::KeySecret;

/// The first 64 bits of a keyed BLAKE3 hash; displayed as 16 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash64(pub u64);

impl Hash64 {
    /// From the 16 hex digits of a record.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok().map(Self)).flatten()
    }

    /// The first 8 of the 16 hex digits: what stands in a redacted path or key.
    #[must_use]
    pub fn short(self) -> ShortHash {
        ShortHash((self.0 >> 32) as u32)
    }
}

impl fmt::Display for Hash64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Hash64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash64({self})")
    }
}

/// 32 bits of a [`Hash64`]; displayed as 8 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShortHash(pub u32);

impl fmt::Display for ShortHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// Where a session's identity was taken from; part of what is hashed, so that equal bytes of two sources differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionSource {
    /// A session identifier that the zone's policy names.
    Identifier,
    /// The value of the `Authorization` header.
    Authorization,
    /// The client's address, where nothing else is there.
    ClientAddress,
}

impl SessionSource {
    /// The source of this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Identifier, Self::Authorization, Self::ClientAddress].into_iter().find(|source| source.as_str() == word)
    }

    /// The word that the record's `session_source` column holds.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identifier => "identifier",
            Self::Authorization => "authorization",
            Self::ClientAddress => "client_address",
        }
    }
}

/// The subkeys of the installation key `keys/records.key`.
#[derive(Clone)]
pub struct Keys {
    sessions: [u8; 32],
    clients: [u8; 32],
    values: [u8; 32],
    limits: KeySecret,
}

impl Keys {
    /// Derives the subkeys by BLAKE3's key derivation, whose contexts must never change: stored hashes would no longer match.
    #[must_use]
    pub fn derive(installation_key: &[u8; 32]) -> Self {
        Self {
            sessions: blake3::derive_key("hoplon 2026-11 records: sessions", installation_key),
            clients: blake3::derive_key("hoplon 2026-11 records: clients", installation_key),
            values: blake3::derive_key("hoplon 2026-11 records: values", installation_key),
            limits: KeySecret::new(&blake3::derive_key("hoplon 2026-11 limits: counters", installation_key)),
        }
    }

    /// The key under which verified tokens are remembered. Nothing that is stored depends on it.
    #[must_use]
    pub fn token_cache(&self) -> [u8; 32] {
        blake3::derive_key("hoplon 2026-11 tokens: cache", &self.sessions)
    }

    /// What the keys of counters are hashed under.
    #[must_use]
    pub fn limits(&self) -> &KeySecret {
        &self.limits
    }

    /// The session that these bytes identify, in one zone: the same token in two zones gives two sessions.
    #[must_use]
    pub fn session(&self, zone: &str, source: SessionSource, identity: &[u8]) -> Hash64 {
        keyed(&self.sessions, &[source.as_str().as_bytes(), b"\0", zone.as_bytes(), b"\0", identity])
    }

    /// The client behind an address: IPv4 whole (also when written as `::ffff:a.b.c.d`), IPv6 by its /64.
    #[must_use]
    pub fn client(&self, address: IpAddr) -> Hash64 {
        match address.to_canonical() {
            IpAddr::V4(v4) => keyed(&self.clients, &[&v4.octets()]),
            IpAddr::V6(v6) => keyed(&self.clients, &[&network_64(v6)]),
        }
    }

    /// The value found at some place. Equal bytes give equal hashes wherever they are found: that is how a producer of an
    /// identifier is joined to its consumer.
    #[must_use]
    pub fn value(&self, value: &[u8]) -> Hash64 {
        keyed(&self.values, &[value])
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

fn network_64(address: Ipv6Addr) -> [u8; 8] {
    let [a, b, c, d, e, f, g, h, ..] = address.octets();
    [a, b, c, d, e, f, g, h]
}

fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> Hash64 {
    let hash = match parts {
        [whole] => blake3::keyed_hash(key, whole),
        parts => {
            // Hashing at once costs half of what a hasher does that is fed piece by piece.
            let mut whole = SmallVec::<[u8; 512]>::new();
            parts.iter().for_each(|part| whole.extend_from_slice(part));
            blake3::keyed_hash(key, &whole)
        }
    };
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    Hash64(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Keys {
        Keys::derive(&[7; 32])
    }

    #[test]
    fn the_same_bytes_hash_differently_for_each_purpose() {
        let keys = keys();
        let address: IpAddr = "10.1.2.3".parse().unwrap();
        let all = [
            keys.value(&[10, 1, 2, 3]),
            keys.client(address),
            keys.session("", SessionSource::Identifier, &[10, 1, 2, 3]),
            keys.session("", SessionSource::Authorization, &[10, 1, 2, 3]),
            keys.session("z", SessionSource::Identifier, &[10, 1, 2, 3]),
        ];
        for (i, one) in all.iter().enumerate() {
            assert!(all[i + 1..].iter().all(|other| other != one));
        }
    }

    #[test]
    fn another_installation_key_gives_other_hashes() {
        assert_ne!(keys().value(b"x"), Keys::derive(&[8; 32]).value(b"x"));
        assert_eq!(keys().value(b"x"), keys().value(b"x"));
    }

    #[test]
    fn clients_are_one_per_ipv4_address_and_per_ipv6_network() {
        let client = |text: &str| keys().client(text.parse().unwrap());
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
    }

    #[test]
    fn hashes_are_written_as_16_hex_digits_and_keys_never() {
        assert_eq!(Hash64(0xab).to_string(), "00000000000000ab");
        assert_eq!(Hash64(0x1234_5678_9abc_def0).short().to_string(), "12345678");
        assert_eq!(format!("{:?}", keys()), "Keys(..)");
    }
}
