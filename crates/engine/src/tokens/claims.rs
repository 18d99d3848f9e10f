//! The claims of a token whose signature was verified (RFC 7519 §4). Nothing else ever makes a [`Verified`], so that whatever holds
//! one may read it.

use super::error::TokenError;
use super::jsonpath::{ClaimPath, text_of};
use super::jws;
use crate::json::{Document, Kind, Value};

/// A verified token.
#[derive(Debug)]
pub struct Verified {
    /// The payload, a JSON object.
    pub payload: Box<str>,
    pub issuer: Option<Box<str>>,
    pub subject: Option<Box<str>>,
    pub jwt_id: Option<Box<str>>,
    pub audiences: Box<[Box<str>]>,
    pub times: Times,
    /// What the zone's session identifiers select, in the order of the configuration's paths.
    pub selected: Box<[Option<Box<str>>]>,
}

/// The claims that are instants (RFC 7519 §2, NumericDate), in milliseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Times {
    pub expires: Option<i64>,
    pub not_before: Option<i64>,
    pub issued_at: Option<i64>,
}

impl Verified {
    /// Reads the claims of a payload whose signature was verified.
    pub(super) fn read(payload: &str, document: &Document<'_>, paths: &[ClaimPath]) -> Result<Self, TokenError> {
        let root = document.root();
        let text = |name: &str| root.get(name).and_then(text_of).map(|text| text.as_ref().into());
        let times = Times {
            expires: instant(root.get("exp"))?,
            not_before: instant(root.get("nbf"))?,
            issued_at: instant(root.get("iat"))?,
        };
        let selected = paths.iter().map(|path| path.select(root).map(|text| text.as_ref().into()));
        Ok(Self {
            issuer: text("iss"),
            subject: text("sub"),
            jwt_id: text("jti"),
            audiences: audiences(root.get("aud")),
            times,
            selected: selected.collect(),
            payload: payload.into(),
        })
    }

    /// About how much memory it takes, bytes.
    pub(super) fn bytes(&self) -> usize {
        let texts =
            [&self.issuer, &self.subject, &self.jwt_id].into_iter().chain(&self.selected).flatten().chain(&self.audiences);
        let texts: usize = texts.map(|text| text.len() + 32).sum();
        size_of::<Self>() + self.payload.len() + texts
    }
}

impl Times {
    /// Whether the token may be used now; all in milliseconds.
    ///
    /// # Errors
    /// Why it may not.
    pub fn check(&self, now: i64, skew: i64, max_age: Option<i64>) -> Result<(), TokenError> {
        // RFC 7519 §4.1.4: `exp` itself is no longer valid; §4.1.5: `nbf` itself is.
        if self.expires.is_some_and(|expires| now >= expires.saturating_add(skew)) {
            return Err(TokenError::Expired);
        }
        if self.not_before.is_some_and(|not_before| now < not_before.saturating_sub(skew)) {
            return Err(TokenError::NotYetValid);
        }
        if self.issued_at.is_some_and(|issued_at| now < issued_at.saturating_sub(skew)) {
            return Err(TokenError::IssuedInFuture);
        }
        let Some(max_age) = max_age else { return Ok(()) };
        let is_young = |issued_at: i64| now <= issued_at.saturating_add(max_age).saturating_add(skew);
        if self.issued_at.is_some_and(is_young) { Ok(()) } else { Err(TokenError::TooOld) }
    }
}

/// Whole and broken seconds alike; beyond all time stays beyond all time.
fn instant(value: Option<Value<'_, '_>>) -> Result<Option<i64>, TokenError> {
    let Some(value) = value else { return Ok(None) };
    let seconds = value.as_number().ok_or(TokenError::ClaimInvalid)?.as_f64();
    if seconds.is_finite() { Ok(Some((seconds * 1_000.0) as i64)) } else { Err(TokenError::ClaimInvalid) }
}

/// RFC 7519 §4.1.3: a string, or an array of strings.
fn audiences(value: Option<Value<'_, '_>>) -> Box<[Box<str>]> {
    let Some(value) = value else { return Box::default() };
    let one = (value.kind() == Kind::String).then_some(value);
    one.into_iter().chain(value.elements()).filter_map(|audience| Some(audience.as_str()?.as_ref().into())).collect()
}

/// A payload's text and its parsed form.
pub(super) fn parse(payload: &[u8]) -> Result<(&str, Document<'_>), TokenError> {
    let document = jws::payload(payload)?;
    let text = std::str::from_utf8(payload).map_err(|_| TokenError::PayloadInvalid)?;
    Ok((text, document))
}
