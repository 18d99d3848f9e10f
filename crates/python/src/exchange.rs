//! One request on its way through an application in this process: the engine's phases as `hoplon.asgi` drives them, and the
//! gateway's answers. Clock, pieces of bodies and what happened outside are handed in; nothing is decided here.

use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use engine::violation::Refusal;
use engine::{
    BodyLength, BodyNeed, Effect, HttpVersion, Mode, Outcome, RequestHead, RequestId, RequestIdText, ResponseHead, Scheme, Step,
    Surroundings, Timestamp, Transaction,
};
use gateway::headers::REQUEST_ID;
use gateway::hosts::KnownHosts;
use gateway::problem::{self, Cause};
use gateway::quota;
use http::header::ORIGIN;
use http::{HeaderMap, HeaderName, HeaderValue};
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use crate::inspection::{Judged, Limits, random};

/// Headers as ASGI has them.
pub type RawHeaders = Vec<(PyBackedBytes, PyBackedBytes)>;
/// Headers as ASGI takes them.
type Fields<'py> = Vec<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)>;
/// Status, headers, body: an answer of our own.
type Answer<'py> = (u16, Fields<'py>, Bound<'py, PyBytes>);

/// See the module. What a step says: `pass`, `stop`, `whole` (hold the body back and give it), `pieces` (give it, hold the last
/// piece back).
#[pyclass(frozen, module = "hoplon._native")]
pub struct Exchange {
    state: Mutex<State>,
    hosts: Arc<KnownHosts>,
    limits: Arc<Limits>,
    id: RequestIdText,
    origin: Option<HeaderValue>,
    is_tls: bool,
    /// Path and query as they were judged, where they are not as received.
    rewritten: Option<String>,
}

#[derive(Default)]
struct State {
    transaction: Option<Box<Transaction>>,
    next: Next,
}

#[derive(Clone, Copy, Default)]
enum Next {
    #[default]
    Pass,
    Body(BodyNeed),
    Stop(Cause),
}

/// What Python hands over for a request's head.
pub struct Asked<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub scheme: Scheme,
    pub version: HttpVersion,
    pub headers: &'a RawHeaders,
    pub client: IpAddr,
    pub body: BodyLength,
}

impl Exchange {
    /// Judges the head of a request. Without a bundle (`has_bundle`), whatever it is gets no further.
    pub fn begin(
        transaction: Transaction,
        has_bundle: bool,
        hosts: Arc<KnownHosts>,
        limits: Arc<Limits>,
        asked: &Asked<'_>,
    ) -> PyResult<Self> {
        let (mut headers, refusal) = header_map(asked.headers);
        gateway::headers::join_cookies(&mut headers);
        let mut exchange = Self {
            id: RequestIdText::from(transaction.id()),
            origin: headers.get(ORIGIN).cloned(),
            state: Mutex::new(State { transaction: Some(Box::new(transaction)), next: Next::Pass }),
            hosts,
            limits,
            is_tls: asked.scheme == Scheme::Https,
            rewritten: None,
        };
        let head = RequestHead {
            method: asked.method,
            scheme: asked.scheme,
            version: asked.version,
            authority: None,
            target: asked.target,
            headers: &headers,
            client: asked.client,
            body: asked.body,
        };
        exchange.step(Some(&headers), |transaction| {
            let around = Surroundings { hosts: &*exchange.hosts, ..Surroundings::default() };
            match refusal {
                None => transaction.request_head(&head, &around),
                Some(refusal) => {
                    transaction.refuse_head(refusal, &head, &around);
                    Step::Decided(transaction.verdict().action)
                }
            }
        })?;
        exchange.close_unless_served(has_bundle);
        exchange.rewritten = exchange.judged_target().filter(|judged| judged != asked.target);
        Ok(exchange)
    }

    /// What stops a request that no rule stopped: no bundle at all, or a zone under maintenance.
    fn close_unless_served(&self, has_bundle: bool) {
        let mut state = self.lock();
        let is_closed = state.transaction.as_deref().and_then(Transaction::zone).is_some_and(|zone| zone.maintenance.enabled);
        match state.next {
            _ if !has_bundle => state.next = Next::Stop(Cause::NoBundle),
            Next::Pass | Next::Body(_) if is_closed => state.next = Next::Stop(Cause::Maintenance),
            _ => {}
        }
    }

