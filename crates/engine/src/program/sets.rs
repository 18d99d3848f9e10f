//! What `in` looks into: sets of numbers, addresses and strings, with ranges merged when they are loaded, and the account's
//! named lists. Asking is a binary search or one hash.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use hashbrown::HashSet;

use crate::value::{Type, Value};

/// Up to so many strings are compared one by one.
const FEW: usize = 8;

/// Ranges in ascending order that neither touch nor overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges<T>(Box<[(T, T)]>);

impl<T: Copy + Ord> Ranges<T> {
    /// The union of these, whatever their order.
    #[must_use]
    pub fn new(mut ranges: Vec<(T, T)>) -> Self {
        ranges.sort_unstable();
        let mut merged: Vec<(T, T)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some((_, end)) if low <= *end => *end = high.max(*end),
                _ => merged.push((low, high)),
            }
        }
        Self(merged.into())
    }

    /// Whether one of them holds it.
    #[must_use]
    pub fn contains(&self, value: T) -> bool {
        let behind = self.0.partition_point(|(low, _)| *low <= value);
        behind > 0 && value <= self.0[behind - 1].1
    }
}

/// Addresses; IPv4 and IPv6 are apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    v4: Ranges<u32>,
    v6: Ranges<u128>,
}

impl Addresses {
    /// From addresses and networks (`192.0.2.0/24`).
    ///
    /// # Errors
    /// The first that is neither.
    pub fn parse<'a>(texts: impl Iterator<Item = &'a str>) -> Result<Self, String> {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        for text in texts {
            match network(text).ok_or_else(|| format!("holds `{}`, which is no address or network", shown(text)))? {
                Network::V4(range) => v4.push(range),
                Network::V6(range) => v6.push(range),
            }
        }
        Ok(Self { v4: Ranges::new(v4), v6: Ranges::new(v6) })
    }

    /// Whether the address is one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(address) => self.v4.contains(address.to_bits()),
            IpAddr::V6(address) => self.v6.contains(address.to_bits()),
        }
    }
}

enum Network {
    V4((u32, u32)),
    V6((u128, u128)),
}

/// An address, or a network whose bits behind the prefix may be set.
fn network(text: &str) -> Option<Network> {
    let (address, bits) = match text.split_once('/') {
        None => (text, None),
        Some((address, bits)) => (address, Some(bits.parse::<u32>().ok()?)),
    };
    match (address.parse().ok()?, bits) {
        (IpAddr::V4(address), bits) => {
            let hosts = u32::MAX.checked_shr(bits.unwrap_or(32)).unwrap_or(0);
            let first = address.to_bits() & !hosts;
            (bits.unwrap_or(32) <= 32).then_some(Network::V4((first, first | hosts)))
        }
        (IpAddr::V6(address), bits) => {
            let hosts = u128::MAX.checked_shr(bits.unwrap_or(128)).unwrap_or(0);
            let first = address.to_bits() & !hosts;
            (bits.unwrap_or(128) <= 128).then_some(Network::V6((first, first | hosts)))
        }
    }
}

/// The beginning of a text, for a sentence.
pub fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Strings, byte for byte.
#[derive(Clone, Debug)]
pub enum Strings {
    Few(Box<[Box<[u8]>]>),
    Many(HashSet<Box<[u8]>>),
}

impl Strings {
    /// The set of these.
    #[must_use]
    pub fn new(strings: Vec<Box<[u8]>>) -> Self {
        if strings.len() <= FEW { Self::Few(strings.into()) } else { Self::Many(strings.into_iter().collect()) }
    }

    /// Whether it is one of them.
    #[must_use]
    pub fn contains(&self, value: &[u8]) -> bool {
        match self {
            Self::Few(strings) => strings.iter().any(|string| **string == *value),
            Self::Many(strings) => strings.contains(value),
        }
    }
}

/// Host names, and names below a host.
#[derive(Clone, Debug)]
pub struct HostNames {
    exact: Strings,
    below: Strings,
}

