//! One client connection from accept to close: TLS, which HTTP it speaks, hyper, upgrades, lingering close.
//!
//! Takes an accepted socket; drives [`crate::proxy::handle`] for each request on it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::violation::Refusal;
use http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsStream;
use tokio_rustls::rustls::ServerConfig;

use crate::acceptor::Accepted;
use crate::client_io::ClientIo;
use crate::local::LocalExecutor;
use crate::proxy;
use crate::proxy_protocol;
use crate::stream::Stream;
use crate::tls;
use crate::upgrade::{self, Upgrade};
use crate::worker::Worker;

/// A TLS handshake takes at most this long.
pub const TLS_HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Requests of one connection that may be taken back before most of them count as a flood.
const MAX_ABORTED: u64 = 200;
/// hyper's own bound of header fields, in an array on the stack; any other makes it allocate for each head.
const HYPER_FIELDS: usize = 100;
/// Bytes that hyper buffers per connection and direction, or a whole head where that may be longer.
const MIN_BUFFER_BYTES: usize = 64 << 10;
/// Bytes a client may send ahead on one HTTP/2 stream, and on one connection.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
const CONNECTION_WINDOW_BYTES: u32 = 1 << 20;
/// After an answer that came before the whole request: how long and how much is read and thrown away, so that the
/// answer is not lost to a reset (RFC 9112 §9.6).
const LINGER_TIME: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 16 << 20;

const H2_PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What the requests of one connection share.
pub struct Client {
    /// The serving thread.
    pub worker: Rc<Worker>,
    /// The connection's peer: the client, or a proxy before us.
    pub peer: SocketAddr,
    /// The peer's address as it goes into `X-Forwarded-For`.
    pub peer_value: HeaderValue,
    /// Whether the connection is TLS.
    pub tls: bool,
    is_http2: Cell<bool>,
    begun: Cell<u64>,
    answered: Cell<u64>,
    refused: Cell<Option<(u64, Refusal)>>,
    waiting_since: Cell<Instant>,
    is_last: Cell<bool>,
    aborted: Cell<u64>,
    is_expired: Cell<bool>,
    has_unread_body: Cell<bool>,
    upgrade: RefCell<Option<Box<Upgrade>>>,
}

impl Client {
    fn new(worker: Rc<Worker>, peer: SocketAddr, tls: bool) -> Client {
        let address = peer.ip().to_canonical().to_string();
        Client {
            worker,
            peer,
            peer_value: HeaderValue::try_from(address).unwrap_or(HeaderValue::from_static("unknown")),
            tls,
            is_http2: Cell::new(false),
            begun: Cell::new(0),
            answered: Cell::new(0),
            refused: Cell::new(None),
            waiting_since: Cell::new(Instant::now()),
            is_last: Cell::new(false),
            aborted: Cell::new(0),
            is_expired: Cell::new(false),
            has_unread_body: Cell::new(false),
            upgrade: RefCell::new(None),
        }
    }

    /// A request was read; the answer is on its way until the returned guard is dropped.
    pub fn begin(self: &Rc<Self>) -> InFlight {
        let begun = self.begun.get() + 1;
        self.begun.set(begun);
        let limit = self.worker.shared.config.limits.requests_per_connection;
        self.is_last.set(limit > 0 && begun >= limit);
        self.worker.begin();
        InFlight(self.clone())
    }

    /// Counts the request as aborted when dropped before its answer began.
    pub fn watch(self: &Rc<Self>) -> AbortWatch {
        AbortWatch(Some(self.clone()))
    }

    /// Whether most requests on this connection were taken back before their answer began: what is left of a rapid reset
    /// (CVE-2023-44487) when each stream was accepted first.
    fn is_flooded(&self) -> bool {
        self.aborted.get() > MAX_ABORTED && self.aborted.get() > self.begun.get() / 2
    }

    /// The head of the request of this number, from 1, was refused; hyper gets a stand-in for it.
    pub fn refuse(&self, number: u64, refusal: Refusal) {
        self.refused.set(Some((number, refusal)));
    }

    /// Why the request that has just begun is refused, if its head was.
    pub fn refusal(&self) -> Option<Refusal> {
        let (number, refusal) = self.refused.get()?;
        (number == self.begun.get()).then_some(refusal)
    }

    /// Requests that were answered to their end.
    pub fn answered(&self) -> u64 {
        self.answered.get()
    }

    /// Since when the connection has no request.
    pub fn waiting_since(&self) -> Instant {
        self.waiting_since.get()
    }

    /// Notes whether bytes of a request body are still to come.
    pub fn set_unread_body(&self, unread: bool) {
        self.has_unread_body.set(unread);
    }

    /// Whether what is left of this request's body would be read as the next request. Only HTTP/1.x has one request after
    /// the other.
    pub fn is_stuck(&self) -> bool {
        self.has_unread_body.get() && !self.is_http2.get()
    }

