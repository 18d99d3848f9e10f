//! TLS and HTTP/2 on either side, with real certificates and a real HTTP/2 client.

mod support;

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::Frame;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use support::certificate::Certificate;
use support::upstream::Upstream;
use support::{Setup, TestGateway, until, upstream_json, zone};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::ServerName;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn tls_gateway(certificate: &Certificate, upstream: SocketAddr) -> TestGateway {
    let mut setup = Setup::new(zone(&[upstream]));
    let tls = json!({"certificate": certificate.certificate(), "key": certificate.key()});
    setup.config["listen"] = json!([{"address": "127.0.0.1:0", "tls": tls}]);
    setup.start()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Echoes the body and its trailers over HTTP/2, plain or inside TLS, and says what `:authority` and path were.
fn http2_upstream(tls: Option<TlsAcceptor>) -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let tls = tls.clone();
                tokio::spawn(async move {
                    let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    match tls {
                        None => builder.serve_connection(TokioIo::new(tcp), service_fn(echo)).await,
                        Some(tls) => match tls.accept(tcp).await {
                            Ok(stream) => builder.serve_connection(TokioIo::new(stream), service_fn(echo)).await,
                            Err(_) => Ok(()),
                        },
                    }
                });
            }
        });
    });
    address
}

type Echoed = http_body_util::combinators::BoxBody<Bytes, hyper::Error>;

async fn echo(request: Request<hyper::body::Incoming>) -> Result<Response<Echoed>, hyper::Error> {
    let seen = format!("{} {}", request.uri(), request.version() == hyper::Version::HTTP_2);
    let response = Response::builder().header("x-seen", seen).body(request.into_body().boxed());
    Ok(response.unwrap())
}

async fn http2_client<S>(stream: S) -> hyper::client::conn::http2::SendRequest<Full<Bytes>>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn request(path: &str, body: &str) -> Request<Full<Bytes>> {
    let method = if body.is_empty() { "GET" } else { "POST" };
    let request = Request::builder().method(method).uri(format!("http://api.test{path}"));
    request.body(Full::from(body.to_owned())).unwrap()
}

