//! Which header fields cross the gateway: hop-by-hop ones end here, forwarding ones are written here.
//!
//! Takes header maps and what is known of the connection; gives them changed in place. Knows neither engine nor sockets.

use std::net::IpAddr;

use http::header::{CONNECTION, COOKIE, FORWARDED, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::{HeaderMap, header};
use smallvec::SmallVec;

use crate::config::Network;

/// The request's id, on every response and towards the upstream.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("hoplon-request-id");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
const PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
const HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Elements of a forwarding list that are looked at, from the right.
const MAX_FORWARDED_HOPS: usize = 32;

/// Who sent the request and over what, after trusted proxies had their say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The client's address.
    pub client: IpAddr,
    /// Whether the client spoke TLS (to us, or to the trusted proxy before us).
    pub https: bool,
    /// Whether the connection's peer is a trusted proxy.
    pub trusted: bool,
}

/// Reads the client's address and scheme; only a trusted peer is believed.
pub fn origin(headers: &HeaderMap, peer: IpAddr, tls: bool, trusted: &[Network]) -> Origin {
    if trusted.is_empty() || !is_trusted(peer, trusted) {
        return Origin { client: peer, https: tls, trusted: false };
    }
    let https = match headers.get(X_FORWARDED_PROTO) {
        Some(proto) => proto.as_bytes().eq_ignore_ascii_case(b"https"),
        None => tls,
    };
    Origin { client: forwarded_client(headers, peer, trusted), https, trusted: true }
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// The rightmost address that is not a trusted proxy's. `X-Forwarded-For` is read first: a proxy that appends to it
/// may pass a client's own `Forwarded` through untouched.
fn forwarded_client(headers: &HeaderMap, peer: IpAddr, trusted: &[Network]) -> IpAddr {
    let name = if headers.contains_key(X_FORWARDED_FOR) { X_FORWARDED_FOR } else { FORWARDED };
    let is_plain_list = name == X_FORWARDED_FOR;
    let mut client = peer;
    let elements = headers.get_all(name).iter().rev().flat_map(|v| v.as_bytes().rsplit(|b| *b == b','));
    for element in elements.take(MAX_FORWARDED_HOPS) {
        let text = std::str::from_utf8(element).unwrap_or_default().trim();
        let node = if is_plain_list { Some(text) } else { forwarded_for(text) };
        let Some(address) = node.and_then(node_address) else { break };
        client = address;
        if !is_trusted(address, trusted) {
            break;
        }
    }
    client
}

/// The `for=` of one `Forwarded` element (RFC 7239 §4).
fn forwarded_for(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        name.eq_ignore_ascii_case("for").then_some(value.trim_matches('"'))
    })
}

/// An address with or without port and brackets (RFC 7239 §6).
fn node_address(node: &str) -> Option<IpAddr> {
    if let Ok(address) = node.parse() {
        return Some(address);
    }
    if let Ok(socket) = node.parse::<std::net::SocketAddr>() {
        return Some(socket.ip());
    }
    node.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// Removes what is between two hops only (RFC 9110 §7.6.1). `TE` keeps `trailers`, the one value that passes.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(is_hop_by_hop) {
        return;
    }
    if headers.contains_key(CONNECTION) {
        remove_listed(headers);
        if !headers.keys().any(is_hop_by_hop) {
            return;
        }
    }
    if let Some(te) = headers.remove(TE)
        && lists_token(te.as_bytes(), b"trailers")
    {
        headers.insert(TE, TRAILERS);
    }
    for name in [&KEEP_ALIVE, &PROXY_CONNECTION, &TRANSFER_ENCODING, &UPGRADE, &HTTP2_SETTINGS] {
        headers.remove(name);
    }
}

/// Most messages have none of these fields: one pass over the names finds that out.
fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        name.as_str(),
        "connection" | "te" | "keep-alive" | "proxy-connection" | "transfer-encoding" | "upgrade" | "http2-settings"
    )
}

