//! Small sets of words (classes of characters, formats, detectors) as bits, each declared in one table.

/// Declares a set type over an integer, one constant per member in the order of its bits, and the words that columns hold.
macro_rules! word_set {
    ($(#[$meta:meta])* $set:ident($int:ty) { $($(#[$doc:meta])* $member:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
        pub struct $set($int);

        #[allow(non_camel_case_types, clippy::upper_case_acronyms)]
        enum Bit { $($member,)+ }

        impl $set {
            /// The set without members.
            pub const NONE: Self = Self(0);
            $($(#[$doc])* pub const $member: Self = Self(1 << Bit::$member as u32);)+

            /// The words of all members, in the order of their bits.
            pub const WORDS: &'static [&'static str] = &[$($word,)+];

            /// The members of both sets.
            #[must_use]
            pub const fn with(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// Whether any member of `other` is in this set.
            #[must_use]
            pub const fn has_any(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// Whether every member of this set is in `other`.
            #[must_use]
            pub const fn is_within(self, other: Self) -> bool {
                self.0 & !other.0 == 0
            }

            #[must_use]
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// The words of the members that are in this set.
            pub fn names(self) -> impl Iterator<Item = &'static str> {
                Self::WORDS.iter().enumerate().filter(move |(bit, _)| self.0 >> bit & 1 == 1).map(|(_, word)| *word)
            }
        }
    };
}

pub(crate) use word_set;
