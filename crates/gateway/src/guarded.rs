//! A stream read through [`h1_guard`](crate::h1_guard): what has not passed is held back here, in one bounded buffer.
//!
//! Whole heads that arrive in one read, and bodies, pass without a copy.

use std::error::Error;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use engine::violation::Refusal;
use tokio::io::{AsyncRead, ReadBuf};

use crate::h1_guard::Scanner;
use crate::stream::Stream;

/// Bytes read at a time while something is held back.
const PIECE_BYTES: usize = 8 << 10;
/// Bytes that may wait behind a request for an upgrade until it is answered.
const MAX_PAUSED_BYTES: usize = 16 << 10;
/// A buffer that grew beyond this is given back when it is empty.
const MAX_KEPT_BYTES: usize = 4 << 10;

/// What a read gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// Bytes that passed; none of them: the stream ended.
    Passed,
    /// What comes now does not pass, and nothing behind it.
    Refused(Refusal),
}

/// Why reading failed, inside an error of I/O and that inside hyper's.
#[derive(Debug)]
pub struct NotPassed(pub Refusal);

impl fmt::Display for NotPassed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.code())
    }
}

impl Error for NotPassed {}

impl NotPassed {
    /// The error that hyper gets.
    pub fn error(refusal: Refusal) -> io::Error {
        io::Error::new(io::ErrorKind::InvalidData, NotPassed(refusal))
    }

    /// What was refused, if that is why hyper failed.
    pub fn inside(error: &hyper::Error) -> Option<Refusal> {
        let io = error.source()?.downcast_ref::<io::Error>()?;
        io.get_ref()?.downcast_ref::<NotPassed>().map(|NotPassed(refusal)| *refusal)
    }
}

/// See the module.
pub struct Guarded {
    scanner: Scanner,
    /// What has not passed yet, and before it `passing` bytes that have and wait to be read.
    held: Vec<u8>,
    passing: usize,
    /// Whether there are held bytes that the scanner was not shown.
    is_unseen: bool,
    refusal: Option<Refusal>,
}

impl Guarded {
    /// `first` comes before anything from the stream.
    pub fn new(scanner: Scanner, first: &[u8]) -> Guarded {
        Guarded { scanner, held: first.to_vec(), passing: 0, is_unseen: !first.is_empty(), refusal: None }
    }

    /// Where the messages stand.
    pub fn scanner(&mut self) -> &mut Scanner {
        &mut self.scanner
    }

    /// What has not passed.
    pub fn held(&self) -> &[u8] {
        self.held.get(self.passing..).unwrap_or_default()
    }

    /// What has not passed, when the stream is not HTTP any more.
    pub fn into_held(mut self) -> Vec<u8> {
        self.held.split_off(self.passing)
    }

    /// The request that asked for another protocol was answered and this is still HTTP.
    pub fn resume(&mut self) {
        if self.scanner.is_paused() {
            self.scanner.resume();
            self.is_unseen = !self.held.is_empty();
        }
    }

    /// Reads what passes into `buf`.
    pub fn poll_read(&mut self, stream: &mut Stream, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<Input>> {
        loop {
            if self.passing > 0 {
                self.give(buf);
                return Poll::Ready(Ok(Input::Passed));
            }
            if let Some(refusal) = self.refusal {
                return Poll::Ready(Ok(Input::Refused(refusal)));
            }
            if self.is_unseen {
                self.is_unseen = false;
                let scan = self.scanner.scan(&self.held);
                (self.passing, self.refusal) = (scan.passed, scan.refusal);
                continue;
            }
            let is_ended = match self.held.is_empty() && !self.scanner.is_paused() {
                true => ready!(self.poll_direct(stream, cx, buf))?,
                false => ready!(self.poll_held(stream, cx))?,
            };
            if is_ended {
                return Poll::Ready(Ok(Input::Passed));
            }
        }
    }

    /// Nothing is held back: reads into `buf` and takes out again what does not pass. Ready with true when `buf` can be given.
    fn poll_direct(&mut self, stream: &mut Stream, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<bool>> {
        let before = buf.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buf))?;
        let arrived = buf.filled().get(before..).unwrap_or_default();
        if arrived.is_empty() {
            return Poll::Ready(Ok(true));
        }
        let scan = self.scanner.scan(arrived);
        self.refusal = scan.refusal;
        self.held.extend_from_slice(arrived.get(scan.passed..).unwrap_or_default());
        buf.set_filled(before + scan.passed);
        Poll::Ready(Ok(scan.passed > 0))
    }

    /// Reads behind what is held back. Ready with true at the stream's end.
    fn poll_held(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<io::Result<bool>> {
        // Whoever answers the request that it waits for polls again.
        if self.scanner.is_paused() && self.held.len() >= MAX_PAUSED_BYTES {
            return Poll::Pending;
        }
        let mut piece = [0; PIECE_BYTES];
        let mut buf = ReadBuf::new(&mut piece);
        ready!(Pin::new(stream).poll_read(cx, &mut buf))?;
        self.held.extend_from_slice(buf.filled());
        self.is_unseen = !self.scanner.is_paused();
        Poll::Ready(Ok(buf.filled().is_empty()))
    }

    /// Reads once more what is there already behind what was refused, for whoever wants to tell what it was.
    pub fn look_ahead(&mut self, stream: &mut Stream, cx: &mut Context<'_>) {
        let _ = self.poll_held(stream, cx);
        self.is_unseen = false;
    }

    fn give(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.passing.min(buf.remaining());
        buf.put_slice(&self.held[..length]);
        self.held.drain(..length);
        self.passing -= length;
        if self.held.is_empty() && self.held.capacity() > MAX_KEPT_BYTES {
            self.held = Vec::new();
        }
    }
}
