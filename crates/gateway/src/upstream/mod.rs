//! Requests out, response heads in: chooses an upstream of the zone, takes or opens a connection, retries where that
//! is safe, and gives the response with whatever drives its body.
//!
//! Everything here belongs to one serving thread; only [`health`] and [`retries`] are shared between threads.

pub mod balance;
pub mod checks;
pub mod connect;
pub mod endpoint;
pub mod h1;
pub mod h2;
pub mod health;
pub mod retries;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{BalancingSettings, Bundle, RetrySettings, UpstreamProtocol, Zone, ZoneIndex};
use http::{Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use smallvec::SmallVec;

use crate::body::{RequestBody, Source};
use crate::exchange::Exchange;
use crate::log;
use crate::problem::Cause;
use crate::shared::Shared;
use balance::View;
use endpoint::{Endpoint, UnderWay};
use h1::{H1Connection, SendError};
use retries::RetryBudget;

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
        let members: Vec<_> = zone.upstreams.iter().map(|upstream| self.member(upstream)).collect();
        let now = self.shared.health.now_millis();
        Group {
            zone: zone.id.clone(),
            in_use: members.iter().filter(|member| !member.is_drained).count(),
            members,
            balancing: zone.balancing,
            retries: zone.retries,
            budget: self.shared.retries.of(&zone.id, zone.retries, now),
            next: Cell::new(0),
            shared: self.shared.clone(),
            connect_timeout: zone.timeouts.connect,
        }
    }

    fn member(&self, upstream: &engine::Upstream) -> Member {
        let endpoint = self.endpoint(upstream);
        if upstream.drain {
            endpoint.close_idle();
        }
        Member { endpoint, is_drained: upstream.drain }
    }

    fn endpoint(&self, upstream: &engine::Upstream) -> Rc<Endpoint> {
        let key = endpoint::key(upstream);
        let mut endpoints = self.endpoints.borrow_mut();
        if let Some(known) = endpoints.get(&key).and_then(Weak::upgrade) {
            return known;
        }
        let endpoint = Rc::new(Endpoint::new(upstream, self.shared.health.of(&key, &upstream.url)));
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

/// The upstreams of one zone.
pub struct Group {
    zone: Arc<str>,
    members: Vec<Member>,
    /// How many of them do not drain.
    in_use: usize,
    balancing: BalancingSettings,
    retries: RetrySettings,
    budget: Arc<RetryBudget>,
    next: Cell<usize>,
    shared: Arc<Shared>,
    connect_timeout: Duration,
}

/// One upstream in its zone.
struct Member {
    endpoint: Rc<Endpoint>,
    is_drained: bool,
}

/// A response head, and who answered it.
pub struct Answer {
    /// The head; its body is in `source`.
    pub head: http::response::Parts,
    /// What gives and drives the body.
    pub source: Source,
}

impl Member {
    fn view(&self, tried: u64, index: usize, now_millis: u64) -> View {
        View {
            is_drained: self.is_drained,
            is_healthy: self.endpoint.health.is_healthy(now_millis),
            was_tried: tried & (1 << index) != 0,
            in_flight: self.endpoint.health.in_flight(),
        }
    }
}

impl Group {
    /// Whether all its upstreams speak this protocol.
    pub fn speaks(&self, protocol: UpstreamProtocol) -> bool {
        self.members.iter().all(|member| member.endpoint.protocol == protocol)
    }

    /// The upstream that takes the request, if one is left that was not tried (a bit each).
    fn choose(&self, tried: u64) -> Option<usize> {
        if self.members.len() == 1 {
            return (tried == 0).then_some(0);
        }
        let now = self.shared.health.now_millis();
        let views: SmallVec<[View; 8]> = self.members.iter().enumerate().map(|(i, member)| member.view(tried, i, now)).collect();
        let chosen = balance::choose(self.balancing, self.next.get(), &views)?;
        self.next.set((chosen.index + 1) % self.members.len());
        if chosen.is_panic {
            self.shared.metrics.health_ignored.increment([self.zone.to_string().into()]);
        }
        Some(chosen.index)
    }

    /// Whether the zone's budget has a retry left.
    fn may_retry(&self) -> bool {
        let may = self.budget.draw(self.retries, self.shared.health.now_millis());
        if !may {
            self.shared.metrics.retries_denied.increment([self.zone.to_string().into()]);
        }
        may
    }

    /// Sends the request and waits for the response head. What happened on the way is noted in `exchange`.
    ///
    /// A request goes out a second time only when that cannot act twice: nothing of it was written, or it is
    /// idempotent, has no body, and a reused connection closed before any byte of a response (RFC 9110 §9.2.2). What an upstream
    /// has seen or refused before goes out again only within the zone's budget.
    pub async fn send(&self, mut request: Request<RequestBody>, exchange: &Rc<Exchange>) -> Result<Answer, Cause> {
        let mut tried = 0_u64;
        let mut stale_left = MAX_STALE_RETRIES;
        let mut last = Cause::ConnectFailed;
        self.budget.pay_in(self.retries);
        loop {
            let Some(index) = self.choose(tried) else { return Err(last) };
            let endpoint = &self.members[index].endpoint;
            exchange.upstream.set(Some(index as u16));
            exchange.goes_to(UnderWay::new(endpoint));
            match self.attempt(endpoint, request, exchange, stale_left == 0).await {
                Ok(answer) => {
                    endpoint.health.succeeded();
                    return Ok(answer);
                }
                Err(Attempt::Stale { request: again, was_sent }) if stale_left > 0 && (!was_sent || self.may_retry()) => {
                    stale_left -= 1;
                    exchange.retried.set(true);
                    request = *again;
                }
                Err(Attempt::NotConnected(again, cause)) => {
                    last = self.failed(endpoint, cause);
                    tried |= 1 << index;
                    if tried.count_ones() as usize >= self.in_use || !self.may_retry() {
                        return Err(last);
                    }
                    request = *again;
                }
                Err(Attempt::Stale { .. }) => return Err(self.failed(endpoint, Cause::ClosedEarly)),
                Err(Attempt::Failed(cause)) => return Err(self.failed(endpoint, cause)),
            }
        }
    }

    fn failed(&self, endpoint: &Endpoint, cause: Cause) -> Cause {
        if !matches!(cause, Cause::ClientSlow | Cause::ClientBroken | Cause::Blocked | Cause::Refused) {
            let ejected = endpoint.health.failed(self.shared.health.now_millis());
            if ejected && self.members.len() > 1 {
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
            Err(SendError::NotSent(request)) if connection.is_reused => Err(Attempt::Stale { request, was_sent: false }),
            Err(SendError::NotSent(_)) => Err(Attempt::Failed(Cause::ClosedEarly)),
            Err(SendError::Timeout) => Err(Attempt::Failed(exchange.timeout_cause())),
            Err(SendError::Failed(error)) => match again {
                Some(again) if connection.lost_before_response() => {
                    Err(Attempt::Stale { request: Box::new(again), was_sent: true })
                }
                _ => Err(Attempt::Failed(exchange.failure_cause(&error))),
            },
        }
    }
}

/// How one attempt ended without a response.
pub enum Attempt {
    /// A pooled connection was closed; the request may go out again.
    Stale {
        /// As it was.
        request: Box<Request<RequestBody>>,
        /// Whether the upstream may have seen it.
        was_sent: bool,
    },
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
