//! Active health checks: one thread for the whole gateway asks the upstreams of the zones that want it, again and again, and tells
//! [`Health`] what it found. Follows the bundle in use. Leaves no record and touches no engine: nobody's request is judged.

use std::collections::HashMap;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Bundle, HealthCheck, UpstreamProtocol, Zone};
use http::header::{HOST, USER_AGENT};
use http::{HeaderValue, Request, StatusCode, Uri};
use tokio::sync::{Semaphore, watch};
use tokio::task::{AbortHandle, LocalSet};

use super::endpoint::{self, Endpoint};
use super::h1::SendError;
use super::h2;
use super::health::Objection;
use crate::body::RequestBody;
use crate::log;
use crate::problem::Cause;
use crate::shared::Shared;

/// How soon a new bundle's checks begin.
const LOOK_INTERVAL: Duration = Duration::from_millis(500);
/// Checks under way at the same time; more wait.
const MAX_AT_ONCE: usize = 32;
/// Threads that resolve names and read certificates.
const MAX_BLOCKING_THREADS: usize = 2;

/// The running thread.
pub struct HealthChecks {
    thread: std::thread::JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl HealthChecks {
    /// Begins to check what the bundle in use asks for.
    ///
    /// # Errors
    /// The system's, when it gives no thread or no runtime.
    pub fn start(shared: Arc<Shared>) -> io::Result<HealthChecks> {
        let (stop, stopping) = watch::channel(false);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(MAX_BLOCKING_THREADS).build()?;
        let thread = std::thread::Builder::new()
            .name("health".into())
            .spawn(move || LocalSet::new().block_on(&runtime, follow(shared, stopping)))?;
        Ok(HealthChecks { thread, stop })
    }

    /// Ends the thread; checks under way are given up.
    pub fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.thread.join();
    }
}

async fn follow(shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut checks = Checks { shared, at_once: Rc::new(Semaphore::new(MAX_AT_ONCE)), bundle: None, running: HashMap::new() };
    let mut look = tokio::time::interval(LOOK_INTERVAL);
    loop {
        tokio::select! {
            _ = look.tick() => checks.look(),
            _ = stop.changed() => return,
        }
    }
}

/// What is being checked.
struct Checks {
    shared: Arc<Shared>,
    at_once: Rc<Semaphore>,
    bundle: Option<Arc<Bundle>>,
    /// By zone, upstream and settings: a check whose zone did not change goes on with what it knows.
    running: HashMap<String, Running>,
}

impl Checks {
    fn look(&mut self) {
        let bundle = self.shared.bundle.load_full();
        let is_same = bundle.as_ref().map(Arc::as_ptr) == self.bundle.as_ref().map(Arc::as_ptr);
        if is_same && !self.running.values().any(Running::has_ended) {
            return;
        }
        let mut before = std::mem::take(&mut self.running);
        for zone in bundle.iter().flat_map(|bundle| bundle.zones()) {
            let Some(check) = &zone.health else { continue };
            for upstream in zone.upstreams.iter().filter(|upstream| !upstream.drain) {
                let host = host_of(zone, upstream);
                let key = format!("{} {host:?} {check:?} {}", zone.id, endpoint::key(upstream));
                let running = before.remove(&key).filter(|running| !running.has_ended());
                let running = running.unwrap_or_else(|| self.begin(check.clone(), host, upstream));
                self.running.insert(key, running);
            }
        }
        self.bundle = bundle;
    }

    fn begin(&self, check: HealthCheck, host: String, upstream: &engine::Upstream) -> Running {
        let health = self.shared.health.of(&endpoint::key(upstream), &upstream.url);
        let target = Target { endpoint: Rc::new(Endpoint::new(upstream, health)), host, check };
        Running(tokio::task::spawn_local(watch_over(target, self.shared.clone(), self.at_once.clone())).abort_handle())
    }
}

/// A check that ends when it is dropped.
struct Running(AbortHandle);

