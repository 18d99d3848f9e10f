//! The status listener: `/metrics`, `/healthz`, `/readyz` on an address, a thread and a runtime of its own, so that it answers
//! when the serving threads are busy and until everything else has ended.

pub mod crowding;
pub mod file;
pub mod report;

use std::convert::Infallible;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{Semaphore, watch};

use crate::metrics;
use crate::shared::Shared;
use report::Readiness;

/// Connections served at once; more wait in the backlog.
const MAX_CONNECTIONS: usize = 64;
/// A head must arrive within this time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// A connection ends after this time, idle or not.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(300);
/// How often it is looked whether a successor serves.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// Pause after an error of `accept`, such as no file descriptor left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The running listener.
pub struct StatusListener {
    thread: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

/// Starts serving on this socket.
///
/// # Errors
/// The system's, when it gives no thread or no event queue.
pub fn start(shared: Arc<Shared>, listener: TcpListener) -> io::Result<StatusListener> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (stop, stopped) = watch::channel(false);
    let thread = thread::Builder::new().name("hoplon-status".into()).spawn(move || {
        runtime.block_on(accept(shared, listener, stopped));
    })?;
    Ok(StatusListener { thread, stop })
}

impl StatusListener {
    /// Closes the socket and its connections.
    pub fn stop(self) {
        let _ = self.stop.send(true);
        let _ = self.thread.join();
    }
}

async fn accept(shared: Arc<Shared>, listener: TcpListener, mut stopped: watch::Receiver<bool>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let shared = shared.clone();
                    tokio::spawn(async move {
                        serve(shared, stream).await;
                        drop(place);
                    });
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            },
            _ = stopped.changed() => return,
            () = left(&shared) => break,
        }
    }
    drop(listener);
    // What was accepted here is answered here.
    tokio::select! {
        _ = places.acquire_many(MAX_CONNECTIONS as u32) => {}
        _ = stopped.changed() => {}
    }
}

/// Waits until a successor answers on the same socket.
async fn left(shared: &Shared) {
    while !shared.has_left() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = answer(&shared, request.method(), request.uri().path());
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    let _ = tokio::time::timeout(CONNECTION_TIMEOUT, connection).await;
}

/// The answer to one request; hyper leaves the body out for HEAD.
fn answer(shared: &Shared, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return respond(StatusCode::METHOD_NOT_ALLOWED, TEXT, "only GET and HEAD are answered here\n".into());
    }
    match path {
        "/metrics" => scrape(shared),
        "/healthz" => respond(StatusCode::OK, TEXT, "ok\n".into()),
        "/readyz" => ready(shared),
        _ => respond(StatusCode::NOT_FOUND, TEXT, "there are /metrics, /healthz and /readyz\n".into()),
    }
}

fn scrape(shared: &Shared) -> Response<Full<Bytes>> {
    report::refresh(shared);
    match shared.metrics.render() {
        Ok(text) => respond(StatusCode::OK, metrics::CONTENT_TYPE, text),
        Err(error) => respond(StatusCode::INTERNAL_SERVER_ERROR, TEXT, format!("{error}\n")),
    }
}

fn ready(shared: &Shared) -> Response<Full<Bytes>> {
    let readiness = Readiness::of(shared);
    let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    respond(status, "application/json", serde_json::to_string(&readiness).unwrap_or_default())
}

const TEXT: &str = "text/plain; charset=utf-8";

fn respond(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests;
