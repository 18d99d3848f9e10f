//! The bytes between a client and hyper: reads HTTP/1 through `h1_guard`, and keeps the client's time limits.
//!
//! A head that does not pass never reaches hyper. In its place hyper reads a stand-in, a plain request that says what could be
//! told of the refused one, so that the refusal is answered in its turn, by the same way and with the same traces as any other.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use engine::violation::Refusal;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Client;
use crate::guarded::{Guarded, Input, NotPassed};
use crate::h1_guard::{Scanner, stand_in};
use crate::h2_flood::FrameWatch;
use crate::stream::Stream;
use crate::timer::LazyTimer;

/// A client that takes no byte of a response for this long is cut off.
pub const WRITE_STALL_TIME: Duration = Duration::from_secs(60);

/// A client's stream as hyper sees it.
pub struct ClientIo {
    stream: Stream,
    /// HTTP/1 only.
    guarded: Option<Guarded>,
    /// HTTP/2 only.
    frames: Option<Box<FrameWatch>>,
    /// Read before anything from the stream: what was read to recognise HTTP/2, or a stand-in.
    first: Bytes,
    /// Behind the stand-in nothing is read.
    is_refused: bool,
    client: Rc<Client>,
    body: BodyPace,
    head_since: Option<Instant>,
    read_timer: LazyTimer,
    write_timer: LazyTimer,
    stalled_since: Option<Instant>,
}

/// How fast a body comes, counted only while we wait for it.
#[derive(Default)]
struct BodyPace {
    head: u64,
    bytes: u64,
    waited: Duration,
    waiting_since: Option<Instant>,
}

impl ClientIo {
    /// HTTP/1. `first` is read before anything from the stream.
    pub fn http1(stream: Stream, first: &[u8], client: Rc<Client>) -> ClientIo {
        let scanner = Scanner::of_requests(client.worker.shared.config.limits.head());
        let guarded = Guarded::new(scanner, first);
        ClientIo { guarded: Some(guarded), ..ClientIo::new(stream, Bytes::new(), client) }
    }

    /// HTTP/2, whose framing is hyper's.
    pub fn http2(stream: Stream, first: Bytes, client: Rc<Client>) -> ClientIo {
        let frames = FrameWatch::new(Instant::now());
        ClientIo { frames: Some(Box::new(frames)), ..ClientIo::new(stream, first, client) }
    }

    fn new(stream: Stream, first: Bytes, client: Rc<Client>) -> ClientIo {
        ClientIo {
            stream,
            guarded: None,
            frames: None,
            first,
            is_refused: false,
            client,
            body: BodyPace::default(),
            head_since: None,
            read_timer: LazyTimer::default(),
            write_timer: LazyTimer::default(),
            stalled_since: None,
        }
    }

    /// The stream itself and what was read of it, when HTTP is over on it.
    pub fn into_stream(self) -> (Stream, Vec<u8>) {
        (self.stream, self.guarded.map(Guarded::into_held).unwrap_or_default())
    }

    fn poll_guarded(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(guarded) = &mut self.guarded else { return self.poll_watched(cx, buf) };
        if self.is_refused {
            return Poll::Pending;
        }
        let is_answered = self.client.answered() >= guarded.scanner().heads();
        if guarded.scanner().is_paused() && is_answered && !self.client.is_upgraded() {
            guarded.resume();
        }
        let before = buf.filled().len();
        match guarded.poll_read(&mut self.stream, cx, buf) {
            Poll::Pending => {
                if self.head_since.is_none() && !guarded.held().is_empty() {
                    self.head_since = Some(Instant::now());
                }
                Poll::Pending
            }
            Poll::Ready(Ok(Input::Passed)) => {
                self.body.received(guarded.scanner().heads(), buf.filled().len() - before);
                self.head_since = None;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(Input::Refused(refusal))) => self.refuse(refusal, cx, buf),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
        }
    }

