//! The functions of the rule language: what they take, what they give, how it is computed. A missing argument gives a missing
//! result (but for `concat`, which leaves it out); so does what cannot be computed.

use std::borrow::Cow;
use std::net::IpAddr;
use std::ops::ControlFlow;

use super::sets::lower;
use super::{json_lookup, url_decode};
use crate::value::{Array, Type, Value};

/// See the module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Any,
    All,
    Cidr,
    Cidr6,
    Concat,
    DecodeBase64,
    EndsWith,
    StartsWith,
    Join,
    Len,
    LookupJsonString,
    LookupJsonInteger,
    LookupJsonText,
    JsonHasWord,
    Lower,
    Upper,
    Only,
    RemoveBytes,
    Substring,
    UrlDecode,
}

const NAMES: [(&str, Function); 20] = [
    ("any", Function::Any),
    ("all", Function::All),
    ("cidr", Function::Cidr),
    ("cidr6", Function::Cidr6),
    ("concat", Function::Concat),
    ("decode_base64", Function::DecodeBase64),
    ("ends_with", Function::EndsWith),
    ("starts_with", Function::StartsWith),
    ("join", Function::Join),
    ("len", Function::Len),
    ("lookup_json_string", Function::LookupJsonString),
    ("lookup_json_integer", Function::LookupJsonInteger),
    ("lookup_json_text", Function::LookupJsonText),
    ("json_has_word", Function::JsonHasWord),
    ("lower", Function::Lower),
    ("upper", Function::Upper),
    ("only", Function::Only),
    ("remove_bytes", Function::RemoveBytes),
    ("substring", Function::Substring),
    ("url_decode", Function::UrlDecode),
];

/// The arguments of a call, computed when they are asked for: `Err` is whatever is there instead of a value.
pub trait Arguments<'f, G> {
    fn count(&self) -> usize;
    fn value(&mut self, index: usize) -> Result<Value<'f>, G>;
}

impl Function {
    /// All names.
    pub fn names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(name, _)| *name)
    }

    /// The function of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
    }

    /// What it gives for arguments of these types; `any` and `all` are checked by whoever knows of streams.
    ///
    /// # Errors
    /// A sentence.
    pub fn result(self, arguments: &[Type]) -> Result<Type, String> {
        use Type::{Bool, Integer, Ip, String};
        match (self, arguments) {
            (Self::Cidr, [Ip, Integer, Integer]) | (Self::Cidr6, [Ip, Integer]) => Ok(Ip),
            (Self::Concat, [first, rest @ ..]) if rest.iter().all(|other| other == first) => match first {
                String | Type::Array(_) => Ok(*first),
                _ => Err("takes strings, or arrays of one type".into()),
            },
            (Self::DecodeBase64 | Self::Lower | Self::Upper, [String]) | (Self::RemoveBytes, [String, String]) => Ok(String),
            (Self::EndsWith | Self::StartsWith, [String, String]) => Ok(Bool),
            (Self::Join, [Type::Array(Type::String), String]) => Ok(String),
            (Self::Len, [String | Type::Array(_)]) => Ok(Integer),
            (Self::LookupJsonString | Self::LookupJsonText, [String, keys @ ..]) if are_keys(keys) => Ok(String),
            (Self::LookupJsonInteger, [String, keys @ ..]) if are_keys(keys) => Ok(Integer),
            (Self::JsonHasWord, [String, String, keys @ ..]) if are_keys(keys) => Ok(Bool),
            (Self::Only, [Type::Array(item)]) => Ok(**item),
            (Self::Substring, [String, Integer] | [String, Integer, Integer]) => Ok(String),
            (Self::UrlDecode, [String] | [String, String]) => Ok(String),
            _ => Err(format!("does not take {}", words(arguments))),
        }
    }

    /// Its value for these arguments; none when it cannot be computed.
    ///
    /// # Errors
    /// What is there instead of an argument.
    pub fn apply<'f, G>(self, arguments: &mut impl Arguments<'f, G>, is_missing: fn(&G) -> bool) -> Result<Option<Value<'f>>, G> {
        if self == Self::Concat {
            return concat(arguments, is_missing);
        }
        let first = arguments.value(0)?;
        Ok(match self {
            Self::Lower => map_string(first, |value| match value {
                Cow::Borrowed(value) => lower(value),
                Cow::Owned(mut value) => {
                    value.make_ascii_lowercase();
                    value.into()
                }
            }),
            Self::Upper => map_string(first, |value| match value.iter().any(u8::is_ascii_lowercase) {
                true => value.to_ascii_uppercase().into(),
                false => value,
            }),
            Self::Len => length(&first),
            Self::Only => only(first),
            Self::DecodeBase64 => string(first).and_then(|value| decode_base64(&value)).map(|value| Value::String(value.into())),
            Self::StartsWith | Self::EndsWith => {
                let (value, part) = (string(first), string(arguments.value(1)?));
                let is = |(value, part): (Cow<'_, [u8]>, Cow<'_, [u8]>)| match self {
                    Self::StartsWith => value.starts_with(&part),
                    _ => value.ends_with(&part),
                };
                value.zip(part).map(is).map(Value::Bool)
            }
            Self::RemoveBytes => {
                let (value, unwanted) = (string(first), string(arguments.value(1)?));
                value.zip(unwanted).map(|(value, unwanted)| Value::String(remove_bytes(value, &unwanted)))
            }
            Self::Join => join(first, string(arguments.value(1)?)),
            Self::Substring => {
                let start = integer(&arguments.value(1)?);
                let end = if arguments.count() > 2 { integer(&arguments.value(2)?) } else { None };
                string(first).zip(start).map(|(value, start)| Value::String(substring(value, start, end)))
            }
            Self::UrlDecode => {
                let options = if arguments.count() > 1 { string(arguments.value(1)?) } else { None };
                let options = options.unwrap_or_default();
                let (recursive, unicode) = (options.contains(&b'r'), options.contains(&b'u'));
                string(first).map(|value| Value::String(url_decode::decode(value, recursive, unicode)))
            }
            Self::Cidr | Self::Cidr6 => {
                let bits = (1..arguments.count()).map(|index| Ok(integer(&arguments.value(index)?)));
                cidr(self, &first, &bits.collect::<Result<Vec<_>, G>>()?)
            }
            Self::LookupJsonString | Self::LookupJsonInteger | Self::LookupJsonText | Self::JsonHasWord => {
                let rest = (1..arguments.count()).map(|index| arguments.value(index)).collect::<Result<Vec<_>, G>>()?;
                string(first).and_then(|text| json_lookup::call(self, &text, &rest))
            }
            // Streams are consumed where they are run.
            Self::Any | Self::All | Self::Concat => None,
        })
    }
}

