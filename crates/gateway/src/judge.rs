//! Bodies that a rule asked for: collected whole and held back, or judged in pieces with the last one held back.
//!
//! Takes frames; gives them back once the engine allowed it, or the [`Cause`] of the answer when it did not.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};

use bytes::Bytes;
use engine::{Action, BodyNeed, Step, Transaction};
use http::HeaderMap;
use http_body::Frame;

use crate::body::Held;
use crate::exchange::{EngineFailed, Exchange};
use crate::problem::Cause;

/// Which of the two bodies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// From the client.
    Request,
    /// From the upstream.
    Response,
}

impl Side {
    fn step(self, transaction: &mut Transaction, piece: &[u8], last: bool) -> Step {
        match self {
            Side::Request => transaction.request_body(piece, last),
            Side::Response => transaction.response_body(piece, last),
        }
    }
}

/// What one step of the engine means for the gateway.
pub enum Next {
    /// Go on.
    Pass,
    /// The engine wants to see the body.
    Body(BodyNeed),
    /// Answer this.
    Stop(Cause),
}

/// Translates a step; what it asks of the counters of limits is answered from memory. `head` is the message's, where the step came
/// from one. A failed engine is closed unless the mode only logs.
pub fn next(mut step: Result<Step, EngineFailed>, exchange: &Exchange, head: Option<&HeaderMap>) -> Next {
    if let Ok(asking @ Step::NeedState(_)) = step {
        step = exchange.answer_limits(asking, head);
    }
    match step {
        Ok(Step::Decided(Action::Allow | Action::Log)) => Next::Pass,
        Ok(Step::Decided(Action::Block | Action::Refuse)) => Next::Stop(exchange.look(Cause::of_stop).unwrap_or(Cause::Blocked)),
        Ok(Step::NeedBody(need)) => Next::Body(need),
        Ok(Step::NeedState(_)) | Err(EngineFailed) if exchange.fails_open() => Next::Pass,
        Ok(Step::NeedState(_)) | Err(EngineFailed) => Next::Stop(Cause::EngineFailed),
    }
}

/// Judges a body while it passes; the last piece stays here until the verdict.
pub struct PieceJudge {
    side: Side,
    held: Option<Bytes>,
    released: VecDeque<Frame<Bytes>>,
    trailers: Option<HeaderMap>,
    is_decided: bool,
    is_done: bool,
}

impl PieceJudge {
    /// Nothing seen yet.
    pub fn new(side: Side) -> PieceJudge {
        PieceJudge { side, held: None, released: VecDeque::new(), trailers: None, is_decided: false, is_done: false }
    }

    /// What was judged already may pass; `is_done` when nothing comes behind it.
    pub fn passed(side: Side, held: Held, is_done: bool) -> PieceJudge {
        let released = held.pieces.into_iter().map(Frame::data).chain(held.trailers.map(Frame::trailers)).collect();
        PieceJudge { is_decided: true, is_done, released, ..PieceJudge::new(side) }
    }

    /// A frame arrived.
    ///
    /// # Errors
    /// The answer, when the body may not pass.
    pub fn take(&mut self, frame: Frame<Bytes>, exchange: &Exchange) -> Result<(), Cause> {
        match frame.into_data() {
            Ok(piece) => {
                self.judge(&piece, false, exchange)?;
                let before = if self.is_decided { self.held.take() } else { self.held.replace(piece.clone()) };
                self.released.extend(before.map(Frame::data));
                if self.is_decided {
                    self.released.push_back(Frame::data(piece));
                }
                Ok(())
            }
            Err(frame) => {
                self.trailers = frame.into_trailers().ok();
                self.end(exchange)
            }
        }
    }

    /// The body is complete.
    ///
    /// # Errors
    /// The answer, when the body may not pass.
    pub fn end(&mut self, exchange: &Exchange) -> Result<(), Cause> {
        self.judge(&[], true, exchange)?;
        self.is_done = true;
        self.released.extend(self.held.take().map(Frame::data));
        self.released.extend(self.trailers.take().map(Frame::trailers));
        Ok(())
    }

    /// The next frame that may pass.
    pub fn released(&mut self) -> Option<Frame<Bytes>> {
        self.released.pop_front()
    }

    /// Whether a frame may pass now.
    pub fn has_released(&self) -> bool {
        !self.released.is_empty()
    }

    /// Whether everything was judged.
    pub fn is_done(&self) -> bool {
        self.is_done
    }

    fn judge(&mut self, piece: &[u8], last: bool, exchange: &Exchange) -> Result<(), Cause> {
        if self.is_decided {
            return Ok(());
        }
        match next(exchange.judge(|t| self.side.step(t, piece, last)), exchange, None) {
            Next::Pass => self.is_decided = true,
            Next::Body(_) => {}
            Next::Stop(cause) => return Err(cause),
        }
        Ok(())
    }
}

/// A body that was held back until the engine decided.
pub enum Collected {
    /// The whole of it.
    All(Held),
    /// The engine decided before its end: the rest streams behind what was held.
    Begun(PieceJudge),
}

/// Collects a body until the engine decided. Holds at most `limit_bytes`, and what one read brings beyond it.
///
/// # Errors
/// The answer, when the body may not pass or does not arrive.
pub async fn collect(
    side: Side,
    limit_bytes: usize,
    exchange: &Exchange,
    mut poll_frame: impl FnMut(&mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cause>>>,
) -> Result<Collected, Cause> {
    let mut held = Held::default();
    let mut bytes = 0;
    loop {
        let (piece, last) = match poll_fn(&mut poll_frame).await {
            None => (Bytes::new(), true),
            Some(frame) => match frame?.into_data() {
                Ok(piece) => (piece, false),
                Err(frame) => {
                    held.trailers = frame.into_trailers().ok();
                    (Bytes::new(), true)
                }
            },
        };
        bytes += piece.len();
        let step = exchange.judge(|t| side.step(t, &piece, last));
        if !piece.is_empty() {
            held.pieces.push_back(piece);
        }
        match next(step, exchange, None) {
            Next::Pass if last => return Ok(Collected::All(held)),
            Next::Pass => return Ok(Collected::Begun(PieceJudge::passed(side, held, false))),
            Next::Stop(cause) => return Err(cause),
            Next::Body(_) if last => return Err(Cause::EngineFailed),
            Next::Body(_) if bytes > limit_bytes => return Err(Cause::BodyOverLimit),
            Next::Body(_) => {}
        }
    }
}
