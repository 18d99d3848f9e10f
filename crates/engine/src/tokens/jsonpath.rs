//! Paths to one claim: RFC 9535 with literal names and indexes only, in dot or bracket notation, so that a path selects one value or
//! none. Parsed when a bundle is loaded; each error says where.

use std::borrow::Cow;
use std::fmt;

use crate::json::{Kind, Value};

/// Bytes of a path, and steps in it.
pub const MAX_PATH_BYTES: usize = 1_024;
const MAX_STEPS: usize = 64;
/// RFC 9535 §2.1: indexes are within the exact integers of I-JSON.
const MAX_INDEX: i64 = (1 << 53) - 1;

/// A compiled path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(Box<str>),
    /// Negative: from the end.
    Index(i64),
}

/// Why a path is refused, and at which byte (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathError {
    pub position: usize,
    pub message: &'static str,
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {})", self.message, self.position)
    }
}

impl std::error::Error for PathError {}

impl ClaimPath {
    /// # Errors
    /// The first byte that is not as in RFC 9535, or asks for more than one value.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > MAX_PATH_BYTES {
            return Err(PathError { position: MAX_PATH_BYTES + 1, message: "a path has at most 1,024 bytes" });
        }
        let mut parser = Parser { text, at: 0 };
        let steps = parser.path()?;
        if steps.is_empty() { Err(parser.error("the path ends: it has to name a claim, as in `$.sub`")) } else { Ok(Self(steps)) }
    }

    /// The value that the path selects, as text: a string without its quotes, numbers and booleans as they are written. None where
    /// there is nothing, null, an array or an object.
    #[must_use]
    pub fn select<'a>(&self, root: Value<'_, 'a>) -> Option<Cow<'a, str>> {
        let found = self.0.iter().try_fold(root, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => element(value, *index),
        })?;
        text_of(found)
    }
}

/// A scalar as text; see [`ClaimPath::select`].
pub(super) fn text_of<'a>(value: Value<'_, 'a>) -> Option<Cow<'a, str>> {
    match value.kind() {
        Kind::String => value.as_str(),
        Kind::Integer | Kind::Number | Kind::Boolean => Some(Cow::Borrowed(value.raw())),
        Kind::Null | Kind::Array | Kind::Object => None,
    }
}

fn element<'d, 'a>(value: Value<'d, 'a>, index: i64) -> Option<Value<'d, 'a>> {
    let place = if index < 0 { index + i64::try_from(value.elements().count()).ok()? } else { index };
    value.elements().nth(usize::try_from(place).ok()?)
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl Parser<'_> {
    fn path(&mut self) -> Result<Vec<Step>, PathError> {
        if self.next() != Some('$') {
            self.at = 0;
            return Err(self.error("a path begins with `$`"));
        }
        let mut steps = Vec::new();
        while self.at < self.text.len() {
            self.skip_blanks();
            if steps.len() == MAX_STEPS {
                return Err(self.error("a path has at most 64 steps"));
            }
            steps.push(self.step()?);
        }
        Ok(steps)
    }

    fn step(&mut self) -> Result<Step, PathError> {
        match self.peek() {
            Some('.') => {
                self.next();
                self.shorthand()
            }
            Some('[') => {
                self.next();
                self.brackets()
            }
            Some(_) => Err(self.error("a step is `.name`, `['name']` or `[0]`")),
            None => Err(self.error("a path does not end with blanks")),
        }
    }

    /// RFC 9535 §2.5.1.1, `member-name-shorthand`.
    fn shorthand(&mut self) -> Result<Step, PathError> {
        match self.peek() {
            Some('.') => return Err(self.error("`..` selects many values: only one may be selected")),
            Some('*') => return Err(self.error("`*` selects many values: only one may be selected")),
            Some(first) if is_name_first(first) => {}
            _ => return Err(self.error("a name after `.` begins with a letter or `_`: write others as `['name']`")),
        }
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !is_name_first(c) && !c.is_ascii_digit()).unwrap_or(rest.len());
        self.at += end;
        Ok(Step::Name(rest[..end].into()))
    }

    fn brackets(&mut self) -> Result<Step, PathError> {
        self.skip_blanks();
        let step = match self.peek() {
            Some(quote @ ('\'' | '"')) => {
                self.next();
                Step::Name(self.quoted(quote)?.into())
            }
            Some('-' | '0'..='9') => Step::Index(self.index()?),
            Some('*' | '?' | ':') => return Err(self.error("it selects many values: only one may be selected")),
            _ => return Err(self.error("in brackets stands a quoted name or an index")),
        };
        self.skip_blanks();
        match self.peek() {
            Some(']') => {
                self.next();
                Ok(step)
            }
            Some(',' | ':') => Err(self.error("it selects many values: only one may be selected")),
            _ => Err(self.error("`]` is missing")),
        }
    }

    /// RFC 9535 §2.3.3.1: no leading zeros, no `-0`.
    fn index(&mut self) -> Result<i64, PathError> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest.starts_with('-'));
        let digits = rest[sign..].bytes().take_while(u8::is_ascii_digit).count();
        let text = &rest[..sign + digits];
        let is_canonical = digits > 0 && (!rest[sign..].starts_with('0') || text == "0");
        let number = text.parse().ok().filter(|number: &i64| is_canonical && number.abs() <= MAX_INDEX);
        let number = number.ok_or_else(|| self.error("an index is an integer without leading zeros, within ±(2^53 - 1)"))?;
        self.at += text.len();
        Ok(number)
    }

    /// RFC 9535 §2.3.1.1: control characters are escaped, the other quote is not.
    fn quoted(&mut self, quote: char) -> Result<String, PathError> {
        let mut name = String::new();
        loop {
            match self.peek() {
                None => return Err(self.error("the quotation mark that ends the name is missing")),
                Some(c) if c == quote => {
                    self.next();
                    return Ok(name);
                }
                Some('\\') => {
                    self.next();
                    name.push(self.escape(quote)?);
                }
                Some(c) if c < ' ' => return Err(self.error("control characters are written as escapes")),
                Some(c) => {
                    self.next();
                    name.push(c);
                }
            }
        }
    }

    fn escape(&mut self, quote: char) -> Result<char, PathError> {
        let Some(letter) = self.peek() else { return Err(self.error("the escape is cut off")) };
        let plain = match letter {
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            '/' | '\\' => letter,
            'u' => return self.unicode_escape(),
            _ if letter == quote => letter,
            _ => return Err(self.error("there is no such escape")),
        };
        self.next();
        Ok(plain)
    }

    /// Stands on the `u`; two of them make a character beyond U+FFFF.
    fn unicode_escape(&mut self) -> Result<char, PathError> {
        let first = self.hex()?;
        if let Some(character) = char::from_u32(first) {
            return Ok(character);
        }
        let is_high = (0xd800..0xdc00).contains(&first);
        if !is_high || !self.text[self.at..].starts_with("\\u") {
            return Err(self.error("half of a surrogate pair is no character"));
        }
        self.next();
        let second = self.hex()?;
        let low = second.checked_sub(0xdc00).filter(|low| *low < 0x400);
        let character = low.and_then(|low| char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + low));
        character.ok_or_else(|| self.error("half of a surrogate pair is no character"))
    }

    fn hex(&mut self) -> Result<u32, PathError> {
        let digits = self.text.get(self.at + 1..self.at + 5).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let value = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let value = value.ok_or_else(|| self.error("`\\u` is followed by four hex digits"))?;
        self.at += 5;
        Ok(value)
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r')).count();
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn error(&self, message: &'static str) -> PathError {
        PathError { position: self.at + 1, message }
    }
}

