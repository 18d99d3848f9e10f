//! The grammar of RFC 8259 as a loop over an explicit stack: every value, name and container becomes one node of the tape.

use std::borrow::Cow;

use super::document::{Document, Node, Tag};
use super::issues::{ErrorKind, Issue, IssueKind, ParseError};
use super::{number, string};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What a text may cost. Parsing takes time in proportion to its bytes (times the logarithm of the members of its largest object).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest text; never more than 4 GiB - 1.
    pub bytes: usize,
    /// Deepest nesting of arrays and objects.
    pub depth: usize,
    /// Most nodes: values, names and containers together (16 bytes each).
    pub nodes: usize,
    /// Most issues kept; the others are counted.
    pub issues: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { bytes: 16 << 20, depth: 128, nodes: 1 << 20, issues: 32 }
    }
}

/// What the beginning of a text holds: whole values only, and why reading ended (None: the text was whole).
#[derive(Debug)]
pub struct Prefix<'a> {
    pub document: Option<Document<'a>>,
    pub stopped: Option<ParseError>,
}

/// Parses a whole text.
///
/// # Errors
/// The first reason why the text is not JSON, or is beyond `limits`.
pub fn parse<'a>(input: &'a [u8], limits: &Limits) -> Result<Document<'a>, ParseError> {
    if input.len() > limits.bytes.min(u32::MAX as usize) {
        return Err(ParseError { kind: ErrorKind::TooLong, offset: limits.bytes });
    }
    let text = std::str::from_utf8(input).map_err(|e| ParseError { kind: ErrorKind::InvalidUtf8, offset: e.valid_up_to() })?;
    let mut parser = Parser::new(text, limits);
    parser.run().map_err(|(kind, offset)| ParseError { kind, offset })?;
    Ok(parser.finish())
}

/// Parses as much of a text as there is, for a copy that may have been cut off anywhere. A number that touches the end is left out
/// (its last digits may be missing), so is a name without its value; containers that were still open say so
/// ([`super::Value::is_complete`]).
#[must_use]
pub fn parse_prefix<'a>(input: &'a [u8], limits: &Limits) -> Prefix<'a> {
    let kept = &input[..input.len().min(limits.bytes).min(u32::MAX as usize)];
    let (text, mut stopped) = match std::str::from_utf8(kept) {
        Ok(text) => (text, None),
        Err(e) => {
            let valid = std::str::from_utf8(&kept[..e.valid_up_to()]).unwrap_or_default();
            (valid, Some(ParseError { kind: ErrorKind::InvalidUtf8, offset: e.valid_up_to() }))
        }
    };
    if kept.len() < input.len() {
        stopped = stopped.or(Some(ParseError { kind: ErrorKind::TooLong, offset: kept.len() }));
    }
    let mut parser = Parser::new(text, limits);
    if let Err((kind, offset)) = parser.run() {
        let own = ParseError { kind, offset };
        stopped = if kind == ErrorKind::UnexpectedEnd { stopped.or(Some(own)) } else { Some(own) };
    }
    parser.close_what_is_open();
    let document = (!parser.nodes.is_empty()).then(|| parser.finish());
    Prefix { document, stopped }
}

type Failure = (ErrorKind, usize);

struct Parser<'a, 'l> {
    text: &'a str,
    limits: &'l Limits,
    at: usize,
    nodes: Vec<Node>,
    /// Indexes of the containers that are open, outermost first.
    open: Vec<u32>,
    unclosed: Vec<u32>,
    issues: Vec<Issue>,
    issues_dropped: usize,
    names: Vec<Name<'a>>,
}

/// A name of an object, ready to be sorted: its first eight bytes as a number, then the whole.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Name<'a> {
    prefix: u64,
    decoded: Cow<'a, [u8]>,
    offset: u32,
}

