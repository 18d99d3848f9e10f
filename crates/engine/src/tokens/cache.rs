//! Verified tokens, remembered by a keyed hash of the token and of everything that it was verified with, so that a change of keys or
//! of the configuration forgets them by itself. Only tokens that passed are remembered: nobody fills it without having been let in.
//! Bounded in bytes: each shard has two generations; when the young one is full it becomes the old one, and what was not asked for
//! since the last turn is dropped. Shared by threads; a lock is held for one look-up.

use std::sync::{Arc, Mutex, PoisonError};

use hashbrown::HashTable;

use super::claims::Verified;

const SHARDS: usize = 16;
/// What an entry takes beside its claims: key, pointers, counts, and the free places of the table.
const ENTRY_BYTES: usize = 128;

/// A keyed hash.
pub type TokenHash = [u8; 32];

/// See the module.
pub struct TokenCache {
    key: [u8; 32],
    /// Of one generation of one shard.
    generation_bytes: usize,
    shards: [Mutex<Shard>; SHARDS],
}

#[derive(Default)]
struct Shard {
    young: Generation,
    old: Generation,
}

#[derive(Default)]
struct Generation {
    entries: HashTable<Entry>,
    bytes: usize,
}

struct Entry {
    hash: TokenHash,
    verified: Arc<Verified>,
}

impl std::fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenCache(..)")
    }
}

impl TokenCache {
    /// A cache of at most about `bound_bytes`; 0: it remembers nothing. `key` is the installation's, for nothing else.
    #[must_use]
    pub fn new(key: [u8; 32], bound_bytes: usize) -> Self {
        Self { key, generation_bytes: bound_bytes / SHARDS / 2, shards: Default::default() }
    }

    /// The key under which tokens of one configuration are hashed: all that decides about them is in it.
    #[must_use]
    pub fn fingerprint(&self, pieces: &[&[u8]]) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        for piece in pieces {
            hasher.update(&(piece.len() as u64).to_le_bytes());
            hasher.update(piece);
        }
        *hasher.finalize().as_bytes()
    }

    /// What was remembered.
    #[must_use]
    pub fn get(&self, hash: &TokenHash) -> Option<Arc<Verified>> {
        self.shard(hash)?.lock().unwrap_or_else(PoisonError::into_inner).get(hash, self.generation_bytes)
    }

    /// Remembers it.
    pub fn put(&self, hash: TokenHash, verified: Arc<Verified>) {
        if let Some(shard) = self.shard(&hash) {
            shard.lock().unwrap_or_else(PoisonError::into_inner).put(Entry { hash, verified }, self.generation_bytes);
        }
    }

    /// How many are remembered, and about how many bytes they take.
    #[must_use]
    pub fn size(&self) -> (usize, usize) {
        let sizes = self.shards.iter().map(|shard| shard.lock().unwrap_or_else(PoisonError::into_inner).size());
        sizes.fold((0, 0), |(count, bytes), (c, b)| (count + c, bytes + b))
    }

    fn shard(&self, hash: &TokenHash) -> Option<&Mutex<Shard>> {
        (self.generation_bytes > 0).then(|| &self.shards[usize::from(hash[8]) % SHARDS])
    }
}

impl Shard {
    /// What is found among the old ones is young again.
    fn get(&mut self, hash: &TokenHash, bound: usize) -> Option<Arc<Verified>> {
        if let Some(entry) = self.young.find(hash) {
            return Some(entry.verified.clone());
        }
        let entry = self.old.take(hash)?;
        let verified = entry.verified.clone();
        self.put(entry, bound);
        Some(verified)
    }

    fn put(&mut self, entry: Entry, bound: usize) {
        let bytes = entry.bytes();
        if bytes > bound || self.young.find(&entry.hash).is_some() {
            return;
        }
        if self.young.bytes + bytes > bound {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.bytes += bytes;
        self.young.entries.insert_unique(place(&entry.hash), entry, |entry| place(&entry.hash));
    }

    fn size(&self) -> (usize, usize) {
        (self.young.entries.len() + self.old.entries.len(), self.young.bytes + self.old.bytes)
    }
}

impl Generation {
    fn find(&self, hash: &TokenHash) -> Option<&Entry> {
        self.entries.find(place(hash), |entry| entry.hash == *hash)
    }

    fn take(&mut self, hash: &TokenHash) -> Option<Entry> {
        let found = self.entries.find_entry(place(hash), |entry| entry.hash == *hash).ok()?;
        let (entry, _) = found.remove();
        self.bytes -= entry.bytes();
        Some(entry)
    }
}

impl Entry {
    fn bytes(&self) -> usize {
        ENTRY_BYTES + self.verified.bytes()
    }
}

/// The hash is uniform already: its first bytes say where in the table.
fn place(hash: &TokenHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokens::claims;

    fn verified(text: &str) -> Arc<Verified> {
        let payload = format!("{{\"sub\": \"{text}\"}}");
        let (text, document) = claims::parse(payload.as_bytes()).unwrap();
        Verified::read(text, &document, &[]).unwrap().into()
    }

    fn hash(number: u32) -> TokenHash {
        *blake3::hash(&number.to_le_bytes()).as_bytes()
    }

    #[test]
    fn what_was_put_is_found_under_its_own_hash_only() {
        let cache = TokenCache::new([0; 32], 1 << 20);
        cache.put(hash(1), verified("ann"));
        assert_eq!(cache.get(&hash(1)).unwrap().subject.as_deref(), Some("ann"));
        assert!(cache.get(&hash(2)).is_none());
        cache.put(hash(1), verified("eve"));
        assert_eq!(cache.get(&hash(1)).unwrap().subject.as_deref(), Some("ann"), "the same hash is the same token");
    }

    #[test]
    fn the_bound_is_kept_and_what_is_in_use_stays() {
        let bound = 1 << 20;
        let cache = TokenCache::new([0; 32], bound);
        cache.put(hash(0), verified("in use"));
        for number in 1..100_000 {
            cache.put(hash(number), verified("passing"));
            assert!(cache.get(&hash(0)).is_some());
        }
        let (count, bytes) = cache.size();
        assert!(bytes <= bound, "{bytes}");
        assert!(count > 1_000, "{count}");
        assert!(cache.get(&hash(1)).is_none());
    }

    #[test]
    fn a_bound_of_0_remembers_nothing() {
        let cache = TokenCache::new([0; 32], 0);
        cache.put(hash(1), verified("ann"));
        assert!(cache.get(&hash(1)).is_none());
    }

    #[test]
    fn fingerprints_differ_by_key_and_by_where_pieces_end() {
        let cache = TokenCache::new([0; 32], 0);
        assert_ne!(cache.fingerprint(&[b"ab", b"c"]), cache.fingerprint(&[b"a", b"bc"]));
        assert_ne!(cache.fingerprint(&[b"a"]), TokenCache::new([1; 32], 0).fingerprint(&[b"a"]));
    }
}
