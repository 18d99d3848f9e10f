//! Every answer that is ours and not the upstream's: ONE table from cause to status, code and title, and the
//! `application/problem+json` document (RFC 9457) made from a row of it.
//!
//! Takes a [`Cause`] and the [`Transaction`] as far as it got; gives a response: the same in the gateway and in process.

use bytes::Bytes;
use engine::violation::Refusal;
use engine::{CheckFailure, FactError, FailMode, OwnResponse, Transaction};
use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL, CONTENT_LENGTH,
    CONTENT_TYPE, RETRY_AFTER, VARY,
};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::quota;

/// Why a transaction is answered by the gateway itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// A rule of the zone blocked it.
    Blocked,
    /// A limit of the zone is exceeded.
    Limited,
    /// The request can be read in two ways, or not at all.
    Refused,
    /// No zone serves the host.
    UnknownHost,
    /// The zone is under maintenance.
    Maintenance,
    /// No bundle was ever loaded.
    NoBundle,
    /// The body is longer than the zone inspects, and the check is closed on that.
    BodyOverLimit,
    /// The client stopped sending its body.
    ClientSlow,
    /// The client's body ended early or broke its framing.
    ClientBroken,
    /// No connection to the upstream.
    ConnectFailed,
    /// No connection to the upstream within the zone's time.
    ConnectTimeout,
    /// The upstream's TLS certificate or handshake was not acceptable.
    TlsFailed,
    /// The upstream closed before it answered.
    ClosedEarly,
    /// What the upstream sent is not HTTP.
    Garbage,
    /// Where the upstream's response ends can be read in two ways.
    AmbiguousResponse,
    /// The upstream did not answer in the zone's time.
    ReadTimeout,
    /// More requests at the same time than the settings allow.
    Overloaded,
    /// The engine failed, and its fail mode is closed.
    EngineFailed,
}

/// One row: the status, the stable code (also the record's `error`) and the title.
pub struct Row {
    /// The HTTP status of the answer.
    pub status: StatusCode,
    /// The stable code, `urn:hoplon:<code>` in the document.
    pub code: &'static str,
    /// One sentence for people.
    pub title: &'static str,
}

impl Cause {
    /// The table.
    pub const fn row(self) -> Row {
        let (status, code, title) = match self {
            Cause::Blocked => (StatusCode::FORBIDDEN, "blocked", "The request was blocked by this API's policy."),
            Cause::Limited => (StatusCode::TOO_MANY_REQUESTS, "limited", "There were too many requests; try again later."),
            Cause::Refused => (StatusCode::BAD_REQUEST, "refused", "The request is not well-formed HTTP and was refused."),
            Cause::UnknownHost => (StatusCode::MISDIRECTED_REQUEST, "unknown_host", "No API is served under this host name."),
            Cause::Maintenance => {
                (StatusCode::SERVICE_UNAVAILABLE, "maintenance", "The API is under maintenance; try again later.")
            }
            Cause::NoBundle => (StatusCode::SERVICE_UNAVAILABLE, "no_bundle", "The gateway has no policy loaded yet."),
            Cause::BodyOverLimit => {
                (StatusCode::PAYLOAD_TOO_LARGE, "body_over_limit", "The body is larger than this API inspects.")
            }
            Cause::ClientSlow => (StatusCode::REQUEST_TIMEOUT, "client.timeout", "The request body did not arrive in time."),
            Cause::ClientBroken => (StatusCode::BAD_REQUEST, "client.broken_body", "The request body is broken."),
            Cause::ConnectFailed => (StatusCode::BAD_GATEWAY, "upstream.connect_failed", "The API could not be reached."),
            Cause::ConnectTimeout => {
                (StatusCode::GATEWAY_TIMEOUT, "upstream.connect_timeout", "The API could not be reached in time.")
            }
            Cause::TlsFailed => (StatusCode::BAD_GATEWAY, "upstream.tls_failed", "No trusted TLS connection to the API."),
            Cause::ClosedEarly => {
                (StatusCode::BAD_GATEWAY, "upstream.closed_early", "The API closed the connection before it answered.")
            }
            Cause::Garbage => {
                (StatusCode::BAD_GATEWAY, "upstream.invalid_response", "The API answered with something that is not HTTP.")
            }
            Cause::AmbiguousResponse => {
                (StatusCode::BAD_GATEWAY, "upstream.ambiguous_response", "The API's answer can be read in two ways.")
            }
            Cause::ReadTimeout => (StatusCode::GATEWAY_TIMEOUT, "upstream.read_timeout", "The API did not answer in time."),
            Cause::Overloaded => {
                (StatusCode::SERVICE_UNAVAILABLE, "overloaded", "Too many requests are being answered; try again soon.")
            }
            Cause::EngineFailed => (StatusCode::INTERNAL_SERVER_ERROR, "engine_failed", "The request could not be judged."),
        };
        Row { status, code, title }
    }
}

