//! Numbers that identify people or money: cards, IBANs, phone and social security numbers, alone or inside a text.

use super::detectors::DetectorSet;

/// Cards, phone and social security numbers among the runs of digits of a text, and IBANs written in groups.
pub(super) fn numeric_detectors(text: &str) -> DetectorSet {
    let mut found = DetectorSet::NONE;
    if text.bytes().filter(u8::is_ascii_digit).count() >= LEAST_DIGITS {
        found = DigitRuns::new(text).fold(found, |found, run| found.with(kind_of_run(&run)));
    }
    if text.as_bytes().contains(&b' ') && has_grouped_iban(text) {
        found = found.with(DetectorSet::IBAN);
    }
    found
}

/// Runs with fewer digits identify nothing.
const LEAST_DIGITS: usize = 7;

/// Digits with single signs between them: `4111 1111-…`, `+49 (151) 123`.
struct Run<'a> {
    text: &'a str,
    digits: [u8; 20],
    count: usize,
    /// Words before it speak of a telephone.
    announced: bool,
}

impl Run<'_> {
    fn digits(&self) -> &[u8] {
        &self.digits[..self.count.min(20)]
    }
}

struct DigitRuns<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> DigitRuns<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }
}

impl<'a> Iterator for DigitRuns<'a> {
    type Item = Run<'a>;

    fn next(&mut self) -> Option<Run<'a>> {
        let bytes = self.text.as_bytes();
        loop {
            let is_start = |b: u8| b.is_ascii_digit() || matches!(b, b'+' | b'(');
            let start = self.at + bytes.get(self.at..)?.iter().position(|b| is_start(*b))?;
            let mut run = Run { text: "", digits: [0; 20], count: 0, announced: false };
            let (mut end, mut at, mut signs) = (start, start, 0);
            while let Some(b) = bytes.get(at) {
                if b.is_ascii_digit() {
                    if let Some(slot) = run.digits.get_mut(run.count) {
                        *slot = b - b'0';
                    }
                    run.count += 1;
                    signs = 0;
                    end = at + 1;
                } else if signs < 2 && b" -.()+x".contains(b) {
                    signs += 1;
                } else {
                    break;
                }
                at += 1;
            }
            self.at = at.max(start + 1);
            let (before, behind) = (start.checked_sub(1).map_or(b' ', |at| bytes[at]), bytes.get(end).copied().unwrap_or(b' '));
            let is_in_word = before.is_ascii_alphanumeric() || behind.is_ascii_alphabetic();
            let is_in_name = matches!(before, b'_' | b'-') || behind == b'_';
            // Part of an identifier, unless it is long enough for a card and in one piece.
            let is_one_piece = run.count >= 13 && run.count == end - start;
            if run.count >= LEAST_DIGITS && !is_in_word && (!is_in_name || is_one_piece) {
                run.text = self.text.get(start..end).unwrap_or_default();
                run.announced = is_announced(&bytes[start.saturating_sub(16)..start]);
                return Some(run);
            }
        }
    }
}

fn is_announced(before: &[u8]) -> bool {
    let words = before.to_ascii_lowercase();
    [&b"phone"[..], b"mobile", b"fax", b"tel:", b"tel ", b"call "]
        .iter()
        .any(|word| words.windows(word.len()).any(|part| part == *word))
}

fn kind_of_run(run: &Run<'_>) -> DetectorSet {
    let mut found = DetectorSet::NONE;
    if is_card(run.digits()) && run.count <= 19 && !run.text.contains('.') {
        found = found.with(DetectorSet::CREDIT_CARD);
    }
    if is_ssn(run.text) {
        found = found.with(DetectorSet::SSN);
    }
    if is_phone(run) {
        found = found.with(DetectorSet::PHONE);
    }
    found
}

