//! One request: the engine's phases on one side, hyper's request and response on the other.
//!
//! Takes a request of a [`Client`]; gives the upstream's response, or a problem document that says why not.

use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, ready};

use bytes::Bytes;
use engine::violation::Refusal;
use engine::{
    BodyLength, BodyNeed, Bundle, HttpVersion, RequestHead, RequestIdText, ResponseHead, Scheme, Surroundings, Transaction,
    UpstreamProtocol,
};
use http::header::{CONNECTION, CONTENT_LENGTH, EXPECT, HOST, ORIGIN, TE, TRANSFER_ENCODING};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri, Version, request, response};
use http_body::{Body, Frame};
use hyper::body::Incoming;

use crate::body::{RequestBody, ResponseBody, Source, StreamingRequest, StreamingResponse, discard, poll_request_frame};
use crate::clock;
use crate::connection::{Client, InFlight};
use crate::exchange::{Ending, Exchange};
use crate::headers::{self, Forwarding, Origin, REQUEST_ID};
use crate::judge::{self, Collected, Next, PieceJudge, Side};
use crate::problem::{self, Cause};
use crate::quota;
use crate::upgrade::Upgrade;
use crate::upstream::{Answer, Group};

const CLOSE: HeaderValue = HeaderValue::from_static("close");

/// Serves one request. Never fails: whatever goes wrong is an answer.
pub async fn handle(client: Rc<Client>, request: Request<Incoming>) -> Result<Response<ResponseBody>, Infallible> {
    let watch = client.watch();
    let response = serve(client, request).await;
    watch.answered();
    Ok(response)
}

async fn serve(client: Rc<Client>, request: Request<Incoming>) -> Response<ResponseBody> {
    let in_flight = client.begin();
    let (mut head, incoming) = request.into_parts();
    client.set_unread_body(!incoming.is_end_stream());
    let started_at = clock::now();
    let request_id = clock::request_id(started_at, &client.worker);
    let id_value = HeaderValue::from_str(RequestIdText::from(request_id).as_str()).unwrap_or(HeaderValue::from_static(""));
    let shared = &client.worker.shared;
    let loaded = shared.bundle.load_full();
    let has_bundle = loaded.is_some();
    let bundle = loaded.unwrap_or_else(|| Arc::new(Bundle::none()));
    let transaction = Box::new(Transaction::begin(bundle.clone(), &shared.keys, request_id, started_at, shared.mode.load()));
    let exchange = Rc::new(Exchange::new(shared.clone(), transaction, started_at, client.tls));
    // Before it is judged, so that a field that `Connection` names is not judged and then gone.
    let upgrade = headers::requested_upgrade(&head.headers).filter(|_| head.version == Version::HTTP_11);
    headers::remove_hop_by_hop(&mut head.headers);
    headers::join_cookies(&mut head.headers);
    let passage = Passage {
        upgrade,
        origin: headers::origin(&head.headers, client.peer.ip(), client.tls, &shared.config.trusted_proxies),
        asked: Asked::of(&head, id_value),
        ending: Ending::new(exchange.clone()),
        exchange,
        client,
    };
    if let Some(cause) = passage.refuse_unjudged(&head, &incoming) {
        return passage.turn_away(cause, incoming).await;
    }
    let step = match passage.judge_head(&head, &incoming) {
        step if has_bundle => step,
        _ => {
            passage.client.worker.shared.metrics.refused_without_bundle();
            Next::Stop(Cause::NoBundle)
        }
    };
    let group = passage.exchange.look(|t| t.zone_index()).flatten();
    let group = group.map(|zone| passage.client.worker.upstreams.group(&bundle, zone));
    drop(bundle);
    match (step, group) {
        (Next::Stop(cause), _) => passage.turn_away(cause, incoming).await,
        (_, Some(_)) if passage.is_under_maintenance() => passage.turn_away(Cause::Maintenance, incoming).await,
        (_, None) => passage.turn_away(Cause::UnknownHost, incoming).await,
        (step, Some(group)) => passage.forward(step, head, incoming, &group, in_flight).await,
    }
}

/// What an answer of our own needs to know of the request, when the request itself is gone.
struct Asked {
    request_id: HeaderValue,
    origin: Option<HeaderValue>,
    is_head: bool,
    /// The body only comes when it is asked for (RFC 9110 §10.1.1).
    holds_body_back: bool,
}

