//! HTTP/2 to an upstream: one connection per thread and upstream, many transactions on it.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};
use http::{HeaderValue, Request, StatusCode, Uri, header};
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioIo, TokioTimer};

use super::endpoint::Endpoint;
use super::{Answer, Attempt};
use crate::body::{RequestBody, Source};
use crate::exchange::Exchange;
use crate::local::LocalExecutor;
use crate::problem::Cause;
use crate::timer::LazyTimer;

/// A silent connection is pinged after this time.
const PING_INTERVAL: Duration = Duration::from_secs(20);
/// A ping that is not answered in this time ends the connection.
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// The connection of one upstream; opened by the first transaction that needs it, while others wait.
#[derive(Default)]
pub struct H2Sender {
    current: RefCell<Option<SendRequest<RequestBody>>>,
    opening: tokio::sync::Mutex<()>,
}

impl H2Sender {
    /// The connection ends with the transactions on it.
    pub fn forget(&self) {
        self.current.borrow_mut().take();
    }

    fn open_one(&self) -> Option<SendRequest<RequestBody>> {
        self.current.borrow().as_ref().filter(|sender| !sender.is_closed()).cloned()
    }
}

async fn sender(endpoint: &Endpoint, timeout: Duration) -> Result<(SendRequest<RequestBody>, bool), Cause> {
    if let Some(sender) = endpoint.h2.open_one() {
        return Ok((sender, true));
    }
    let _turn = endpoint.h2.opening.lock().await;
    if let Some(sender) = endpoint.h2.open_one() {
        return Ok((sender, true));
    }
    let stream = endpoint.connect(timeout).await?;
    let (sender, connection) = Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|_| Cause::ConnectFailed)?;
    tokio::task::spawn_local(connection);
    *endpoint.h2.current.borrow_mut() = Some(sender.clone());
    Ok((sender, false))
}

/// One request without a body, and the status of its answer: for health checks.
pub async fn ask(endpoint: &Endpoint, request: Request<RequestBody>, connect_timeout: Duration) -> Result<StatusCode, Cause> {
    let (mut sender, _) = sender(endpoint, connect_timeout).await?;
    let answer = sender.send_request(to_http2(request, endpoint)).await;
    answer.map(|response| response.status()).map_err(|_| Cause::ClosedEarly)
}

/// One attempt over HTTP/2; see [`super::Group::send`].
pub async fn attempt(
    endpoint: &Rc<Endpoint>,
    request: Request<RequestBody>,
    exchange: &Rc<Exchange>,
    connect_timeout: Duration,
) -> Result<Answer, Attempt> {
    let (mut sender, is_reused) = match sender(endpoint, connect_timeout).await {
        Ok(sender) => sender,
        Err(cause) => return Err(Attempt::NotConnected(Box::new(request), cause)),
    };
    let mut timer = LazyTimer::default();
    exchange.touch();
    let mut response = pin!(sender.try_send_request(to_http2(request, endpoint)));
    let answer = poll_fn(|cx| match response.as_mut().poll(cx) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => timer.poll_until(cx, exchange.deadline()).map(|()| None),
    })
    .await;
    match answer {
        None => Err(Attempt::Failed(exchange.timeout_cause())),
        Some(Ok(response)) => {
            let (head, incoming) = response.into_parts();
            Ok(Answer { head, source: Source::Driven { incoming, timer, task: None } })
        }
        Some(Err(mut error)) => Err(match error.take_message() {
            Some(request) if is_reused => Attempt::Stale { request: Box::new(request), was_sent: false },
            Some(_) => Attempt::Failed(Cause::ClosedEarly),
            None => Attempt::Failed(exchange.failure_cause(error.error())),
        }),
    }
}

/// `Host` becomes `:authority`; scheme and path make the URI whole (RFC 9113 §8.3.1).
fn to_http2(mut request: Request<RequestBody>, endpoint: &Endpoint) -> Request<RequestBody> {
    let host = request.headers_mut().remove(header::HOST);
    let authority = host.as_ref().and_then(|h: &HeaderValue| Authority::try_from(h.as_bytes()).ok());
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(endpoint.scheme.clone());
    parts.authority = authority.or(parts.authority);
    parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
    *request.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *request.version_mut() = http::Version::HTTP_2;
    request
}