impl Cause {
    /// Why a transaction that was stopped is answered: its verdict says what stopped it.
    pub fn of_stop(transaction: &Transaction) -> Cause {
        let verdict = transaction.verdict();
        match verdict.refusal() {
            Some(code) if code == Refusal::HostUnknown.code() => Cause::UnknownHost,
            Some(_) => Cause::Refused,
            None if verdict.failures.iter().any(is_closed_over_limit) => Cause::BodyOverLimit,
            None if verdict.is_limited => Cause::Limited,
            None => Cause::Blocked,
        }
    }

    /// What is wrong with a response whose bytes did not pass: its framing, or that it is no HTTP at all.
    pub fn of_response(refusal: Refusal) -> Cause {
        match refusal {
            Refusal::ContentLengthInvalid
            | Refusal::ContentLengthSeveral
            | Refusal::FramingBoth
            | Refusal::TransferEncodingUnsupported
            | Refusal::TransferEncodingSeveral
            | Refusal::TransferEncodingVersion
            | Refusal::ChunkSize
            | Refusal::ChunkExtension
            | Refusal::ChunkEnd
            | Refusal::TrailerForbidden => Cause::AmbiguousResponse,
            _ => Cause::Garbage,
        }
    }
}

fn is_closed_over_limit(failure: &CheckFailure) -> bool {
    failure.error == FactError::OverLimit && failure.mode == FailMode::Closed
}

/// The whole answer: what the rule that blocked wants to be said, else what the zone of the transaction says about blocks and maintenance, and what was found, where it shows that.
/// The header with the request's id is added by whoever sends it.
pub fn answer(
    cause: Cause,
    transaction: Option<&Transaction>,
    request_id: &str,
    origin: Option<&HeaderValue>,
) -> Response<Bytes> {
    let mut response = match transaction.and_then(|transaction| own_response(cause, transaction)) {
        Some(own) => written_by_policy(own, origin),
        None => problem(cause, transaction, request_id, origin).into_response(),
    };
    if let Some(transaction) = transaction {
        quota::write(response.headers_mut(), transaction.verdict());
    }
    response
}

fn problem<'a>(
    cause: Cause,
    transaction: Option<&'a Transaction>,
    request_id: &'a str,
    origin: Option<&'a HeaderValue>,
) -> Problem<'a> {
    let zone = transaction.and_then(Transaction::zone);
    let block = zone.map(|zone| &zone.block);
    let maintenance = zone.map(|zone| &zone.maintenance).filter(|_| cause == Cause::Maintenance);
    let shown = transaction.filter(|_| block.is_some_and(|block| block.show_violations));
    Problem {
        cause,
        status: match cause {
            Cause::Blocked => block.and_then(|block| StatusCode::from_u16(block.status).ok()),
            Cause::Refused => transaction.and_then(refusal_status),
            _ => None,
        },
        retry_after_seconds: maintenance.map(|settings| settings.retry_after_seconds),
        request_id,
        detail: maintenance.map(|settings| settings.message.as_str()).filter(|message| !message.is_empty()),
        violations: shown.map(shown_violations).unwrap_or_default(),
        origin,
    }
}

/// What the rule that stopped the transaction answers itself. What is not well-formed, or met no rule, is no rule's to answer.
fn own_response(cause: Cause, transaction: &Transaction) -> Option<&OwnResponse> {
    transaction.verdict().response.as_deref().filter(|_| matches!(cause, Cause::Blocked | Cause::Limited | Cause::BodyOverLimit))
}

/// A response as the policy has it: never cached, and readable for the page that sent the request.
fn written_by_policy(own: &OwnResponse, origin: Option<&HeaderValue>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::copy_from_slice(own.content.as_bytes()));
    *response.status_mut() = StatusCode::from_u16(own.status).unwrap_or(StatusCode::FORBIDDEN);
    let content_type = HeaderValue::from_str(&own.content_type).unwrap_or(HeaderValue::from_static("text/plain"));
    add_common(&mut response, content_type, origin);
    response
}

/// The status that goes with what was refused.
fn refusal_status(transaction: &Transaction) -> Option<StatusCode> {
    let code = transaction.verdict().refusal()?;
    let refusal = Refusal::ALL.iter().find(|refusal| refusal.code() == code)?;
    StatusCode::from_u16(refusal.status()).ok()
}

fn shown_violations(transaction: &Transaction) -> Vec<ShownViolation<'_>> {
    let violations = transaction.verdict().violations.iter();
    violations.map(|violation| ShownViolation { code: &violation.code, location: &violation.location }).collect()
}

/// When a client may try again that met too many others.
const OVERLOADED_SECONDS: u32 = 1;

/// One violation as a client may see it.
#[derive(Debug, Serialize)]
struct ShownViolation<'a> {
    /// The stable code.
    code: &'a str,
    /// Where in the request.
    location: &'a str,
}

/// What fills a problem document besides its row.
struct Problem<'a> {
    /// The row.
    cause: Cause,
    /// A status the zone set instead of the row's.
    status: Option<StatusCode>,
    /// When the zone says that the client may try again.
    retry_after_seconds: Option<u32>,
    /// The request's id.
    request_id: &'a str,
    /// What happened here, one sentence.
    detail: Option<&'a str>,
    /// Violations, when the zone shows them.
    violations: Vec<ShownViolation<'a>>,
    /// The request's `Origin`, so that a browser's script may read the answer.
    origin: Option<&'a HeaderValue>,
}