/// Removes `Connection` and every field it names, but for those that frame or route the message.
fn remove_listed(headers: &mut HeaderMap) {
    let listed: SmallVec<[HeaderValue; 2]> = headers.get_all(CONNECTION).iter().cloned().collect();
    headers.remove(CONNECTION);
    for token in listed.iter().flat_map(|v| v.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii) {
        if is_connection_option(token) {
            continue;
        }
        let Ok(name) = HeaderName::from_bytes(token) else { continue };
        if !MUST_STAY.contains(&name) {
            headers.remove(name);
        }
    }
}

/// Whether a token of `Connection` says how long the connection lives; the field `Keep-Alive` goes in any case.
fn is_connection_option(token: &[u8]) -> bool {
    token.eq_ignore_ascii_case(b"keep-alive") || token.eq_ignore_ascii_case(b"close")
}

/// Fields a client may not have removed by naming them in `Connection`: the request would mean something else.
/// `TE` is handled by its own rule.
const MUST_STAY: [HeaderName; 10] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::AUTHORIZATION,
    COOKIE,
    TE,
    FORWARDED,
    X_FORWARDED_FOR,
    X_FORWARDED_PROTO,
    X_FORWARDED_HOST,
];

/// Whether a comma-separated list holds `token`, without regard to case or parameters.
pub fn lists_token(list: &[u8], token: &[u8]) -> bool {
    list.split(|b| *b == b',').any(|element| {
        let element = element.split(|b| *b == b';').next().unwrap_or_default();
        element.trim_ascii().eq_ignore_ascii_case(token)
    })
}

/// The protocol asked for, when the request wants to leave HTTP (RFC 9110 §7.8). Another HTTP, such as `h2c`, and TLS are
/// not asked for on a client's behalf: nobody would judge the requests inside that tunnel.
pub fn requested_upgrade(headers: &HeaderMap) -> Option<HeaderValue> {
    let upgrade = headers.get(UPGRADE)?;
    let listed = headers.get_all(CONNECTION).iter().any(|v| lists_token(v.as_bytes(), b"upgrade"));
    (listed && !upgrade.as_bytes().split(|b| *b == b',').any(carries_requests)).then(|| upgrade.clone())
}

/// Whether a protocol of an `Upgrade` list (`name/version`) is one that carries HTTP requests again.
fn carries_requests(protocol: &[u8]) -> bool {
    let name = protocol.split(|b| *b == b'/').next().unwrap_or_default().trim_ascii();
    [&b"http"[..], b"h2c", b"h2", b"h3", b"tls"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Puts the two fields of an upgrade back, after the hop-by-hop ones are gone.
pub fn set_upgrade(headers: &mut HeaderMap, protocol: HeaderValue) {
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, protocol);
}

/// What the forwarding fields are written from.
pub struct Forwarding<'a> {
    /// The connection's peer as a header value, made once per connection.
    pub peer: &'a HeaderValue,
    /// The peer itself.
    pub peer_address: IpAddr,
    /// See [`Origin`].
    pub origin: Origin,
    /// The request's id.
    pub request_id: &'a HeaderValue,
}

/// Writes the request's id and `X-Forwarded-For`, `-Proto` and `-Host` towards the upstream. From an untrusted peer
/// the fields begin anew; a trusted proxy's are kept and appended to, `Forwarded` too when it was there.
pub fn write_forwarding(headers: &mut HeaderMap, with: &Forwarding<'_>) {
    remove_forged(headers, with.origin.trusted);
    let host = headers.get(header::HOST).cloned();
    let proto = HeaderValue::from_static(if with.origin.https { "https" } else { "http" });
    if with.origin.trusted {
        append_element(headers, &X_FORWARDED_FOR, with.peer);
        if headers.contains_key(FORWARDED) {
            append_element(headers, &FORWARDED, &forwarded_element(with.peer_address));
        }
        headers.entry(X_FORWARDED_PROTO).or_insert(proto);
        if let Some(host) = host {
            headers.entry(X_FORWARDED_HOST).or_insert(host);
        }
    } else {
        headers.insert(X_FORWARDED_FOR, with.peer.clone());
        headers.insert(X_FORWARDED_PROTO, proto);
        match host {
            Some(host) => headers.insert(X_FORWARDED_HOST, host),
            None => headers.remove(X_FORWARDED_HOST),
        };
    }
    headers.insert(REQUEST_ID, with.request_id.clone());
}