fn are_keys(keys: &[Type]) -> bool {
    !keys.is_empty() && keys.iter().all(|key| matches!(key, Type::String | Type::Integer))
}

/// `String, Integer`, for a sentence.
fn words(types: &[Type]) -> String {
    match types {
        [] => "no argument".into(),
        _ => types.iter().map(Type::to_string).collect::<Vec<_>>().join(", "),
    }
}

fn string(value: Value<'_>) -> Option<Cow<'_, [u8]>> {
    if let Value::String(value) = value { Some(value) } else { None }
}

fn integer(value: &Value<'_>) -> Option<i64> {
    if let Value::Integer(value) = value { Some(*value) } else { None }
}

fn map_string<'f>(value: Value<'f>, change: impl FnOnce(Cow<'f, [u8]>) -> Cow<'f, [u8]>) -> Option<Value<'f>> {
    string(value).map(|value| Value::String(change(value)))
}

fn length<'f>(value: &Value<'_>) -> Option<Value<'f>> {
    match value {
        Value::String(value) => Some(Value::count(value.len() as u64)),
        Value::Array(array) => Some(Value::count(array.len() as u64)),
        _ => None,
    }
}

fn only(value: Value<'_>) -> Option<Value<'_>> {
    match value {
        Value::Array(array) if array.len() == 1 => array.get(0),
        _ => None,
    }
}

fn concat<'f, G>(arguments: &mut impl Arguments<'f, G>, is_missing: fn(&G) -> bool) -> Result<Option<Value<'f>>, G> {
    let mut whole: Option<Value<'f>> = None;
    for index in 0..arguments.count() {
        let value = match arguments.value(index) {
            Ok(value) => value,
            Err(gap) if is_missing(&gap) => continue,
            Err(gap) => return Err(gap),
        };
        whole = match (whole, value) {
            (None, value) => Some(value),
            (Some(Value::String(before)), Value::String(value)) => {
                let mut joined = before.into_owned();
                joined.extend_from_slice(&value);
                Some(Value::String(joined.into()))
            }
            (Some(Value::Array(before)), Value::Array(array)) => {
                let mut all = items(before);
                all.extend(items(array));
                Some(Value::Array(Array::Values(all)))
            }
            (before, _) => before,
        };
    }
    Ok(whole)
}

