//! The PROXY protocol, versions 1 and 2: who a proxy in front says that its client is, before the first byte of TLS or HTTP
//! (haproxy.org/download/3.0/doc/proxy-protocol.txt). [`parse`] takes bytes and does no I/O; [`introduce`] takes exactly the header off
//! a connection and decides whether it may be there.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use crate::acceptor::client_place;
use crate::places::ClientPlace;
use crate::shared::Shared;

/// The longest line of version 1, its end included (section 2.1).
const MAX_V1_BYTES: usize = 107;
/// What version 2 may bring behind its fixed part: an address and extensions (TLVs), which are skipped.
const MAX_V2_REST_BYTES: usize = 4096;
/// The fixed part of version 2: signature, version and command, family, length (section 2.2).
const V2_FIXED_BYTES: usize = 16;
const V1_SIGNATURE: &[u8] = b"PROXY ";
const V2_SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes that are looked at in one go.
const WINDOW_BYTES: usize = 256;

/// What the first bytes of a connection are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parsed {
    /// The beginning of a header.
    Partial,
    /// A header of this length; no client when the proxy speaks for itself (a health check) or does not know.
    Header {
        /// Bytes.
        length: usize,
        /// The client's address and port.
        client: Option<SocketAddr>,
    },
    /// No header.
    Invalid,
}

/// Looks at the first bytes of a connection. More bytes never change [`Parsed::Header`] or [`Parsed::Invalid`].
pub fn parse(bytes: &[u8]) -> Parsed {
    if begins(bytes, V2_SIGNATURE) {
        parse_v2(bytes)
    } else if begins(bytes, V1_SIGNATURE) {
        parse_v1(bytes)
    } else {
        Parsed::Invalid
    }
}

/// Whether these bytes begin with the signature, as far as both go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(byte, expected)| byte == expected)
}

fn parse_v1(bytes: &[u8]) -> Parsed {
    let window = &bytes[..bytes.len().min(MAX_V1_BYTES)];
    let Some(end) = window.windows(2).position(|pair| pair == b"\r\n") else {
        return if bytes.len() < MAX_V1_BYTES { Parsed::Partial } else { Parsed::Invalid };
    };
    let line = std::str::from_utf8(&window[..end]).ok().and_then(|line| line.strip_prefix("PROXY "));
    match line.and_then(client_v1) {
        Some(client) => Parsed::Header { length: end + 2, client },
        None => Parsed::Invalid,
    }
}

/// `TCP4 source destination source-port destination-port`, or `UNKNOWN` and anything.
fn client_v1(line: &str) -> Option<Option<SocketAddr>> {
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Some(None);
    }
    let mut words = line.split(' ');
    let family = words.next()?;
    let mut address = || {
        let word = words.next()?;
        match family {
            "TCP4" => word.parse::<Ipv4Addr>().ok().map(IpAddr::V4),
            "TCP6" => word.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
            _ => None,
        }
    };
    let (source, _destination) = (address()?, address()?);
    let mut port = || words.next().and_then(port);
    let (source_port, _destination_port) = (port()?, port()?);
    words.next().is_none().then_some(Some(SocketAddr::new(source, source_port)))
}

/// Digits without a sign or leading zeros.
fn port(word: &str) -> Option<u16> {
    let is_plain = word == "0" || !word.starts_with(['0', '+']);
    word.parse().ok().filter(|_| is_plain)
}

fn parse_v2(bytes: &[u8]) -> Parsed {
    let Some((fixed, rest)) = bytes.split_at_checked(V2_FIXED_BYTES) else { return Parsed::Partial };
    let length = usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
    let (command, family) = (fixed[12], fixed[13]);
    let is_local = command == 0x20;
    let Some(address_bytes) = address_length(family) else { return Parsed::Invalid };
    if !matches!(command, 0x20 | 0x21) || length > MAX_V2_REST_BYTES || (!is_local && length < address_bytes) {
        return Parsed::Invalid;
    }
    match rest.get(..length) {
        None => Parsed::Partial,
        Some(rest) => {
            let client = if is_local { None } else { client_v2(family, rest) };
            Parsed::Header { length: V2_FIXED_BYTES + length, client }
        }
    }
}

/// Bytes of both ends' addresses, for streams; datagrams do not come here.
fn address_length(family: u8) -> Option<usize> {
    match family {
        0x00 => Some(0),
        0x11 => Some(12),
        0x21 => Some(36),
        0x31 => Some(216),
        _ => None,
    }
}

/// Source and destination address, then their ports. A Unix socket has no address that is of use here.
fn client_v2(family: u8, rest: &[u8]) -> Option<SocketAddr> {
    match family {
        0x11 => {
            let source: [u8; 4] = rest.get(..4)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv4Addr::from(source).into(), be16(rest, 8)?))
        }
        0x21 => {
            let source: [u8; 16] = rest.get(..16)?.try_into().ok()?;
            Some(SocketAddr::new(Ipv6Addr::from(source).into(), be16(rest, 32)?))
        }
        _ => None,
    }
}

fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// Who the other end of a fresh connection speaks for, and the place of that client where its connections are counted.
///
/// # Errors
/// What is counted: it is no trusted proxy, has sent no header in time, or its client has too many connections. Nothing when it
/// has just gone away.
pub async fn introduce(
    tcp: &mut TcpStream,
    peer: SocketAddr,
    shared: &Shared,
) -> Result<(SocketAddr, Option<ClientPlace>), Option<&'static str>> {
    if !shared.config.trusts(peer.ip()) {
        return Err(Some("proxy_untrusted"));
    }
    let header = tokio::time::timeout(shared.config.limits.head, read(tcp)).await.map_err(|_| Some("proxy_timeout"))?;
    let said = header.map_err(|error| (error.kind() == io::ErrorKind::InvalidData).then_some("proxy_header"))?;
    let Some(client) = said else { return Ok((peer, None)) };
    Ok((client, client_place(shared, client.ip()).map_err(Some)?))
}

