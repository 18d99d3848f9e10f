//! `h1_guard`: reads the bytes of an HTTP/1 connection before hyper does, and refuses whatever can be read in two ways (invariant
//! 9). Everything that affects where one message ends and the next begins is in this folder. No I/O, no clock, no allocation; the
//! adaptors that hold bytes back are `client_io` and `upstream::h1`.
//!
//! [`Scanner::scan`] takes the bytes that have not passed yet and says how many of them may. A head passes as a whole or not at
//! all; body bytes pass as they come; framing lines of a chunked body pass one by one. In one piece or byte by byte, the verdict
//! is the same.

mod chunk;
mod head;
mod line;
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;

use engine::violation::Refusal;

use head::{Framing, Head};
use line::Line;

/// Bytes of all trailer fields of one body; hyper holds no more.
const MAX_TRAILER_BYTES: usize = 8 << 10;
/// Bytes of all chunk extensions of one body.
const MAX_EXTENSION_BYTES: usize = 8 << 10;

/// What a head may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the first line without its CR LF.
    pub start_line_bytes: usize,
    /// Bytes of the whole head.
    pub head_bytes: usize,
    /// Fields, of the head and of the trailers.
    pub fields: usize,
}

/// What [`Scanner::scan`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scan {
    /// So many of the first bytes may pass.
    pub passed: usize,
    /// What follows them may not; nothing passes from then on.
    pub refusal: Option<Refusal>,
}

/// Whose messages these are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Requests,
    /// `answers_head`: the response that comes has no body, whatever it says.
    Responses {
        answers_head: bool,
    },
}

/// Where the next byte stands. One row of the machine per state, in [`Scanner::step`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before a message. `after_blank`: behind an empty line.
    Start { after_blank: bool },
    /// Inside a head, behind its first line.
    Fields,
    /// So many bytes of a body are still to come.
    Counted { left: u64 },
    /// Before a chunk.
    ChunkSize,
    /// So many bytes of a chunk are still to come.
    ChunkData { left: u64 },
    /// Behind a chunk's data.
    ChunkEnd,
    /// Behind the last chunk.
    Trailers,
    /// The rest of the connection is a body.
    UntilClose,
    /// What follows waits until it is known whether this is still HTTP.
    Paused,
    /// No response is expected.
    Idle,
    /// It is not HTTP any more.
    Tunnel,
    /// Nothing passes. `in_body`: the head of the message did.
    Refused { refusal: Refusal, in_body: bool },
}

/// What a step did with the bytes it was shown.
enum Step {
    /// So many of them are done with.
    Took(usize),
    /// More are needed.
    Wait,
}

/// The scanner of one direction of one connection.
#[derive(Debug, Clone)]
pub struct Scanner {
    side: Side,
    limits: HeadLimits,
    state: State,
    head: Head,
    /// In the unit that has not passed: where the current line begins, and up to where no LF was found.
    line_start: usize,
    searched: usize,
    /// Of this body: bytes of chunk extensions, bytes and number of trailer fields.
    extension_bytes: usize,
    trailer_bytes: usize,
    trailers: usize,
    heads: u64,
}

impl Scanner {
    /// For what a client sends.
    pub fn of_requests(limits: HeadLimits) -> Scanner {
        Scanner::new(Side::Requests, limits, State::Start { after_blank: false })
    }

    /// For what an upstream sends. Until [`Scanner::expect_response`], it may send nothing.
    pub fn of_responses(limits: HeadLimits) -> Scanner {
        Scanner::new(Side::Responses { answers_head: false }, limits, State::Idle)
    }

    fn new(side: Side, limits: HeadLimits, state: State) -> Scanner {
        // A first line always breaks its own bound before the head's, in one piece as byte by byte.
        let start_line_bytes = limits.start_line_bytes.min(limits.head_bytes.saturating_sub(2));
        Scanner {
            side,
            limits: HeadLimits { start_line_bytes, ..limits },
            state,
            head: Head::default(),
            line_start: 0,
            searched: 0,
            extension_bytes: 0,
            trailer_bytes: 0,
            trailers: 0,
            heads: 0,
        }
    }

    /// A request was sent: one response may come. `to_head`: the request's method was HEAD.
    pub fn expect_response(&mut self, to_head: bool) {
        if self.state == State::Idle {
            self.side = Side::Responses { answers_head: to_head };
            self.state = State::Start { after_blank: false };
        }
    }

    /// The request that asked for another protocol was answered and this is still HTTP.
    pub fn resume(&mut self) {
        if self.state == State::Paused {
            self.state = State::Start { after_blank: false };
        }
    }

