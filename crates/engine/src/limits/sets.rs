//! A table of counters in a fixed piece of memory: sets of 16 slots, a key may stand in one of two sets. Nothing grows and nothing
//! is moved: a slot is taken over when what it held is over. The memory is taken with the first key, all of it. Knows no limits.

use crate::limits::key::Key;
use crate::limits::slide::Slide;
use crate::timestamp::Timestamp;

/// Slots of a set.
const WAYS: usize = 16;
/// Words of a slot besides its key: until when it is under mitigation, the two counts, window and period.
const STATE_WORDS: usize = 3;
/// Words of a set: its keys first, so that two cache lines are looked through.
const SET_WORDS: usize = WAYS * (1 + STATE_WORDS);
/// Bytes of a set.
pub const SET_BYTES: usize = SET_WORDS * 8;

/// What is kept under one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Counts by window; of requests in flight, `current` alone.
    pub slide: Slide,
    /// 0: requests in flight.
    pub period_seconds: u32,
    /// Under mitigation until then.
    pub until: Timestamp,
}

impl Entry {
    /// Nothing counted.
    #[must_use]
    pub fn new(period_seconds: u32) -> Self {
        Self { slide: Slide::default(), period_seconds, until: Timestamp::default() }
    }

    /// Under mitigation, or requests in flight will be given back: it stays whatever happens.
    #[must_use]
    pub fn is_pinned(&self, now: Timestamp) -> bool {
        self.until > now || (self.period_seconds == 0 && self.slide.current > 0)
    }

    /// It says no more than an absent one.
    #[must_use]
    pub fn is_over(&self, now: Timestamp) -> bool {
        !self.is_pinned(now) && (self.period_seconds == 0 || self.slide.is_over(now, self.period_seconds))
    }
}

/// Where a key stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    set: usize,
    way: usize,
}

impl Place {
    fn key(self) -> usize {
        self.set * SET_WORDS + self.way
    }

    fn state(self) -> usize {
        self.set * SET_WORDS + WAYS + self.way * STATE_WORDS
    }
}

/// See the module.
#[derive(Debug)]
pub struct Sets {
    /// Empty until something is written: an allocator may make all of it resident at once (huge pages).
    words: Box<[u64]>,
    sets: usize,
    used: usize,
}

impl Sets {
    /// As many sets as fit, at least one.
    #[must_use]
    pub fn new(bytes: usize) -> Self {
        Self { words: Box::default(), sets: (bytes / SET_BYTES).max(1), used: 0 }
    }

    /// Slots that hold something, over or not.
    #[must_use]
    pub fn used(&self) -> usize {
        self.used
    }

    /// All slots.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.sets * WAYS
    }

    /// Bytes of the slots, taken or not yet.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.sets * SET_BYTES
    }

    /// Where this key stands.
    #[must_use]
    pub fn find(&self, key: Key) -> Option<Place> {
        self.sets_of(key).into_iter().find_map(|set| {
            let first = set * SET_WORDS;
            let way = self.words.get(first..first + WAYS)?.iter().position(|word| *word == key.get());
            way.map(|way| Place { set, way })
        })
    }

    /// A slot that this key may take over: in the set that has more of them, so that both fill evenly.
    #[must_use]
    pub fn room(&self, key: Key, now: Timestamp) -> Option<Place> {
        let [one, other] = self.sets_of(key).map(|set| self.room_in(set, now));
        let best = if other.0 > one.0 { other } else { one };
        best.1
    }

    /// The slot of those that this key may stand in whose loss means least: of the smallest count, none that is pinned.
    #[must_use]
    pub fn victim(&self, key: Key, now: Timestamp) -> Option<Place> {
        let places = self.sets_of(key).into_iter().flat_map(ways);
        let entries = places.map(|place| (self.read(place), place)).filter(|(entry, _)| !entry.is_pinned(now));
        entries.min_by_key(|(entry, _)| u64::from(entry.slide.previous) + u64::from(entry.slide.current)).map(|(_, place)| place)
    }

    /// Whose slot that is; 0: nobody's.
    #[must_use]
    pub fn owner(&self, place: Place) -> u64 {
        self.word(place.key())
    }

    /// As long as nothing was written, everything is 0.
    fn word(&self, index: usize) -> u64 {
        self.words.get(index).copied().unwrap_or(0)
    }

    /// What stands there.
    #[must_use]
    pub fn read(&self, place: Place) -> Entry {
        let at = place.state();
        let (until, counts, windows) = (self.word(at), self.word(at + 1), self.word(at + 2));
        let slide = Slide { window: windows as u32, previous: counts as u32, current: (counts >> 32) as u32 };
        Entry { slide, period_seconds: (windows >> 32) as u32, until: Timestamp::from_micros(until as i64) }
    }

    /// Writes what stands there from now on.
    pub fn write(&mut self, place: Place, key: Key, entry: &Entry) {
        if self.words.is_empty() {
            self.words = vec![0; self.sets * SET_WORDS].into();
        }
        let slide = entry.slide;
        self.used += usize::from(self.words[place.key()] == 0);
        self.words[place.key()] = key.get();
        let at = place.state();
        self.words[at] = entry.until.micros() as u64;
        self.words[at + 1] = u64::from(slide.previous) | u64::from(slide.current) << 32;
        self.words[at + 2] = u64::from(slide.window) | u64::from(entry.period_seconds) << 32;
    }

    /// Every key with what stands under it.
    pub fn entries(&self) -> impl Iterator<Item = (Key, Entry)> {
        let taken = self.words.len() / SET_WORDS;
        let places = (0..taken).flat_map(ways).filter(|place| self.words[place.key()] != 0);
        places.map(|place| (Key::new(self.words[place.key()]), self.read(place)))
    }

    /// By other bits of the key than the shard, and than each other.
    fn sets_of(&self, key: Key) -> [usize; 2] {
        let of = |bits: u64| (((bits & 0xffff_ffff) * self.sets as u64) >> 32) as usize;
        [of(key.get()), of(key.get() >> 24)]
    }

    /// How many slots of a set can be taken over, and one of them.
    fn room_in(&self, set: usize, now: Timestamp) -> (usize, Option<Place>) {
        let can_be_taken = |place: &Place| self.word(place.key()) == 0 || self.read(*place).is_over(now);
        let mut free = ways(set).filter(can_be_taken);
        let first = free.next();
        (usize::from(first.is_some()) + free.count(), first)
    }
}

