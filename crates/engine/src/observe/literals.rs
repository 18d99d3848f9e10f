//! The rule for literals: a value may be written down once enough distinct sessions sent it at the same place. The table holds
//! hashes only and is bounded: when a row of it is full, what few sessions sent and was not seen for long is forgotten first.

use crate::hash::Hash64;

/// Most distinct sessions that the rule can ask for (`ObserveSettings::literal_sessions`); asked for more, it never shows a literal.
pub const MAX_SESSIONS: usize = 16;
const ROWS: usize = 2048;
const WAYS: usize = 8;

/// Who sent a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sender {
    pub session: Hash64,
    pub client: Hash64,
    /// Anyone can invent unverified sessions: they are distinct only when their clients differ too.
    pub verified: bool,
}

impl Sender {
    fn is_distinct_from(self, other: &Seen) -> bool {
        let own = Seen::of(self);
        let both_verified = own.client & other.client & Seen::VERIFIED != 0;
        own.session != other.session && (both_verified || (own.client ^ other.client) & !Seen::VERIFIED != 0)
    }
}

/// What the table keeps of a sender: parts of the hashes, and in the client's lowest bit whether the session was verified.
#[derive(Clone, Copy, Default)]
struct Seen {
    session: u32,
    client: u32,
}

impl Seen {
    const VERIFIED: u32 = 1;

    fn of(sender: Sender) -> Self {
        Self { session: sender.session.0 as u32, client: (sender.client.0 as u32) << 1 | u32::from(sender.verified) }
    }
}

#[derive(Clone, Copy, Default)]
struct Entry {
    key: u64,
    last_seen: u32,
    count: u8,
    senders: [Seen; MAX_SESSIONS],
}

/// Values at places and the sessions that sent them: 16,384 entries, about 2.3 MiB, of hashes only.
pub struct LiteralTable {
    entries: Vec<Entry>,
    tick: u32,
    evicted: u64,
}

impl Default for LiteralTable {
    fn default() -> Self {
        Self { entries: vec![Entry::default(); ROWS * WAYS], tick: 0, evicted: 0 }
    }
}

impl LiteralTable {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values were forgotten to make room.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted
    }

    /// Notes that `sender` sent the value at the place; true once `sessions` distinct ones did.
    pub fn note(&mut self, place: u64, value: Hash64, sender: Sender, sessions: usize) -> bool {
        self.tick = self.tick.wrapping_add(1);
        let key = mix(place ^ value.0.rotate_left(32)) | 1;
        let tick = self.tick;
        let entry = self.entry(key);
        entry.last_seen = tick;
        let known = usize::from(entry.count);
        if known < MAX_SESSIONS && entry.senders[..known].iter().all(|seen| sender.is_distinct_from(seen)) {
            entry.senders[known] = Seen::of(sender);
            entry.count += 1;
        }
        usize::from(entry.count) >= sessions.max(1)
    }

    /// The entry of this key, or the least worth keeping of its row, emptied.
    fn entry(&mut self, key: u64) -> &mut Entry {
        let start = (key >> 32) as usize % ROWS * WAYS;
        let tick = self.tick;
        let row = &mut self.entries[start..start + WAYS];
        let at = row.iter().position(|entry| entry.key == key).unwrap_or_else(|| {
            let victim = (0..WAYS).max_by_key(|way| staleness(&row[*way], tick)).unwrap_or(0);
            self.evicted += u64::from(row[victim].key != 0);
            row[victim] = Entry { key, ..Entry::default() };
            victim
        });
        &mut row[at]
    }
}

impl std::fmt::Debug for LiteralTable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiteralTable").field("entries", &self.entries.len()).field("evicted", &self.evicted).finish()
    }
}

/// Age in notes; each session seen counts as much as a turn-over of the whole table.
fn staleness(entry: &Entry, tick: u32) -> i64 {
    if entry.key == 0 {
        return i64::MAX;
    }
    i64::from(tick.wrapping_sub(entry.last_seen)) - i64::from(entry.count) * (ROWS * WAYS) as i64
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood 2014).
pub(super) fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(session: u64, client: u64, verified: bool) -> Sender {
        Sender { session: Hash64(session), client: Hash64(client), verified }
    }

    fn shown(senders: &[Sender]) -> bool {
        let mut table = LiteralTable::new();
        senders.iter().fold(false, |_, sender| table.note(1, Hash64(2), *sender, 5))
    }

    #[test]
    fn a_literal_appears_with_the_fifth_distinct_session() {
        let five: Vec<_> = (0..5).map(|i| sender(i, 100 + i, false)).collect();
        assert!(shown(&five));
        assert!(!shown(&five[..4]));
        assert!(!shown(&[five[0]; 50]), "one session teaches nothing alone");
    }

    #[test]
    fn unverified_sessions_of_one_address_are_one() {
        let from_one_address: Vec<_> = (0..50).map(|i| sender(i, 7, false)).collect();
        assert!(!shown(&from_one_address));
        let verified: Vec<_> = (0..5).map(|i| sender(i, 7, true)).collect();
        assert!(shown(&verified));
        let one_session_from_many: Vec<_> = (0..50).map(|i| sender(7, i, false)).collect();
        assert!(!shown(&one_session_from_many));
    }

    #[test]
    fn places_and_values_are_kept_apart() {
        let mut table = LiteralTable::new();
        for i in 0..4 {
            assert!(!table.note(1, Hash64(2), sender(i, i, true), 5));
        }
        assert!(!table.note(9, Hash64(2), sender(4, 4, true), 5));
        assert!(!table.note(1, Hash64(9), sender(4, 4, true), 5));
        assert!(table.note(1, Hash64(2), sender(4, 4, true), 5));
    }

    #[test]
    fn a_flood_of_values_makes_it_forget_not_grow_and_known_values_last() {
        let mut table = LiteralTable::new();
        for i in 0..5 {
            table.note(1, Hash64(2), sender(i, i, true), 5);
        }
        for value in 0..70_000 {
            table.note(3, Hash64(mix(value)), sender(1, 1, false), 5);
        }
        assert!(table.note(1, Hash64(2), sender(0, 0, true), 5), "five sessions outweigh a flood of that length");
        assert!(table.evicted() > 50_000, "what was forgotten is counted");
        assert_eq!(table.entries.len(), ROWS * WAYS);
    }
}
