//! `hoplon.Engine`: the engine in process. What the gateway does phase by phase with a live request is done here with one that is
//! already whole: same bundle, same verdict, same record.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use engine::limits::Counters;
use engine::observe::{LiteralTable, observe};
use engine::program::Program;
use engine::record::Observation;
use engine::tokens::TokenCache;
use engine::verdict::Quota;
use engine::{
    Action, BodyLength, Bundle, Ended, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Sampler, Scheme,
    Step, Surroundings, Timestamp, Transaction,
};
use gateway::clock::SteadyClock;
use gateway::hosts::KnownHosts;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use pyo3::exceptions::{PyOSError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::exchange::{self, Asked, Exchange, RawHeaders};
use crate::explain::{self, Explanation};
use crate::{rows, tokens};

/// A loaded bundle, ready to judge.
#[pyclass(frozen, module = "hoplon")]
pub struct Engine {
    bundle: Arc<Bundle>,
    /// False: nothing was loaded, and nothing passes.
    has_bundle: bool,
    keys: Keys,
    kept: Kept,
}

/// What outlives a bundle.
#[derive(Clone)]
struct Kept {
    token_cache: Arc<TokenCache>,
    sampler: Arc<Sampler>,
    literals: Arc<Mutex<LiteralTable>>,
    hosts: Arc<KnownHosts>,
    limits: Arc<Limits>,
}

/// What limits have counted, and the time they go by.
#[derive(Default)]
pub struct Limits {
    /// Tens of megabytes, taken when the first request comes to a zone that has limits.
    counters: OnceLock<Counters>,
    steady: SteadyClock,
}

impl Limits {
    /// Answers what the engine asks of the counters, until it asks something else. `head` is the request's, where the step came from
    /// it; without `now` it is now.
    pub fn answer(&self, step: Step, transaction: &mut Transaction, head: Option<&HeaderMap>, now: Option<Timestamp>) -> Step {
        match self.counters(transaction) {
            Some(counters) => counters.answer(step, transaction, head, now.unwrap_or_else(|| self.steady.now())),
            None => step,
        }
    }

    /// Counts what the response made countable.
    pub fn count_response(&self, transaction: &mut Transaction, now: Option<Timestamp>) {
        if let Some(counters) = self.counters(transaction) {
            counters.count_response(transaction, now.unwrap_or_else(|| self.steady.now()));
        }
    }

    /// Gives back what ends with the request.
    pub fn end(&self, transaction: &mut Transaction, went_upstream: bool) {
        if let Some(counters) = self.counters(transaction) {
            counters.end(transaction, went_upstream);
        }
    }

    /// None where nothing is limited: then the engine asks nothing.
    fn counters(&self, transaction: &Transaction) -> Option<&Counters> {
        let has_limits = transaction.zone().is_some_and(|zone| !zone.limits().all().is_empty());
        has_limits.then(|| self.counters.get_or_init(Counters::default))
    }
}

impl Kept {
    fn new(keys: &Keys) -> Self {
        Self {
            token_cache: TokenCache::new(keys.token_cache(), tokens::CACHE_BYTES).into(),
            sampler: Arc::default(),
            literals: Arc::default(),
            hosts: Arc::default(),
            limits: Arc::default(),
        }
    }
}

/// What Python hands over for one message.
type Headers = Vec<(String, Vec<u8>)>;
type Response = (u16, Headers, Vec<u8>);

#[pymethods]
impl Engine {
    #[new]
    #[pyo3(signature = (bundles, key = None))]
    fn new(py: Python<'_>, bundles: PathBuf, key: Option<&[u8]>) -> PyResult<Self> {
        let key = match key {
            None => [0; 32],
            Some(key) => key.try_into().map_err(|_| PyValueError::new_err("key: 32 bytes, as in keys/records.key"))?,
        };
        let keys = Keys::derive(&key);
        let kept = Kept::new(&keys);
        let bundle = py.detach(|| load(&bundles, &kept.token_cache))?;
        Ok(Self { bundle: Arc::new(bundle), has_bundle: true, keys, kept })
    }

    /// An engine that has no bundle yet: `begin` stops every request with 503.
    #[staticmethod]
    #[pyo3(signature = (key = None))]
    fn without_bundle(key: Option<[u8; 32]>) -> Self {
        let keys = Keys::derive(&key.unwrap_or_default());
        let kept = Kept::new(&keys);
        Self { bundle: Arc::new(Bundle::none()), has_bundle: false, keys, kept }
    }

    /// The engine with the bundle that is in place now; counters, known hosts and everything else that is kept are the same.
    fn refreshed(&self, py: Python<'_>, bundles: PathBuf) -> PyResult<Self> {
        let bundle = py.detach(|| load(&bundles, &self.kept.token_cache))?;
        Ok(Self { bundle: Arc::new(bundle), has_bundle: true, keys: self.keys.clone(), kept: self.kept.clone() })
    }

    /// The bundle's hash: SHA-256 of its manifest, in hex.
    #[getter]
    fn bundle(&self) -> String {
        self.bundle.hash.to_string()
    }

    #[pyo3(signature = (method, url, *, headers = Vec::new(), body = Vec::new(), client = "127.0.0.1", mode = "enforce", response = None, now = None))]
    #[allow(clippy::too_many_arguments)]
    fn inspect<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        url: &str,
        headers: Headers,
        body: Vec<u8>,
        client: &str,
        mode: &str,
        response: Option<Response>,
        now: Option<i64>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let mode = exchange::parse_mode(mode)?;
        let client = client.parse().map_err(|_| PyValueError::new_err("client: an IP address"))?;
        let request = Request { method, url: Url::parse(url)?, headers: header_map(headers)?, body, client };
        let response = response.map(|(status, headers, body)| PyResult::Ok((status, header_map(headers)?, body))).transpose()?;
        let judged = py.detach(|| self.judge(&request, response.as_ref(), mode, now.map(Timestamp::from_micros)));
        judged.to_dict(py)
    }

    #[pyo3(signature = (method, url, *, headers = Vec::new(), body = Vec::new(), client = "127.0.0.1", mode = "enforce", response = None, programs = Vec::new(), lists = None))]
    #[allow(clippy::too_many_arguments)]
    fn explain<'py>(
        &self,
        py: Python<'py>,
        method: &str,
        url: &str,
        headers: Headers,
        body: Vec<u8>,
        client: &str,
        mode: &str,
        response: Option<Response>,
        programs: Vec<String>,
        lists: Option<&str>,
    ) -> PyResult<Bound<'py, PyDict>> {
        let programs = explain::load_programs(&programs, lists)?;
        let mode = exchange::parse_mode(mode)?;
        let client = client.parse().map_err(|_| PyValueError::new_err("client: an IP address"))?;
        let request = Request { method, url: Url::parse(url)?, headers: header_map(headers)?, body, client };
        let response = response.map(|(status, headers, body)| PyResult::Ok((status, header_map(headers)?, body))).transpose()?;
        let (judged, explanation) = py.detach(|| {
            (
                self.apart().judge(&request, response.as_ref(), mode, None),
                self.apart().explanation(&request, response.as_ref(), &programs),
            )
        });
        let row = explanation.to_dict(py)?;
        row.set_item("inspection", judged.to_dict(py)?)?;
        Ok(row)
    }

    #[pyo3(signature = (now, method, target, *, headers, client = None, scheme = "http", http_version = "1.1", body_bytes = 0, mode = "enforce"))]
    #[allow(clippy::too_many_arguments)]
    fn begin(
        &self,
        now: i64,
        method: &str,
        target: &[u8],
        headers: RawHeaders,
        client: Option<&str>,
        scheme: &str,
        http_version: &str,
        body_bytes: Option<u64>,
        mode: &str,
    ) -> PyResult<Exchange> {
        let (id, now) = exchange::moment(now);
        let transaction = Transaction::begin(Arc::clone(&self.bundle), &self.keys, id, now, exchange::parse_mode(mode)?);
        let asked = Asked {
            method,
            target: &String::from_utf8_lossy(target),
            scheme: exchange::scheme(scheme),
            version: exchange::version(http_version),
            headers: &headers,
            // A server that knows no address (a Unix socket, a test client) leaves everybody the same one.
            client: client.and_then(|client| client.parse().ok()).unwrap_or(Ipv4Addr::UNSPECIFIED.into()),
            body: exchange::body_length(body_bytes),
        };
        Exchange::begin(transaction, self.has_bundle, Arc::clone(&self.kept.hosts), Arc::clone(&self.kept.limits), &asked)
    }
}

