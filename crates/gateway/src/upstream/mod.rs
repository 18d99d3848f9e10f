//! Requests out, response heads in: chooses an upstream of the zone, takes or opens a connection, retries where that
//! is safe, and gives the response with whatever drives its body.
//!
//! Everything here belongs to one serving thread; only [`health`] is shared between threads.

pub mod connect;
pub mod endpoint;
pub mod h1;
pub mod h2;
pub mod health;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Bundle, UpstreamProtocol, Zone, ZoneIndex};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;

use crate::body::{RequestBody, Source};
use crate::exchange::Exchange;
use crate::log;
use crate::problem::Cause;
use crate::shared::Shared;
use endpoint::Endpoint;
use h1::{H1Connection, SendError};

/// Times one transaction is sent again because a pooled connection turned out to be closed. The last time a new
/// connection is opened.
const MAX_STALE_RETRIES: u32 = 2;

/// All upstreams this thread knows, over bundle changes: an upstream that stays keeps its connections.
pub struct Upstreams {
    shared: Arc<Shared>,
    endpoints: RefCell<HashMap<String, Weak<Endpoint>>>,
    current: RefCell<Option<Current>>,
}

/// A bundle and the upstreams of its zones.
type Current = (Arc<Bundle>, Vec<Rc<Group>>);

impl Upstreams {
    /// None yet; they come with the first bundle.
    pub fn new(shared: Arc<Shared>) -> Upstreams {
        Upstreams { shared, endpoints: RefCell::default(), current: RefCell::default() }
    }

    /// The upstreams of a zone of `bundle`.
    pub fn group(&self, bundle: &Arc<Bundle>, zone: ZoneIndex) -> Rc<Group> {
        let mut current = self.current.borrow_mut();
        match &*current {
            Some((known, groups)) if Arc::ptr_eq(known, bundle) => groups[zone.index()].clone(),
            _ => {
                let groups: Vec<_> = bundle.zones().iter().map(|zone| Rc::new(self.build(zone))).collect();
                let group = groups[zone.index()].clone();
                *current = Some((bundle.clone(), groups));
                self.endpoints.borrow_mut().retain(|_, endpoint| endpoint.strong_count() > 0);
                group
            }
        }
    }

    fn build(&self, zone: &Zone) -> Group {
        let endpoints = zone.upstreams.iter().map(|upstream| self.endpoint(upstream)).collect();
        Group { endpoints, next: Cell::new(0), shared: self.shared.clone(), connect_timeout: zone.timeouts.connect }
    }

    fn endpoint(&self, upstream: &engine::Upstream) -> Rc<Endpoint> {
        let key = endpoint::key(upstream);
        let mut endpoints = self.endpoints.borrow_mut();
        if let Some(known) = endpoints.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let endpoint = Rc::new(Endpoint::new(upstream, self.shared.health.of(&key)));
        endpoints.insert(key, Rc::downgrade(&endpoint));
        endpoint
    }

    /// Closes idle connections that are too old or that the upstream closed. Called once a second.
    pub fn sweep(&self) {
        let now = Instant::now();
        for endpoint in self.endpoints.borrow().values().filter_map(Weak::upgrade) {
            endpoint.sweep(now);
        }
    }
}

/// The upstreams of one zone, in turn.
pub struct Group {
    endpoints: Vec<Rc<Endpoint>>,
    next: Cell<usize>,
    shared: Arc<Shared>,
    connect_timeout: Duration,
}

/// A response head, and who answered it.
pub struct Answer {
    /// The head; its body is in `source`.
    pub head: http::response::Parts,
    /// What gives and drives the body.
    pub source: Source,
}

impl Group {
    /// Whether all its upstreams speak this protocol.
    pub fn speaks(&self, protocol: UpstreamProtocol) -> bool {
        self.endpoints.iter().all(|endpoint| endpoint.protocol == protocol)
    }

    /// The next upstream in turn that is not left out; when all are, the next in turn all the same.
    fn choose(&self) -> usize {
        let count = self.endpoints.len();
        let start = self.next.get();
        self.next.set((start + 1) % count);
        if count == 1 {
            return 0;
        }
        let now = self.shared.health.now_millis();
        let healthy = (0..count).map(|i| (start + i) % count).find(|i| !self.endpoints[*i].health.is_ejected(now));
        healthy.unwrap_or(start % count)
    }

