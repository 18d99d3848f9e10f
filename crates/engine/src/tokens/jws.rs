//! The compact serialisation (RFC 7515 §7.1) of a signed token, parsed strictly: what two verifiers could read in two ways is refused
//! with its own code before any key is touched. Takes the token's bytes, gives header, payload and signature.

use std::borrow::Cow;

use super::algorithm::Algorithm;
use super::base64url;
use super::error::TokenError;
use crate::json::{Document, IssueKind, Kind, Limits, Value, parse};

/// Bytes of a token. What fits into a cookie is a quarter of this; groups of a directory in a claim may take most of it.
pub const MAX_TOKEN_BYTES: usize = 16_384;
/// Bytes of a decoded header, and how it may be nested: it holds names and short strings.
const HEADER: Limits = Limits { bytes: 4_096, depth: 8, nodes: 512, issues: 64 };
/// Bytes of a decoded payload.
const PAYLOAD: Limits = Limits { bytes: MAX_TOKEN_BYTES, depth: 64, nodes: 4_096, issues: 64 };

/// A token that can be verified; nothing of it is trusted yet.
#[derive(Debug)]
pub struct Compact<'a> {
    pub header: Header,
    /// Header and payload as they were signed.
    pub signing_input: &'a [u8],
    pub payload: Vec<u8>,
    pub signature: Vec<u8>,
}

/// The members of a header that count.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    pub algorithm: Algorithm,
    pub kid: Option<Box<str>>,
    pub r#type: Option<Box<str>>,
}

/// Members that would let a token choose its own key (RFC 7515 §10.3 and §10.10 warn of it). Their being there is refused, lest
/// what is behind the gateway follow them.
const EMBEDDED: [(&str, TokenError); 4] = [
    ("jwk", TokenError::EmbeddedJwk),
    ("jku", TokenError::EmbeddedJku),
    ("x5u", TokenError::EmbeddedX5u),
    ("x5c", TokenError::EmbeddedX5c),
];

impl<'a> Compact<'a> {
    /// # Errors
    /// The first reason to refuse it.
    pub fn parse(token: &'a [u8]) -> Result<Self, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let parts: Vec<_> = token.splitn(6, |byte| *byte == b'.').collect();
        let [header, payload, signature] = parts[..] else {
            return Err(if parts.len() == 5 { TokenError::Encrypted } else { TokenError::Parts });
        };
        let decoded = base64url::decode(header).ok_or(TokenError::Encoding)?;
        Ok(Self {
            header: Header::parse(&decoded)?,
            signing_input: &token[..header.len() + 1 + payload.len()],
            payload: base64url::decode(payload).ok_or(TokenError::Encoding)?,
            signature: base64url::decode(signature).ok_or(TokenError::Encoding)?,
        })
    }
}

impl Header {
    fn parse(bytes: &[u8]) -> Result<Self, TokenError> {
        let document = object(bytes, &HEADER, TokenError::HeaderInvalid, TokenError::HeaderDuplicate)?;
        let root = document.root();
        let member = |name: &str| root.get(name);
        if let Some((_, error)) = EMBEDDED.into_iter().find(|(name, _)| member(name).is_some()) {
            return Err(error);
        }
        // RFC 7797 §7: a JWT must not use it. Without `crit`, some libraries would still follow it.
        match member("b64").map(Value::as_bool) {
            None | Some(Some(true)) => {}
            Some(Some(false)) => return Err(TokenError::Unencoded),
            Some(None) => return Err(TokenError::HeaderInvalid),
        }
        if member("crit").is_some() {
            return Err(TokenError::Critical);
        }
        let name = text(member("alg"))?.ok_or(TokenError::AlgorithmMissing)?;
        let algorithm = Algorithm::parse(&name).ok_or_else(|| unknown_algorithm(&name))?;
        let kid = text(member("kid"))?.map(|kid| kid.as_ref().into());
        let r#type = text(member("typ"))?.map(|r#type| r#type.as_ref().into());
        Ok(Self { algorithm, kid, r#type })
    }
}

/// Parses a payload (RFC 7519 §7.2: a JSON object), without a name twice.
///
/// # Errors
/// It is not one.
pub(super) fn payload(bytes: &[u8]) -> Result<Document<'_>, TokenError> {
    object(bytes, &PAYLOAD, TokenError::PayloadInvalid, TokenError::PayloadDuplicate)
}

fn object<'b>(bytes: &'b [u8], limits: &Limits, invalid: TokenError, duplicate: TokenError) -> Result<Document<'b>, TokenError> {
    let document = parse(bytes, limits).map_err(|_| invalid)?;
    let has = |kind| document.issues().iter().any(|issue| issue.kind == kind);
    if has(IssueKind::DuplicateKey) {
        return Err(duplicate);
    }
    // Among issues that were not kept may be a name that stands twice.
    let is_odd = has(IssueKind::LoneSurrogate) || has(IssueKind::ByteOrderMark) || document.issues_dropped() > 0;
    if is_odd || document.root().kind() != Kind::Object { Err(invalid) } else { Ok(document) }
}

/// A member that is a string where it is there.
fn text<'a>(value: Option<Value<'_, 'a>>) -> Result<Option<Cow<'a, str>>, TokenError> {
    value.map(|value| value.as_str().ok_or(TokenError::HeaderInvalid)).transpose()
}

fn unknown_algorithm(name: &str) -> TokenError {
    if name.trim().eq_ignore_ascii_case("none") { TokenError::AlgorithmNone } else { TokenError::AlgorithmUnknown }
}
