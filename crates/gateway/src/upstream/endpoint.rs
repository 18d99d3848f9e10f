//! One upstream as one thread sees it: its address, its idle connections, its health.

use std::cell::RefCell;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Scheme, Upstream, UpstreamProtocol};
use http::uri;
use tokio::sync::OnceCell;
use tokio_rustls::rustls::pki_types::ServerName;

use super::connect::{self, Address, Tls};
use super::h1::H1Connection;
use super::h2::H2Sender;
use super::health::Health;
use crate::problem::Cause;
use crate::stream::Stream;
use crate::tls;

/// Idle connections kept per upstream and thread; the oldest beyond it are closed.
pub const MAX_IDLE_CONNECTIONS: usize = 256;
/// An idle connection is closed after this time. Shorter than common servers' keep-alive, so that few are stale.
pub const MAX_IDLE_TIME: Duration = Duration::from_secs(30);

/// One upstream.
pub struct Endpoint {
    /// As the policy names it, for metrics and logs.
    pub url: String,
    /// How it is spoken to.
    pub protocol: UpstreamProtocol,
    /// `http` or `https`, for HTTP/2's `:scheme`.
    pub scheme: uri::Scheme,
    /// Shared with the other threads.
    pub health: Arc<Health>,
    /// The one HTTP/2 connection.
    pub h2: H2Sender,
    source: Source,
    address: OnceCell<Address>,
    #[expect(clippy::vec_box, reason = "a connection is several hundred bytes and moves in and out with every transaction")]
    idle: RefCell<Vec<Box<H1Connection>>>,
}

/// A request under way to an upstream, until dropped.
pub struct UnderWay(Rc<Endpoint>);

impl UnderWay {
    /// One more.
    pub fn new(endpoint: &Rc<Endpoint>) -> UnderWay {
        endpoint.health.begin();
        UnderWay(endpoint.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.health.end();
    }
}

/// What the address is made from, off the serving thread.
#[derive(Clone)]
struct Source {
    host: String,
    port: u16,
    socket: Option<PathBuf>,
    is_tls: bool,
    is_http2: bool,
    ca_file: Option<PathBuf>,
    server_name: Option<String>,
}

/// What makes two upstreams the same one: connections and health are shared by this key.
pub fn key(upstream: &Upstream) -> String {
    format!(
        "{:?} {:?} {}:{} {} {} {}",
        upstream.scheme,
        upstream.protocol,
        upstream.host,
        upstream.port,
        upstream.socket.as_deref().unwrap_or("".as_ref()).display(),
        upstream.server_name.as_deref().unwrap_or_default(),
        upstream.ca_file.as_deref().unwrap_or("".as_ref()).display()
    )
}

impl Endpoint {
    /// Nothing is opened or read yet.
    pub fn new(upstream: &Upstream, health: Arc<Health>) -> Endpoint {
        let is_tls = matches!(upstream.scheme, Scheme::Https);
        Endpoint {
            url: upstream.url.clone(),
            protocol: upstream.protocol,
            scheme: if is_tls { uri::Scheme::HTTPS } else { uri::Scheme::HTTP },
            health,
            h2: H2Sender::default(),
            source: Source {
                host: upstream.host.clone(),
                port: upstream.port,
                socket: upstream.socket.clone(),
                is_tls,
                is_http2: matches!(upstream.protocol, UpstreamProtocol::Http2),
                ca_file: upstream.ca_file.clone(),
                server_name: upstream.server_name.clone(),
            },
            address: OnceCell::new(),
            idle: RefCell::default(),
        }
    }

    /// The youngest idle connection that is still open.
    pub fn take_idle(&self) -> Option<Box<H1Connection>> {
        loop {
            let mut connection = self.idle.borrow_mut().pop()?;
            if connection.is_ready() {
                return Some(connection);
            }
        }
    }

    /// A new HTTP/1.1 connection.
    pub async fn open(&self, timeout: Duration) -> Result<Box<H1Connection>, Cause> {
        let stream = self.connect(timeout).await?;
        H1Connection::open(stream).await.map_err(|_| Cause::ConnectFailed)
    }

    /// A new connected stream.
    pub async fn connect(&self, timeout: Duration) -> Result<Stream, Cause> {
        let address = self.address.get_or_try_init(|| resolve(self.source.clone())).await?;
        connect::connect(address, timeout).await
    }

    /// Keeps a connection for the next transaction, if it can take one.
    pub fn give_back(&self, mut connection: Box<H1Connection>, now: Instant) {
        if !connection.is_ready() {
            return;
        }
        connection.is_reused = true;
        connection.idle_since = now;
        let mut idle = self.idle.borrow_mut();
        if idle.len() >= MAX_IDLE_CONNECTIONS {
            idle.remove(0);
        }
        idle.push(connection);
    }

    /// Closes what no request uses: no new ones will come.
    pub fn close_idle(&self) {
        self.idle.borrow_mut().clear();
        self.h2.forget();
    }

    /// Closes what is too old or was closed by the upstream.
    pub fn sweep(&self, now: Instant) {
        let fresh = |c: &mut Box<H1Connection>| now.duration_since(c.idle_since) < MAX_IDLE_TIME && c.is_ready();
        self.idle.borrow_mut().retain_mut(fresh);
    }
}

/// Reads roots from disk, off the serving thread. An unreadable file means no connection, never an unverified one.
async fn resolve(source: Source) -> Result<Address, Cause> {
    let built = tokio::task::spawn_blocking(move || build_address(source)).await;
    built.unwrap_or_else(|e| Err(e.to_string())).map_err(|message| {
        crate::log::warn("upstream.tls", &message);
        Cause::TlsFailed
    })
}

fn build_address(source: Source) -> Result<Address, String> {
    let tls = if source.is_tls {
        let name = source.server_name.as_deref().unwrap_or(&source.host);
        let server_name = ServerName::try_from(name.trim_matches(['[', ']']).to_owned())
            .map_err(|_| format!("`{name}` is not a name that a certificate can carry"))?;
        Some(Tls { config: tls::client_config(source.ca_file.as_deref(), source.is_http2)?, server_name })
    } else {
        None
    };
    Ok(Address { host: source.host, port: source.port, socket: source.socket, tls })
}
