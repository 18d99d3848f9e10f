//! Numbers of a JSON text: their grammar, and whether a reader with 64-bit integers or doubles keeps their value.

use super::issues::{ErrorKind, IssueKind};

/// A scanned number: where it ends and what reading it loses.
pub(super) struct ScannedNumber {
    pub end: usize,
    pub is_integer: bool,
    pub issue: Option<IssueKind>,
}

/// A number as read: an integer where it fits one, else a double.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Signed(i64),
    Unsigned(u64),
    Double(f64),
}

impl Number {
    /// Reads the text of a number of the JSON grammar. Integers keep all 64 bits; what fits none becomes a double.
    #[must_use]
    pub fn read(text: &str, is_integer: bool) -> Self {
        if is_integer && text != "-0" {
            if let Ok(signed) = text.parse() {
                return Self::Signed(signed);
            }
            if let Ok(unsigned) = text.parse() {
                return Self::Unsigned(unsigned);
            }
        }
        Self::Double(text.parse().unwrap_or(f64::NAN))
    }

    /// The nearest double; infinite when there is none.
    #[must_use]
    pub fn as_f64(self) -> f64 {
        match self {
            Self::Signed(signed) => signed as f64,
            Self::Unsigned(unsigned) => unsigned as f64,
            Self::Double(double) => double,
        }
    }
}

/// Scans `number = [ minus ] int [ frac ] [ exp ]` (RFC 8259 section 6) that begins at `start`.
pub(super) fn scan(bytes: &[u8], start: usize) -> Result<ScannedNumber, (ErrorKind, usize)> {
    let int_start = start + usize::from(bytes.get(start) == Some(&b'-'));
    let int_end = digits(bytes, int_start)?;
    if bytes[int_start] == b'0' && int_end > int_start + 1 {
        return Err((ErrorKind::InvalidNumber, int_start));
    }
    let mut end = int_end;
    if bytes.get(end) == Some(&b'.') {
        end = digits(bytes, end + 1)?;
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let signed = matches!(bytes.get(end + 1), Some(b'+' | b'-'));
        end = digits(bytes, end + 1 + usize::from(signed))?;
    }
    let is_integer = end == int_end;
    let issue = if end - start <= 15 && (is_integer || !has_exponent(&bytes[start..end])) {
        None
    } else {
        inexactness(&bytes[start..end], is_integer)
    };
    Ok(ScannedNumber { end, is_integer, issue })
}

/// One or more digits from `start`; gives where they end.
fn digits(bytes: &[u8], start: usize) -> Result<usize, (ErrorKind, usize)> {
    let count = bytes.get(start..).unwrap_or_default().iter().take_while(|b| b.is_ascii_digit()).count();
    match (count, bytes.get(start)) {
        (0, None) => Err((ErrorKind::UnexpectedEnd, start)),
        (0, Some(_)) => Err((ErrorKind::InvalidNumber, start)),
        _ => Ok(start + count),
    }
}

fn has_exponent(number: &[u8]) -> bool {
    number.iter().any(|b| matches!(b, b'e' | b'E'))
}

fn inexactness(number: &[u8], is_integer: bool) -> Option<IssueKind> {
    let text = std::str::from_utf8(number).ok()?;
    if is_integer {
        const EXACT: u64 = 1 << 53;
        return match (text.parse::<i64>(), text.parse::<u64>()) {
            (Ok(signed), _) if signed.unsigned_abs() <= EXACT => None,
            (Ok(_), _) | (_, Ok(_)) => Some(IssueKind::IntegerBeyond53Bits),
            _ if text.parse::<f64>().is_ok_and(f64::is_infinite) => Some(IssueKind::NumberOverflow),
            _ => Some(IssueKind::IntegerBeyond64Bits),
        };
    }
    let double: f64 = text.parse().ok()?;
    let digits = significant_digits(number);
    if double.is_infinite() {
        Some(IssueKind::NumberOverflow)
    } else if double == 0.0 && digits > 0 {
        Some(IssueKind::NumberUnderflow)
    } else if digits > 17 {
        Some(IssueKind::PrecisionLost)
    } else {
        None
    }
}

/// Digits between the first and the last that is not zero, exponent aside; 0 for zero itself.
fn significant_digits(number: &[u8]) -> usize {
    let mantissa = number.iter().take_while(|b| !matches!(b, b'e' | b'E')).filter(|b| b.is_ascii_digit());
    let (mut count, mut up_to_last) = (0, 0);
    for digit in mantissa.skip_while(|b| **b == b'0') {
        count += 1;
        if *digit != b'0' {
            up_to_last = count;
        }
    }
    up_to_last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issue(text: &str) -> Option<IssueKind> {
        let scanned = scan(text.as_bytes(), 0).unwrap();
        assert_eq!(scanned.end, text.len());
        scanned.issue
    }

    #[test]
    fn what_a_double_or_a_64_bit_integer_loses_is_reported() {
        assert_eq!(issue("9007199254740992"), None);
        assert_eq!(issue("-9007199254740992"), None);
        assert_eq!(issue("9007199254740993"), Some(IssueKind::IntegerBeyond53Bits));
        assert_eq!(issue("18446744073709551615"), Some(IssueKind::IntegerBeyond53Bits));
        assert_eq!(issue("18446744073709551616"), Some(IssueKind::IntegerBeyond64Bits));
        assert_eq!(issue(&"9".repeat(400)), Some(IssueKind::NumberOverflow));
        assert_eq!(issue("1e400"), Some(IssueKind::NumberOverflow));
        assert_eq!(issue("1e-400"), Some(IssueKind::NumberUnderflow));
        assert_eq!(issue("0e-400"), None);
        assert_eq!(issue("0.12345678901234567"), None);
        assert_eq!(issue("0.123456789012345678"), Some(IssueKind::PrecisionLost));
    }

    #[test]
    fn the_grammar_is_strict() {
        for bad in ["01", "-", "1.", ".5", "1e", "1e+", "-a", "+1"] {
            assert!(scan(bad.as_bytes(), 0).is_err(), "{bad}");
        }
        for good in ["0", "-0", "10", "1.0", "1E5", "1e+5", "1.5e-3"] {
            assert!(scan(good.as_bytes(), 0).is_ok(), "{good}");
        }
    }

    #[test]
    fn integers_keep_64_bits() {
        assert_eq!(Number::read("-9223372036854775808", true), Number::Signed(i64::MIN));
        assert_eq!(Number::read("18446744073709551615", true), Number::Unsigned(u64::MAX));
        assert_eq!(Number::read("1.5", false), Number::Double(1.5));
    }
}