    /// Runs one step. A panic inside it stays inside this request: Python gets a RuntimeError, and its fail mode decides.
    fn step(&self, head: Option<&HeaderMap>, run: impl FnOnce(&mut Transaction) -> Step) -> PyResult<&'static str> {
        let mut state = self.lock();
        let Some(transaction) = state.transaction.as_deref_mut() else { return Ok(Next::Pass.word()) };
        let settled = catch_unwind(AssertUnwindSafe(|| {
            let step = run(transaction);
            self.limits.answer(step, transaction, head, None)
        }));
        let step = settled.map_err(|_| PyRuntimeError::new_err("the engine failed on this request"))?;
        state.next = match step {
            Step::Decided(action) if action.passes() => Next::Pass,
            Step::NeedBody(need) => Next::Body(need),
            Step::Decided(_) | Step::NeedState(_) => Next::Stop(Cause::of_stop(transaction)),
        };
        Ok(state.next.word())
    }

    fn with_id<'py>(&self, py: Python<'py>, headers: &HeaderMap) -> Fields<'py> {
        let field = |name: &HeaderName, value: &[u8]| (PyBytes::new(py, name.as_str().as_bytes()), PyBytes::new(py, value));
        let id = field(&REQUEST_ID, self.id.as_str().as_bytes());
        headers.iter().map(|(name, value)| field(name, value.as_bytes())).chain([id]).collect()
    }

    fn judged_target(&self) -> Option<String> {
        let state = self.lock();
        let target = state.transaction.as_deref()?.upstream_target();
        (!target.is_empty()).then(|| target.to_owned())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[pymethods]
impl Exchange {
    /// The request's id.
    #[getter]
    fn id(&self) -> &str {
        self.id.as_str()
    }

    #[getter]
    fn next(&self) -> &'static str {
        self.lock().next.word()
    }

    /// How much of the body is held back at most, while it is asked for as a whole.
    #[getter]
    fn limit_bytes(&self) -> usize {
        match self.lock().next {
            Next::Body(BodyNeed::Whole { limit_bytes }) => limit_bytes,
            _ => 0,
        }
    }

    /// Path and query as they were judged, where they are not as received; else None.
    #[getter]
    fn target(&self) -> Option<&str> {
        self.rewritten.as_deref()
    }

    /// `allow`, `log`, `block` or `refuse`, as far as it got.
    #[getter]
    fn action(&self) -> &'static str {
        self.lock().transaction.as_deref().map_or("allow", |transaction| transaction.verdict().action.as_str())
    }

    /// The next piece of the request's body, when it was asked for.
    fn request_body(&self, py: Python<'_>, piece: &[u8], last: bool) -> PyResult<&'static str> {
        py.detach(|| self.step(None, |transaction| transaction.request_body(piece, last)))
    }

    /// The head of the application's response.
    fn response_head(&self, status: u16, headers: RawHeaders, body_bytes: Option<u64>) -> PyResult<&'static str> {
        let (headers, _) = header_map(&headers);
        let head = ResponseHead { status, headers: &headers, body: body_length(body_bytes) };
        self.step(None, |transaction| {
            let step = transaction.response_head(&head);
            self.limits.count_response(transaction, None);
            step
        })
    }

    /// The answer to a request that was stopped; with `failed`, to one that could not be judged.
    #[pyo3(signature = (*, failed = false))]
    fn answer<'py>(&self, py: Python<'py>, failed: bool) -> Answer<'py> {
        let state = self.lock();
        let cause = match state.next {
            Next::Stop(cause) if !failed => cause,
            _ => Cause::EngineFailed,
        };
        let response = problem::answer(cause, state.transaction.as_deref(), self.id.as_str(), self.origin.as_ref());
        let (head, body) = response.into_parts();
        (head.status.as_u16(), self.with_id(py, &head.headers), PyBytes::new(py, &body))
    }

    /// What is added to the head of a response that passes: the request's id, and what the client is told of its limits.
    fn fields<'py>(&self, py: Python<'py>) -> Fields<'py> {
        let mut headers = HeaderMap::new();
        if let Some(transaction) = self.lock().transaction.as_deref() {
            quota::write(&mut headers, transaction.verdict());
        }
        self.with_id(py, &headers)
    }

    /// Ends the transaction, once; with `describe`, what `Engine.inspect` would have given. `status` is what the client got, 0:
    /// nothing; `answered` what the application answered.
    #[pyo3(signature = (now, *, status, answered = None, request_bytes = 0, response_bytes = 0, is_request_complete = true, upgraded = false, describe = false))]
    #[allow(clippy::too_many_arguments)]
    fn end<'py>(
        &self,
        py: Python<'py>,
        now: i64,
        status: u16,
        answered: Option<u16>,
        request_bytes: u64,
        response_bytes: u64,
        is_request_complete: bool,
        upgraded: bool,
        describe: bool,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let mut state = self.lock();
        let Some(mut transaction) = state.transaction.take() else { return Ok(None) };
        self.limits.end(&mut transaction, answered.is_some() || !matches!(state.next, Next::Stop(_)));
        drop(state);
        let outcome = Outcome {
            end: Timestamp::from_micros(now),
            status,
            upstream_status: answered,
            request_body_bytes: request_bytes,
            response_body_bytes: response_bytes,
            request_complete: is_request_complete,
            upgraded,
            tls: self.is_tls,
            ..Outcome::default()
        };
        let ended = catch_unwind(AssertUnwindSafe(|| {
            for effect in &transaction.verdict().effects {
                let Effect::RememberHost { zone, host } = effect;
                self.hosts.remember(zone, host);
            }
            Judged::of(*transaction, &outcome)
        }));
        let judged = ended.map_err(|_| PyRuntimeError::new_err("the engine failed at the end of this request"))?;
        if describe { judged.to_dict(py).map(Some) } else { Ok(None) }
    }
}

