//! Bodies on their way through: counted, shown to the sampler, judged in pieces where a rule asks, never collected
//! unless a rule asks for the whole. The response body ends the transaction.

use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::task::AbortHandle;

use crate::connection::{Client, InFlight};
use crate::exchange::{Ending, Exchange};
use crate::guarded::NotPassed;
use crate::judge::PieceJudge;
use crate::problem::Cause;
use crate::stream::Stream;
use crate::timer::LazyTimer;
use crate::upstream::endpoint::Endpoint;
use crate::upstream::h1::H1Connection;

/// Why a body was cut off; the cause itself is noted in the transaction.
#[derive(Debug)]
pub struct Stopped(pub Cause);

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.row().title)
    }
}

impl std::error::Error for Stopped {}

type Polled = Poll<Option<Result<Frame<Bytes>, Stopped>>>;

/// A body that was collected before it is sent on.
#[derive(Default)]
pub struct Held {
    /// Its pieces as they arrived.
    pub pieces: VecDeque<Bytes>,
    /// What came behind them.
    pub trailers: Option<HeaderMap>,
}

impl Held {
    /// Bytes of all pieces.
    pub fn bytes(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.len() as u64).sum()
    }

    fn next(&mut self) -> Option<Frame<Bytes>> {
        let piece = self.pieces.pop_front().map(Frame::data);
        piece.or_else(|| self.trailers.take().map(Frame::trailers))
    }

    fn is_empty(&self) -> bool {
        self.pieces.is_empty() && self.trailers.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.trailers.is_some() { SizeHint::default() } else { SizeHint::with_exact(self.bytes()) }
    }
}

/// What goes to the upstream.
pub enum RequestBody {
    /// No body.
    Empty,
    /// Collected, judged, now sent.
    Held(Box<Held>, Rc<Exchange>),
    /// Sent as it arrives.
    Streaming(Box<StreamingRequest>),
}

/// A request body that is sent as it arrives.
pub struct StreamingRequest {
    incoming: Incoming,
    exchange: Rc<Exchange>,
    client: Rc<Client>,
    judge: Option<PieceJudge>,
}

impl RequestBody {
    /// A collected body; none at all when there is nothing in it.
    pub fn held(held: Held, exchange: Rc<Exchange>) -> RequestBody {
        if held.is_empty() {
            return RequestBody::Empty;
        }
        exchange.expect_request_body();
        RequestBody::Held(Box::new(held), exchange)
    }
}

impl StreamingRequest {
    /// `judge` holds the last piece back until it is judged.
    pub fn new(incoming: Incoming, exchange: Rc<Exchange>, client: Rc<Client>, judge: Option<PieceJudge>) -> Self {
        exchange.expect_request_body();
        StreamingRequest { incoming, exchange, client, judge }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        loop {
            if let Some(frame) = self.judge.as_mut().and_then(PieceJudge::released) {
                return self.passed(frame);
            }
            if self.judge.as_ref().is_some_and(PieceJudge::is_done) {
                return self.ended();
            }
            let frame = ready!(poll_request_frame(&mut self.incoming, cx, &self.exchange));
            match frame {
                Some(Err(cause)) => return self.stopped(cause),
                Some(Ok(frame)) => match &mut self.judge {
                    None => return self.passed(frame),
                    Some(judge) => {
                        if let Err(cause) = judge.take(frame, &self.exchange) {
                            return self.stopped(cause);
                        }
                    }
                },
                None => match &mut self.judge {
                    None => return self.ended(),
                    Some(judge) => {
                        self.client.set_unread_body(false);
                        if let Err(cause) = judge.end(&self.exchange) {
                            return self.stopped(cause);
                        }
                    }
                },
            }
        }
    }