/// A brand's beginning and length (ISO/IEC 7812 ranges of the large schemes), and Luhn's check digit.
fn is_card(digits: &[u8]) -> bool {
    if digits.len() < 12 {
        return false;
    }
    let head = |count: usize| digits[..count].iter().fold(0_u32, |number, digit| number * 10 + u32::from(*digit));
    let fits = matches!(
        (head(2), head(4), digits.len()),
        (40..=49, _, 13 | 16 | 19)
            | (34 | 37, _, 15)
            | (36 | 38 | 39, _, 14)
            | (35 | 51..=55, _, 16)
            | (_, 2221..=2720, 16)
            | (_, 1800 | 2131, 15)
            | (_, 3000..=3059, 14)
            | (_, 6011 | 6440..=6599, 16..=19)
            | (50 | 56..=58 | 62 | 67, _, 12..=19)
            | (_, 6304 | 6390, 12..=19)
    );
    fits && luhn(digits)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(position, digit)| match (position % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// `ddd-dd-dddd` or with blanks; no number begins with 000, 666 or 9 (SSA).
fn is_ssn(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 11
        && bytes
            .iter()
            .enumerate()
            .all(|(at, b)| if matches!(at, 3 | 6) { *b == bytes[3] && matches!(b, b'-' | b' ') } else { b.is_ascii_digit() })
        && !text.starts_with("000")
        && !text.starts_with("666")
        && !text.starts_with('9')
}

/// International with a plus, or with the signs that people write into national numbers. Bare digits are no phone number.
fn is_phone(run: &Run<'_>) -> bool {
    if !(7..=17).contains(&run.count) {
        return false;
    }
    let groups: Vec<usize> = run.text.split(|c: char| !c.is_ascii_digit()).map(str::len).filter(|length| *length > 0).collect();
    let is_national =
        matches!(groups[..], [3, 3, 4, ..] | [1, 3, 3, 4, ..] | [1..=3, 3, 3, 4, ..] | [3, 4] | [5, 6] | [2, 4, 4] | [4, 3, 3])
            && run.count >= 7;
    let has_signs = run.text.contains(['(', '-', ' ', '.']);
    let is_ip = run.text.split('.').count() == 4 && run.text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    let is_trunk = run.text.starts_with('0') && has_signs && groups.len() >= 2 && run.count >= 9;
    let begins_as_call = is_trunk
        || run.announced
        || run.text.starts_with('+')
        || run.text.starts_with('(')
        || run.text.starts_with("00") && has_signs;
    (begins_as_call || has_signs && is_national && run.count >= 10) && !is_ip
}

/// An IBAN written in groups of four, anywhere in a text.
fn has_grouped_iban(text: &str) -> bool {
    text.as_bytes().windows(6).enumerate().filter(|(_, at)| is_iban_beginning(at)).any(|(start, _)| {
        let mut joined = String::with_capacity(34);
        text[start..]
            .split(' ')
            .take(9)
            .take_while(|group| group.len() <= 4 && group.bytes().all(|b| b.is_ascii_alphanumeric()))
            .any(|group| {
                joined.push_str(group);
                valid_iban(&joined)
            })
            || text[start..].split(' ').nth(joined.len().div_ceil(4)).is_some_and(|group| {
                let end = group.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(group.len());
                valid_iban(&format!("{joined}{}", &group[..end]))
            })
    })
}

/// `AB12 3`: a country, check digits, a blank.
fn is_iban_beginning(at: &[u8]) -> bool {
    at[..2].iter().all(u8::is_ascii_uppercase)
        && at[2..4].iter().all(u8::is_ascii_digit)
        && at[4] == b' '
        && at[5].is_ascii_alphanumeric()
}

/// Two letters, two check digits, up to 30 characters; the number modulo 97 is 1 (ISO 13616).
pub(super) fn valid_iban(token: &str) -> bool {
    let bytes = token.as_bytes();
    let has_form = (15..=34).contains(&bytes.len())
        && bytes[..2].iter().all(u8::is_ascii_alphabetic)
        && bytes[2..4].iter().all(u8::is_ascii_digit)
        && bytes.iter().all(u8::is_ascii_alphanumeric);
    has_form
        && bytes[4..].iter().chain(&bytes[..4]).fold(0_u32, |rest, b| match b {
            b'0'..=b'9' => (rest * 10 + u32::from(b - b'0')) % 97,
            _ => (rest * 100 + u32::from(b.to_ascii_uppercase() - b'A') + 10) % 97,
        }) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_versions_addresses_and_ids_are_no_phone_numbers() {
        for text in [
            "2026-11-21",
            "2026-11-21 12:30:00",
            "192.168.100.200",
            "1.2.3.4567",
            "20261121123000",
            "ORD-123-456-7890",
            "1732190000000",
        ] {
            assert_eq!(numeric_detectors(text), DetectorSet::NONE, "{text}");
        }
    }

    #[test]
    fn check_digits_decide() {
        assert!(numeric_detectors("5555555555554444").has_any(DetectorSet::CREDIT_CARD));
        assert!(!numeric_detectors("5555555555554445").has_any(DetectorSet::CREDIT_CARD));
        assert!(valid_iban("DE89370400440532013000"));
        assert!(!valid_iban("DE89370400440532013001"));
        for text in ["DE89 3704 0044 0532 0130 00", "IBAN DE89 3704 0044 0532 0130 00.", "to GB82 WEST 1234 5698 7654 32 today"] {
            assert!(numeric_detectors(text).has_any(DetectorSet::IBAN), "{text}");
        }
    }
}
