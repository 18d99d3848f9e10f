//! Listening sockets and the one acceptor: each connection goes to the serving thread with the fewest.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::FromRawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio_rustls::rustls::ServerConfig;

use crate::certificates::Certificates;
use crate::config::Listen;
use crate::log;
use crate::places::ClientPlace;
use crate::server::StartError;
use crate::shared::Shared;
use crate::tls;
use crate::worker::{Handle, Load};

/// Connections the kernel keeps until they are accepted.
const BACKLOG: u32 = 4096;
/// How long the acceptor waits when there is no file descriptor.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(20);

/// What a connection knows of where it came in.
pub struct Listener {
    /// The TLS configuration, unless plain.
    pub tls: Option<Arc<ServerConfig>>,
    /// The certificates of `tls`.
    pub certificates: Option<Arc<Certificates>>,
    /// Whether a PROXY header comes before everything else.
    pub proxy_protocol: bool,
}

/// A connection on its way to a serving thread.
pub struct Accepted {
    /// The socket, not yet with any runtime.
    pub stream: std::net::TcpStream,
    /// The other end.
    pub peer: SocketAddr,
    /// Where it came in.
    pub listener: Arc<Listener>,
    /// Its part of the thread's load.
    pub load: Load,
    /// Its part of what its client may have.
    pub place: Option<ClientPlace>,
}

/// Opens a client listener, or takes over the supervisor's.
///
/// # Errors
/// One sentence with the address or the file that is wrong.
pub fn open(listen: &Listen) -> Result<(TcpListener, Arc<Listener>), StartError> {
    let certificates = listen.tls.as_ref().map(Certificates::open).transpose().map_err(StartError::Unusable)?;
    let tls = certificates.clone().map(tls::server_config).transpose().map_err(StartError::Unusable)?;
    let listener = bind(listen.address, listen.fd)?;
    Ok((listener, Arc::new(Listener { tls, certificates, proxy_protocol: listen.proxy_protocol })))
}

/// Binds an address, or takes over a listening socket of the supervisor.
///
/// # Errors
/// One sentence with the address.
pub fn bind(address: SocketAddr, fd: Option<i32>) -> Result<TcpListener, StartError> {
    let bound = match fd {
        Some(fd) => take_over(fd),
        None => bind_new(address),
    };
    bound.map_err(|error| {
        let message = format!("cannot listen on {address}: {error}");
        match error.kind() {
            io::ErrorKind::AddrInUse => StartError::InUse(message),
            _ => StartError::Unusable(message),
        }
    })
}

fn bind_new(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

#[allow(unsafe_code)]
fn take_over(fd: i32) -> io::Result<TcpListener> {
    // SAFETY: the supervisor opened this descriptor for us and names it in the configuration exactly once; nobody
    // else in this process uses it. A number that is no socket makes the calls below fail.
    let listener = unsafe { std::net::TcpListener::from_raw_fd(fd) };
    listener.local_addr()?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// Accepts until dropped. A connection too many is closed at once and counted: waiting would hide it from its client.
pub async fn accept(listener: TcpListener, at: Arc<Listener>, workers: Rc<Vec<Handle>>, shared: Arc<Shared>) {
    loop {
        let accepted = listener.accept().await.and_then(|(stream, peer)| Ok((stream.into_std()?, peer)));
        match accepted {
            Ok((stream, peer)) => match find_place(&shared, peer.ip(), &workers) {
                Ok((worker, place)) => worker.give(stream, peer, at.clone(), place),
                Err(error) => shared.metrics.connection_errors.increment([error.into()]),
            },
            Err(error) if is_peers(&error) => {}
            Err(error) => {
                log::warn("accept", &error.to_string());
                tokio::time::sleep(NO_ROOM_PAUSE).await;
            }
        }
    }
}

/// The serving thread with the fewest connections, and the client's place; or what there are too many of.
fn find_place<'a>(
    shared: &Shared,
    client: IpAddr,
    workers: &'a [Handle],
) -> Result<(&'a Handle, Option<ClientPlace>), &'static str> {
    let limits = &shared.config.limits;
    let fewest = workers.iter().min_by_key(|worker| worker.load());
    let is_full = workers.iter().map(Handle::load).sum::<usize>() >= limits.connections;
    let worker = fewest.filter(|_| !is_full).ok_or("too_many")?;
    if shared.is_short_of_memory.load(Relaxed) {
        return Err("memory");
    }
    Ok((worker, client_place(shared, client)?))
}

/// A place for one more connection of a client, where its connections are counted; or that it has too many.
pub fn client_place(shared: &Shared, client: IpAddr) -> Result<Option<ClientPlace>, &'static str> {
    let limit = shared.config.limits.connections_per_client;
    if limit == 0 || shared.config.trusts(client) {
        return Ok(None);
    }
    shared.places.take(client, limit).map(Some).ok_or("too_many_of_client")
}

/// Whether the connection, not the listener, failed.
fn is_peers(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