fn items(array: Array<'_>) -> Vec<Value<'_>> {
    let mut items = Vec::with_capacity(array.len());
    let _ = array.each(|item| {
        items.push(item);
        ControlFlow::<()>::Continue(())
    });
    items
}

fn join<'f>(array: Value<'f>, separator: Option<Cow<'_, [u8]>>) -> Option<Value<'f>> {
    let (Value::Array(array), Some(separator)) = (array, separator) else { return None };
    let items: Vec<_> = items(array).into_iter().filter_map(string).collect();
    Some(Value::String(items.join(&*separator).into()))
}

fn remove_bytes<'f>(value: Cow<'f, [u8]>, unwanted: &[u8]) -> Cow<'f, [u8]> {
    match value.iter().any(|byte| unwanted.contains(byte)) {
        true => value.iter().copied().filter(|byte| !unwanted.contains(byte)).collect::<Vec<_>>().into(),
        false => value,
    }
}

/// From `start` to before `end`, both counted from the end when negative, both kept within the value.
fn substring(value: Cow<'_, [u8]>, start: i64, end: Option<i64>) -> Cow<'_, [u8]> {
    let length = i64::try_from(value.len()).unwrap_or(i64::MAX);
    let place = |index: i64| (if index < 0 { index.saturating_add(length) } else { index }).clamp(0, length) as usize;
    let (start, end) = (place(start), end.map_or(value.len(), place));
    let range = start.min(end)..end;
    match value {
        Cow::Borrowed(value) => Cow::Borrowed(&value[range]),
        Cow::Owned(value) => value[range].to_vec().into(),
    }
}

/// The standard alphabet (RFC 4648 §4); padding may be left out.
pub(super) fn decode_base64(value: &[u8]) -> Option<Vec<u8>> {
    let digits = value.strip_suffix(b"==").or_else(|| value.strip_suffix(b"=")).unwrap_or(value);
    let padding = value.len() - digits.len();
    if digits.len() % 4 == 1 || (padding > 0 && !(digits.len() + padding).is_multiple_of(4)) {
        return None;
    }
    let mut decoded = Vec::with_capacity(digits.len() * 3 / 4);
    for group in digits.chunks(4) {
        let mut bits = 0_u32;
        for digit in group {
            bits = bits << 6 | u32::from(base64_digit(*digit)?);
        }
        bits <<= 6 * (4 - group.len());
        // Bits that are left over are not looked at: a rule should see what lenient servers decode.
        decoded.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    Some(decoded)
}

fn base64_digit(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}

fn cidr<'f>(function: Function, address: &Value<'_>, bits: &[Option<i64>]) -> Option<Value<'f>> {
    let Value::Ip(address) = address else { return None };
    let bits = |index: usize| bits.get(index).copied().flatten().and_then(|bits| u32::try_from(bits).ok());
    Some(Value::Ip(match (address, function) {
        (IpAddr::V4(address), Function::Cidr) => {
            let kept = bits(0).filter(|bits| *bits <= 32)?;
            IpAddr::V4((address.to_bits() & u32::MAX.checked_shl(32 - kept).unwrap_or(0)).into())
        }
        (IpAddr::V4(address), _) => IpAddr::V4(*address),
        (IpAddr::V6(address), _) => {
            let kept = bits(if function == Function::Cidr { 1 } else { 0 }).filter(|bits| *bits <= 128)?;
            IpAddr::V6((address.to_bits() & u128::MAX.checked_shl(128 - kept).unwrap_or(0)).into())
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standard_alphabet_with_optional_padding() {
        for (text, expected) in [
            ("", Some("")),
            ("Zg==", Some("f")),
            ("Zg", Some("f")),
            ("Zm8=", Some("fo")),
            ("Zm8", Some("fo")),
            ("Zm9v", Some("foo")),
            ("Zm9vYmFy", Some("foobar")),
            ("Zh", Some("f")),
            ("Z", None),
            ("Zg=", None),
            ("Zm9v=", None),
            ("Zm-v", None),
            ("Zm 9v", None),
            ("=", None),
        ] {
            assert_eq!(decode_base64(text.as_bytes()).as_deref(), expected.map(str::as_bytes), "{text}");
        }
    }

    #[test]
    fn substrings_count_from_both_ends() {
        for (start, end, expected) in [
            (0, None, "abcdef"),
            (2, None, "cdef"),
            (1, Some(3), "bc"),
            (-2, None, "ef"),
            (-2, Some(-1), "e"),
            (4, Some(2), ""),
            (9, None, ""),
            (-9, Some(1), "a"),
            (i64::MIN, Some(i64::MAX), "abcdef"),
        ] {
            assert_eq!(&*substring(b"abcdef".into(), start, end), expected.as_bytes(), "{start} {end:?}");
        }
    }
}