    /// Whether it waits to be told whether this is still HTTP.
    pub fn is_paused(&self) -> bool {
        self.state == State::Paused
    }

    /// Whether a body is on its way, or was when it was refused.
    pub fn is_in_body(&self) -> bool {
        match self.state {
            State::Counted { .. } | State::ChunkSize | State::ChunkData { .. } | State::ChunkEnd | State::Trailers => true,
            State::Refused { in_body, .. } => in_body,
            _ => false,
        }
    }

    /// Heads that passed.
    pub fn heads(&self) -> u64 {
        self.heads
    }

    /// Looks at `bytes`: all that came and has not passed, so a call begins with what the last one left.
    pub fn scan(&mut self, bytes: &[u8]) -> Scan {
        let mut passed = 0;
        loop {
            let rest = bytes.get(passed..).unwrap_or_default();
            if rest.is_empty() {
                return Scan { passed, refusal: None };
            }
            match self.step(rest) {
                Ok(Step::Took(bytes)) => {
                    passed += bytes;
                    (self.line_start, self.searched) = (0, 0);
                }
                Ok(Step::Wait) => return Scan { passed, refusal: None },
                Err(refusal) => {
                    self.state = State::Refused { refusal, in_body: self.is_in_body() };
                    return Scan { passed, refusal: Some(refusal) };
                }
            }
        }
    }

    /// The machine: what each state does with the bytes before it, of which there is at least one.
    fn step(&mut self, rest: &[u8]) -> Result<Step, Refusal> {
        match self.state {
            State::Start { after_blank } => self.start(rest, after_blank),
            State::Fields => self.fields(rest),
            State::Counted { left } => {
                let (taken, left) = count(rest, left);
                if left == 0 {
                    self.end_message()
                } else {
                    self.state = State::Counted { left }
                }
                Ok(Step::Took(taken))
            }
            State::ChunkSize => self.chunk_size(rest),
            State::ChunkData { left } => {
                let (taken, left) = count(rest, left);
                self.state = if left == 0 { State::ChunkEnd } else { State::ChunkData { left } };
                Ok(Step::Took(taken))
            }
            State::ChunkEnd => self.chunk_end(rest),
            State::Trailers => self.trailer(rest),
            State::UntilClose | State::Tunnel => Ok(Step::Took(rest.len())),
            State::Paused => Ok(Step::Wait),
            State::Idle => Err(Refusal::StartLine),
            State::Refused { refusal, .. } => Err(refusal),
        }
    }

    /// "In the interest of robustness, a server that is expecting to receive and parse a request-line SHOULD ignore at least one
    /// empty line (CRLF) received prior to the request-line" (RFC 9112 §2.2): exactly one. What no line can begin with is refused
    /// at its first byte, such as a TLS handshake.
    fn start(&mut self, rest: &[u8], after_blank: bool) -> Result<Step, Refusal> {
        let is_request = self.side == Side::Requests;
        match (rest.first(), rest.get(1)) {
            (Some(b'\r'), None) if is_request && !after_blank => return Ok(Step::Wait),
            (Some(b'\r'), Some(b'\n')) if is_request && !after_blank => {
                self.state = State::Start { after_blank: true };
                return Ok(Step::Took(2));
            }
            (Some(b'\r' | b'\n'), _) => return Err(Refusal::LineEnding),
            (Some(byte), _) if !line::is_token_byte(*byte) => return Err(Refusal::StartLine),
            _ => {}
        }
        let limit = self.limits.start_line_bytes + 2;
        let found = self.next_line(rest, limit).map_err(|bad| bad.unwrap_or(start_line_too_long(self.side)))?;
        let Some(line) = found else { return Ok(Step::Wait) };
        let content = &rest[..line.length];
        self.head = if is_request { Head::request_line(content)? } else { Head::status_line(content)? };
        self.state = State::Fields;
        self.begin_line(line.next);
        self.fields(rest)
    }

    /// The lines of a head up to the empty one. `rest` begins with the head.
    fn fields(&mut self, rest: &[u8]) -> Result<Step, Refusal> {
        loop {
            let start = self.line_start;
            let bytes = &rest[start..];
            let limit = self.limits.head_bytes.saturating_sub(start);
            // Once per line: one that is not complete is only searched for its end when more comes.
            let is_new = self.searched == start;
            let plain = if is_new { line::plain_field(bytes) } else { None };
            if let Some((name, length)) = plain.filter(|(_, length)| length + 2 <= limit) {
                self.head.field((&bytes[..name], &bytes[name + 1..length]), self.limits.fields)?;
                self.begin_line(start + length + 2);
                continue;
            }
            let found = self.next_line(rest, limit).map_err(|bad| bad.unwrap_or(Refusal::HeadTooLarge))?;
            let Some(line) = found else { return Ok(Step::Wait) };
            if line.length == 0 {
                self.end_head()?;
                return Ok(Step::Took(start + line.next));
            }
            self.head.field(head::split_field(&bytes[..line.length])?, self.limits.fields)?;
            self.begin_line(start + line.next);
        }
    }

