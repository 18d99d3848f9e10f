//! One HTTP/1.1 connection to an upstream, driven by whoever uses it: no task of its own, so a transaction costs no
//! wake-ups between tasks, and dropping the transaction drops the connection.
//!
//! hyper's channels between connection, response and body are polled with a waker that does nothing: all progress on
//! them comes from polling the connection, which happens in the same call.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Instant;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body::{Body, Frame};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::body::RequestBody;
use crate::guarded::{Guarded, Input, NotPassed};
use crate::h1_guard::{HeadLimits, Scanner};
use crate::stream::Stream;
use crate::timer::LazyTimer;

/// Read and write buffers of one connection grow to this and no further.
const MAX_BUFFER_BYTES: usize = 256 << 10;
/// Bytes that an upstream may send before its response's head is complete, interim responses (1xx) included.
const MAX_HEADS_BYTES: usize = 1 << 20;
/// What one head of a response may take: half of hyper's buffer, and hyper's own bound of fields.
const HEAD_LIMITS: HeadLimits = HeadLimits { start_line_bytes: 8 << 10, head_bytes: MAX_BUFFER_BYTES / 2, fields: 100 };

/// A connection, idle or with one transaction on it.
pub struct H1Connection {
    sender: http1::SendRequest<RequestBody>,
    driver: http1::Connection<TokioIo<UpstreamIo>, RequestBody>,
    finished: bool,
    asked: Rc<Asked>,
    /// The transaction's deadline, kept with the connection so that it is registered once.
    pub timer: LazyTimer,
    /// When it was last given back.
    pub idle_since: Instant,
    /// Whether a transaction was answered on it before.
    pub is_reused: bool,
}

/// Why there is no response head.
pub enum SendError {
    /// The request was not written at all and is given back.
    NotSent(Box<Request<RequestBody>>),
    /// The connection or the request's body failed on the way.
    Failed(hyper::Error),
    /// The deadline passed.
    Timeout,
}

impl H1Connection {
    /// Speaks HTTP/1.1 on a connected stream.
    pub async fn open(stream: Stream) -> Result<Box<H1Connection>, hyper::Error> {
        let asked = Rc::new(Asked::default());
        let io = TokioIo::new(UpstreamIo::new(stream, asked.clone()));
        let (sender, driver) = http1::Builder::new().max_buf_size(MAX_BUFFER_BYTES).handshake(io).await?;
        Ok(Box::new(H1Connection {
            sender,
            driver,
            finished: false,
            asked,
            timer: LazyTimer::default(),
            idle_since: Instant::now(),
            is_reused: false,
        }))
    }

    /// Whether it can take a request now. Notices what arrived since, such as the upstream's close.
    pub fn is_ready(&mut self) -> bool {
        let _ = self.poll_driver(&mut Context::from_waker(Waker::noop()));
        !self.finished && self.sender.is_ready()
    }

    /// Sends a request and waits for the response's head until `deadline`, which may move while the body flows.
    pub async fn send(
        &mut self,
        request: Request<RequestBody>,
        deadline: impl Fn() -> Instant,
    ) -> Result<Response<Incoming>, SendError> {
        self.asked.awaits_head.set(true);
        self.asked.is_new.set(Some(request.method() == Method::HEAD));
        let mut response = pin!(self.sender.try_send_request(request));
        let answer = poll_fn(|cx| {
            let _ = self.poll_driver(cx);
            if let Poll::Ready(answer) = response.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                return Poll::Ready(Some(answer));
            }
            self.timer.poll_until(cx, deadline()).map(|()| None)
        })
        .await;
        self.asked.awaits_head.set(false);
        match answer {
            None => Err(SendError::Timeout),
            Some(Ok(response)) => Ok(response),
            Some(Err(mut error)) => Err(match error.take_message() {
                Some(request) => SendError::NotSent(Box::new(request)),
                None => SendError::Failed(error.into_error()),
            }),
        }
    }

    /// Drives the connection and takes the next frame of the response body from it.
    pub fn poll_frame(
        &mut self,
        incoming: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let _ = self.poll_driver(cx);
        let mut quiet = Context::from_waker(Waker::noop());
        let frame = Pin::new(&mut *incoming).poll_frame(&mut quiet);
        if frame.is_pending() {
            // The first poll may have told hyper that the body is wanted.
            let _ = self.poll_driver(cx);
            return Pin::new(incoming).poll_frame(&mut quiet);
        }
        frame
    }

    /// Runs it to its end; for a response that began before its request ended, which then has its own task.
    pub async fn run(mut self: Box<Self>) {
        poll_fn(|cx| self.poll_driver(cx)).await;
    }

    /// Whether the connection lost its peer without a byte of the response to the last request.
    pub fn lost_before_response(self: Box<Self>) -> bool {
        let finished = self.finished;
        let io = self.driver.into_parts().io.into_inner();
        finished && io.received_since_write == 0 && io.guarded.held().is_empty()
    }

    /// The raw stream and what was read beyond the head of a 101 response.
    pub fn into_stream(self: Box<Self>) -> (Stream, Bytes) {
        let parts = self.driver.into_parts();
        (parts.io.into_inner().stream, parts.read_buf)
    }

    fn poll_driver(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.finished {
            return Poll::Ready(());
        }
        self.finished = Pin::new(&mut self.driver).poll(cx).is_ready();
        if self.finished { Poll::Ready(()) } else { Poll::Pending }
    }
}