    fn poll_watched(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.watch(buf.filled().get(before..).unwrap_or_default())
    }

    fn watch(&mut self, bytes: &[u8]) -> Poll<io::Result<()>> {
        if self.frames.as_mut().is_some_and(|frames| frames.is_flooded(bytes, Instant::now)) {
            self.client.worker.shared.metrics.connection_errors.increment(["http2_flood".into()]);
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        Poll::Ready(Ok(()))
    }

    /// A body that is refused fails; a head is answered through its stand-in.
    fn refuse(&mut self, refusal: Refusal, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(guarded) = &mut self.guarded else { return Poll::Pending };
        self.is_refused = true;
        if guarded.scanner().is_in_body() {
            return Poll::Ready(Err(NotPassed::error(refusal)));
        }
        self.client.refuse(guarded.scanner().heads() + 1, refusal);
        guarded.look_ahead(&mut self.stream, cx);
        self.first = stand_in::of(guarded.held()).into();
        self.give_first(buf);
        Poll::Ready(Ok(()))
    }

    fn give_first(&mut self, buf: &mut ReadBuf<'_>) {
        let length = self.first.len().min(buf.remaining());
        buf.put_slice(&self.first[..length]);
        self.first.advance(length);
    }

    /// Nothing arrived: has the client had its time for it?
    fn check_patience(&mut self, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let limits = &self.client.worker.shared.config.limits;
        let Some(guarded) = &mut self.guarded else { return self.check_idle(cx) };
        let is_answered = self.client.answered() >= guarded.scanner().heads();
        if self.is_refused || !is_answered && !guarded.scanner().is_in_body() {
            return Poll::Pending;
        }
        if guarded.scanner().is_in_body() {
            let Some(deadline) = self.body.deadline(limits.body_bytes_per_second, limits.body_grace) else {
                return Poll::Pending;
            };
            return self.read_timer.poll_until(cx, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()));
        }
        let Some(since) = self.head_since else { return self.check_idle(cx) };
        let deadline = since.max(self.client.waiting_since()) + limits.head;
        match self.read_timer.poll_until(cx, deadline) {
            Poll::Ready(()) => self.refuse(Refusal::HeadTimeout, cx, buf),
            Poll::Pending => Poll::Pending,
        }
    }

    /// A connection that is merely idle is closed in good order by its task.
    fn check_idle(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.client.idle_deadline() else { return Poll::Pending };
        if self.read_timer.poll_until(cx, deadline).is_ready() {
            self.client.expire();
        }
        Poll::Pending
    }

    fn written(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if result.is_ready() {
            self.stalled_since = None;
            return result;
        }
        let since = *self.stalled_since.get_or_insert_with(Instant::now);
        match self.write_timer.poll_until(cx, since + WRITE_STALL_TIME) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl BodyPace {
    /// Bytes passed; `head` is the number of the message that they belong to.
    fn received(&mut self, head: u64, bytes: usize) {
        if self.head != head {
            *self = BodyPace { head, ..BodyPace::default() };
        }
        self.bytes += bytes as u64;
        if let Some(since) = self.waiting_since.take() {
            self.waited += since.elapsed();
        }
    }

    /// When waiting for the next byte ends: the grace and the time that what came may take at this rate, without what was waited.
    fn deadline(&mut self, bytes_per_second: u32, grace: Duration) -> Option<Instant> {
        let seconds = self.bytes.checked_div(bytes_per_second.into())?;
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let allowed = grace + Duration::from_secs(seconds);
        Some(since + allowed.saturating_sub(self.waited))
    }
}

impl AsyncRead for ClientIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.first.is_empty() {
            let before = buf.filled().len();
            this.give_first(buf);
            return this.watch(buf.filled().get(before..).unwrap_or_default());
        }
        match this.poll_guarded(cx, buf) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => this.check_patience(cx, buf),
        }
    }
}

impl AsyncWrite for ClientIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(cx, result)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
