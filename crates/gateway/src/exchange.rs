//! One transaction on its way through the gateway: the engine's [`Transaction`] with what only the gateway sees
//! (bytes, times, upstream, errors), and the one place where it ends.
//!
//! Shared by the handler, the request body and the response body of one serving thread; ends exactly once.

use std::cell::{Cell, RefCell};
use std::error::Error;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::violation::Refusal;
use engine::{Mode, Outcome, Step, Timeouts, Timestamp, Transaction};
use http::HeaderMap;

use crate::guarded::NotPassed;
use crate::problem::Cause;
use crate::shared::Shared;
use crate::upstream::endpoint::UnderWay;

/// See the module.
pub struct Exchange {
    shared: Arc<Shared>,
    transaction: RefCell<Option<Box<Transaction>>>,
    mode: Mode,
    started: Instant,
    started_at: Timestamp,
    read_timeout: Cell<Duration>,
    idle_timeout: Cell<Duration>,
    activity: Cell<Instant>,
    request_done: Cell<bool>,
    waits_for_client: Cell<bool>,
    is_sampled: Cell<bool>,
    under_way: Cell<Option<UnderWay>>,
    /// Whether the connection to the client is TLS.
    pub tls: bool,
    /// Bytes of the request body that arrived.
    pub request_bytes: Cell<u64>,
    /// Whether the end of the request body was seen.
    pub request_complete: Cell<bool>,
    /// Bytes of the response body that went out.
    pub response_bytes: Cell<u64>,
    /// The status the client got; 0 while there is none.
    pub status: Cell<u16>,
    /// The status the upstream gave.
    pub upstream_status: Cell<Option<u16>>,
    /// Microseconds until the upstream's response head.
    pub upstream_micros: Cell<Option<u32>>,
    /// The upstream's index in the zone.
    pub upstream: Cell<Option<u16>>,
    /// The code of what went wrong, if anything did.
    pub error: Cell<Option<&'static str>>,
    /// Why a body was stopped half way, for whoever answers.
    pub stopped: Cell<Option<Cause>>,
    /// Whether it left HTTP.
    pub upgraded: Cell<bool>,
    /// Whether it was sent a second time.
    pub retried: Cell<bool>,
}

/// The engine panicked. The panic is counted where it was caught.
#[derive(Debug)]
pub struct EngineFailed;

impl Exchange {
    /// A transaction that begins now.
    pub fn new(shared: Arc<Shared>, transaction: Box<Transaction>, started_at: Timestamp, tls: bool) -> Exchange {
        let now = Instant::now();
        Exchange {
            mode: shared.mode.load(),
            shared,
            transaction: RefCell::new(Some(transaction)),
            started: now,
            started_at,
            read_timeout: Cell::new(Duration::ZERO),
            idle_timeout: Cell::new(Duration::ZERO),
            activity: Cell::new(now),
            request_done: Cell::new(true),
            waits_for_client: Cell::new(false),
            is_sampled: Cell::new(false),
            under_way: Cell::new(None),
            tls,
            request_bytes: Cell::new(0),
            request_complete: Cell::new(false),
            response_bytes: Cell::new(0),
            status: Cell::new(0),
            upstream_status: Cell::new(None),
            upstream_micros: Cell::new(None),
            upstream: Cell::new(None),
            error: Cell::new(None),
            stopped: Cell::new(None),
            upgraded: Cell::new(false),
            retried: Cell::new(false),
        }
    }

    /// Runs one step of the engine. A panic inside it stays inside this transaction.
    pub fn judge<T>(&self, step: impl FnOnce(&mut Transaction) -> T) -> Result<T, EngineFailed> {
        let mut transaction = self.transaction.borrow_mut();
        let Some(transaction) = transaction.as_mut() else { return Err(EngineFailed) };
        let result = catch_unwind(AssertUnwindSafe(|| {
            let result = step(transaction);
            self.is_sampled.set(transaction.is_sampled());
            result
        }));
        result.map_err(|_| {
            self.shared.metrics.engine_panicked();
            self.error.set(Some(Cause::EngineFailed.row().code));
            EngineFailed
        })
    }

    /// Answers what a step asks of the counters; `head` is the message's, where the step came from one.
    pub fn answer_limits(&self, step: Step, head: Option<&HeaderMap>) -> Result<Step, EngineFailed> {
        let now = self.shared.steady.now();
        self.judge(|transaction| self.shared.counters.answer(step, transaction, head, now))
    }

    /// Counts what the response made countable.
    pub fn count_response(&self) {
        let _ = self.judge(|transaction| {
            if transaction.has_counts() {
                self.shared.counters.count_response(transaction, self.shared.steady.now());
            }
        });
    }

    /// Whether a failed engine lets the transaction pass: in every mode but `enforce`.
    pub fn fails_open(&self) -> bool {
        self.mode != Mode::Enforce
    }

    /// Looks at the transaction without judging.
    pub fn look<T>(&self, look: impl FnOnce(&Transaction) -> T) -> Option<T> {
        self.transaction.borrow().as_deref().map(look)
    }

    /// Shows a piece of the request body to the sampler, if this transaction is sampled.
    pub fn observe_request(&self, piece: &[u8]) {
        if self.is_sampled.get() {
            let _ = self.judge(|transaction| transaction.observe_request_piece(piece));
        }
    }

    /// Shows a piece of the response body to the sampler, if this transaction is sampled.
    pub fn observe_response(&self, piece: &[u8]) {
        if self.is_sampled.get() {
            let _ = self.judge(|transaction| transaction.observe_response_piece(piece));
        }
    }