impl<'a, 'l> Parser<'a, 'l> {
    fn new(text: &'a str, limits: &'l Limits) -> Self {
        let mut parser = Self {
            text,
            limits,
            at: 0,
            nodes: Vec::with_capacity((text.len() / 8 + 1).min(limits.nodes).min(4096)),
            open: Vec::with_capacity(16),
            unclosed: Vec::new(),
            issues: Vec::new(),
            issues_dropped: 0,
            names: Vec::new(),
        };
        if text.as_bytes().starts_with(BYTE_ORDER_MARK) {
            parser.at = BYTE_ORDER_MARK.len();
            parser.note(IssueKind::ByteOrderMark, 0);
        }
        parser
    }

    fn run(&mut self) -> Result<(), Failure> {
        loop {
            let opened = self.value()?;
            if opened {
                continue;
            }
            if !self.after_value()? {
                self.skip_blanks();
                return if self.at == self.text.len() { Ok(()) } else { Err((ErrorKind::TrailingData, self.at)) };
            }
        }
    }

    /// Reads a scalar, an empty container, or the opening of one; true when a value is to follow inside it.
    fn value(&mut self) -> Result<bool, Failure> {
        self.skip_blanks();
        let start = self.at;
        match self.peek()? {
            b'"' => self.string(Tag::String, Tag::EscapedString)?,
            b'{' => return self.open(Tag::Object, b'}'),
            b'[' => return self.open(Tag::Array, b']'),
            b'-' | b'0'..=b'9' => self.number()?,
            b't' => self.word(start, "true", Tag::True)?,
            b'f' => self.word(start, "false", Tag::False)?,
            b'n' => self.word(start, "null", Tag::Null)?,
            _ => return Err((ErrorKind::UnexpectedByte, start)),
        }
        Ok(false)
    }

    /// Closes containers and passes commas until another value is to come (true) or the root is complete (false).
    fn after_value(&mut self) -> Result<bool, Failure> {
        while let Some(&container) = self.open.last() {
            self.skip_blanks();
            let is_object = self.nodes[container as usize].tag == Tag::Object;
            match (self.peek()?, is_object) {
                (b',', true) => {
                    self.at += 1;
                    self.name()?;
                    return Ok(true);
                }
                (b',', false) => {
                    self.at += 1;
                    return Ok(true);
                }
                (b'}', true) | (b']', false) => self.close(container),
                _ => return Err((ErrorKind::UnexpectedByte, self.at)),
            }
        }
        Ok(false)
    }

    fn open(&mut self, tag: Tag, closing: u8) -> Result<bool, Failure> {
        if self.open.len() >= self.limits.depth {
            return Err((ErrorKind::TooDeep, self.at));
        }
        let index = self.nodes.len() as u32;
        self.push(tag, self.at, self.at + 1)?;
        self.open.push(index);
        self.at += 1;
        self.skip_blanks();
        if self.peek()? == closing {
            self.close(index);
            return self.after_value();
        }
        if tag == Tag::Object {
            self.name()?;
        }
        Ok(true)
    }

    /// The cursor stands on the closing bracket.
    fn close(&mut self, container: u32) {
        self.at += 1;
        self.open.pop();
        self.end_container(container);
    }

    fn end_container(&mut self, container: u32) {
        let next = self.nodes.len() as u32;
        let node = &mut self.nodes[container as usize];
        node.end = self.at as u32;
        node.next = next;
        if node.tag == Tag::Object && next > container + 3 {
            self.find_duplicate_names(container);
        }
    }