    fn begin_line(&mut self, at: usize) {
        (self.line_start, self.searched) = (at, at);
    }

    /// The line that begins at `line_start`, if its end is there; fails without a reason when it is too long. The bound comes first, so that it does not matter whether a line
    /// beyond it arrived as a whole.
    fn next_line(&mut self, unit: &[u8], max_bytes: usize) -> Result<Option<Line>, Option<Refusal>> {
        let line = unit.get(self.line_start..).unwrap_or_default();
        let found = line::find(line, self.searched.saturating_sub(self.line_start), max_bytes)?;
        if found.is_none() {
            self.searched = unit.len();
        }
        Ok(found)
    }

    fn end_head(&mut self) -> Result<(), Refusal> {
        (self.extension_bytes, self.trailer_bytes, self.trailers) = (0, 0, 0);
        let framing = match self.side {
            Side::Requests => self.head.request_framing()?,
            Side::Responses { answers_head } => self.head.response_framing(answers_head),
        };
        self.heads += 1;
        match framing {
            Framing::Length(0) => self.end_message(),
            Framing::Length(left) => self.state = State::Counted { left },
            Framing::Chunked => self.state = State::ChunkSize,
            Framing::UntilClose => self.state = State::UntilClose,
            Framing::Tunnel => self.state = State::Tunnel,
            Framing::Interim => self.state = State::Start { after_blank: false },
        }
        Ok(())
    }

    fn end_message(&mut self) {
        self.state = match self.side {
            Side::Responses { .. } => State::Idle,
            Side::Requests if self.head.asks_for_upgrade() => State::Paused,
            Side::Requests => State::Start { after_blank: false },
        };
    }

    fn chunk_size(&mut self, rest: &[u8]) -> Result<Step, Refusal> {
        let found = self.next_line(rest, chunk::MAX_LINE_BYTES).map_err(|bad| bad.unwrap_or_else(|| chunk::too_long(rest)))?;
        let Some(line) = found else { return Ok(Step::Wait) };
        let content = &rest[..line.length];
        let size = chunk::read_size(content)?;
        self.extension_bytes += content.iter().position(|byte| *byte == b';').map_or(0, |at| content.len() - at);
        if self.extension_bytes > MAX_EXTENSION_BYTES {
            return Err(Refusal::ChunkExtension);
        }
        self.state = if size == 0 { State::Trailers } else { State::ChunkData { left: size } };
        Ok(Step::Took(line.next))
    }

    /// "chunk-data CRLF": the size said where the data ends, and there it ends.
    fn chunk_end(&mut self, rest: &[u8]) -> Result<Step, Refusal> {
        match rest {
            [b'\r'] => Ok(Step::Wait),
            [b'\r', b'\n', ..] => {
                self.state = State::ChunkSize;
                Ok(Step::Took(2))
            }
            _ => Err(Refusal::ChunkEnd),
        }
    }

    fn trailer(&mut self, rest: &[u8]) -> Result<Step, Refusal> {
        let limit = MAX_TRAILER_BYTES - self.trailer_bytes;
        let found = self.next_line(rest, limit).map_err(|bad| bad.unwrap_or(Refusal::HeadTooLarge))?;
        let Some(line) = found else { return Ok(Step::Wait) };
        if line.length == 0 {
            self.end_message();
            return Ok(Step::Took(line.next));
        }
        self.trailer_bytes += line.next;
        self.trailers += 1;
        if self.trailers > self.limits.fields {
            return Err(Refusal::HeadTooManyFields);
        }
        chunk::check_trailer(&rest[..line.length])?;
        Ok(Step::Took(line.next))
    }
}

fn start_line_too_long(side: Side) -> Refusal {
    if side == Side::Requests { Refusal::TargetTooLong } else { Refusal::HeadTooLarge }
}

/// Takes at most `left` bytes; gives how many, and what is left then.
fn count(rest: &[u8], left: u64) -> (usize, u64) {
    let taken = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
    (taken, left - taken as u64)
}
