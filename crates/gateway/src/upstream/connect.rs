//! From an upstream's name to a connected stream: DNS, TCP, TLS, or a Unix socket.
//!
//! Takes an [`Address`]; gives a [`Stream`] or the [`Cause`] of there being none.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::{TlsConnector, TlsStream};

use crate::problem::Cause;
use crate::stream::Stream;

/// Addresses of one name that are tried, in the resolver's order.
const MAX_ADDRESSES: usize = 4;

/// Where an upstream is and how to speak to it.
pub struct Address {
    /// A name or an IP address.
    pub host: String,
    /// The TCP port.
    pub port: u16,
    /// A Unix socket instead, without TLS.
    pub socket: Option<PathBuf>,
    /// TLS, or plain when absent.
    pub tls: Option<Tls>,
}

/// What a TLS connection to an upstream is checked against.
pub struct Tls {
    /// Roots and ALPN.
    pub config: Arc<ClientConfig>,
    /// The name that the certificate must carry.
    pub server_name: ServerName<'static>,
}

/// Connects within `timeout`, TLS handshake included.
pub async fn connect(address: &Address, timeout: Duration) -> Result<Stream, Cause> {
    tokio::time::timeout(timeout, open(address)).await.unwrap_or(Err(Cause::ConnectTimeout))
}

async fn open(address: &Address) -> Result<Stream, Cause> {
    if let Some(path) = &address.socket {
        return UnixStream::connect(path).await.map(Stream::Unix).map_err(|_| Cause::ConnectFailed);
    }
    let tcp = open_tcp(&address.host, address.port).await.map_err(|_| Cause::ConnectFailed)?;
    let _ = tcp.set_nodelay(true);
    let Some(tls) = &address.tls else { return Ok(Stream::Plain(tcp)) };
    let connector = TlsConnector::from(tls.config.clone());
    let stream = connector.connect(tls.server_name.clone(), tcp).await.map_err(|_| Cause::TlsFailed)?;
    let wanted = tls.config.alpn_protocols.first().map(Vec::as_slice);
    let agreed = stream.get_ref().1.alpn_protocol();
    if wanted == Some(b"h2") && agreed != wanted {
        return Err(Cause::TlsFailed);
    }
    Ok(Stream::Tls(Box::new(TlsStream::Client(stream))))
}

/// Tries the addresses of a name one after the other.
async fn open_tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return TcpStream::connect(SocketAddr::new(ip, port)).await;
    }
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in tokio::net::lookup_host((bare, port)).await?.take(MAX_ADDRESSES) {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