    /// Whether the connection takes no other request after this one: it is stuck, had as many as it may have, or a successor of
    /// this process serves.
    pub fn must_close(&self) -> bool {
        let is_last = self.is_last.get() || self.worker.is_leaving();
        self.is_stuck() || (is_last && !self.is_http2.get())
    }

    /// Whether a GOAWAY tells the client to open its next stream elsewhere; HTTP/1.x says `Connection: close` in an answer.
    fn must_go_away(&self) -> bool {
        self.is_http2.get() && self.worker.is_leaving()
    }

    /// Leaves the connection to `upgrade` once the 101 is written.
    pub fn set_upgrade(&self, upgrade: Upgrade) {
        *self.upgrade.borrow_mut() = Some(Box::new(upgrade));
    }

    /// Whether what follows is not HTTP any more.
    pub fn is_upgraded(&self) -> bool {
        self.upgrade.borrow().is_some()
    }

    /// When a connection without a request is closed; none while there is one.
    pub fn idle_deadline(&self) -> Option<Instant> {
        let is_idle = self.begun.get() == self.answered.get() && !self.is_expired.get();
        is_idle.then(|| self.waiting_since.get() + self.worker.shared.config.limits.idle)
    }

    /// It was idle long enough: its task closes it.
    pub fn expire(&self) {
        self.is_expired.set(true);
    }

    /// Whether the connection ends after the running requests.
    fn is_ending(&self) -> bool {
        self.is_expired.get() || self.is_last.get()
    }
}

/// See [`Client::watch`].
pub struct AbortWatch(Option<Rc<Client>>);