    /// hyper does not ask again behind trailers, nor at the known end.
    fn passed(&mut self, frame: Frame<Bytes>) -> Polled {
        if frame.is_trailers() || self.is_end_stream() {
            let _ = self.ended();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn ended(&mut self) -> Polled {
        self.client.set_unread_body(false);
        self.exchange.request_is_done();
        Poll::Ready(None)
    }

    fn stopped(&mut self, cause: Cause) -> Polled {
        self.exchange.stopped.set(Some(cause));
        self.exchange.note_error(cause.row().code);
        Poll::Ready(Some(Err(Stopped(cause))))
    }

    fn is_end_stream(&self) -> bool {
        match &self.judge {
            None => self.incoming.is_end_stream(),
            Some(judge) => judge.is_done() && !judge.has_released(),
        }
    }
}

/// Of a body that nobody wants: how much and how long is read, so that its connection can be kept.
pub const MAX_DISCARDED_BYTES: u64 = 64 << 10;
const DISCARD_TIME: Duration = Duration::from_secs(1);

/// Reads a body to its end and throws it away. Gives whether its end was reached within the bounds.
pub async fn discard(body: &mut Incoming) -> bool {
    let reading = async {
        let mut left = MAX_DISCARDED_BYTES;
        while left > 0 && left >= body.size_hint().lower() && !body.is_end_stream() {
            match poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
                None => return true,
                Some(Err(_)) => return false,
                Some(Ok(frame)) => left = left.saturating_sub(frame.data_ref().map_or(0, |piece| piece.len() as u64)),
            }
        }
        body.is_end_stream()
    };
    tokio::time::timeout(DISCARD_TIME, reading).await.unwrap_or(false)
}

/// The next frame from the client, counted and shown to the sampler.
pub fn poll_request_frame(
    incoming: &mut Incoming,
    cx: &mut Context<'_>,
    exchange: &Exchange,
) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
    let Poll::Ready(frame) = Pin::new(&mut *incoming).poll_frame(cx) else {
        exchange.set_waits_for_client(true);
        return Poll::Pending;
    };
    exchange.set_waits_for_client(false);
    exchange.touch();
    if frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(|frame| frame.is_trailers() || incoming.is_end_stream())) {
        exchange.request_complete.set(true);
    }
    Poll::Ready(frame.map(|frame| {
        let frame = frame.map_err(|error| exchange.body_cause(&error))?;
        if let Some(piece) = frame.data_ref() {
            exchange.count_request(piece.len())?;
            exchange.observe_request(piece);
        }
        Ok(frame)
    }))
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match self.get_mut() {
            RequestBody::Empty => Poll::Ready(None),
            RequestBody::Streaming(body) => body.poll_frame(cx),
            RequestBody::Held(held, exchange) => {
                let frame = held.next();
                if held.is_empty() {
                    exchange.request_is_done();
                }
                Poll::Ready(frame.map(Ok))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            RequestBody::Empty => true,
            RequestBody::Streaming(body) => body.is_end_stream(),
            RequestBody::Held(held, _) => held.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            RequestBody::Empty => SizeHint::with_exact(0),
            RequestBody::Streaming(body) => body.incoming.size_hint(),
            RequestBody::Held(held, _) => held.size_hint(),
        }
    }
}

/// Where a response body comes from.
pub enum Source {
    /// HTTP/1.1: polling the body drives the connection, and its end gives the connection back.
    Driving {
        /// hyper's end of the body.
        incoming: Incoming,
        /// The connection, until it is given back.
        connection: Option<Box<H1Connection>>,
        /// Who gets the connection back.
        endpoint: Rc<Endpoint>,
    },
    /// HTTP/2, or a response that began before its request ended: something else drives the connection.
    Driven {
        /// hyper's end of the body.
        incoming: Incoming,
        /// The idle timer.
        timer: LazyTimer,
        /// The task that drives a connection of HTTP/1.1.
        task: Option<AbortHandle>,
    },
}

impl Source {
    /// The next frame from the upstream.
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        match self {
            Source::Driving { incoming, connection: Some(connection), .. } => connection.poll_frame(incoming, cx),
            Source::Driving { incoming, .. } | Source::Driven { incoming, .. } => Pin::new(incoming).poll_frame(cx),
        }
    }

    /// Ready when the deadline has passed.
    pub fn poll_deadline(&mut self, cx: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        match self {
            Source::Driving { connection: Some(connection), .. } => connection.timer.poll_until(cx, deadline),
            Source::Driving { .. } => Poll::Pending,
            Source::Driven { timer, .. } => timer.poll_until(cx, deadline),
        }
    }

    /// The next frame, with its errors and its lateness as causes; for whoever collects the body.
    pub fn poll_in_time(&mut self, cx: &mut Context<'_>, exchange: &Exchange) -> Poll<Option<Result<Frame<Bytes>, Cause>>> {
        match self.poll_frame(cx) {
            Poll::Ready(frame) => {
                exchange.touch();
                Poll::Ready(frame.map(|frame| frame.map_err(|error| broken_off(&error))))
            }
            Poll::Pending => {
                ready!(self.poll_deadline(cx, exchange.idle_deadline()));
                Poll::Ready(Some(Err(Cause::ReadTimeout)))
            }
        }
    }

    /// The raw stream behind a 101 response, and what was read beyond its head.
    pub fn into_stream(mut self) -> Option<(Stream, Bytes)> {
        match &mut self {
            Source::Driving { connection, .. } => connection.take().map(|c| c.into_stream()),
            Source::Driven { .. } => None,
        }
    }

    /// Whether nothing comes any more.
    pub fn is_end_stream(&self) -> bool {
        self.incoming().is_end_stream()
    }

    /// hyper's end of the body.
    pub fn incoming(&self) -> &Incoming {
        match self {
            Source::Driving { incoming, .. } | Source::Driven { incoming, .. } => incoming,
        }
    }

    /// The body is complete: the connection can serve another transaction.
    pub fn release(&mut self) {
        if let Source::Driving { connection, endpoint, .. } = self
            && let Some(connection) = connection.take()
        {
            endpoint.give_back(connection, Instant::now());
        }
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Source::Driven { task: Some(task), .. } = self {
            task.abort();
        }
    }
}