fn ways(set: usize) -> impl Iterator<Item = Place> {
    (0..WAYS).map(move |way| Place { set, way })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn counted(window: u32, current: u32) -> Entry {
        Entry { slide: Slide { window, previous: 0, current }, ..Entry::new(10) }
    }

    #[test]
    fn what_is_written_is_read() {
        let mut sets = Sets::new(4 * SET_BYTES);
        let entry = Entry {
            slide: Slide { window: u32::MAX, previous: 1 << 31, current: 7 },
            period_seconds: 86_400,
            until: at(4_000_000_000),
        };
        let key = Key::new(0xdead_beef_dead_beef);
        assert_eq!(
            (sets.find(key), sets.entries().count(), sets.words.len()),
            (None, 0, 0),
            "nothing is taken before it is needed"
        );
        sets.write(sets.room(key, at(0)).unwrap(), key, &entry);
        assert_eq!(sets.read(sets.find(key).unwrap()), entry);
        assert_eq!(sets.entries().collect::<Vec<_>>(), [(key, entry)]);
        assert_eq!((sets.used(), sets.bytes()), (1, 4 * SET_BYTES));
    }

    #[test]
    fn a_full_set_gives_a_slot_back_when_its_windows_are_over() {
        let mut sets = Sets::new(SET_BYTES);
        for key in 1..=16 {
            sets.write(sets.room(Key::new(key), at(100)).unwrap(), Key::new(key), &counted(10, 5));
        }
        let next = Key::new(99);
        assert_eq!(sets.room(next, at(100)), None);
        assert_eq!(sets.room(next, at(119)), None, "the window before still counts");
        assert!(sets.room(next, at(120)).is_some());
    }

    #[test]
    fn nobody_pushes_out_what_is_under_mitigation_or_in_flight() {
        let mut sets = Sets::new(SET_BYTES);
        for key in 1..=16 {
            let pinned = if key % 2 == 0 {
                Entry { until: at(500), ..counted(10, 1) }
            } else {
                Entry { period_seconds: 0, ..counted(0, 1) }
            };
            sets.write(sets.room(Key::new(key), at(100)).unwrap(), Key::new(key), &pinned);
        }
        let next = Key::new(99);
        assert_eq!((sets.room(next, at(499)), sets.victim(next, at(499))), (None, None));
        let released = sets.find(Key::new(1)).unwrap();
        sets.write(released, Key::new(1), &Entry::new(0));
        assert_eq!(sets.room(next, at(499)), Some(released));
    }

    #[test]
    fn the_victim_is_the_one_that_counted_least() {
        let mut sets = Sets::new(SET_BYTES);
        for key in 1..=16 {
            sets.write(sets.room(Key::new(key), at(100)).unwrap(), Key::new(key), &counted(10, 100 - key as u32));
        }
        assert_eq!(sets.victim(Key::new(99), at(100)), sets.find(Key::new(16)));
    }

    #[test]
    fn nine_tenths_of_the_slots_fill_before_a_key_in_a_thousand_finds_no_room() {
        let mut sets = Sets::new(512 * SET_BYTES);
        let slots = 512 * WAYS as u64;
        let mut refused = 0;
        for number in 0..slots * 9 / 10 {
            let key = Key::new(
                blake3::hash(&number.to_le_bytes()).as_bytes()[..8].iter().fold(0, |key, byte| key << 8 | u64::from(*byte)),
            );
            match sets.room(key, at(100)) {
                Some(place) => sets.write(place, key, &counted(10, 1)),
                None => refused += 1,
            }
        }
        assert!(refused * 1_000 < slots, "{refused} of {slots}");
    }
}
