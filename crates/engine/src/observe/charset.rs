//! Which classes of characters a text is made of: what remains of a value's shape when the value itself is not kept.

use std::fmt;

use super::sets::word_set;

word_set! {
    /// Classes of characters present in a text.
    Charset(u16) {
        LOWER = "lower",
        UPPER = "upper",
        DIGIT = "digit",
        SPACE = "space",
        DASH = "dash",
        UNDERSCORE = "underscore",
        DOT = "dot",
        SLASH = "slash",
        AT = "at",
        COLON = "colon",
        PLUS = "plus",
        EQUALS = "equals",
        /// Any other printable ASCII character.
        PUNCTUATION = "punctuation",
        /// ASCII control characters.
        CONTROL = "control",
        NON_ASCII = "non_ascii",
    }
}

impl Charset {
    pub(super) const LETTER: Self = Self::LOWER.with(Self::UPPER);
    pub(super) const ALPHANUMERIC: Self = Self::LETTER.with(Self::DIGIT);

    /// The classes of a text's bytes; bytes above 127 are all `non_ascii`.
    #[must_use]
    pub fn of(text: &[u8]) -> Self {
        Self(text.iter().fold(0, |classes, byte| classes | CLASS_OF[*byte as usize].0))
    }
}

impl fmt::Display for Charset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (position, name) in self.names().enumerate() {
            if position > 0 {
                f.write_str("+")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

static CLASS_OF: [Charset; 256] = {
    let mut table = [Charset::NON_ASCII; 256];
    let mut byte = 0;
    while byte < 128 {
        table[byte] = class(byte as u8);
        byte += 1;
    }
    table
};

const fn class(byte: u8) -> Charset {
    match byte {
        b'a'..=b'z' => Charset::LOWER,
        b'A'..=b'Z' => Charset::UPPER,
        b'0'..=b'9' => Charset::DIGIT,
        b' ' => Charset::SPACE,
        b'-' => Charset::DASH,
        b'_' => Charset::UNDERSCORE,
        b'.' => Charset::DOT,
        b'/' => Charset::SLASH,
        b'@' => Charset::AT,
        b':' => Charset::COLON,
        b'+' => Charset::PLUS,
        b'=' => Charset::EQUALS,
        0..=31 | 127 => Charset::CONTROL,
        _ => Charset::PUNCTUATION,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_joined_in_a_fixed_order() {
        assert_eq!(Charset::of(b"ab-12").to_string(), "lower+digit+dash");
        assert_eq!(Charset::of("É\n!A".as_bytes()).to_string(), "upper+punctuation+control+non_ascii");
        assert_eq!(Charset::of(b"").to_string(), "");
    }
}