/// What goes to the client.
pub enum ResponseBody {
    /// No body.
    Empty,
    /// A problem document.
    Full(Option<Bytes>),
    /// Sent as it arrives; flushed at once, so server-sent events pass without delay.
    Streaming(Box<StreamingResponse>),
}

/// A response body that is sent as it arrives.
pub struct StreamingResponse {
    source: Source,
    judge: Option<PieceJudge>,
    is_waiting: bool,
    failure: Option<Cause>,
    ending: Option<Ending>,
    in_flight: Option<InFlight>,
}

impl StreamingResponse {
    /// The end of this body is the end of `ending`.
    pub fn new(source: Source, judge: Option<PieceJudge>, ending: Ending, in_flight: InFlight) -> StreamingResponse {
        StreamingResponse { source, judge, is_waiting: false, failure: None, ending: Some(ending), in_flight: Some(in_flight) }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Polled {
        let Some(ending) = &self.ending else {
            return Poll::Ready(self.failure.map(|cause| Err(Stopped(cause))));
        };
        let exchange = ending.exchange().clone();
        loop {
            if let Some(frame) = self.judge.as_mut().and_then(PieceJudge::released) {
                return self.passed(frame, &exchange);
            }
            if self.judge.as_ref().is_some_and(PieceJudge::is_done) {
                return self.ended();
            }
            let Poll::Ready(frame) = self.source.poll_frame(cx) else {
                return self.wait(cx, &exchange);
            };
            self.is_waiting = false;
            match (frame, &mut self.judge) {
                (Some(Err(error)), _) => return self.failed(cx, &exchange, broken_off(&error)),
                (Some(Ok(frame)), None) => return self.passed(frame, &exchange),
                (None, None) => return self.ended(),
                (Some(Ok(frame)), Some(judge)) => {
                    if let Err(cause) = judge.take(frame, &exchange) {
                        return self.failed(cx, &exchange, cause);
                    }
                }
                (None, Some(judge)) => {
                    if let Err(cause) = judge.end(&exchange) {
                        return self.failed(cx, &exchange, cause);
                    }
                }
            }
        }
    }

    fn passed(&mut self, frame: Frame<Bytes>, exchange: &Exchange) -> Polled {
        if let Some(piece) = frame.data_ref() {
            exchange.response_bytes.set(exchange.response_bytes.get() + piece.len() as u64);
            exchange.observe_response(piece);
        }
        if frame.is_trailers() || self.is_end_stream() {
            let _ = self.ended();
        }
        Poll::Ready(Some(Ok(frame)))
    }

    /// The pause is measured while the client could take more, not while it was the client that paused.
    fn wait(&mut self, cx: &mut Context<'_>, exchange: &Exchange) -> Polled {
        if !self.is_waiting {
            self.is_waiting = true;
            exchange.touch();
        }
        ready!(self.source.poll_deadline(cx, exchange.idle_deadline()));
        self.failed(cx, exchange, Cause::ReadTimeout)
    }

    fn ended(&mut self) -> Polled {
        self.source.release();
        if let Some(ending) = self.ending.take() {
            ending.end();
        }
        self.in_flight = None;
        Poll::Ready(None)
    }

    /// The head is gone already: all that is left is to break the body off, visibly. hyper drops what it did not flush
    /// when a body fails, so it gets one turn to flush before it hears of it.
    fn failed(&mut self, cx: &mut Context<'_>, exchange: &Exchange, cause: Cause) -> Polled {
        exchange.note_error(if cause == Cause::ClosedEarly { ABORTED_BODY } else { cause.row().code });
        if let Some(ending) = self.ending.take() {
            ending.end();
        }
        self.failure = Some(cause);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    fn is_end_stream(&self) -> bool {
        match &self.judge {
            None => self.source.is_end_stream(),
            Some(judge) => judge.is_done() && !judge.has_released(),
        }
    }
}

/// Why an upstream's body did not come to its end.
fn broken_off(error: &hyper::Error) -> Cause {
    NotPassed::inside(error).map_or(Cause::ClosedEarly, Cause::of_response)
}

/// The record's `error` when the upstream broke off in its body.
pub const ABORTED_BODY: &str = "upstream.aborted_body";

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Stopped;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Polled {
        match self.get_mut() {
            ResponseBody::Empty => Poll::Ready(None),
            ResponseBody::Full(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            ResponseBody::Streaming(body) => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ResponseBody::Empty => true,
            ResponseBody::Full(bytes) => bytes.is_none(),
            ResponseBody::Streaming(body) => body.failure.is_none() && (body.ending.is_none() || body.is_end_stream()),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ResponseBody::Empty => SizeHint::with_exact(0),
            ResponseBody::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            ResponseBody::Streaming(body) => body.source.incoming().size_hint(),
        }
    }
}
