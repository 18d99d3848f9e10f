//! What facts are read from: the parts of one transaction that are known so far. Owned and bounded; read by features, written
//! only by the Transaction.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderMap;
use smallvec::SmallVec;

use super::body::InspectedBody;
use super::message::{BodyLength, HttpVersion, Scheme};
use crate::bundle::{Bundle, Zone, ZoneIndex};
use crate::features::json::JsonBody;
use crate::hash::Hash64;
use crate::operations::Operation;
use crate::timestamp::Timestamp;
use crate::tokens::{Configuration, Judged};
use crate::url::{Anomalies, Target};
use crate::verdict::FactError;

/// Methods that are written as they are, here and in records.
const KNOWN_METHODS: [&str; 9] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "QUERY"];

/// See the module.
#[derive(Debug)]
pub struct Inspected {
    pub(super) bundle: Arc<Bundle>,
    /// When the transaction began.
    pub began: Timestamp,
    pub(super) zone: Option<ZoneIndex>,
    pub(super) operation: Option<u32>,
    pub method: Cow<'static, str>,
    pub scheme: Scheme,
    pub version: HttpVersion,
    pub client: IpAddr,
    /// Lower case, without port; empty when it is not one.
    pub host: Arc<str>,
    /// The zone names the host, or it answered successfully before.
    pub host_known: bool,
    /// The session's keyed hash, as the record holds it; there once the zone is known.
    pub session: Option<Hash64>,
    /// A session identifier of the zone is present.
    pub has_identifier: bool,
    /// A CORS preflight.
    pub is_preflight: bool,
    /// Head or query ask for another method.
    pub has_method_override: bool,
    /// Normalised path and query.
    pub(super) target: Box<str>,
    pub(super) path_bytes: usize,
    /// Only where it is not the normalised one.
    pub(super) raw_path: Option<Box<str>>,
    pub anomalies: Anomalies,
    pub body_length: BodyLength,
    pub request_content_type: Option<Cow<'static, str>>,
    /// A `Content-Type` says JSON.
    pub claims_json: bool,
    /// A `Content-Encoding` other than `identity`.
    pub is_encoded: bool,
    pub body: InspectedBody,
    /// The parsed body, once a fact asked.
    pub(crate) json: OnceCell<Result<JsonBody, FactError>>,
    /// Whether a form in the body asks for another method, once a fact asked.
    pub(crate) form_override: OnceCell<bool>,
    /// What became of the tokens of each of the zone's configurations, once a fact asked.
    pub(super) tokens: SmallVec<[OnceCell<Judged>; 1]>,
    pub response_status: Option<u16>,
}

impl Inspected {
    pub(super) fn new(bundle: Arc<Bundle>, began: Timestamp) -> Self {
        Self {
            bundle,
            began,
            zone: None,
            operation: None,
            method: Cow::Borrowed(""),
            scheme: Scheme::Http,
            version: HttpVersion::Http11,
            client: IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED),
            host: Arc::default(),
            host_known: false,
            session: None,
            has_identifier: false,
            is_preflight: false,
            has_method_override: false,
            target: Box::default(),
            path_bytes: 0,
            raw_path: None,
            anomalies: Anomalies::default(),
            body_length: BodyLength::None,
            request_content_type: None,
            claims_json: false,
            is_encoded: false,
            body: InspectedBody::default(),
            json: OnceCell::new(),
            form_override: OnceCell::new(),
            tokens: SmallVec::new(),
            response_status: None,
        }
    }

    pub(super) fn set_method(&mut self, method: &str) {
        let known = KNOWN_METHODS.into_iter().find(|known| *known == method);
        self.method = known.map_or_else(|| Cow::Owned(method.to_owned()), Cow::Borrowed);
    }

    pub(super) fn set_target(&mut self, target: &Target<'_>) {
        self.path_bytes = target.path.len();
        self.raw_path = matches!(target.path, Cow::Owned(_)).then(|| target.raw_path.into());
        self.anomalies = target.anomalies;
        self.target = match target.query {
            None => target.path.as_ref().into(),
            Some(query) => {
                let mut whole = String::with_capacity(target.path.len() + 1 + query.len());
                whole.extend([&target.path, "?", query]);
                whole.into()
            }
        };
    }

    /// The method if it is a registered one, else `<other>`.
    #[must_use]
    pub fn known_method(&self) -> &str {
        match &self.method {
            Cow::Borrowed(method) => method,
            Cow::Owned(_) => "<other>",
        }
    }

    /// The zone whose API is called.
    #[must_use]
    pub fn zone(&self) -> Option<&Zone> {
        self.zone.map(|index| self.bundle.zone(index))
    }

    /// The saved operation that is called.
    #[must_use]
    pub fn operation(&self) -> Option<&Operation> {
        self.zone()?.operations.list().get(self.operation? as usize)
    }

    /// The normalised path.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.target[..self.path_bytes]
    }

    /// Normalised path and query.
    #[must_use]
    pub fn upstream_target(&self) -> &str {
        &self.target
    }

    /// The path as received.
    #[must_use]
    pub fn raw_path(&self) -> &str {
        self.raw_path.as_deref().unwrap_or_else(|| self.path())
    }

    /// The query, without `?`.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.target.get(self.path_bytes + 1..)
    }

    /// The zone's token configurations, each with what became of its token where something asked.
    pub(crate) fn judged_tokens(&self) -> impl Iterator<Item = (&Configuration, &Judged)> {
        let configurations = self.zone().map_or(&[][..], |zone| &zone.tokens);
        configurations.iter().zip(&self.tokens).filter_map(|(configuration, slot)| Some((configuration, slot.get()?)))
    }

    /// What became of the token of the configuration at this place: judged at the first question. None where there is no such
    /// configuration, or where it was never asked while the headers were at hand.
    pub(crate) fn token(&self, configuration: usize, headers: Option<&HeaderMap>) -> Option<&Judged> {
        let slot = self.tokens.get(configuration)?;
        match (slot.get(), headers) {
            (None, Some(headers)) => {
                let configuration = self.zone()?.tokens.get(configuration)?;
                Some(slot.get_or_init(|| configuration.judge(headers, self.began, &self.bundle.token_cache)))
            }
            (judged, _) => judged,
        }
    }

    /// Its place in the zone's list.
    pub(crate) const fn operation_index(&self) -> Option<u32> {
        self.operation
    }
}