/// Removes what would tell the upstream something that only a proxy may say: any forwarding field from an untrusted peer,
/// and from everyone the spelling with `_`, which CGI and WSGI servers read as the one with `-`.
fn remove_forged(headers: &mut HeaderMap, is_trusted: bool) {
    let is_forged = |name: &HeaderName| {
        let name = name.as_str();
        match name.contains('_') {
            true => says_forwarded(&name.replace('_', "-")),
            false => !is_trusted && says_forwarded(name),
        }
    };
    let forged: Vec<_> = headers.keys().filter(|name| is_forged(name)).cloned().collect();
    for name in forged {
        headers.remove(name);
    }
}

/// Whether a field says who sent a request, or over what; the gateway's own id is one.
fn says_forwarded(name: &str) -> bool {
    name.starts_with("x-forwarded-") || matches!(name, "forwarded" | "x-real-ip" | "hoplon-request-id")
}

/// One `Forwarded` element; IPv6 is quoted and bracketed (RFC 7239 §6).
fn forwarded_element(peer: IpAddr) -> HeaderValue {
    let text = if peer.is_ipv6() { format!("for=\"[{peer}]\"") } else { format!("for={peer}") };
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("for=unknown"))
}

/// Makes one `Cookie` of several, as HTTP/2 clients send them: towards HTTP/1.1 they must be one (RFC 9113 §8.2.3), or
/// servers differ in which of them counts.
pub fn join_cookies(headers: &mut HeaderMap) {
    let mut cookies = headers.get_all(COOKIE).iter();
    if let (Some(_), Some(_)) = (cookies.next(), cookies.next())
        && let Some(joined) = join(headers.get_all(COOKIE).iter(), b"; ")
    {
        headers.insert(COOKIE, joined);
    }
}

/// Appends to a list that may be spread over several fields; the result is one field.
fn append_element(headers: &mut HeaderMap, name: &HeaderName, element: &HeaderValue) {
    if let Some(joined) = join(headers.get_all(name).iter().chain([element]), b", ") {
        headers.insert(name.clone(), joined);
    }
}

