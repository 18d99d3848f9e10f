//! Whether a token looks random: classes of characters change far more often in a random text than in words.

use super::charset::Charset;

/// Whether a token of this length, with no other classes of characters than these, can look random at all: fewer than
/// [`MUCH`] bytes only do where all three classes are mixed.
pub(super) fn may_be_random(length: usize, charset: Charset) -> bool {
    let classes = [Charset::LOWER, Charset::UPPER, Charset::DIGIT];
    length >= MUCH || length >= SHORTEST && classes.into_iter().all(|class| charset.has_any(class))
}

/// Bytes that look random whatever they are made of.
const MUCH: usize = 16;
/// Bytes that look random where lower case, upper case and digits are mixed.
const SHORTEST: usize = 8;

/// A token of letters, digits and the signs of base64; at least 8 characters that look drawn at random.
///
/// Random base62 changes class (lower, upper, digit) at 62 % of its places, base36 at 40 %, hex at 47 %; camelCase and
/// `name123` stay below a third. Letters of one case are judged by rare letters and runs of consonants.
pub(super) fn looks_random(token: &str) -> bool {
    let is_of_a_token = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'=' | b'_' | b'-' | b'.' | b'~' | b'$');
    if token.len() < SHORTEST || !token.bytes().all(is_of_a_token) {
        return false;
    }
    let pieces = token.as_bytes().split(|b| !b.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty());
    let (mut random, mut longest_mixed, mut total) = (0, 0, 0);
    for piece in pieces {
        total += piece.len();
        let shape = Shape::of(piece);
        if shape.is_random() {
            random += piece.len();
            if shape.classes() == 3 {
                longest_mixed = longest_mixed.max(piece.len());
            }
        }
    }
    longest_mixed >= SHORTEST || random >= MUCH && random * 2 >= total
}

#[derive(Default)]
struct Shape {
    length: usize,
    lower: usize,
    upper: usize,
    digits: usize,
    changes: usize,
    rare: usize,
    longest_run: usize,
}

impl Shape {
    fn of(piece: &[u8]) -> Self {
        let mut shape = Self { length: piece.len(), ..Self::default() };
        let (mut before, mut run) = (0, 0);
        for byte in piece {
            let class = match byte {
                b'a'..=b'z' => 1,
                b'A'..=b'Z' => 2,
                _ => 3,
            };
            match class {
                1 => shape.lower += 1,
                2 => shape.upper += 1,
                _ => shape.digits += 1,
            }
            shape.changes += usize::from(before != 0 && before != class);
            before = class;
            let letter = byte.to_ascii_lowercase();
            shape.rare += usize::from(matches!(letter, b'j' | b'q' | b'x' | b'z' | b'k' | b'w' | b'v'));
            run = if class < 3 && !matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y') { run + 1 } else { 0 };
            shape.longest_run = shape.longest_run.max(run);
        }
        shape
    }

    fn classes(&self) -> usize {
        usize::from(self.lower > 0) + usize::from(self.upper > 0) + usize::from(self.digits > 0)
    }

    fn is_random(&self) -> bool {
        let per_cent = self.changes * 100 / self.length.max(1);
        match (self.classes(), self.digits > 0) {
            (3, _) => self.length >= 5 && self.changes >= 4 && per_cent >= if self.length < 12 { 50 } else { 35 },
            (2, true) => self.length >= 6 && self.changes >= 3 && per_cent >= 20,
            (2, false) => self.length >= 8 && per_cent >= 40 && self.changes >= 5,
            (_, true) => self.length > 19,
            _ => self.length >= 12 && (self.rare * 100 / self.length >= 25 || self.longest_run >= 6),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_names_are_not_random() {
        for token in [
            "internationalization",
            "getUserAccountDetails",
            "order_confirmation_email_v2",
            "iPhone15Pro",
            "us-east-1",
            "sha256",
            "version20241121",
            "x86_64-unknown-linux-gnu",
            "McDonaldsRestaurant",
            "20240101T000000Z",
            "Geschwindigkeitsbegrenzung",
            "HTTPServerError500",
            "ABC-1234-XYZ",
            "application",
            "12345678901",
            "straightforwardness",
        ] {
            assert!(!looks_random(token), "{token}");
        }
    }

    #[test]
    fn drawn_tokens_are_random() {
        for token in [
            "5f4dcc3b5aa765d61d8327deb882cf99",
            "507f1f77bcf86cd799439011",
            "dQw4w9WgXcQ",
            "aB3dE5fG7hJ9",
            "k7h2m9x4q1w8z5t3",
            "dXNlcjpwYXNzd29yZA==",
            "Zk-3xQ9_vT7bLm2NpR5w",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "qzjxkvbwmplrtnsdfghk",
        ] {
            assert!(looks_random(token), "{token}");
        }
    }
}
