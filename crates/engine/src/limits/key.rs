//! What is counted under one counter: the limit and the values of its characteristics, as a keyed hash. SipHash-1-3 (Aumasson,
//! Bernstein, 2012) under a secret of the installation: a client cannot choose values that meet in one counter. A value that is
//! missing is one of its own, unlike an empty one. Knows nothing of facts.

use std::hash::Hasher;
use std::net::IpAddr;
use std::ops::ControlFlow;

use siphasher::sip::SipHasher13;

use crate::value::Value;

/// 128 secret bits.
#[derive(Clone, Copy)]
pub struct KeySecret([u8; 16]);

/// The name of one counter. Never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key(u64);

/// Hashes one value after the other.
#[derive(Clone, Debug)]
pub struct KeyHasher(SipHasher13);

/// Which kind of value follows: equal bytes of two kinds differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum ValueTag {
    Missing,
    Bool,
    Integer,
    Bytes,
    Address,
    List,
}

/// What an overflow bucket is shared by.
const IPV4_PREFIX_BITS: u32 = 24;
const IPV6_PREFIX_BITS: u32 = 48;

impl KeySecret {
    /// From the first 16 of 32 derived bytes.
    #[must_use]
    pub fn new(bytes: &[u8; 32]) -> Self {
        let mut secret = [0; 16];
        secret.copy_from_slice(&bytes[..16]);
        Self(secret)
    }

    /// The beginning of all keys of one limit, by the name of its counters.
    #[must_use]
    pub fn of_limit(&self, name: u64) -> KeyHasher {
        let mut hasher = KeyHasher(SipHasher13::new_with_key(&self.0));
        hasher.word(ValueTag::Integer, name);
        hasher
    }
}

impl std::fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeySecret(..)")
    }
}

impl Key {
    /// The hash itself: for a hand-over.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// A key that was handed over, or that a replay made itself.
    #[must_use]
    pub const fn new(hash: u64) -> Self {
        Self(if hash == 0 { 1 } else { hash })
    }
}

impl KeyHasher {
    /// Any value.
    pub fn value(&mut self, value: Value<'_>) {
        match value {
            Value::Bool(value) => self.word(ValueTag::Bool, value.into()),
            Value::Integer(value) => self.word(ValueTag::Integer, value as u64),
            Value::String(value) => self.bytes(ValueTag::Bytes, &value),
            Value::Ip(address) => self.client(address),
            Value::Array(array) => {
                self.word(ValueTag::List, array.len() as u64);
                let _ = array.each(|item| self.next(item));
            }
            Value::Map(map) => {
                self.word(ValueTag::List, u64::MAX);
                let _ = map.each(|item| self.next(item));
            }
        }
    }

    fn next(&mut self, item: Value<'_>) -> ControlFlow<()> {
        self.value(item);
        ControlFlow::Continue(())
    }

    /// A value of some length.
    pub fn bytes(&mut self, tag: ValueTag, value: &[u8]) {
        self.0.write_u64((value.len() as u64) << 8 | tag as u64);
        self.0.write(value);
    }

    /// A value of fixed length, or none.
    pub fn word(&mut self, tag: ValueTag, value: u64) {
        self.0.write_u8(tag as u8);
        self.0.write_u64(value);
    }

    /// The transaction has no such value.
    pub fn missing(&mut self) {
        self.word(ValueTag::Missing, 0);
    }

    /// An address, whole.
    pub fn address(&mut self, address: IpAddr) {
        match address.to_canonical() {
            IpAddr::V4(v4) => self.bytes(ValueTag::Address, &v4.octets()),
            IpAddr::V6(v6) => self.bytes(ValueTag::Address, &v6.octets()),
        }
    }

    /// The client behind an address: IPv4 whole, IPv6 by its /64, which is what one subscriber gets (RFC 6177); the same
    /// client as in records.
    pub fn client(&mut self, address: IpAddr) {
        self.address(prefix(address, 32, 64));
    }

    /// The key of what was hashed.
    #[must_use]
    pub fn finish(&self) -> Key {
        Key::new(self.0.finish())
    }

    /// The overflow bucket of a client: of this limit only, shared by an IPv4 /24 or an IPv6 /48.
    #[must_use]
    pub fn overflow(mut self, client: IpAddr) -> Key {
        self.word(ValueTag::List, 0);
        self.address(prefix(client, IPV4_PREFIX_BITS, IPV6_PREFIX_BITS));
        self.finish()
    }
}

fn prefix(address: IpAddr, v4_bits: u32, v6_bits: u32) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) & (u32::MAX << (32 - v4_bits))).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) & (u128::MAX << (128 - v6_bits))).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> KeyHasher {
        KeySecret::new(&[7; 32]).of_limit(1)
    }

    fn key(fill: impl FnOnce(&mut KeyHasher)) -> Key {
        let mut hasher = limit();
        fill(&mut hasher);
        hasher.finish()
    }

    #[test]
    fn missing_empty_and_values_cut_differently_are_keys_of_their_own() {
        let text = |hasher: &mut KeyHasher, value: &[u8]| hasher.bytes(ValueTag::Bytes, value);
        let keys = [
            key(|_| ()),
            key(|hasher| hasher.missing()),
            key(|hasher| text(hasher, b"")),
            key(|hasher| text(hasher, b"ab")),
            key(|hasher| (text(hasher, b"a"), text(hasher, b"b")).1),
            key(|hasher| (text(hasher, b""), text(hasher, b"ab")).1),
            key(|hasher| hasher.word(ValueTag::Integer, 0)),
            key(|hasher| hasher.word(ValueTag::Bool, 0)),
        ];
        for (index, one) in keys.iter().enumerate() {
            assert!(keys[index + 1..].iter().all(|other| other != one), "{index}");
        }
    }

    #[test]
    fn limits_and_installations_share_no_counter() {
        let of = |secret: u8, name| KeySecret::new(&[secret; 32]).of_limit(name).finish();
        assert_ne!(of(7, 1), of(7, 2));
        assert_ne!(of(7, 1), of(8, 1));
    }

    #[test]
    fn clients_are_ipv4_addresses_and_ipv6_networks_and_overflow_is_shared_wider() {
        let client = |text: &str| key(|hasher| hasher.client(text.parse().unwrap()));
        assert_eq!(client("192.0.2.1"), client("::ffff:192.0.2.1"));
        assert_ne!(client("192.0.2.1"), client("192.0.2.2"));
        assert_eq!(client("2001:db8:1:2::1"), client("2001:db8:1:2:ffff::9"));
        assert_ne!(client("2001:db8:1:2::1"), client("2001:db8:1:3::1"));
        let overflow = |text: &str| limit().overflow(text.parse().unwrap());
        assert_eq!(overflow("192.0.2.1"), overflow("192.0.2.200"));
        assert_ne!(overflow("192.0.2.1"), overflow("192.0.3.1"));
        assert_eq!(overflow("2001:db8:1:2::1"), overflow("2001:db8:1:3::1"));
        assert_ne!(overflow("2001:db8:1:2::1"), overflow("2001:db8:2:2::1"));
        assert_ne!(overflow("192.0.2.0"), key(|hasher| hasher.address("192.0.2.0".parse().unwrap())), "never a key of its own");
    }
}