/// What the stream must know of the transaction on it.
#[derive(Default)]
struct Asked {
    /// Whether the response's head is still to come.
    awaits_head: Cell<bool>,
    /// A request goes out that the scanner was not told of, and whether its method is HEAD.
    is_new: Cell<Option<bool>>,
}

/// The stream to an upstream, read through `h1_guard`; remembers how much came back since the last write, and ends what sends no head but goes on.
///
/// An upstream may answer and close while the request is still being sent (RFC 9112 section 9.5). Its answer then waits to be
/// read although nothing can be written any more, so a lost peer is an error of reading only: what is written to it is dropped.
struct UpstreamIo {
    stream: Stream,
    guarded: Guarded,
    received_since_write: usize,
    asked: Rc<Asked>,
    is_write_lost: bool,
}

impl UpstreamIo {
    fn new(stream: Stream, asked: Rc<Asked>) -> UpstreamIo {
        let guarded = Guarded::new(Scanner::of_responses(HEAD_LIMITS), &[]);
        UpstreamIo { stream, guarded, received_since_write: 0, asked, is_write_lost: false }
    }

    /// What a write of `length` bytes gives, given what the stream said.
    fn written(&mut self, result: Poll<io::Result<usize>>, length: usize) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Err(error)) if is_peer_gone(&error) => {
                self.is_write_lost = true;
                Poll::Ready(Ok(length))
            }
            result => result,
        }
    }
}

fn is_peer_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionAborted)
}

impl AsyncRead for UpstreamIo {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.asked.awaits_head.get() && this.received_since_write > MAX_HEADS_BYTES {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        if let Some(to_head) = this.asked.is_new.take() {
            this.guarded.scanner().expect_response(to_head);
        }
        let before = buf.filled().len();
        let input = ready!(this.guarded.poll_read(&mut this.stream, cx, buf))?;
        this.received_since_write += buf.filled().len() - before;
        match input {
            Input::Passed => Poll::Ready(Ok(())),
            Input::Refused(refusal) => Poll::Ready(Err(NotPassed::error(refusal))),
        }
    }
}

impl AsyncWrite for UpstreamIo {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_write_lost {
            return Poll::Ready(Ok(buf.len()));
        }
        self.received_since_write = 0;
        let result = Pin::new(&mut self.stream).poll_write(cx, buf);
        self.written(result, buf.len())
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let length = bufs.iter().map(|buf| buf.len()).sum();
        if self.is_write_lost {
            return Poll::Ready(Ok(length));
        }
        self.received_since_write = 0;
        let result = Pin::new(&mut self.stream).poll_write_vectored(cx, bufs);
        self.written(result, length)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.is_write_lost {
            return Poll::Ready(Ok(()));
        }
        let result = Pin::new(&mut self.stream).poll_flush(cx);
        self.written(result.map_ok(|()| 0), 0).map_ok(|_| ())
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