#[derive(Serialize)]
struct Document<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    violations: Vec<ShownViolation<'a>>,
}

impl Problem<'_> {
    /// The response: problem document, CORS headers, never cached. The request id header is added by whoever sends it.
    fn into_response(self) -> Response<Bytes> {
        let row = self.cause.row();
        let status = self.status.unwrap_or(row.status);
        let document = Document {
            r#type: format!("urn:hoplon:{}", row.code),
            title: row.title,
            status: status.as_u16(),
            detail: self.detail,
            request_id: self.request_id,
            violations: self.violations,
        };
        let body = Bytes::from(serde_json::to_vec(&document).unwrap_or_default());
        let mut response = Response::new(body);
        *response.status_mut() = status;
        add_common(&mut response, HeaderValue::from_static("application/problem+json"), self.origin);
        let seconds = self.retry_after_seconds.or((self.cause == Cause::Overloaded).then_some(OVERLOADED_SECONDS));
        if let Some(seconds) = seconds {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

/// What every answer of our own carries.
fn add_common(response: &mut Response<Bytes>, content_type: HeaderValue, origin: Option<&HeaderValue>) {
    let length = HeaderValue::from(response.body().len());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    headers.insert(CONTENT_LENGTH, length);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    add_cors(headers, origin);
}

/// What a browser's script may read of an answer beside its body.
const EXPOSED: &str = "hoplon-request-id, retry-after, ratelimit, ratelimit-policy";

/// Mirrors the origin, so that the page that sent the request can read why it failed (Fetch standard, CORS protocol).
fn add_cors(headers: &mut HeaderMap, origin: Option<&HeaderValue>) {
    let Some(origin) = origin else { return };
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    headers.insert(VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use engine::testing::{self, BundleText};
    use engine::{BodyLength, HttpVersion, Keys, Mode, RequestHead, RequestId, Scheme, Surroundings, Timestamp};

    use super::*;

    #[test]
    fn a_problem_names_its_cause_and_the_request() {
        let origin = HeaderValue::from_static("https://app.example");
        let response = Problem {
            cause: Cause::Blocked,
            status: None,
            retry_after_seconds: None,
            request_id: "0190",
            detail: None,
            violations: vec![ShownViolation { code: "operations.fallthrough", location: "path" }],
            origin: Some(&origin),
        }
        .into_response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()["access-control-allow-origin"], "https://app.example");
        let document: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(document["type"], "urn:hoplon:blocked");
        assert_eq!(document["request_id"], "0190");
        assert_eq!(document["violations"][0]["code"], "operations.fallthrough");
    }

    /// A request that the only rule stops, with this response of its own.
    fn stopped(response: &serde_json::Value) -> Transaction {
        let mut rule =
            testing::rule("mine", "request_head", "cf.api_gateway.fallthrough_detected", "block", "rules.custom", "open");
        rule["stage"] = "custom".into();
        rule["response"] = response.clone();
        let bundle = BundleText::of(&[], &serde_json::json!([rule])).load().unwrap();
        let now = Timestamp::from_micros(0);
        let keys = Keys::derive(&[0; 32]);
        let mut transaction = Transaction::begin(bundle.into(), &keys, RequestId::new(now, 0), now, Mode::Enforce);
        let head = RequestHead {
            method: "GET",
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            authority: Some("api.example.com"),
            target: "/",
            headers: &HeaderMap::new(),
            client: [192, 0, 2, 1].into(),
            body: BodyLength::None,
        };
        transaction.request_head(&head, &Surroundings::default());
        assert_eq!(Cause::of_stop(&transaction), Cause::Blocked);
        transaction
    }

    #[test]
    fn a_rule_answers_in_its_own_words_and_a_page_can_read_them() {
        let own = serde_json::json!({"status": 418, "content_type": "text/html", "content": "<p>no tea</p>"});
        let transaction = stopped(&own);
        let origin = HeaderValue::from_static("https://app.example");
        let response = answer(Cause::Blocked, Some(&transaction), "0190", Some(&origin));
        assert_eq!((response.status().as_u16(), &response.body()[..]), (418, &b"<p>no tea</p>"[..]));
        let headers = response.headers();
        for (name, value) in [
            ("content-type", "text/html"),
            ("content-length", "13"),
            ("cache-control", "no-store"),
            ("access-control-allow-origin", "https://app.example"),
            ("access-control-expose-headers", EXPOSED),
        ] {
            assert_eq!(headers[name], value);
        }
        let failed = answer(Cause::EngineFailed, Some(&transaction), "0190", None);
        assert_eq!(failed.status(), 500, "what no rule decided is not answered in its words");
    }

    #[test]
    fn no_origin_means_no_cors_headers() {
        let response = Problem {
            cause: Cause::NoBundle,
            status: None,
            retry_after_seconds: None,
            request_id: "x",
            detail: None,
            violations: vec![],
            origin: None,
        }
        .into_response();
        assert_eq!(response.status(), 503);
        assert!(!response.headers().contains_key("access-control-allow-origin"));
    }
}