impl Asked {
    fn of(head: &request::Parts, request_id: HeaderValue) -> Asked {
        Asked {
            request_id,
            origin: head.headers.get(ORIGIN).cloned(),
            is_head: head.method == Method::HEAD,
            holds_body_back: head.headers.contains_key(EXPECT),
        }
    }

    fn problem(&self, cause: Cause, transaction: Option<&Transaction>) -> Response<ResponseBody> {
        let request_id = self.request_id.to_str().unwrap_or_default();
        let mut response = problem::answer(cause, transaction, request_id, self.origin.as_ref());
        response.headers_mut().insert(REQUEST_ID, self.request_id.clone());
        let is_head = self.is_head;
        response.map(|bytes| if is_head { ResponseBody::Empty } else { ResponseBody::Full(Some(bytes)) })
    }
}

/// A transaction between its request head and its response.
struct Passage {
    client: Rc<Client>,
    exchange: Rc<Exchange>,
    ending: Ending,
    origin: Origin,
    /// The protocol that the client would like to go on with.
    upgrade: Option<HeaderValue>,
    asked: Asked,
}

impl Passage {
    /// What is answered whatever the engine thinks of it: the guard's refusals, limits of the process, too many others.
    fn refuse_unjudged(&self, head: &request::Parts, body: &Incoming) -> Option<Cause> {
        let limits = &self.client.worker.shared.config.limits;
        let refusal = match self.client.refusal() {
            Some(refusal) => refusal,
            None if self.client.worker.is_overloaded() => return Some(Cause::Overloaded),
            None if !limits.allows_body(body.size_hint().lower()) => Refusal::BodyTooLarge,
            None if target(&head.uri).len() > limits.target_bytes => Refusal::TargetTooLong,
            None => return None,
        };
        let _ =
            self.exchange.judge(|transaction| transaction.refuse_head(refusal, &self.request_head(head, body), &self.around()));
        Some(Cause::Refused)
    }

    fn judge_head(&self, head: &request::Parts, body: &Incoming) -> Next {
        let step = self.exchange.judge(|transaction| transaction.request_head(&self.request_head(head, body), &self.around()));
        judge::next(step, &self.exchange, Some(&head.headers))
    }

    /// Whatever the mode is: it is no judgement of the request.
    fn is_under_maintenance(&self) -> bool {
        let is_so = |transaction: &Transaction| transaction.zone().is_some_and(|zone| zone.maintenance.enabled);
        self.exchange.look(is_so).unwrap_or(false)
    }