impl Drop for Exchange {
    /// An application that forgot to end it, or was cancelled: what is in flight is given back all the same.
    fn drop(&mut self) {
        if let Some(mut transaction) = self.lock().transaction.take() {
            self.limits.end(&mut transaction, true);
        }
    }
}

impl Next {
    fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Body(BodyNeed::Whole { .. }) => "whole",
            Self::Body(BodyNeed::Pieces) => "pieces",
            Self::Stop(_) => "stop",
        }
    }
}

/// The id and the clock of a transaction that begins now (`now`: microseconds since 1970).
pub fn moment(now: i64) -> (RequestId, Timestamp) {
    let now = Timestamp::from_micros(now);
    (RequestId::new(now, random()), now)
}

/// # Errors
/// It is no mode.
pub fn parse_mode(word: &str) -> PyResult<Mode> {
    Mode::parse(word).ok_or_else(|| PyValueError::new_err("mode: enforce, log or off"))
}

/// A length that the framing says; None: it says none, and there may be a body.
pub fn body_length(bytes: Option<u64>) -> BodyLength {
    match bytes {
        Some(0) => BodyLength::None,
        Some(bytes) => BodyLength::Known(bytes),
        None => BodyLength::Unknown,
    }
}

/// The fields that are fields, and why a request with the others is refused.
fn header_map(raw: &RawHeaders) -> (HeaderMap, Option<Refusal>) {
    let mut refusal = None;
    let mut map = HeaderMap::with_capacity(raw.len());
    for (name, value) in raw {
        match (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            (Ok(name), Ok(value)) => _ = map.append(name, value),
            (Err(_), _) => refusal = Some(Refusal::HeaderName),
            (_, Err(_)) => refusal = Some(Refusal::HeaderValue),
        }
    }
    (map, refusal)
}

/// The version that ASGI names.
pub fn version(word: &str) -> HttpVersion {
    match word {
        "1.0" => HttpVersion::Http10,
        "1.1" => HttpVersion::Http11,
        _ => HttpVersion::Http2,
    }
}

/// The scheme that ASGI names, of WebSockets too.
pub fn scheme(word: &str) -> Scheme {
    if matches!(word, "https" | "wss") { Scheme::Https } else { Scheme::Http }
}
