//! One token configuration: where its tokens are, which keys verify them, what their claims must say. Takes a request's headers and
//! the clock, gives what became of the token.

use std::sync::Arc;

use http::HeaderMap;

use super::cache::TokenCache;
use super::claims::{self, Verified};
use super::error::TokenError;
use super::jsonpath::ClaimPath;
use super::jws::Compact;
use super::keys::KeySet;
use super::source::{self, Source};
use crate::json::{Kind, Value};
use crate::timestamp::Timestamp;

/// See the module.
#[derive(Debug)]
pub struct Configuration {
    pub id: Arc<str>,
    /// How records name it: its id, and a hash of what the policy says of it.
    pub recorded_as: Box<str>,
    /// What records hold of a request whose only token is valid: nearly all of them.
    pub recorded_valid: Arc<str>,
    pub sources: Vec<Source>,
    pub checks: Checks,
    pub keys: KeySet,
    /// What the zone's session identifiers read of its tokens.
    pub paths: Vec<ClaimPath>,
    /// Everything above, hashed: what tokens are remembered under.
    pub fingerprint: [u8; 32],
}

/// What is asked of a token beside its signature. An empty list asks nothing.
#[derive(Debug, Default)]
pub struct Checks {
    pub issuers: Vec<Box<str>>,
    pub audiences: Vec<Box<str>>,
    /// As [`media_type`] writes them.
    pub types: Vec<Box<str>>,
    pub required_claims: Vec<Box<str>>,
    pub max_age_seconds: Option<u32>,
    pub clock_skew_seconds: u32,
}

/// What became of the token of one configuration in one request.
#[derive(Clone, Debug)]
pub struct Judged {
    pub outcome: Outcome,
    /// The signature was not verified again.
    pub is_cached: bool,
}

/// See [`Judged`].
#[derive(Clone, Debug)]
pub enum Outcome {
    /// No source holds anything.
    Absent,
    Refused(TokenError),
    Valid(Arc<Verified>),
}

impl Outcome {
    /// `absent`, `valid` or the error's code: what records and metrics hold.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::Refused(error) => error.code(),
            Self::Valid(_) => "valid",
        }
    }
}

impl Configuration {
    /// Finds and judges the token of a request.
    #[must_use]
    pub fn judge(&self, headers: &HeaderMap, now: Timestamp, cache: &TokenCache) -> Judged {
        let refused = |error| Judged { outcome: Outcome::Refused(error), is_cached: false };
        match source::find(&self.sources, headers) {
            Ok(None) => Judged { outcome: Outcome::Absent, is_cached: false },
            Ok(Some(token)) => self.judge_token(token, now, cache).unwrap_or_else(refused),
            Err(error) => refused(error),
        }
    }

    /// Judges a token.
    ///
    /// # Errors
    /// Why it is refused.
    pub fn judge_token(&self, token: &[u8], now: Timestamp, cache: &TokenCache) -> Result<Judged, TokenError> {
        let hash = *blake3::keyed_hash(&self.fingerprint, token).as_bytes();
        if let Some(verified) = cache.get(&hash) {
            let outcome = self.check_times(&verified, now).map_or_else(Outcome::Refused, |()| Outcome::Valid(verified));
            return Ok(Judged { outcome, is_cached: true });
        }
        let verified = Arc::new(self.verify(token)?);
        self.check_times(&verified, now)?;
        cache.put(hash, verified.clone());
        Ok(Judged { outcome: Outcome::Valid(verified), is_cached: false })
    }

    /// Everything that does not depend on the clock. The payload is not looked at before the signature is known to be good.
    fn verify(&self, token: &[u8]) -> Result<Verified, TokenError> {
        let token = Compact::parse(token)?;
        self.keys.verify(&token)?;
        let (text, document) = claims::parse(&token.payload)?;
        self.checks.check_type(token.header.r#type.as_deref())?;
        let verified = Verified::read(text, &document, &self.paths)?;
        self.checks.check_claims(&verified, document.root())?;
        Ok(verified)
    }

    fn check_times(&self, verified: &Verified, now: Timestamp) -> Result<(), TokenError> {
        let millis = |seconds: u32| i64::from(seconds) * 1_000;
        let Checks { clock_skew_seconds, max_age_seconds, .. } = self.checks;
        verified.times.check(now.micros() / 1_000, millis(clock_skew_seconds), max_age_seconds.map(millis))
    }
}

impl Checks {
    fn check_type(&self, r#type: Option<&str>) -> Result<(), TokenError> {
        let is_among = |r#type: &str| self.types.iter().any(|allowed| **allowed == *media_type(r#type));
        if self.types.is_empty() || r#type.is_some_and(is_among) { Ok(()) } else { Err(TokenError::Type) }
    }

    fn check_claims(&self, verified: &Verified, root: Value<'_, '_>) -> Result<(), TokenError> {
        // RFC 7519 §4.1.1: `iss` is a string, compared exactly; a number that reads alike is none.
        let issuer = root.get("iss").and_then(Value::as_str);
        let is_issuer = issuer.is_some_and(|issuer| self.issuers.iter().any(|allowed| **allowed == *issuer));
        if !self.issuers.is_empty() && !is_issuer {
            return Err(TokenError::Issuer);
        }
        if !self.audiences.is_empty() && !verified.audiences.iter().any(|audience| self.audiences.contains(audience)) {
            return Err(TokenError::Audience);
        }
        let is_there = |name: &str| root.get(name).is_some_and(|value| value.kind() != Kind::Null);
        if self.required_claims.iter().all(|name| is_there(name)) { Ok(()) } else { Err(TokenError::ClaimMissing) }
    }
}

/// RFC 7515 §4.1.9: a media type, compared without case, whose `application/` may be left out where no other `/` is in it.
#[must_use]
pub fn media_type(text: &str) -> Box<str> {
    let lower = text.to_ascii_lowercase();
    let short = lower.strip_prefix("application/").filter(|rest| !rest.contains('/'));
    short.unwrap_or(&lower).into()
}