    fn around(&self) -> Surroundings<'_> {
        let worker = &self.client.worker;
        Surroundings { sampler: Some(&worker.shared.sampler), dice: worker.random(), hosts: &worker.shared.hosts }
    }

    fn request_head<'a>(&self, head: &'a request::Parts, body: &Incoming) -> RequestHead<'a> {
        RequestHead {
            method: head.method.as_str(),
            scheme: if self.origin.https { Scheme::Https } else { Scheme::Http },
            version: version(head.version),
            authority: head.uri.authority().map(|a| a.as_str()),
            target: target(&head.uri),
            headers: &head.headers,
            client: self.origin.client,
            body: body_length(body),
        }
    }

    /// Answers before the body was looked at. A short one is read and thrown away, so that the connection can be kept.
    async fn turn_away(self, cause: Cause, mut body: Incoming) -> Response<ResponseBody> {
        if self.client.refusal().is_some() {
            // What follows the refused head is not read as a request.
            self.client.set_unread_body(true);
        } else if self.client.is_stuck() && !self.asked.holds_body_back && discard(&mut body).await {
            self.client.set_unread_body(false);
        }
        self.refuse(cause)
    }

    /// Answers with a problem document and ends the transaction. Where the request's body is not read to its end, its
    /// connection says that it closes.
    fn refuse(self, cause: Cause) -> Response<ResponseBody> {
        if !matches!(cause, Cause::Blocked | Cause::Limited | Cause::Refused | Cause::UnknownHost | Cause::BodyOverLimit) {
            self.exchange.note_error(cause.row().code);
        }
        let response = self.exchange.look(|transaction| self.asked.problem(cause, Some(transaction)));
        let mut response = response.unwrap_or_else(|| self.asked.problem(cause, None));
        if self.client.must_close() {
            response.headers_mut().insert(CONNECTION, CLOSE);
        }
        self.exchange.status.set(response.status().as_u16());
        self.exchange.response_bytes.set(response.body().size_hint().exact().unwrap_or(0));
        self.ending.end();
        response
    }

    async fn forward(
        self,
        step: Next,
        mut head: request::Parts,
        incoming: Incoming,
        group: &Group,
        in_flight: InFlight,
    ) -> Response<ResponseBody> {
        if let Some(Err(cause)) = self.exchange.look(|transaction| prepare(&mut head, transaction, &self.exchange)) {
            return self.refuse(cause);
        }
        let body = match self.request_body(step, incoming).await {
            Ok(body) => body,
            Err(cause) => return self.refuse(cause),
        };
        let upgrade = self.upgrade.as_ref().filter(|_| group.speaks(UpstreamProtocol::Http1));
        let wants_upgrade = upgrade.is_some();
        self.write_headers(&mut head, &body, upgrade);
        let request = Request::from_parts(head, body);
        match group.send(request, &self.exchange).await {
            Err(cause) => self.refuse(cause),
            Ok(answer) => self.answer(answer, wants_upgrade, in_flight).await,
        }
    }

    /// Streams the request body, or holds it back as far as the engine wants to see it first.
    async fn request_body(&self, step: Next, mut incoming: Incoming) -> Result<RequestBody, Cause> {
        let judge = match step {
            _ if incoming.is_end_stream() && !matches!(step, Next::Body(_)) => return Ok(RequestBody::Empty),
            Next::Pass => None,
            Next::Stop(cause) => return Err(cause),
            Next::Body(BodyNeed::Pieces) => Some(PieceJudge::new(Side::Request)),
            Next::Body(BodyNeed::Whole { limit_bytes }) => {
                let collecting = judge::collect(Side::Request, limit_bytes, &self.exchange, |cx| {
                    let frame = ready!(poll_request_frame(&mut incoming, cx, &self.exchange));
                    let is_last = frame.as_ref().is_none_or(|frame| frame.as_ref().is_ok_and(Frame::is_trailers));
                    if is_last || incoming.is_end_stream() {
                        self.client.set_unread_body(false);
                    }
                    Poll::Ready(frame)
                });
                match self.in_time(collecting).await? {
                    Collected::All(held) => return Ok(RequestBody::held(held, self.exchange.clone())),
                    Collected::Begun(judge) => Some(judge),
                }
            }
        };
        let streaming = StreamingRequest::new(incoming, self.exchange.clone(), self.client.clone(), judge);
        Ok(RequestBody::Streaming(Box::new(streaming)))
    }

    /// Collecting waits for the client only: its pauses are bounded like those of a streamed body.
    async fn in_time<T>(&self, collecting: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
        let mut collecting = std::pin::pin!(collecting);
        let mut timer = crate::timer::LazyTimer::default();
        self.exchange.touch();
        std::future::poll_fn(|cx| match collecting.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result),
            Poll::Pending => timer.poll_until(cx, self.exchange.idle_deadline()).map(|()| Err(Cause::ClientSlow)),
        })
        .await
    }

    fn write_headers(&self, head: &mut request::Parts, body: &RequestBody, upgrade: Option<&HeaderValue>) {
        let fields = &mut head.headers;
        fields.remove(EXPECT);
        let forwarding = Forwarding {
            peer: &self.client.peer_value,
            peer_address: self.client.peer.ip(),
            origin: self.origin,
            request_id: &self.asked.request_id,
        };
        headers::write_forwarding(fields, &forwarding);
        if let Some(protocol) = upgrade {
            headers::set_upgrade(fields, protocol.clone());
        } else if fields.contains_key(TE) {
            fields.insert(CONNECTION, HeaderValue::from_static("te"));
        }
        frame_request(fields, body);
    }

    async fn answer(self, answer: Answer, wants_upgrade: bool, in_flight: InFlight) -> Response<ResponseBody> {
        let Answer { mut head, mut source } = answer;
        self.exchange.answered(head.status.as_u16());
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            return self.upgrade(head, source, wants_upgrade);
        }
        let step = self.exchange.judge(|transaction| {
            transaction.response_head(&ResponseHead {
                status: head.status.as_u16(),
                headers: &head.headers,
                body: body_length(source.incoming()),
            })
        });
        self.exchange.count_response();
        let judge = match judge::next(step, &self.exchange, None) {
            Next::Stop(cause) => return self.refuse(cause),
            Next::Pass => None,
            Next::Body(BodyNeed::Pieces) => Some(PieceJudge::new(Side::Response)),
            Next::Body(BodyNeed::Whole { limit_bytes }) => match self.collect_response(limit_bytes, &mut source).await {
                Ok(judge) => Some(judge),
                Err(cause) => return self.refuse(cause),
            },
        };
        self.exchange.status.set(head.status.as_u16());
        headers::remove_hop_by_hop(&mut head.headers);
        head.headers.insert(REQUEST_ID, self.asked.request_id.clone());
        self.exchange.look(|transaction| quota::write(&mut head.headers, transaction.verdict()));
        if self.client.must_close() {
            head.headers.insert(CONNECTION, CLOSE);
        }
        let is_bodyless = self.asked.is_head || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if !is_bodyless && source.incoming().size_hint().exact().is_none() {
            head.headers.remove(CONTENT_LENGTH);
        }
        head.version = Version::HTTP_11;
        if judge.is_none() && source.is_end_stream() {
            source.release();
            self.ending.end();
            return Response::from_parts(head, ResponseBody::Empty);
        }
        let body = StreamingResponse::new(source, judge, self.ending, in_flight);
        Response::from_parts(head, ResponseBody::Streaming(Box::new(body)))
    }

    async fn collect_response(&self, limit_bytes: usize, source: &mut Source) -> Result<PieceJudge, Cause> {
        let exchange = &self.exchange;
        exchange.touch();
        let collecting = judge::collect(Side::Response, limit_bytes, exchange, |cx| source.poll_in_time(cx, exchange));
        Ok(match collecting.await? {
            Collected::All(held) => PieceJudge::passed(Side::Response, held, true),
            Collected::Begun(judge) => judge,
        })
    }

    /// Leaves HTTP, if the client asked for that; an upstream that does so unasked is broken.
    fn upgrade(self, mut head: response::Parts, source: Source, wanted: bool) -> Response<ResponseBody> {
        let protocol = head.headers.get(http::header::UPGRADE).cloned();
        let (true, Some(protocol), Some((upstream, first))) = (wanted, protocol, source.into_stream()) else {
            return self.refuse(Cause::Garbage);
        };
        headers::remove_hop_by_hop(&mut head.headers);
        headers::set_upgrade(&mut head.headers, protocol);
        head.headers.insert(REQUEST_ID, self.asked.request_id.clone());
        head.version = Version::HTTP_11;
        self.exchange.status.set(head.status.as_u16());
        self.exchange.upgraded.set(true);
        self.client.set_upgrade(Upgrade { upstream, first, ending: self.ending });
        Response::from_parts(head, ResponseBody::Empty)
    }
}