    /// Bytes of the request's body arrived.
    ///
    /// # Errors
    /// The answer, when they are more than a body may have.
    pub fn count_request(&self, bytes: usize) -> Result<(), Cause> {
        let bytes = self.request_bytes.get() + bytes as u64;
        self.request_bytes.set(bytes);
        if self.shared.config.limits.allows_body(bytes) {
            return Ok(());
        }
        let _ = self.judge(|transaction| transaction.refuse_body(Refusal::BodyTooLarge));
        Err(Cause::Refused)
    }

    /// Takes the zone's times, once the zone is known.
    pub fn set_timeouts(&self, timeouts: &Timeouts) {
        self.read_timeout.set(timeouts.read);
        self.idle_timeout.set(timeouts.idle);
    }

    /// Something moved: waiting begins anew.
    pub fn touch(&self) {
        self.activity.set(Instant::now());
    }

    /// Counts with this upstream from now on, until the end or the next upstream.
    pub fn goes_to(&self, under_way: UnderWay) {
        self.under_way.set(Some(under_way));
    }

    /// A request body is on its way.
    pub fn expect_request_body(&self) {
        self.request_done.set(false);
    }

    /// The request body is complete.
    pub fn request_is_done(&self) {
        self.request_done.set(true);
        self.touch();
    }

    /// Whether the whole request was handed to the upstream's connection.
    pub fn is_request_done(&self) -> bool {
        self.request_done.get()
    }

    /// Notes whether the client, not the upstream, is what the request waits for.
    pub fn set_waits_for_client(&self, waits: bool) {
        self.waits_for_client.set(waits);
    }

    /// When waiting for the response head ends: the read timeout after the request's last byte, the idle timeout
    /// between the pieces of its body.
    pub fn deadline(&self) -> Instant {
        let patience = if self.request_done.get() { &self.read_timeout } else { &self.idle_timeout };
        self.activity.get() + patience.get()
    }

    /// When a pause in a body, or on an upgraded connection, ends it.
    pub fn idle_deadline(&self) -> Instant {
        self.activity.get() + self.idle_timeout.get()
    }

    /// Whose fault a passed deadline is.
    pub fn timeout_cause(&self) -> Cause {
        let client = !self.request_done.get() && self.waits_for_client.get();
        if client { Cause::ClientSlow } else { Cause::ReadTimeout }
    }

    /// Whose fault a failed connection to the upstream is: a body that was stopped on purpose says so itself.
    pub fn failure_cause(&self, error: &hyper::Error) -> Cause {
        if let Some(cause) = self.stopped.get() {
            return cause;
        }
        if let Some(refusal) = NotPassed::inside(error) {
            return Cause::of_response(refusal);
        }
        let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        let is_endless = io.is_some_and(|io| io.kind() == io::ErrorKind::InvalidData);
        if error.is_parse() || is_endless { Cause::Garbage } else { Cause::ClosedEarly }
    }

    /// Why a client's body failed: it was refused, came too slowly, or broke off.
    pub fn body_cause(&self, error: &hyper::Error) -> Cause {
        if let Some(refusal) = NotPassed::inside(error) {
            let _ = self.judge(|transaction| transaction.refuse_body(refusal));
            return Cause::Refused;
        }
        let io = error.source().and_then(|source| source.downcast_ref::<io::Error>());
        let is_slow = io.is_some_and(|io| io.kind() == io::ErrorKind::TimedOut);
        if is_slow { Cause::ClientSlow } else { Cause::ClientBroken }
    }

    /// Notes the response head.
    pub fn answered(&self, status: u16) {
        self.upstream_status.set(Some(status));
        let micros = self.started.elapsed().as_micros();
        self.upstream_micros.set(Some(u32::try_from(micros).unwrap_or(u32::MAX)));
    }

    /// Notes an error, unless an earlier one is known: the first is the cause.
    pub fn note_error(&self, code: &'static str) {
        if self.error.get().is_none() {
            self.error.set(Some(code));
        }
    }

    /// Ends the transaction: effects, metrics, record. Later calls do nothing.
    pub fn finish(&self) {
        self.under_way.set(None);
        let Some(mut transaction) = self.transaction.borrow_mut().take() else { return };
        self.shared.counters.end(&mut transaction, self.upstream.get().is_some());
        let outcome = self.outcome();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            self.shared.apply_effects(transaction.verdict());
            Box::new(transaction.end(&outcome))
        }));
        match ended {
            Ok(ended) => self.shared.ended(ended),
            Err(_) => self.shared.metrics.engine_panicked(),
        }
    }

    fn outcome(&self) -> Outcome {
        Outcome {
            end: self.started_at.plus(self.started.elapsed()),
            status: self.status.get(),
            upstream_status: self.upstream_status.get(),
            upstream_micros: self.upstream_micros.get(),
            request_body_bytes: self.request_bytes.get(),
            response_body_bytes: self.response_bytes.get(),
            error: self.error.get(),
            upgraded: self.upgraded.get(),
            upstream: self.upstream.get(),
            tls: self.tls,
            retried: self.retried.get(),
            request_complete: self.request_complete.get(),
        }
    }
}

/// Holds a transaction open. Dropped before [`Ending::end`], the client went away, and the record says so.
pub struct Ending(Rc<Exchange>);

impl Ending {
    /// From here on the transaction ends, one way or the other.
    pub fn new(exchange: Rc<Exchange>) -> Ending {
        Ending(exchange)
    }

    /// The transaction.
    pub fn exchange(&self) -> &Rc<Exchange> {
        &self.0
    }

    /// It ran to its end.
    pub fn end(self) {
        self.0.finish();
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.0.transaction.borrow().is_some() {
            self.0.note_error(CLIENT_ABORTED);
            self.0.finish();
        }
    }
}

/// The record's `error` when the client left before the end.
pub const CLIENT_ABORTED: &str = "client.aborted";