    /// Sends the request and waits for the response head. What happened on the way is noted in `exchange`.
    ///
    /// A request goes out a second time only when that cannot act twice: nothing of it was written, or it is
    /// idempotent, has no body, and a reused connection closed before any byte of a response (RFC 9110 §9.2.2).
    pub async fn send(&self, mut request: Request<RequestBody>, exchange: &Rc<Exchange>) -> Result<Answer, Cause> {
        let mut connects_left = self.endpoints.len();
        let mut stale_left = MAX_STALE_RETRIES;
        loop {
            let index = self.choose();
            let endpoint = &self.endpoints[index];
            exchange.upstream.set(Some(index as u16));
            match self.attempt(endpoint, request, exchange, stale_left == 0).await {
                Ok(answer) => {
                    endpoint.health.succeeded();
                    return Ok(answer);
                }
                Err(Attempt::Stale(again)) if stale_left > 0 => {
                    stale_left -= 1;
                    exchange.retried.set(true);
                    request = *again;
                }
                Err(Attempt::NotConnected(again, cause)) => {
                    self.failed(endpoint, cause);
                    connects_left -= 1;
                    if connects_left == 0 {
                        return Err(cause);
                    }
                    request = *again;
                }
                Err(Attempt::Stale(_)) => return Err(self.failed(endpoint, Cause::ClosedEarly)),
                Err(Attempt::Failed(cause)) => return Err(self.failed(endpoint, cause)),
            }
        }
    }

    fn failed(&self, endpoint: &Endpoint, cause: Cause) -> Cause {
        if !matches!(cause, Cause::ClientSlow | Cause::ClientBroken | Cause::Blocked | Cause::Refused) {
            let ejected = endpoint.health.failed(self.shared.health.now_millis());
            if ejected && self.endpoints.len() > 1 {
                self.shared.metrics.upstream_ejections.increment([endpoint.url.clone().into()]);
                log::warn(
                    "upstream.ejected",
                    &format!("{} failed ({}) and is left out for a while", endpoint.url, cause.row().code),
                );
            }
        }
        cause
    }

    async fn attempt(
        &self,
        endpoint: &Rc<Endpoint>,
        request: Request<RequestBody>,
        exchange: &Rc<Exchange>,
        must_be_new: bool,
    ) -> Result<Answer, Attempt> {
        match endpoint.protocol {
            UpstreamProtocol::Http1 => self.attempt_h1(endpoint, request, exchange, must_be_new).await,
            UpstreamProtocol::Http2 => h2::attempt(endpoint, request, exchange, self.connect_timeout).await,
        }
    }

    async fn attempt_h1(
        &self,
        endpoint: &Rc<Endpoint>,
        request: Request<RequestBody>,
        exchange: &Rc<Exchange>,
        must_be_new: bool,
    ) -> Result<Answer, Attempt> {
        let idle = if must_be_new { None } else { endpoint.take_idle() };
        let mut connection = match idle {
            Some(connection) => connection,
            None => match endpoint.open(self.connect_timeout).await {
                Ok(connection) => connection,
                Err(cause) => return Err(Attempt::NotConnected(Box::new(request), cause)),
            },
        };
        let again = if connection.is_reused { replay(&request) } else { None };
        exchange.touch();
        match connection.send(request, || exchange.deadline()).await {
            Ok(response) => Ok(take_answer(response, connection, endpoint, exchange)),
            Err(SendError::NotSent(request)) if connection.is_reused => Err(Attempt::Stale(request)),
            Err(SendError::NotSent(_)) => Err(Attempt::Failed(Cause::ClosedEarly)),
            Err(SendError::Timeout) => Err(Attempt::Failed(exchange.timeout_cause())),
            Err(SendError::Failed(error)) => match again {
                Some(again) if connection.lost_before_response() => Err(Attempt::Stale(Box::new(again))),
                _ => Err(Attempt::Failed(exchange.failure_cause(&error))),
            },
        }
    }
}

/// How one attempt ended without a response.
pub enum Attempt {
    /// A pooled connection was closed; the request may go out again.
    Stale(Box<Request<RequestBody>>),
    /// There is no connection; another upstream may be tried.
    NotConnected(Box<Request<RequestBody>>, Cause),
    /// It may have acted: no second try.
    Failed(Cause),
}

/// A copy of a request that may be sent twice: idempotent and without a body.
pub(crate) fn replay(request: &Request<RequestBody>) -> Option<Request<RequestBody>> {
    let idempotent =
        matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE | Method::TRACE);
    if !idempotent || !matches!(request.body(), RequestBody::Empty) {
        return None;
    }
    let mut copy = Request::new(RequestBody::Empty);
    *copy.method_mut() = request.method().clone();
    *copy.uri_mut() = request.uri().clone();
    *copy.headers_mut() = request.headers().clone();
    Some(copy)
}

/// Splits a response from its connection. One whose request is still being sent drives itself from now on: the
/// upload must not wait for the client to read the response.
fn take_answer(
    response: Response<Incoming>,
    connection: Box<H1Connection>,
    endpoint: &Rc<Endpoint>,
    exchange: &Exchange,
) -> Answer {
    let (head, incoming) = response.into_parts();
    let source = if head.status == StatusCode::SWITCHING_PROTOCOLS || exchange.is_request_done() {
        Source::Driving { incoming, connection: Some(connection), endpoint: endpoint.clone() }
    } else {
        let task = tokio::task::spawn_local(connection.run());
        Source::Driven { incoming, timer: Default::default(), task: Some(task.abort_handle()) }
    };
    Answer { head, source }
}