impl AbortWatch {
    /// The answer begins.
    pub fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for AbortWatch {
    fn drop(&mut self) {
        if let Some(client) = &self.0 {
            client.aborted.set(client.aborted.get() + 1);
        }
    }
}

/// A request that is not answered to its end yet.
pub struct InFlight(Rc<Client>);

impl Drop for InFlight {
    fn drop(&mut self) {
        let client = &self.0;
        client.answered.set(client.answered.get() + 1);
        client.worker.end();
        client.waiting_since.set(Instant::now());
    }
}

/// Counts something as open until dropped.
pub struct OpenGauge(Gauge);

impl OpenGauge {
    /// One more.
    pub fn new(gauge: &Gauge) -> OpenGauge {
        gauge.inc();
        OpenGauge(gauge.clone())
    }
}

impl Drop for OpenGauge {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Serves one connection to its end. Errors of the peer are no errors of ours: the connection just ends.
pub async fn serve(worker: Rc<Worker>, accepted: Accepted) {
    let (_load, mut _place) = (accepted.load, accepted.place);
    let metrics = &worker.shared.metrics;
    let _open = OpenGauge::new(&metrics.connections_open);
    if accepted.listener.tls.is_some() { &metrics.connections_tls } else { &metrics.connections_plain }.inc();
    let Ok(mut tcp) = TcpStream::from_std(accepted.stream) else { return };
    let _ = tcp.set_nodelay(true);
    let mut peer = accepted.peer;
    if accepted.listener.proxy_protocol {
        let introduced = Box::pin(until_drained(&worker, proxy_protocol::introduce(&mut tcp, peer, &worker.shared))).await;
        (peer, _place) = match introduced {
            Some(Ok(introduced)) => introduced,
            Some(Err(error)) => {
                error.into_iter().for_each(|error| worker.shared.metrics.connection_errors.increment([error.into()]));
                return;
            }
            None => return,
        };
    }
    let Some(config) = &accepted.listener.tls else {
        let client = Rc::new(Client::new(worker, peer, false));
        return serve_plain(tcp, client).await;
    };
    // Apart from the plain one: one future of both would hold room for both as long as a connection lives.
    Box::pin(serve_tls(tcp, config.clone(), worker, peer)).await;
}

async fn serve_tls(tcp: TcpStream, config: Arc<ServerConfig>, worker: Rc<Worker>, peer: SocketAddr) {
    let handshake = Box::pin(tokio_rustls::TlsAcceptor::from(config).accept(tcp));
    let Ok(Ok(stream)) = tokio::time::timeout(TLS_HANDSHAKE_TIME, handshake).await else {
        worker.shared.metrics.tls_handshake_failed();
        return;
    };
    let is_http2 = stream.get_ref().1.alpn_protocol() == Some(tls::H2);
    let client = Rc::new(Client::new(worker, peer, true));
    let stream = Stream::Tls(Box::new(TlsStream::Server(stream)));
    serve_http(stream, Bytes::new(), client, is_http2).await;
}

/// Without TLS, HTTP/2 announces itself by its preface (RFC 9113 §3.3).
async fn serve_plain(mut tcp: TcpStream, client: Rc<Client>) {
    let head_time = client.worker.shared.config.limits.head;
    let detected = until_drained(&client.worker, detect(&mut tcp));
    let Ok(Some(Ok((first, is_http2)))) = tokio::time::timeout(head_time, detected).await else { return };
    serve_http(Stream::Plain(tcp), first, client, is_http2).await;
}

/// Reads until it is clear whether these are the preface's bytes. Gives what was read.
async fn detect(tcp: &mut TcpStream) -> io::Result<(Bytes, bool)> {
    let mut first = [0; H2_PREFACE.len()];
    let mut length = 0;
    loop {
        let read = tcp.read(&mut first[length..]).await?;
        length += read;
        if read == 0 && length == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let is_prefix = H2_PREFACE.starts_with(&first[..length]);
        if !is_prefix || length == first.len() || read == 0 {
            return Ok((Bytes::copy_from_slice(&first[..length]), is_prefix && length == first.len()));
        }
    }
}

/// Waits for `future`; gives up when the worker stops, for there is no request yet that deserves an answer.
async fn until_drained<T>(worker: &Worker, future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let _place = worker.register().await;
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending if worker.is_draining() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

async fn serve_http(stream: Stream, first: Bytes, client: Rc<Client>, is_http2: bool) {
    let worker = client.worker.clone();
    let _place = worker.register().await;
    client.is_http2.set(is_http2);
    if is_http2 {
        Box::pin(serve_http2(TokioIo::new(ClientIo::http2(stream, first, client.clone())), client)).await;
    } else {
        serve_http1(TokioIo::new(ClientIo::http1(stream, &first, client.clone())), client).await;
    }
}

async fn serve_http1(io: TokioIo<ClientIo>, client: Rc<Client>) {
    let for_requests = client.clone();
    let service = service_fn(move |request| Box::pin(proxy::handle(for_requests.clone(), request)));
    let limits = &client.worker.shared.config.limits;
    let mut builder = http1::Builder::new();
    builder.header_read_timeout(None).max_buf_size(limits.head_bytes.max(MIN_BUFFER_BYTES));
    if limits.head_fields > HYPER_FIELDS {
        builder.max_headers(limits.head_fields);
    }
    let mut connection = builder.serve_connection(io, service);
    let result = poll_connection(&client, &mut connection, |c| c.graceful_shutdown()).await;
    let upgrade = client.upgrade.borrow_mut().take();
    let parts = connection.into_parts();
    let (mut stream, held) = parts.io.into_inner().into_stream();
    match upgrade {
        Some(upgrade) if result.is_ok() => {
            let first = if held.is_empty() { parts.read_buf } else { [&parts.read_buf[..], &held].concat().into() };
            upgrade::run(stream, first, *upgrade, &client.worker).await;
        }
        _ if client.has_unread_body.get() => linger(&mut stream).await,
        _ => {}
    }
}

async fn serve_http2(io: TokioIo<ClientIo>, client: Rc<Client>) {
    let for_requests = client.clone();
    let service = service_fn(move |request| proxy::handle(for_requests.clone(), request));
    let limits = &client.worker.shared.config.limits;
    let mut connection = http2::Builder::new(LocalExecutor)
        .timer(TokioTimer::new())
        .keep_alive_interval(limits.idle)
        .max_concurrent_streams(limits.http2_streams)
        .max_header_list_size(u32::try_from(limits.head_bytes).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(STREAM_WINDOW_BYTES as usize)
        .serve_connection(io, service);
    let _ = poll_connection(&client, &mut connection, |c| c.graceful_shutdown()).await;
}

/// Polls hyper's connection; tells it to end after the running requests when the worker stops or it was idle long.
async fn poll_connection<C, F>(client: &Client, connection: &mut C, shut_down: F) -> hyper::Result<()>
where
    C: Future<Output = hyper::Result<()>> + Unpin,
    F: Fn(Pin<&mut C>),
{
    let mut is_ending = false;
    poll_fn(|cx: &mut Context<'_>| {
        loop {
            if !is_ending && (client.worker.is_draining() || client.must_go_away() || client.is_ending()) {
                is_ending = true;
                shut_down(Pin::new(connection));
            }
            let result = Pin::new(&mut *connection).poll(cx);
            if result.is_pending() && client.is_flooded() {
                client.worker.shared.metrics.connection_errors.increment(["http2_resets".into()]);
                return Poll::Ready(Ok(()));
            }
            if result.is_ready() || is_ending || !client.is_ending() {
                return result;
            }
        }
    })
    .await
}

/// Reads on for a moment after our side is closed.
async fn linger(stream: &mut Stream) {
    let _ = stream.shutdown().await;
    let drain = async {
        let mut left = LINGER_BYTES;
        let mut waste = vec![0; 16 << 10];
        while left > 0 {
            match stream.read(&mut waste).await {
                Ok(read) if read > 0 => left = left.saturating_sub(read),
                _ => break,
            }
        }
    };
    let _ = tokio::time::timeout(LINGER_TIME, drain).await;
}
