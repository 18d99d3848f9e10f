//! A connection that left HTTP (WebSocket and others): bytes both ways until both sides are done.
//!
//! Takes two streams and the transaction; counts the bytes and ends it. Memory: only what one side has not taken yet.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::OpenGauge;
use crate::exchange::Ending;
use crate::stream::Stream;
use crate::timer::LazyTimer;
use crate::worker::Worker;

/// Bytes read from one side at a time.
const PIECE_BYTES: usize = 16 << 10;

/// The upstream's side, waiting for the client's.
pub struct Upgrade {
    /// The upstream's stream.
    pub upstream: Stream,
    /// What the upstream sent right behind its 101.
    pub first: Bytes,
    /// The transaction.
    pub ending: Ending,
}

/// Copies both ways until both sides closed, one failed, or nothing moved for the zone's idle time.
pub async fn run(mut client: Stream, from_client: Bytes, upgrade: Upgrade, worker: &Rc<Worker>) {
    let Upgrade { mut upstream, first, ending } = upgrade;
    let exchange = ending.exchange().clone();
    let _open = OpenGauge::new(&worker.shared.metrics.upgrades_open);
    exchange.request_bytes.set(from_client.len() as u64);
    exchange.response_bytes.set(first.len() as u64);
    let mut up = Direction::new(from_client);
    let mut down = Direction::new(first);
    let mut timer = LazyTimer::default();
    let mut piece = Vec::new();
    exchange.touch();
    let result = poll_fn(|cx| {
        piece.resize(PIECE_BYTES, 0);
        let moved_up = up.poll(cx, &mut client, &mut upstream, &mut piece)?;
        let moved_down = down.poll(cx, &mut upstream, &mut client, &mut piece)?;
        piece = Vec::new();
        exchange.request_bytes.set(exchange.request_bytes.get() + moved_up);
        exchange.response_bytes.set(exchange.response_bytes.get() + moved_down);
        if up.is_closed && down.is_closed {
            return Poll::Ready(Ok(()));
        }
        if moved_up + moved_down > 0 {
            exchange.touch();
        }
        let deadline = if worker.is_cutting_upgrades() { Instant::now() } else { exchange.idle_deadline() };
        timer.poll_until(cx, deadline).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut)))
    })
    .await;
    if let Err(error) = result {
        exchange.note_error(if error.kind() == io::ErrorKind::TimedOut { "upgrade.idle_timeout" } else { "upgrade.reset" });
    }
    ending.end();
}

/// One way of the tunnel.
struct Direction {
    waiting: Bytes,
    is_read_closed: bool,
    is_closed: bool,
}

impl Direction {
    fn new(first: Bytes) -> Direction {
        Direction { waiting: first, is_read_closed: false, is_closed: false }
    }

    /// Moves what can be moved now; gives the bytes read. A close is passed on once everything before it is written.
    fn poll(&mut self, cx: &mut Context<'_>, from: &mut Stream, to: &mut Stream, piece: &mut [u8]) -> io::Result<u64> {
        let mut moved = 0;
        while !self.is_closed {
            if !self.waiting.is_empty() {
                match Pin::new(&mut *to).poll_write(cx, &self.waiting) {
                    Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                    Poll::Ready(written) => drop(self.waiting.split_to(written?)),
                    Poll::Pending => break,
                }
                continue;
            }
            if Pin::new(&mut *to).poll_flush(cx)?.is_pending() {
                break;
            }
            if self.is_read_closed {
                match Pin::new(&mut *to).poll_shutdown(cx) {
                    Poll::Ready(_) => self.is_closed = true,
                    Poll::Pending => break,
                }
                continue;
            }
            let mut buffer = ReadBuf::new(piece);
            match Pin::new(&mut *from).poll_read(cx, &mut buffer) {
                Poll::Ready(result) => result?,
                Poll::Pending => break,
            }
            let read = buffer.filled();
            self.is_read_closed = read.is_empty();
            moved += read.len() as u64;
            self.forward(cx, to, read)?;
        }
        Ok(moved)
    }

    /// Writes at once what goes; only the rest is copied to wait.
    fn forward(&mut self, cx: &mut Context<'_>, to: &mut Stream, read: &[u8]) -> io::Result<()> {
        if read.is_empty() {
            return Ok(());
        }
        let written = match Pin::new(to).poll_write(cx, read) {
            Poll::Ready(written) => written?,
            Poll::Pending => 0,
        };
        self.waiting = Bytes::copy_from_slice(&read[written..]);
        Ok(())
    }
}
