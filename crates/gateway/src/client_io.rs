//! The bytes between a client and hyper: replays what was read to recognise the protocol, and keeps the client's
//! time limits. This is the seam where `h1_guard` reads heads and framing before hyper does.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::Client;
use crate::stream::Stream;
use crate::timer::LazyTimer;

/// A client that takes no byte of a response for this long is cut off.
pub const WRITE_STALL_TIME: Duration = Duration::from_secs(60);

/// A client's stream as hyper sees it.
pub struct ClientIo {
    stream: Stream,
    replay: Bytes,
    client: Rc<Client>,
    read_timer: LazyTimer,
    write_timer: LazyTimer,
    stalled_since: Option<Instant>,
}

impl ClientIo {
    /// `replay` is read before anything from the stream.
    pub fn new(stream: Stream, replay: Bytes, client: Rc<Client>) -> ClientIo {
        ClientIo {
            stream,
            replay,
            client,
            read_timer: LazyTimer::default(),
            write_timer: LazyTimer::default(),
            stalled_since: None,
        }
    }

    /// The stream itself, when HTTP is over on it.
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Nothing arrived: has the client had its time for it? hyper hears of a head that takes too long; a connection
    /// that is merely idle is closed in good order by its task.
    fn check_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.client.read_deadline() else { return Poll::Pending };
        if self.read_timer.poll_until(cx, deadline).is_pending() {
            return Poll::Pending;
        }
        if self.client.expire() { Poll::Pending } else { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) }
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

impl AsyncRead for ClientIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.replay.is_empty() {
            let length = this.replay.len().min(buf.remaining());
            buf.put_slice(&this.replay[..length]);
            this.replay.advance(length);
            this.client.received();
            return Poll::Ready(Ok(()));
        }
        match Pin::new(&mut this.stream).poll_read(cx, buf) {
            Poll::Ready(result) => {
                this.client.received();
                Poll::Ready(result)
            }
            Poll::Pending => this.check_patience(cx),
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