    fn name(&mut self) -> Result<(), Failure> {
        self.skip_blanks();
        if self.peek()? != b'"' {
            return Err((ErrorKind::UnexpectedByte, self.at));
        }
        self.string(Tag::Name, Tag::EscapedName)?;
        self.skip_blanks();
        if self.peek()? != b':' {
            return Err((ErrorKind::UnexpectedByte, self.at));
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self, plain: Tag, escaped: Tag) -> Result<(), Failure> {
        let start = self.at + 1;
        let scanned = string::scan(self.text.as_bytes(), start)?;
        self.push(if scanned.has_escape { escaped } else { plain }, start, scanned.end)?;
        if let Some(offset) = scanned.lone_surrogate {
            self.note(IssueKind::LoneSurrogate, offset);
        }
        self.at = scanned.end + 1;
        Ok(())
    }

    fn number(&mut self) -> Result<(), Failure> {
        let start = self.at;
        let scanned = number::scan(self.text.as_bytes(), start)?;
        self.push(if scanned.is_integer { Tag::Integer } else { Tag::Number }, start, scanned.end)?;
        if let Some(kind) = scanned.issue {
            self.note(kind, start);
        }
        self.at = scanned.end;
        Ok(())
    }

    fn word(&mut self, start: usize, word: &str, tag: Tag) -> Result<(), Failure> {
        let rest = &self.text.as_bytes()[start..];
        if rest.starts_with(word.as_bytes()) {
            self.at = start + word.len();
            return self.push(tag, start, self.at);
        }
        let common = rest.iter().zip(word.bytes()).take_while(|(a, b)| **a == *b).count();
        let kind = if common == rest.len() { ErrorKind::UnexpectedEnd } else { ErrorKind::UnexpectedByte };
        Err((kind, start + common))
    }

    fn push(&mut self, tag: Tag, start: usize, end: usize) -> Result<(), Failure> {
        if self.nodes.len() >= self.limits.nodes {
            return Err((ErrorKind::TooManyNodes, start));
        }
        let next = self.nodes.len() as u32 + 1;
        self.nodes.push(Node { start: start as u32, end: end as u32, next, tag });
        Ok(())
    }

    fn peek(&self) -> Result<u8, Failure> {
        self.text.as_bytes().get(self.at).copied().ok_or((ErrorKind::UnexpectedEnd, self.text.len()))
    }

    fn skip_blanks(&mut self) {
        let rest = &self.text.as_bytes()[self.at..];
        self.at += rest.iter().take_while(|b| matches!(b, b' ' | b'\n' | b'\r' | b'\t')).count();
    }

    fn note(&mut self, kind: IssueKind, offset: usize) {
        if self.issues.len() < self.limits.issues {
            self.issues.push(Issue { kind, offset });
        } else {
            self.issues_dropped += 1;
        }
    }

    /// Sorts the names (no hash table that a client could flood) and notes each that equals the one before it.
    fn find_duplicate_names(&mut self, object: u32) {
        let mut names = std::mem::take(&mut self.names);
        let mut index = object as usize + 1;
        let end = self.nodes[object as usize].next as usize;
        while index < end {
            let node = self.nodes[index];
            let content = &self.text[node.start as usize..node.end as usize];
            let decoded = if node.tag == Tag::Name { Cow::Borrowed(content.as_bytes()) } else { string::decode_exact(content) };
            names.push(Name { prefix: first_eight(&decoded), decoded, offset: node.start });
            index = self.nodes[index + 1].next as usize;
        }
        names.sort_unstable();
        for pair in names.windows(2) {
            if pair[0].prefix == pair[1].prefix && pair[0].decoded == pair[1].decoded {
                self.note(IssueKind::DuplicateKey, pair[1].offset as usize);
            }
        }
        names.clear();
        self.names = names;
    }

    /// After a failure: drops what may be incomplete and ends the open containers where the text ends.
    fn close_what_is_open(&mut self) {
        if let Some(last) = self.nodes.last()
            && matches!(last.tag, Tag::Integer | Tag::Number)
            && last.end as usize == self.text.len()
        {
            self.nodes.pop();
        }
        if self.nodes.last().is_some_and(|last| matches!(last.tag, Tag::Name | Tag::EscapedName)) {
            self.nodes.pop();
        }
        while let Some(container) = self.open.pop() {
            self.end_container(container);
            self.unclosed.push(container);
        }
    }

    fn finish(self) -> Document<'a> {
        Document {
            text: self.text,
            nodes: self.nodes,
            unclosed: self.unclosed,
            issues: self.issues,
            issues_dropped: self.issues_dropped,
        }
    }
}

fn first_eight(name: &[u8]) -> u64 {
    let mut bytes = [0; 8];
    let count = name.len().min(8);
    bytes[..count].copy_from_slice(&name[..count]);
    u64::from_be_bytes(bytes)
}