struct Request<'a> {
    method: &'a str,
    url: Url<'a>,
    headers: HeaderMap,
    body: Vec<u8>,
    client: IpAddr,
}

/// An absolute URL, cut as a client would send it.
struct Url<'a> {
    scheme: Scheme,
    authority: String,
    target: &'a str,
}

impl<'a> Url<'a> {
    fn parse(url: &'a str) -> PyResult<Self> {
        let wrong = || PyValueError::new_err(format!("url: an absolute http or https URL, not {url:?}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        let scheme = [Scheme::Http, Scheme::Https].into_iter().find(|known| known.as_str().eq_ignore_ascii_case(scheme));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        // Checked by the same type that the gateway's HTTP library uses; the target goes to the engine as it was written.
        authority.parse::<Uri>().map_err(|_| wrong())?;
        Ok(Self {
            scheme: scheme.ok_or_else(wrong)?,
            authority: authority.to_owned(),
            target: if target.is_empty() { "/" } else { target },
        })
    }
}

/// A request that was judged, with everything that is written down of it.
pub struct Judged {
    action: Action,
    rule: Option<Arc<str>>,
    quota: Option<Quota>,
    upstream_target: String,
    ended: Ended,
    observations: Vec<Observation>,
}

impl Engine {
    fn judge(
        &self,
        request: &Request<'_>,
        response: Option<&(u16, HeaderMap, Vec<u8>)>,
        mode: Mode,
        injected: Option<Timestamp>,
    ) -> Judged {
        let now = injected.unwrap_or_else(now);
        let mut transaction = Transaction::begin(Arc::clone(&self.bundle), &self.keys, RequestId::new(now, random()), now, mode);
        let mut action = self.judge_request(&mut transaction, request, injected);
        if let Some((status, headers, body)) = response.filter(|_| action.passes()) {
            let head = ResponseHead { status: *status, headers, body: length(body) };
            let step = transaction.response_head(&head);
            self.kept.limits.count_response(&mut transaction, injected);
            action = self.decide(step, &mut transaction, None, body, injected);
            transaction.observe_response_piece(body);
        }
        self.kept.limits.end(&mut transaction, action.passes());
        let status = response.map_or(0, |(status, ..)| *status);
        let mut judged = Judged::of(
            transaction,
            &Outcome {
                end: now,
                status: if action.passes() { status } else { 0 },
                upstream_status: (status != 0).then_some(status),
                request_body_bytes: request.body.len() as u64,
                response_body_bytes: response.map_or(0, |(_, _, body)| body.len() as u64),
                tls: request.url.scheme == Scheme::Https,
                request_complete: true,
                ..Outcome::default()
            },
        );
        judged.observations = self.observe(&judged.ended);
        judged
    }

    /// The same engine with counters of its own: what is only explained is not counted.
    fn apart(&self) -> Self {
        let limits = Limits { counters: Counters::new(0).into(), steady: SteadyClock::default() };
        let kept = Kept { limits: limits.into(), ..self.kept.clone() };
        Self { bundle: Arc::clone(&self.bundle), has_bundle: self.has_bundle, keys: self.keys.clone(), kept }
    }

    /// Under a mode in which no rule stops the request, so that every phase is reached and every fact is there.
    fn explanation(
        &self,
        request: &Request<'_>,
        response: Option<&(u16, HeaderMap, Vec<u8>)>,
        programs: &[Program],
    ) -> Explanation {
        let (now, random) = (now(), random());
        let id = RequestId::new(now, random);
        let mut transaction = Transaction::begin(Arc::clone(&self.bundle), &self.keys, id, now, Mode::Log);
        transaction.keep_body();
        self.judge_request(&mut transaction, request, None);
        if let Some((status, headers, body)) = response {
            let head = ResponseHead { status: *status, headers, body: length(body) };
            let step = transaction.response_head(&head);
            self.decide(step, &mut transaction, None, body, None);
        }
        let scene = transaction.scene(&request.headers, response.map(|(_, headers, _)| headers));
        Explanation::of(&scene, programs)
    }

    fn observe(&self, ended: &Ended) -> Vec<Observation> {
        let Some(sample) = &ended.sample else { return Vec::new() };
        let mut literals = self.kept.literals.lock().unwrap_or_else(PoisonError::into_inner);
        observe(sample, &ended.record, &mut literals, &self.keys)
    }

    fn judge_request(&self, transaction: &mut Transaction, request: &Request<'_>, injected: Option<Timestamp>) -> Action {
        let head = RequestHead {
            method: request.method,
            scheme: request.url.scheme,
            version: HttpVersion::Http11,
            authority: Some(&request.url.authority),
            target: request.url.target,
            headers: &request.headers,
            client: request.client,
            body: length(&request.body),
        };
        // The lowest dice: sampled whenever the budgets of its operation and session allow.
        let around = Surroundings { sampler: Some(&*self.kept.sampler), ..Surroundings::default() };
        let step = transaction.request_head(&head, &around);
        let action = self.decide(step, transaction, Some(&request.headers), &request.body, injected);
        transaction.observe_request_piece(&request.body);
        action
    }

    /// Brings what the engine asks for. `head` is the message's, where the step came from one.
    fn decide(
        &self,
        mut step: Step,
        transaction: &mut Transaction,
        head: Option<&HeaderMap>,
        body: &[u8],
        now: Option<Timestamp>,
    ) -> Action {
        loop {
            step = match step {
                Step::Decided(action) => return action,
                Step::NeedBody(_) => transaction.request_body(body, true),
                Step::NeedState(_) => self.kept.limits.answer(step, transaction, head, now),
            }
        }
    }
}

impl Judged {
    /// Ends a transaction.
    pub fn of(transaction: Transaction, outcome: &Outcome) -> Self {
        let verdict = transaction.verdict();
        let quota = verdict.quota.clone();
        let (action, rule) = (verdict.action, verdict.rule.clone());
        let upstream_target = transaction.upstream_target().to_owned();
        Self { action, rule, quota, upstream_target, ended: transaction.end(outcome), observations: Vec::new() }
    }

    /// As `Engine.inspect` gives it.
    pub fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let record = &self.ended.record;
        let violations = self.ended.violations.iter().map(|violation| rows::violation(py, violation));
        let row = PyDict::new(py);
        row.set_item("action", self.action.as_str())?;
        row.set_item("rule", self.rule.as_deref())?;
        row.set_item("quota", self.quota.as_ref().map(|quota| rows::quota(py, quota)).transpose()?)?;
        row.set_item("violations", violations.collect::<PyResult<Vec<_>>>()?)?;
        row.set_item("operation_id", record.operation_id.as_deref())?;
        row.set_item("operation_path", record.operation_path.as_deref())?;
        row.set_item("upstream_target", &self.upstream_target)?;
        row.set_item("record", rows::record(py, record)?)?;
        let observations = self.observations.iter().map(|observation| rows::observation(py, observation));
        row.set_item("observations", observations.collect::<PyResult<Vec<_>>>()?)?;
        Ok(row)
    }
}

fn load(bundles: &Path, cache: &Arc<TokenCache>) -> PyResult<Bundle> {
    let read = |path: PathBuf| std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()));
    let manifest = read(bundles.join("current")).map_err(PyOSError::new_err)?;
    let tokens = tokens::inputs(bundles, cache)?;
    Bundle::load_with(&manifest, &mut |hash| read(bundles.join("parts").join(hash)), &tokens).map_err(crate::sentences)
}

fn header_map(headers: Headers) -> PyResult<HeaderMap> {
    let wrong = |name: &str| PyValueError::new_err(format!("headers: {name:?} is not a header"));
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let value = HeaderValue::from_bytes(&value).map_err(|_| wrong(&name))?;
        map.append(HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(&name))?, value);
    }
    Ok(map)
}

fn length(body: &[u8]) -> BodyLength {
    if body.is_empty() { BodyLength::None } else { BodyLength::Known(body.len() as u64) }
}

fn now() -> Timestamp {
    let micros = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_micros());
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Enough to tell ids apart: the standard library's hasher is seeded by the operating system.
pub fn random() -> u128 {
    let half = || u128::from(RandomState::new().hash_one(0));
    half() << 64 | half()
}