fn join<'v>(values: impl Iterator<Item = &'v HeaderValue>, separator: &[u8]) -> Option<HeaderValue> {
    let values: Vec<_> = values.map(HeaderValue::as_bytes).collect();
    HeaderValue::try_from(values.join(separator)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        fields.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    fn networks() -> Vec<Network> {
        vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()]
    }

    #[test]
    fn hop_by_hop_fields_and_listed_ones_end_here() {
        let mut headers = map(&[
            ("connection", "close, x-mine, host, content-length"),
            ("x-mine", "1"),
            ("host", "a"),
            ("content-length", "3"),
            ("keep-alive", "5"),
            ("te", "gzip, trailers;q=1"),
            ("transfer-encoding", "chunked"),
            ("proxy-connection", "keep-alive"),
            ("accept", "*/*"),
        ]);
        remove_hop_by_hop(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["accept", "content-length", "host", "te"]);
        assert_eq!(headers[TE], "trailers");
    }

    #[test]
    fn an_untrusted_peer_cannot_say_who_it_is() {
        let headers = map(&[("x-forwarded-for", "1.2.3.4"), ("x-forwarded-proto", "https")]);
        let peer = "192.0.2.1".parse().unwrap();
        assert_eq!(origin(&headers, peer, false, &networks()), Origin { client: peer, https: false, trusted: false });
    }

    #[test]
    fn behind_trusted_proxies_the_first_foreign_address_from_the_right_is_the_client() {
        let peer = "10.0.0.1".parse().unwrap();
        let headers = map(&[("x-forwarded-for", "6.6.6.6, 1.2.3.4:567, 10.0.0.9"), ("x-forwarded-proto", "https")]);
        let seen = origin(&headers, peer, false, &networks());
        assert_eq!(seen, Origin { client: "1.2.3.4".parse().unwrap(), https: true, trusted: true });
        let headers = map(&[("forwarded", "for=6.6.6.6, for=\"[2001:db8::7]:80\";proto=https, for=\"[fd00::1]\"")]);
        assert_eq!(origin(&headers, peer, false, &networks()).client, "2001:db8::7".parse::<IpAddr>().unwrap());
        let headers = map(&[("x-forwarded-for", "1.2.3.4, unknown")]);
        assert_eq!(origin(&headers, peer, false, &networks()).client, peer);
    }

    #[test]
    fn forwarding_fields_begin_anew_or_are_appended_to() {
        let peer_address: IpAddr = "10.0.0.1".parse().unwrap();
        let peer = HeaderValue::from_static("10.0.0.1");
        let request_id = HeaderValue::from_static("id");
        let with = |trusted| Forwarding {
            peer: &peer,
            peer_address,
            origin: Origin { client: peer_address, https: false, trusted },
            request_id: &request_id,
        };
        let fields =
            [("host", "api"), ("x-forwarded-for", "1.2.3.4"), ("x-forwarded-host", "evil"), ("forwarded", "for=1.2.3.4")];
        let mut headers = map(&fields);
        write_forwarding(&mut headers, &with(false));
        assert_eq!(headers[X_FORWARDED_FOR], "10.0.0.1");
        assert_eq!(headers[X_FORWARDED_HOST], "api");
        assert!(!headers.contains_key(FORWARDED));
        let mut headers = map(&fields);
        write_forwarding(&mut headers, &with(true));
        assert_eq!(headers[X_FORWARDED_FOR], "1.2.3.4, 10.0.0.1");
        assert_eq!(headers[X_FORWARDED_HOST], "evil");
        assert_eq!(headers[FORWARDED], "for=1.2.3.4, for=10.0.0.1");
        assert_eq!(headers[REQUEST_ID], "id");
    }

    #[test]
    fn nobody_but_a_trusted_proxy_says_who_sent_it_in_any_spelling() {
        let peer_address: IpAddr = "10.0.0.1".parse().unwrap();
        let (peer, request_id) = (HeaderValue::from_static("10.0.0.1"), HeaderValue::from_static("id"));
        let left = |trusted| {
            let mut headers = map(&[
                ("host", "api"),
                ("x_forwarded_for", "6.6.6.6"),
                ("x-forwarded_proto", "https"),
                ("hoplon_request_id", "mine"),
                ("x-real-ip", "6.6.6.6"),
                ("x-forwarded-port", "1"),
                ("x-forwarded-prefix", "/evil"),
                ("x_own", "1"),
            ]);
            let origin = Origin { client: peer_address, https: false, trusted };
            write_forwarding(&mut headers, &Forwarding { peer: &peer, peer_address, origin, request_id: &request_id });
            let mut left: Vec<_> = headers.keys().map(|name| name.as_str().to_owned()).collect();
            left.sort_unstable();
            left.join(" ")
        };
        assert_eq!(left(false), "hoplon-request-id host x-forwarded-for x-forwarded-host x-forwarded-proto x_own");
        assert_eq!(
            left(true),
            "hoplon-request-id host x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto \
             x-real-ip x_own"
        );
    }

    #[test]
    fn crumbs_of_a_cookie_become_one_field() {
        let mut headers = map(&[("cookie", "a=1")]);
        headers.append(COOKIE, HeaderValue::from_static("b=2; c=3"));
        join_cookies(&mut headers);
        assert_eq!(headers.get_all(COOKIE).iter().collect::<Vec<_>>(), ["a=1; b=2; c=3"]);
    }

    #[test]
    fn an_upgrade_to_another_http_is_not_passed_on() {
        for protocol in ["h2c", "H2C", "websocket, h2c", "HTTP/2.0", "TLS/1.0"] {
            let headers = map(&[("connection", "upgrade, http2-settings"), ("upgrade", protocol)]);
            assert!(requested_upgrade(&headers).is_none(), "{protocol}");
        }
    }

    #[test]
    fn an_upgrade_needs_both_fields() {
        let headers = map(&[("connection", "keep-alive, Upgrade"), ("upgrade", "websocket")]);
        assert_eq!(requested_upgrade(&headers).unwrap(), "websocket");
        assert!(requested_upgrade(&map(&[("upgrade", "websocket")])).is_none());
    }
}