fn is_name_first(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::{Limits, parse};

    fn selected(path: &str, json: &str) -> Option<String> {
        let document = parse(json.as_bytes(), &Limits::default()).unwrap();
        ClaimPath::parse(path).unwrap().select(document.root()).map(Cow::into_owned)
    }

    #[test]
    fn names_and_indexes_select_one_value_as_text() {
        let json = r#"{"sub": "ann", "a b": {"c": [10, true, "x", 1.50e3, null, {"d'\"": "deep"}]}, "é": "accent", "": "empty", "0": "zero"}"#;
        for (path, expected) in [
            ("$.sub", Some("ann")),
            ("$['sub']", Some("ann")),
            ("$[\"sub\"]", Some("ann")),
            ("$ [ 'sub' ]", Some("ann")),
            ("$['a b'].c[0]", Some("10")),
            ("$[\"a b\"]['c'][1]", Some("true")),
            ("$['a b'].c[3]", Some("1.50e3")),
            ("$['a b'].c[-1]['d\\'\"']", Some("deep")),
            ("$['a b'].c[-1][\"d'\\\"\"]", Some("deep")),
            ("$.é", Some("accent")),
            ("$['\\u00e9']", Some("accent")),
            ("$['']", Some("empty")),
            ("$['0']", Some("zero")),
            ("$[0]", None),
            ("$['a b'].c[4]", None),
            ("$['a b'].c[6]", None),
            ("$['a b'].c[-7]", None),
            ("$['a b'].c", None),
            ("$['a b']", None),
            ("$.sub.sub", None),
            ("$.SUB", None),
        ] {
            assert_eq!(selected(path, json).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn escapes_are_those_of_the_rfc() {
        assert_eq!(selected(r"$['\b\f\n\r\t\/\\']", r#"{"\b\f\n\r\t/\\": 1}"#).as_deref(), Some("1"));
        assert_eq!(selected(r"$['\uD83D\uDE00']", r#"{"😀": 1}"#).as_deref(), Some("1"));
    }

    #[test]
    fn what_selects_many_values_or_is_no_path_is_refused_with_its_place() {
        for (path, position) in [
            ("", 1),
            ("sub", 1),
            ("@.sub", 1),
            ("$", 2),
            ("$.", 3),
            ("$. sub", 3),
            ("$.sub ", 7),
            ("$..sub", 3),
            ("$.*", 3),
            ("$[*]", 3),
            ("$[?@.a]", 3),
            ("$[0:1]", 4),
            ("$[:1]", 3),
            ("$['a','b']", 6),
            ("$[0", 4),
            ("$[00]", 3),
            ("$[-0]", 3),
            ("$[-]", 3),
            ("$[9007199254740992]", 3),
            ("$['a]", 6),
            ("$['\\x']", 5),
            ("$['\\\"']", 5),
            ("$['\\uD83D']", 10),
            ("$['\\uDE00']", 10),
            ("$['\\u12']", 5),
            ("$['\u{7}']", 4),
            ("$.1a", 3),
            ("$.a-b", 4),
            ("$sub", 2),
        ] {
            assert_eq!(ClaimPath::parse(path).unwrap_err().position, position, "{path}");
        }
        assert!(ClaimPath::parse(&format!("$.{}", "a".repeat(1_023))).is_err());
        assert!(ClaimPath::parse(&format!("${}", ".a".repeat(65))).is_err());
    }
}