/// Writes what goes upstream into the head: the normalised target, the one host. Takes the zone's times.
fn prepare(head: &mut request::Parts, transaction: &Transaction, exchange: &Exchange) -> Result<(), Cause> {
    if let Some(zone) = transaction.zone() {
        exchange.set_timeouts(&zone.timeouts);
    }
    if let Some(authority) = head.uri.authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Cause::Refused)?;
        head.headers.insert(HOST, host);
    }
    let target = transaction.upstream_target();
    let received = head.uri.path_and_query();
    let path = match received.filter(|received| received.as_str() == target) {
        Some(received) => received.clone(),
        None => PathAndQuery::from_maybe_shared(Bytes::copy_from_slice(target.as_bytes())).map_err(|_| Cause::Refused)?,
    };
    head.uri = Uri::from(path);
    head.version = Version::HTTP_11;
    head.extensions.clear();
    Ok(())
}

/// The framing fields say what the body is, whatever the client's said (RFC 9112 §6.3).
fn frame_request(fields: &mut HeaderMap, body: &RequestBody) {
    match body.size_hint().exact() {
        Some(0) if fields.contains_key(CONTENT_LENGTH) => {
            fields.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        Some(0) => {}
        Some(length) => {
            fields.insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        None => {
            fields.remove(CONTENT_LENGTH);
            fields.insert(TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
    }
}

/// Path and query; what has none and no scheme (`GET example.com`) is a target that only CONNECT may have.
fn target(uri: &Uri) -> &str {
    match (uri.path_and_query(), uri.scheme(), uri.authority()) {
        (Some(path), _, _) => path.as_str(),
        (None, None, Some(authority)) => authority.as_str(),
        (None, _, _) => "/",
    }
}

fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_2 => HttpVersion::Http2,
        Version::HTTP_11 => HttpVersion::Http11,
        _ => HttpVersion::Http10,
    }
}

fn body_length(body: &Incoming) -> BodyLength {
    match body.size_hint().exact() {
        Some(0) => BodyLength::None,
        Some(length) => BodyLength::Known(length),
        None => BodyLength::Unknown,
    }
}