impl Running {
    /// Only a panic ends one by itself; it begins anew then.
    fn has_ended(&self) -> bool {
        self.0.is_finished()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The zone's first host that is a name, as its clients would say it; else the upstream's own.
fn host_of(zone: &Zone, upstream: &engine::Upstream) -> String {
    let named = zone.hosts.iter().find_map(|host| host.literal());
    named.map_or_else(|| upstream.authority(), str::to_owned)
}

/// What is asked.
struct Target {
    endpoint: Rc<Endpoint>,
    host: String,
    check: HealthCheck,
}

async fn watch_over(target: Target, shared: Arc<Shared>, at_once: Rc<Semaphore>) {
    let url = &target.endpoint.url;
    let objection = Objection::new(target.endpoint.health.clone());
    let mut opinion = Opinion::default();
    loop {
        let found = {
            let _turn = at_once.acquire().await;
            tokio::time::timeout(target.check.timeout, ask(&target)).await.unwrap_or(Err(Cause::ReadTimeout.row().code.into()))
        };
        let word = if found.is_ok() { "ok" } else { "failed" };
        shared.metrics.upstream_checks.increment([url.clone().into(), word.into()]);
        if let Some(is_healthy) = opinion.form(&target.check, found.is_ok()) {
            objection.set(!is_healthy);
            match found {
                Ok(()) => log::info("upstream.healthy", url),
                Err(why) => log::warn("upstream.unhealthy", &format!("{url} failed its health checks: {why}")),
            }
        }
        tokio::time::sleep(target.check.interval).await;
    }
}

/// What the checks of one upstream say together.
#[derive(Default)]
struct Opinion {
    is_healthy: Option<bool>,
    /// Checks in a row that say otherwise.
    against: u32,
}

impl Opinion {
    /// Takes one more result; gives the opinion where it is new. The first result decides alone: a gateway that begins must not send
    /// requests to what is known to be down.
    fn form(&mut self, check: &HealthCheck, is_ok: bool) -> Option<bool> {
        if self.is_healthy == Some(is_ok) {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = match self.is_healthy {
            None => 1,
            Some(true) => check.failures,
            Some(false) => check.successes,
        };
        if self.against < needed {
            return None;
        }
        self.against = 0;
        self.is_healthy = Some(is_ok);
        Some(is_ok)
    }
}

/// One request on a connection of its own (HTTP/2: on one connection of the checks), whose body is not read.
async fn ask(target: &Target) -> Result<(), String> {
    let (endpoint, check) = (&target.endpoint, &target.check);
    let status = match endpoint.protocol {
        UpstreamProtocol::Http1 => ask_h1(endpoint, request(target)?, check.timeout).await,
        UpstreamProtocol::Http2 => h2::ask(endpoint, request(target)?, check.timeout).await,
    };
    match status {
        Ok(status) if status == check.status => Ok(()),
        Ok(status) => Err(format!("it answered {}, not {}", status.as_u16(), check.status)),
        Err(cause) => Err(cause.row().code.into()),
    }
}

async fn ask_h1(endpoint: &Endpoint, request: Request<RequestBody>, timeout: Duration) -> Result<StatusCode, Cause> {
    let deadline = Instant::now() + timeout;
    let mut connection = endpoint.open(timeout).await?;
    connection.send(request, || deadline).await.map(|response| response.status()).map_err(|error| match error {
        SendError::Timeout => Cause::ReadTimeout,
        SendError::NotSent(_) | SendError::Failed(_) => Cause::ClosedEarly,
    })
}

fn request(target: &Target) -> Result<Request<RequestBody>, String> {
    let mut request = Request::new(RequestBody::Empty);
    *request.uri_mut() = Uri::try_from(&target.check.path).map_err(|error| error.to_string())?;
    let host = HeaderValue::try_from(&target.host).map_err(|error| error.to_string())?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("hoplon-health-check"));
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_result_decides_then_it_takes_several_in_a_row() {
        let check = HealthCheck {
            path: "/".into(),
            interval: Duration::ZERO,
            timeout: Duration::ZERO,
            status: 200,
            failures: 3,
            successes: 2,
        };
        let results = [true, false, false, true, false, false, false, false, true, false, true, true, true];
        let mut opinion = Opinion::default();
        let formed: Vec<_> = results.iter().map(|is_ok| opinion.form(&check, *is_ok)).collect();
        let mut expected = vec![None; results.len()];
        (expected[0], expected[6], expected[11]) = (Some(true), Some(false), Some(true));
        assert_eq!(formed, expected);
        assert_eq!(Opinion::default().form(&check, false), Some(false));
    }
}