async fn text(response: Response<hyper::body::Incoming>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

#[test]
fn http2_by_prior_knowledge_becomes_http1_with_a_host() {
    let (sender, heads) = std::sync::mpsc::channel();
    let upstream = Upstream::start(move |mut peer, _| {
        while let Some(head) = peer.read_head() {
            peer.read_exact(head.content_length());
            let _ = sender.send(head);
            peer.write(OK);
        }
    });
    let gateway = Setup::new(zone(&[upstream.address])).start();
    block_on(async {
        let mut client = http2_client(TcpStream::connect(gateway.address()).await.unwrap()).await;
        for (path, body) in [("/a?b=c", ""), ("/d", "body")] {
            let response = client.send_request(request(path, body)).await.unwrap();
            assert_eq!(response.status(), 200);
            assert!(response.headers().contains_key("hoplon-request-id"));
            assert_eq!(text(response).await, "ok");
        }
    });
    let head = heads.recv().unwrap();
    assert_eq!(head.first(), "GET /a?b=c HTTP/1.1");
    assert_eq!(head.field("host"), Some("api.test"));
    assert_eq!(heads.recv().unwrap().content_length(), 4);
}

#[test]
fn many_streams_share_one_connection() {
    let upstream = Upstream::fixed(OK);
    let gateway = Setup::new(zone(&[upstream.address])).start();
    block_on(async {
        let client = http2_client(TcpStream::connect(gateway.address()).await.unwrap()).await;
        let requests = (0..100).map(|i| {
            let mut client = client.clone();
            tokio::spawn(async move { text(client.send_request(request(&format!("/{i}"), "")).await.unwrap()).await })
        });
        for answer in requests.collect::<Vec<_>>() {
            assert_eq!(answer.await.unwrap(), "ok");
        }
    });
}

#[test]
fn http2_upstreams_get_scheme_authority_and_trailers() {
    let upstream = http2_upstream(None);
    let mut zone = zone(&[]);
    zone["upstreams"] = json!([upstream_json(&format!("http://{upstream}"))]);
    zone["upstreams"][0]["protocol"] = json!("http2");
    let gateway = Setup::new(zone).start();
    let response = support::client::send(
        gateway.address(),
        "POST /p?q HTTP/1.1\r\nHost: api.test\r\nTE: trailers\r\nConnection: te\r\nTrailer: x-t\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-t: 9\r\n\r\n",
    );
    assert_eq!(response.head.field("x-seen"), Some("http://api.test/p?q true"));
    assert_eq!(response.text(), "abc");
}

#[test]
fn http2_upstreams_are_checked_over_http2() {
    let upstream = http2_upstream(None);
    let url = format!("http://{upstream}");
    let mut zone = zone(&[]);
    zone["upstreams"] = json!([upstream_json(&url)]);
    zone["upstreams"][0]["protocol"] = json!("http2");
    zone["health"] = json!({"path": "/healthz", "interval_seconds": 0.1, "timeout_seconds": 1.0, "status": 200,
                            "failures": 1, "successes": 1});
    let gateway = Setup::new(zone.clone()).start();
    let shared = gateway.shared();
    let checks = |result: &'static str| shared.metrics.upstream_checks.get([url.clone().into(), result.into()]);
    until("some checks", || checks("ok") >= 3);
    assert_eq!((checks("failed"), shared.health.failing().len()), (0, 0));
    zone["health"]["status"] = json!(204);
    gateway.swap(&zone, &json!([]), &json!([]));
    until("another opinion", || shared.health.failing().len() == 1);
}

#[test]
fn trailers_pass_from_http2_to_http2() {
    let upstream = http2_upstream(None);
    let mut zone = zone(&[]);
    zone["upstreams"] = json!([upstream_json(&format!("http://{upstream}"))]);
    zone["upstreams"][0]["protocol"] = json!("http2");
    let gateway = Setup::new(zone).start();
    block_on(async {
        let stream = TcpStream::connect(gateway.address()).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut trailers = HeaderMap::new();
        trailers.insert("grpc-status", "0".parse().unwrap());
        let frames = [Ok(Frame::data(Bytes::from("grpc"))), Ok::<_, hyper::Error>(Frame::trailers(trailers))];
        let body = StreamBody::new(Frames(frames.into_iter().collect()));
        let request = Request::post("http://api.test/g").header("te", "trailers").body(body).unwrap();
        let response = sender.send_request(request).await.unwrap();
        let collected = response.into_body().collect().await.unwrap();
        assert_eq!(collected.trailers().unwrap()["grpc-status"], "0");
        assert_eq!(collected.to_bytes(), "grpc");
    });
}

struct Frames(std::collections::VecDeque<Result<Frame<Bytes>, hyper::Error>>);

impl futures_core::Stream for Frames {
    type Item = Result<Frame<Bytes>, hyper::Error>;

    fn poll_next(mut self: std::pin::Pin<&mut Self>, _: &mut std::task::Context<'_>) -> std::task::Poll<Option<Self::Item>> {
        std::task::Poll::Ready(self.0.pop_front())
    }
}

#[test]
fn tls_listeners_offer_http2_and_http1() {
    let certificate = Certificate::new();
    let upstream = Upstream::fixed(OK);
    let gateway = tls_gateway(&certificate, upstream.address);
    block_on(async {
        let name = ServerName::try_from("api.test").unwrap();
        let tcp = TcpStream::connect(gateway.address()).await.unwrap();
        let stream = certificate.client(&[b"h2", b"http/1.1"]).connect(name.clone(), tcp).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
        let mut client = http2_client(stream).await;
        assert_eq!(text(client.send_request(request("/", "")).await.unwrap()).await, "ok");

        let tcp = TcpStream::connect(gateway.address()).await.unwrap();
        let stream = certificate.client(&[]).connect(name, tcp).await.unwrap();
        let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let request = Request::get("/").header("host", "api.test").body(Full::<Bytes>::default()).unwrap();
        assert_eq!(text(client.send_request(request).await.unwrap()).await, "ok");
    });
}

#[test]
fn a_client_that_speaks_no_tls_does_not_disturb_a_tls_listener() {
    let certificate = Certificate::new();
    let upstream = Upstream::fixed(OK);
    let gateway = tls_gateway(&certificate, upstream.address);
    let mut plain = support::upstream::Peer::connect(gateway.address());
    plain.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    plain.read_to_end();
    tls_listeners_offer_http2_and_http1();
}

#[test]
fn upstream_certificates_are_verified_against_the_ca_file_and_name() {
    let certificate = Certificate::new();
    let other = Certificate::new();
    for http2 in [false, true] {
        let alpn: &[&[u8]] = if http2 { &[b"h2"] } else { &[] };
        let upstream =
            if http2 { http2_upstream(Some(certificate.server(alpn))) } else { http1_tls_upstream(certificate.server(alpn)) };
        for (ca_file, server_name, status) in [
            (Some(certificate.certificate()), Some("api.test"), 200),
            (Some(certificate.certificate()), Some("other.test"), 502),
            (Some(certificate.certificate()), None, 502),
            (Some(other.certificate()), Some("api.test"), 502),
            (Some(PathBuf::from("/nonexistent.pem")), Some("api.test"), 502),
            (Some(PathBuf::from("/dev/zero")), Some("api.test"), 502),
            (None, Some("api.test"), 502),
        ] {
            let mut zone = zone(&[]);
            zone["upstreams"] = json!([upstream_json(&format!("https://{upstream}"))]);
            zone["upstreams"][0]["protocol"] = json!(if http2 { "http2" } else { "http1" });
            zone["upstreams"][0]["ca_file"] = json!(ca_file);
            zone["upstreams"][0]["server_name"] = json!(server_name);
            let gateway = Setup::new(zone).start();
            let response = support::client::get(gateway.address(), "/");
            assert_eq!(response.status, status, "{ca_file:?} {server_name:?} {http2}");
            if status == 502 {
                assert_eq!(response.problem_code(), "upstream.tls_failed");
            }
        }
    }
}

fn http1_tls_upstream(tls: TlsAcceptor) -> SocketAddr {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        block_on(async move {
            let listener = TcpListener::from_std(listener).unwrap();
            loop {
                let (tcp, _) = listener.accept().await.unwrap();
                let Ok(mut stream) = tls.accept(tcp).await else { continue };
                let mut buffer = [0; 4096];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let _ = stream.write_all(OK.as_bytes()).await;
                }
            }
        });
    });
    address
}

#[test]
fn unusable_certificates_and_busy_addresses_are_named() {
    let refused = |listen: serde_json::Value| {
        let config = json!({"state_dir": tempfile::tempdir().unwrap().path(), "instance": "x", "listen": [listen],
                            "status": {"address": "127.0.0.1:0"}});
        let config = gateway::Config::parse(&config.to_string()).unwrap();
        gateway::server::Gateway::start(config).err().unwrap().to_string()
    };
    let tls = json!({"certificate": "/nonexistent.pem", "key": "/nonexistent.key"});
    let message = refused(json!({"address": "127.0.0.1:0", "tls": tls}));
    assert!(message.contains("/nonexistent.pem"), "{message}");
    let busy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = busy.local_addr().unwrap();
    let message = refused(json!({"address": address}));
    assert!(message.contains(&address.to_string()), "{message}");
}