impl HostNames {
    /// From names in lower case; `*.example.com` is every name below it.
    #[must_use]
    pub fn new(items: Vec<String>) -> Self {
        let (below, exact): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| item.starts_with("*."));
        let bytes = |items: Vec<String>, from: usize| items.iter().map(|item| item.as_bytes()[from..].into()).collect();
        Self { exact: Strings::new(bytes(exact, 0)), below: Strings::new(bytes(below, 2)) }
    }

    /// Whether it is one of them, whatever its case.
    #[must_use]
    pub fn contains(&self, value: &[u8]) -> bool {
        let name = lower(value);
        let mut dots = name.iter().enumerate().filter(|(place, byte)| **byte == b'.' && *place > 0);
        self.exact.contains(&name) || dots.any(|(dot, _)| self.below.contains(&name[dot + 1..]))
    }
}

/// ASCII letters in lower case; copied only when there is one to change.
#[must_use]
pub fn lower(value: &[u8]) -> Cow<'_, [u8]> {
    if value.iter().any(u8::is_ascii_uppercase) { value.to_ascii_lowercase().into() } else { value.into() }
}

/// A named list.
#[derive(Clone, Debug)]
pub enum List {
    Addresses(Addresses),
    Integers(Ranges<i64>),
    Strings(Strings),
    HostNames(HostNames),
}

impl List {
    /// What it holds.
    #[must_use]
    pub const fn item_type(&self) -> Type {
        match self {
            Self::Addresses(_) => Type::Ip,
            Self::Integers(_) => Type::Integer,
            Self::Strings(_) | Self::HostNames(_) => Type::String,
        }
    }

    /// Whether it holds this.
    #[must_use]
    pub fn contains(&self, value: &Value<'_>) -> bool {
        match (self, value) {
            (Self::Addresses(set), Value::Ip(address)) => set.contains(*address),
            (Self::Integers(set), Value::Integer(integer)) => set.contains(*integer),
            (Self::Strings(set), Value::String(string)) => set.contains(string),
            (Self::HostNames(set), Value::String(string)) => set.contains(string),
            _ => false,
        }
    }
}

/// The named lists that a zone's programs use.
pub type Lists = HashMap<String, Arc<List>>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_merged_and_searched() {
        let ranges = Ranges::new(vec![(10, 20), (1, 1), (15, 30), (40, 40)]);
        let inside: Vec<i64> = (0..50).filter(|value| ranges.contains(*value)).collect();
        assert_eq!(inside, [vec![1], (10..=30).collect(), vec![40]].concat());
        assert!(!Ranges::<i64>::new(Vec::new()).contains(0));
    }

    #[test]
    fn addresses_are_in_networks_of_their_family() {
        let set = Addresses::parse(["192.0.2.0/24", "198.51.100.7", "2001:db8::/32", "0.0.0.0/32"].into_iter()).unwrap();
        for (address, expected) in [
            ("192.0.2.255", true),
            ("192.0.3.0", false),
            ("198.51.100.7", true),
            ("198.51.100.8", false),
            ("2001:db8:ffff::1", true),
            ("2001:db9::", false),
            ("::ffff:192.0.2.1", false),
            ("0.0.0.0", true),
        ] {
            assert_eq!(set.contains(address.parse().unwrap()), expected, "{address}");
        }
        let all = Addresses::parse(["0.0.0.0/0", "::/0"].into_iter()).unwrap();
        assert!(all.contains([255; 4].into()) && all.contains([255; 16].into()));
        for wrong in ["192.0.2.0/33", "::/129", "x", "192.0.2.1-192.0.2.9", "1.2.3.4/", "1.2.3.4/-1"] {
            assert!(Addresses::parse([wrong].into_iter()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn host_names_match_whole_labels_whatever_their_case() {
        let set = HostNames::new(["a.example.com", "*.example.org"].map(str::to_owned).to_vec());
        for (name, expected) in [
            ("a.example.com", true),
            ("A.Example.COM", true),
            ("b.a.example.com", false),
            ("example.org", false),
            (".example.org", false),
            ("x.example.org", true),
            ("y.x.example.org", true),
            ("xexample.org", false),
        ] {
            assert_eq!(set.contains(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn few_and_many_strings_are_found_alike() {
        for count in [0, 1, FEW, FEW + 1, 1000] {
            let strings: Vec<Box<[u8]>> = (0..count).map(|i| i.to_string().into_bytes().into()).collect();
            let set = Strings::new(strings);
            assert!((0..count).all(|i| set.contains(i.to_string().as_bytes())));
            assert!(!set.contains(b"x") && !set.contains(count.to_string().as_bytes()));
        }
    }
}