/// Takes the header off a connection, and not a byte more.
async fn read(tcp: &mut TcpStream) -> io::Result<Option<SocketAddr>> {
    let mut seen = Vec::with_capacity(WINDOW_BYTES);
    let mut window = [0; WINDOW_BYTES];
    loop {
        let taken = seen.len();
        let peeked = tcp.peek(&mut window).await?;
        if peeked == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        seen.extend_from_slice(&window[..peeked]);
        match parse(&seen) {
            Parsed::Invalid => return Err(io::ErrorKind::InvalidData.into()),
            Parsed::Partial => tcp.read_exact(&mut window[..peeked]).await?,
            Parsed::Header { length, client } => {
                tcp.read_exact(&mut window[..length - taken]).await?;
                return Ok(client);
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = (rest.len() as u16).to_be_bytes();
        [&V2_SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    fn header(bytes: &[u8], client: Option<&str>) -> Parsed {
        Parsed::Header { length: bytes.len(), client: client.map(|text| text.parse().unwrap()) }
    }

    #[test]
    fn version_1() {
        for (line, client) in [
            ("PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n", Some("192.0.2.1:56324")),
            ("PROXY TCP6 2001:db8::1 2001:db8::2 1 65535\r\n", Some("[2001:db8::1]:1")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
        ] {
            assert_eq!(parse(line.as_bytes()), header(line.as_bytes(), client), "{line}");
        }
        for line in [
            "GET / HTTP/1.1\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 56324 443 1\r\n",
            "PROXY TCP4  192.0.2.1 198.51.100.2 56324 443\r\n",
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 056324 443\r\n",
            "PROXY TCP4 192.0.2.1 198.51.100.2 65536 443\r\n",
            "PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n",
            "PROXY UNKNOWNS\r\n",
            "proxy UNKNOWN\r\n",
            "\r\n\r\n\0\r\nQUIX\n",
        ] {
            assert_eq!(parse(line.as_bytes()), Parsed::Invalid, "{line}");
        }
        assert_eq!(parse(&[b"PROXY UNKNOWN ".to_vec(), vec![b'x'; 200]].concat()), Parsed::Invalid, "too long");
    }

    #[test]
    fn version_2() {
        let four = [[192, 0, 2, 1], [198, 51, 100, 2]].concat();
        let four = [&four[..], &[0x12, 0x34, 0x01, 0xbb]].concat();
        let with_extensions = [&four[..], &[0x04, 0, 3, 1, 2, 3]].concat();
        for rest in [&four, &with_extensions] {
            let bytes = v2(0x21, 0x11, rest);
            assert_eq!(parse(&bytes), header(&bytes, Some("192.0.2.1:4660")));
        }
        let six = [&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9][..], &[0; 16], &[0, 80, 0, 80]].concat();
        let bytes = v2(0x21, 0x21, &six);
        assert_eq!(parse(&bytes), header(&bytes, Some("[2001:db8::9]:80")));
        for (command, family, rest) in
            [(0x20, 0x00, &[][..]), (0x20, 0x11, &four), (0x21, 0x00, &[1, 2, 3]), (0x21, 0x31, &[0; 216])]
        {
            let bytes = v2(command, family, rest);
            assert_eq!(parse(&bytes), header(&bytes, None), "{command:x} {family:x}");
        }
        for (command, family, rest) in
            [(0x11, 0x11, &four[..]), (0x22, 0x11, &four), (0x21, 0x12, &four), (0x21, 0x21, &four), (0x21, 0x11, &[0; 4097])]
        {
            assert_eq!(parse(&v2(command, family, rest)), Parsed::Invalid, "{command:x} {family:x} {}", rest.len());
        }
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let line = "PROXY (TCP[46]|UNKNOWN)( [0-9.:a-f]{1,9}){0,5}\r\n".prop_map(String::into_bytes);
        let rest = prop::collection::vec(any::<u8>(), 0..300);
        let binary = (0x1f..0x23_u8, prop::sample::select(vec![0, 0x11, 0x12, 0x21, 0x31]), rest)
            .prop_map(|(command, family, rest)| v2(command, family, &rest));
        prop_oneof![line, binary, prop::collection::vec(any::<u8>(), 0..40)]
    }

    proptest! {
        /// Byte by byte or in one piece, with whatever behind it: the same header, and nothing is decided too early.
        #[test]
        fn what_is_decided_stays_decided(header in bytes(), behind in prop::collection::vec(any::<u8>(), 0..40)) {
            let all = [header, behind].concat();
            let whole = parse(&all);
            for length in 0..=all.len() {
                match parse(&all[..length]) {
                    Parsed::Partial => {}
                    decided => prop_assert_eq!(decided, whole),
                }
            }
            if let Parsed::Header { length, .. } = whole {
                prop_assert!(length <= all.len());
                prop_assert_eq!(parse(&all[..length]), whole);
                prop_assert_eq!(parse(&all[..length - 1]), Parsed::Partial);
            }
        }

        #[test]
        fn every_client_comes_back(address: IpAddr, port: u16) {
            let family = if address.is_ipv4() { "TCP4" } else { "TCP6" };
            let line = format!("PROXY {family} {address} {address} {port} 443\r\n");
            let client = Some(SocketAddr::new(address, port));
            prop_assert_eq!(parse(line.as_bytes()), Parsed::Header { length: line.len(), client });
        }
    }
}
