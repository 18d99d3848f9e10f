//! What the parts `tokens` and `token_keys` may say. Takes them as read, the secrets that were delivered and the paths that session
//! identifiers read; gives a zone's configurations, and adds an error with its path for everything that is wrong.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::check::{count, range, short_text};
use super::load::{Errors, parse};
use crate::tokens::configuration::media_type;
use crate::tokens::{Checks, ClaimPath, Configuration, Jwk, Key, KeySet, Secrets, Source, TokenCache};

/// What a zone and a configuration may hold. Cloudflare has 32 configurations of 16 keys and 4 sources each.
const MAX_CONFIGURATIONS: usize = 32;
const MAX_KEYS: usize = 64;
const MAX_SOURCES: usize = 4;
/// Of issuers, audiences, types and required claims each.
const MAX_NAMES: usize = 64;
const MAX_SKEW_SECONDS: u32 = 3_600;

/// What is handed in beside a bundle's bytes: the secrets of HMAC keys, and where verified tokens are remembered.
#[derive(Clone, Debug)]
pub struct TokenInputs {
    pub secrets: Secrets,
    pub cache: Arc<TokenCache>,
}

impl Default for TokenInputs {
    /// No secrets, and nothing is remembered.
    fn default() -> Self {
        Self { secrets: Secrets::default(), cache: TokenCache::new([0; 32], 0).into() }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokensPart {
    /// Each is read on its own, so that every broken one is reported.
    pub configurations: Vec<Box<RawValue>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenKeysPart {
    /// JWKs by the configuration's id.
    pub configurations: BTreeMap<String, Vec<Box<RawValue>>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigurationEntry {
    id: String,
    sources: Vec<SourceEntry>,
    #[serde(default)]
    issuers: Vec<Box<str>>,
    #[serde(default)]
    audiences: Vec<Box<str>>,
    #[serde(default)]
    types: Vec<Box<str>>,
    #[serde(default)]
    required_claims: Vec<Box<str>>,
    #[serde(default)]
    max_age_seconds: Option<u32>,
    #[serde(default = "default_skew")]
    clock_skew_seconds: u32,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum SourceEntry {
    Header(String),
    Cookie(String),
}

const fn default_skew() -> u32 {
    60
}

/// A path that a session identifier reads of the tokens of a configuration.
pub(super) struct ClaimUse {
    pub configuration: String,
    pub path: ClaimPath,
}

/// The parts of one zone, where each stands, and what they are read with.
pub(super) struct TokenParts<'p> {
    pub path: &'p str,
    pub keys_path: &'p str,
    pub tokens: &'p TokensPart,
    pub keys: &'p TokenKeysPart,
    pub claims: &'p [ClaimUse],
    pub inputs: &'p TokenInputs,
}

pub(super) fn configurations(parts: &TokenParts<'_>, errors: &mut Errors) -> Vec<Configuration> {
    let list = format!("{}.configurations", parts.path);
    count(&list, parts.tokens.configurations.len(), 0..=MAX_CONFIGURATIONS, errors);
    let mut compiled: Vec<Configuration> = Vec::new();
    for (index, raw) in parts.tokens.configurations.iter().enumerate().take(MAX_CONFIGURATIONS) {
        let path = format!("{list}[{index}]");
        let Some(entry) = parse::<ConfigurationEntry>(raw.get().as_bytes(), &path, errors) else { continue };
        if compiled.iter().any(|earlier| *earlier.id == *entry.id) {
            errors.add(format_args!("{path}.id"), "is the id of an earlier configuration");
        }
        compiled.push(configuration(&path, entry, raw, parts, errors));
    }
    for id in parts.keys.configurations.keys().filter(|id| !compiled.iter().any(|known| *known.id == ***id)) {
        errors.add(format_args!("{}.configurations.{id}", parts.keys_path), "is the id of no token configuration");
    }
    compiled
}

fn configuration(
    path: &str,
    entry: ConfigurationEntry,
    raw: &RawValue,
    parts: &TokenParts<'_>,
    errors: &mut Errors,
) -> Configuration {
    short_text(format_args!("{path}.id"), &entry.id, errors);
    if entry.id.contains([':', ';', '=', '@']) {
        errors.add(format_args!("{path}.id"), "has one of the characters `:`, `;`, `=` and `@`");
    }
    let names = [&entry.issuers, &entry.audiences, &entry.types, &entry.required_claims];
    for (member, names) in ["issuers", "audiences", "types", "required_claims"].into_iter().zip(names) {
        count(&format!("{path}.{member}"), names.len(), 0..=MAX_NAMES, errors);
    }
    range(format_args!("{path}.clock_skew_seconds"), entry.clock_skew_seconds, 0..=MAX_SKEW_SECONDS, errors);
    let sources = sources(&format!("{path}.sources"), entry.sources, errors);
    let (keys, said) = keys(&entry.id, parts, errors);
    let claims = parts.claims.iter().filter(|claim| claim.configuration == entry.id);
    let paths: Vec<_> = claims.map(|claim| claim.path.clone()).collect();
    let mut pieces = vec![raw.get().as_bytes().to_vec(), format!("{paths:?}").into_bytes()];
    pieces.extend(said);
    let pieces: Vec<_> = pieces.iter().map(Vec::as_slice).collect();
    let recorded_as = format!("{}@{}", entry.id, &blake3::hash(raw.get().as_bytes()).to_hex()[..8]);
    Configuration {
        fingerprint: parts.inputs.cache.fingerprint(&pieces),
        recorded_valid: format!("{recorded_as}=valid").into(),
        recorded_as: recorded_as.into(),
        id: entry.id.into(),
        sources,
        checks: Checks {
            issuers: entry.issuers,
            audiences: entry.audiences,
            types: entry.types.iter().map(|text| media_type(text)).collect(),
            required_claims: entry.required_claims,
            max_age_seconds: entry.max_age_seconds,
            clock_skew_seconds: entry.clock_skew_seconds,
        },
        keys,
        paths,
    }
}

fn sources(path: &str, entries: Vec<SourceEntry>, errors: &mut Errors) -> Vec<Source> {
    count(path, entries.len(), 1..=MAX_SOURCES, errors);
    let mut sources = Vec::new();
    for (index, entry) in entries.into_iter().enumerate() {
        match source(entry) {
            Ok(same) if sources.contains(&same) => errors.add(format_args!("{path}[{index}]"), "is there twice"),
            Ok(other) => sources.push(other),
            Err(message) => errors.add(format_args!("{path}[{index}]"), message),
        }
    }
    sources
}

/// A cookie's name is a token as a header's is (RFC 6265 §4.1.1), but with its own case.
fn source(entry: SourceEntry) -> Result<Source, &'static str> {
    let name = |text: &str| HeaderName::from_bytes(text.as_bytes()).map_err(|_| "is not the name of a header or cookie");
    match entry {
        SourceEntry::Header(text) => match name(&text)? {
            name if name.as_str() == text => Ok(Source::Header(name)),
            _ => Err("is not in lower case"),
        },
        SourceEntry::Cookie(text) => name(&text).map(|_| Source::Cookie(text.into())),
    }
}

/// The keys of one configuration, and everything that was said of them: a change of it forgets the tokens that they verified.
fn keys(id: &str, parts: &TokenParts<'_>, errors: &mut Errors) -> (KeySet, Vec<Vec<u8>>) {
    let path = format!("{}.configurations.{id}", parts.keys_path);
    let entries = parts.keys.configurations.get(id).map_or(&[][..], Vec::as_slice);
    count(&path, entries.len(), 0..=MAX_KEYS, errors);
    let (mut keys, mut said) = (Vec::new(), Vec::new());
    for (index, raw) in entries.iter().enumerate().take(MAX_KEYS) {
        let path = format!("{path}[{index}]");
        let Some(jwk) = parse::<Jwk>(raw.get().as_bytes(), &path, errors) else { continue };
        let secret = jwk.secret.as_deref().and_then(|id| parts.inputs.secrets.get(id));
        said.extend([raw.get().as_bytes().to_vec(), secret.unwrap_or_default().to_vec()]);
        match Key::from_jwk(&jwk, secret) {
            Ok(key) => keys.push(key),
            Err((member, message)) => errors.add(format_args!("{path}.{member}"), message),
        }
    }
    let set = KeySet::new(keys).map_err(|message| errors.add(&path, message));
    (set.unwrap_or_default(), said)
}
