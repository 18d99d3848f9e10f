//! The whole projection for tests: a call goes through a Transaction, what is written down of it comes out.

use std::net::IpAddr;
use std::sync::Arc;

use engine::observe::{LiteralTable, observe};
use engine::record::Observation;
use engine::testing::BundleText;
use engine::{
    BodyLength, Bundle, Ended, HttpVersion, Keys, Mode, Outcome, RequestHead, RequestId, ResponseHead, Sampler, Scheme, Step,
    Surroundings, Timestamp, Transaction,
};
use http::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::json;

/// One call as a client and an upstream make it.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: &'static str,
    pub target: String,
    pub request_headers: Vec<(String, Vec<u8>)>,
    pub request_body: Vec<u8>,
    pub response_headers: Vec<(String, Vec<u8>)>,
    pub response_body: Vec<u8>,
    /// After which bytes the bodies are cut into pieces.
    pub cuts: Vec<usize>,
}

impl Default for Call {
    fn default() -> Self {
        Self {
            method: "POST",
            target: "/v1/things".to_owned(),
            request_headers: Vec::new(),
            request_body: Vec::new(),
            response_headers: Vec::new(),
            response_body: Vec::new(),
            cuts: Vec::new(),
        }
    }
}

/// What was written down of one call.
pub struct Written {
    pub ended: Ended,
    pub observations: Vec<Observation>,
}

/// A gateway's memory: its bundle, sampler and table of literals.
pub struct Projection {
    bundle: Arc<Bundle>,
    keys: Keys,
    sampler: Sampler,
    literals: LiteralTable,
    calls: u64,
}

impl Projection {
    /// Samples everything; logs a violation for what matches none of these operations (method, host, path) and for JSON that is broken or
    /// ambiguous.
    pub fn new(operations: &[[&str; 3]]) -> Self {
        let rules: Vec<_> = [
            ("request_head", "cf.api_gateway.fallthrough_detected", "operations.fallthrough"),
            ("request_body", "hoplon.request.json.invalid", "json.invalid"),
            ("request_body", "hoplon.request.json.duplicate_key", "json.duplicate_key"),
        ]
        .into_iter()
        .map(|(phase, fact, code)| engine::testing::rule(code, phase, fact, "log", code, "open"))
        .collect();
        let mut zone = engine::testing::zone(engine::testing::ZONE_ID, &[]);
        zone["observe"]["probability"] = json!(1.0);
        zone["observe"]["per_session_per_minute"] = json!(1000);
        let operations = engine::testing::operations_part(operations);
        let bundle = BundleText::default().with(&zone, &operations, &json!({"rules": rules})).load().unwrap();
        Self {
            bundle: Arc::new(bundle),
            keys: Keys::derive(&[42; 32]),
            sampler: Sampler::default(),
            literals: LiteralTable::default(),
            calls: 0,
        }
    }

    /// Sends a call as the given client, who has a token of their own unless the call brings one.
    pub fn send(&mut self, call: &Call, client: u8) -> Written {
        self.calls += 1;
        let now = Timestamp::from_micros(1_763_700_000_000_000 + self.calls as i64);
        let id = RequestId::new(now, u128::from(self.calls));
        let mut headers = header_map(&call.request_headers);
        headers.insert("host", HeaderValue::from_static("shop.test"));
        if !headers.contains_key("authorization") {
            headers.insert("authorization", HeaderValue::try_from(format!("Bearer client-{client}")).unwrap());
        }
        let mut transaction = Transaction::begin(self.bundle.clone(), &self.keys, id, now, Mode::Enforce);
        let head = RequestHead {
            method: call.method,
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            authority: None,
            target: &call.target,
            headers: &headers,
            client: IpAddr::from([192, 0, 2, client]),
            body: BodyLength::Known(call.request_body.len() as u64),
        };
        let around = Surroundings { sampler: Some(&self.sampler), ..Surroundings::default() };
        if let Step::NeedBody(_) = transaction.request_head(&head, &around) {
            transaction.request_body(&call.request_body, true);
        }
        pieces(&call.request_body, &call.cuts).for_each(|piece| transaction.observe_request_piece(piece));
        let headers = header_map(&call.response_headers);
        transaction.response_head(&ResponseHead { status: 200, headers: &headers, body: BodyLength::Unknown });
        pieces(&call.response_body, &call.cuts).for_each(|piece| transaction.observe_response_piece(piece));
        let ended = transaction.end(&Outcome { end: now, status: 200, upstream_status: Some(200), ..Outcome::default() });
        let observations =
            ended.sample.as_ref().map_or_else(Vec::new, |sample| observe(sample, &ended.record, &mut self.literals, &self.keys));
        Written { ended, observations }
    }
}

fn header_map(headers: &[(String, Vec<u8>)]) -> HeaderMap {
    let parse = |(name, value): &(String, Vec<u8>)| {
        (HeaderName::try_from(name.as_str()).unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    headers.iter().map(parse).collect()
}

fn pieces<'b>(body: &'b [u8], cuts: &[usize]) -> impl Iterator<Item = &'b [u8]> {
    let mut ends: Vec<usize> = cuts.iter().map(|cut| cut % (body.len() + 1)).chain([body.len()]).collect();
    ends.sort_unstable();
    let mut start = 0;
    ends.into_iter().map(move |end| &body[std::mem::replace(&mut start, end)..end])
}
