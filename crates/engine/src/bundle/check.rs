//! What the parts of a bundle may say: ranges, names, references. Takes parts as read; gives their compiled form and adds an
//! error with its path for everything that is wrong.

use std::collections::HashMap;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use serde_json::value::RawValue;

use super::format::{
    BlockSettings, IdentifierEntry, IdentifierType, IdentityPart, ManifestZone, ObserveSettings, OperationEntry, OperationsPart,
    RuleEntry, RulesPart, TimeoutsEntry, UpstreamEntry, ZonePart,
};
use super::load::{Errors, parse};
use super::serving;
use super::tokens::ClaimUse;
use super::zone::{Timeouts, Upstream, Zone};
use crate::host::{HostPattern, parse_authority};
use crate::identity::{Identifier, Identifiers};
use crate::limits::{Limit, LimitEntry, Limits, LimitsPart, MAX_LIMITS};
use crate::observe::PathPlan;
use crate::operations::template::PathTemplate;
use crate::operations::{Operation, Operations};
use crate::program::{Lists, ListsPart};
use crate::rules::{References, Rule, Rules};
use crate::tokens::{ClaimPath, Configuration};
use crate::transaction::Scheme;

/// What a zone may hold.
pub const MAX_HOSTS: usize = 1_000;
pub const MAX_UPSTREAMS: usize = 64;
pub const MAX_OPERATIONS: usize = 100_000;
pub const MAX_RULES: usize = 100_000;
pub const MAX_IDENTIFIERS: usize = 10;
/// Bytes of a name or an id.
const MAX_NAME_BYTES: usize = 255;
const MAX_BODY_BYTES: usize = 64 << 20;
const MAX_SECONDS: f64 = 86_400.0;
const MAX_SOCKET_PATH_BYTES: usize = 107;

pub(super) fn created_at(text: &str, errors: &mut Errors) {
    if !is_rfc3339(text) {
        errors.add("manifest.created_at", "is not a time as in RFC 3339: 2026-11-21T12:00:00Z");
    }
}

/// The shape only: nothing is computed from it.
fn is_rfc3339(text: &str) -> bool {
    let fits = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(b, s)| if s == b'0' { b.is_ascii_digit() } else { b == s })
    };
    let Some((time, rest)) = text.split_at_checked(19) else { return false };
    let zone = rest.strip_prefix('.').map_or(rest, |digits| digits.trim_start_matches(|c: char| c.is_ascii_digit()));
    fits(time, "0000-00-00T00:00:00") && (zone == "Z" || fits(zone, "+00:00") || fits(zone, "-00:00"))
}

pub(super) fn count(path: &str, found: usize, allowed: RangeInclusive<usize>, errors: &mut Errors) {
    if !allowed.contains(&found) {
        errors.add(path, format_args!("has {found} entries, not {} to {}", allowed.start(), allowed.end()));
    }
}

pub(super) fn zone_id(path: &str, id: &str, errors: &mut Errors) {
    if id.len() != 32 || !id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        errors.add(format_args!("{path}.id"), "is not 32 lower-case hex digits");
    }
}

pub(super) fn name(path: &str, name: &str, errors: &mut Errors) {
    short_text(format_args!("{path}.name"), name, errors);
}

pub(super) fn short_text(path: impl Display, text: &str, errors: &mut Errors) {
    if text.is_empty() || text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
        errors.add(path, format_args!("is not 1 to {MAX_NAME_BYTES} bytes without control characters"));
    }
}

pub(super) fn range<T: PartialOrd + Display>(path: impl Display, value: T, allowed: RangeInclusive<T>, errors: &mut Errors) {
    // Written so that a NaN is out of every range.
    if !allowed.contains(&value) {
        errors.add(path, format_args!("is {value}, not {} to {}", allowed.start(), allowed.end()));
    }
}

/// Settings, hosts and upstreams; operations and rules are set by whoever has them.
pub(super) fn zone(path: &str, part: ZonePart, entry: &ManifestZone, errors: &mut Errors) -> Option<Zone> {
    let before = errors.count();
    for (member, said, expected) in [("id", &part.id, &entry.id), ("name", &part.name, &entry.name)] {
        if said != expected {
            errors.add(format_args!("{path}.{member}"), format_args!("is `{said}`, the manifest says `{expected}`"));
        }
    }
    let hosts = hosts(path, &part.hosts, errors);
    let upstreams = upstreams(path, &part.upstreams, errors);
    range(format_args!("{path}.inspection_limit_bytes"), part.inspection_limit_bytes, 0..=MAX_BODY_BYTES, errors);
    observe(&format!("{path}.observe"), &part.observe, errors);
    block(&format!("{path}.block"), part.block, errors);
    serving::maintenance(&format!("{path}.maintenance"), &part.maintenance, errors);
    serving::balancing(&format!("{path}.balancing"), part.balancing, errors);
    serving::retries(&format!("{path}.retries"), part.retries, errors);
    let health = part.health.map(|entry| serving::health(&format!("{path}.health"), entry, errors));
    let timeouts = timeouts(&format!("{path}.timeouts"), part.timeouts, errors);
    (errors.count() == before).then(|| Zone {
        id: part.id.into(),
        name: part.name.into(),
        hosts,
        upstreams,
        timeouts,
        inspection_limit_bytes: part.inspection_limit_bytes,
        merge_slashes: part.merge_slashes,
        observe: part.observe,
        block: part.block,
        maintenance: part.maintenance,
        balancing: part.balancing,
        retries: part.retries,
        health,
        policy_version: entry.policy_version,
        operations: Operations::default(),
        rules: Rules::default(),
        identifiers: Identifiers::default(),
        identity_hash: Arc::default(),
        tokens: Vec::new(),
        limits: Limits::default(),
    })
}

fn hosts(path: &str, texts: &[String], errors: &mut Errors) -> Vec<HostPattern> {
    count(&format!("{path}.hosts"), texts.len(), 0..=MAX_HOSTS, errors);
    let mut hosts = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        match HostPattern::parse(text) {
            Ok(HostPattern::Any) => errors.add(format_args!("{path}.hosts[{index}]"), "is `*`: an empty list means any host"),
            Ok(pattern) => hosts.push(pattern),
            Err(message) => errors.add(format_args!("{path}.hosts[{index}]"), message),
        }
    }
    hosts
}

fn upstreams(path: &str, entries: &[UpstreamEntry], errors: &mut Errors) -> Vec<Upstream> {
    count(&format!("{path}.upstreams"), entries.len(), 1..=MAX_UPSTREAMS, errors);
    if !entries.is_empty() && entries.iter().all(|entry| entry.drain) {
        errors.add(format_args!("{path}.upstreams"), "all drain: one must take requests, or the zone is under maintenance");
    }
    let mut upstreams = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        match upstream(entry) {
            Ok(upstream) => upstreams.push(upstream),
            Err((member, message)) => errors.add(format_args!("{path}.upstreams[{index}].{member}"), message),
        }
    }
    upstreams
}

fn upstream(entry: &UpstreamEntry) -> Result<Upstream, (&'static str, String)> {
    let socket = entry.url.strip_prefix("unix:").map(unix_socket).transpose().map_err(|message| ("url", message))?;
    let (scheme, host, port) = match &socket {
        Some(_) => (Scheme::Http, "localhost".into(), Scheme::Http.default_port()),
        None => upstream_url(&entry.url).map_err(|message| ("url", message))?,
    };
    let is_tls = scheme == Scheme::Https;
    if let Some(file) = &entry.ca_file
        && (!is_tls || file.as_os_str().is_empty())
    {
        return Err(("ca_file", "is for https only, and a file's path".into()));
    }
    if let Some(name) = &entry.server_name
        && (!is_tls || parse_authority(name).is_none_or(|authority| authority.port.is_some()))
    {
        return Err(("server_name", "is for https only, and a host name".into()));
    }
    Ok(Upstream {
        url: entry.url.clone(),
        scheme,
        host,
        port,
        socket,
        protocol: entry.protocol,
        ca_file: entry.ca_file.clone(),
        server_name: entry.server_name.clone(),
        drain: entry.drain,
    })
}

/// The path of a Unix socket as one absolute path, which has to fit into the system's structure (unix(7)).
fn unix_socket(path: &str) -> Result<PathBuf, String> {
    if !path.starts_with('/') || path.starts_with("//") {
        return Err("has no absolute path: write unix:/run/api.sock".into());
    }
    if path.len() > MAX_SOCKET_PATH_BYTES || path.chars().any(char::is_control) {
        return Err(format!("has a path that is not at most {MAX_SOCKET_PATH_BYTES} bytes without control characters"));
    }
    Ok(path.into())
}

/// `http://host[:port]` or `https://…`, with at most a `/` behind it.
fn upstream_url(url: &str) -> Result<(Scheme, String, u16), String> {
    let (scheme, rest) = if let Some(rest) = url.strip_prefix("http://") {
        (Scheme::Http, rest)
    } else if let Some(rest) = url.strip_prefix("https://") {
        (Scheme::Https, rest)
    } else {
        return Err("does not begin with http://, https:// or unix:".into());
    };
    let text = rest.strip_suffix('/').unwrap_or(rest);
    if text.contains(['/', '?', '#']) {
        return Err("has a path or a query: requests go upstream under their own path".into());
    }
    let authority = parse_authority(text).ok_or("has no valid host and port (and never a user)")?;
    let host = authority.host.trim_matches(['[', ']']).to_owned();
    Ok((scheme, host, authority.port.unwrap_or(scheme.default_port())))
}

fn timeouts(path: &str, entry: TimeoutsEntry, errors: &mut Errors) -> Timeouts {
    let mut seconds = |member: &str, value: f64| {
        range(format_args!("{path}.{member}"), value, 0.001..=MAX_SECONDS, errors);
        Duration::try_from_secs_f64(value).unwrap_or_default()
    };
    Timeouts {
        connect: seconds("connect_seconds", entry.connect_seconds),
        read: seconds("read_seconds", entry.read_seconds),
        idle: seconds("idle_seconds", entry.idle_seconds),
    }
}

fn observe(path: &str, settings: &ObserveSettings, errors: &mut Errors) {
    range(format_args!("{path}.probability"), settings.probability, 0.0..=1.0, errors);
    range(format_args!("{path}.full_per_minute"), settings.full_per_minute, 0..=1_000_000, errors);
    range(format_args!("{path}.per_session_per_minute"), settings.per_session_per_minute, 0..=1_000_000, errors);
    range(format_args!("{path}.max_leaves"), settings.max_leaves, 0..=10_000, errors);
    range(format_args!("{path}.body_copy_bytes"), settings.body_copy_bytes, 0..=16 << 20, errors);
    // A literal that one session sent would be that session's secret (design.md §1).
    range(format_args!("{path}.literal_sessions"), settings.literal_sessions, 2..=1_000, errors);
}

fn block(path: &str, settings: BlockSettings, errors: &mut Errors) {
    range(format_args!("{path}.status"), settings.status, 400..=599, errors);
}

/// The operations of a zone; those without an error are in, so that conflicts among them are found too.
pub(super) fn operations(path: &str, part: &OperationsPart, errors: &mut Errors) -> Operations {
    let path = format!("{path}.operations");
    count(&path, part.operations.len(), 0..=MAX_OPERATIONS, errors);
    let mut compiled = Operations::default();
    let mut ids = HashMap::new();
    // Where in the part each compiled operation stands.
    let mut places = Vec::new();
    for (index, raw) in part.operations.iter().enumerate().take(MAX_OPERATIONS) {
        let path = format!("{path}[{index}]");
        let Some(entry) = read_entry::<OperationEntry>(raw, &path, errors) else { continue };
        if let Some(earlier) = ids.insert(entry.id.clone(), index) {
            errors.add(format_args!("{path}.id"), format_args!("is the id of operations[{earlier}]"));
        }
        let Some((operation, template)) = operation(&path, entry, errors) else { continue };
        match compiled.insert(operation, &template) {
            Ok(()) => places.push(index),
            Err(same) => errors.add(&path, format_args!("is the same operation as operations[{}]", places[same])),
        }
    }
    compiled
}

fn operation(path: &str, entry: OperationEntry, errors: &mut Errors) -> Option<(Operation, PathTemplate)> {
    let before = errors.count();
    short_text(format_args!("{path}.id"), &entry.id, errors);
    if !is_saved_method(&entry.method) {
        errors.add(format_args!("{path}.method"), "is not a method of 1 to 32 upper-case letters (nor CONNECT)");
    }
    let host = HostPattern::parse(&entry.host).map_err(|message| errors.add(format_args!("{path}.host"), message));
    let template = PathTemplate::parse(&entry.path).map_err(|message| errors.add(format_args!("{path}.path"), message));
    let (host, template) = (host.ok()?, template.ok()?);
    let plan = PathPlan::of(&entry.path);
    let operation = Operation { id: entry.id.into(), method: entry.method.into(), host, path: entry.path.into(), plan };
    (errors.count() == before).then_some((operation, template))
}

fn is_saved_method(method: &str) -> bool {
    matches!(method.len(), 1..=32)
        && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-' || b == b'_')
        && method != "CONNECT"
}

/// What session identifiers read of verified tokens; what is wrong with one is said by [`identifiers`].
pub(super) fn claims(part: &IdentityPart) -> Vec<ClaimUse> {
    let claims = part.identifiers.iter().filter(|entry| entry.r#type == IdentifierType::Jwt).take(MAX_IDENTIFIERS);
    let uses = claims.filter_map(|entry| {
        let (configuration, path) = split_claim(&entry.name)?;
        Some(ClaimUse { configuration: configuration.to_owned(), path: ClaimPath::parse(path).ok()? })
    });
    uses.collect()
}

/// `<configuration>:$<path>`, as Cloudflare writes it.
fn split_claim(name: &str) -> Option<(&str, &str)> {
    name.split_once(':').filter(|(_, path)| path.starts_with('$'))
}

/// The session identifiers of a zone.
pub(super) fn identifiers(path: &str, part: &IdentityPart, tokens: &[Configuration], errors: &mut Errors) -> Identifiers {
    let path = format!("{path}.identifiers");
    count(&path, part.identifiers.len(), 0..=MAX_IDENTIFIERS, errors);
    let mut compiled = Vec::new();
    for (index, entry) in part.identifiers.iter().enumerate().take(MAX_IDENTIFIERS) {
        match identifier(entry, tokens) {
            Ok(same) if compiled.contains(&same) => errors.add(format_args!("{path}[{index}]"), "is there twice"),
            Ok(other) => compiled.push(other),
            Err(message) => errors.add(format_args!("{path}[{index}].name"), message),
        }
    }
    Identifiers(compiled)
}

/// A cookie's name is a token as a header's is (RFC 6265 §4.1.1), but with its own case.
fn identifier(entry: &IdentifierEntry, tokens: &[Configuration]) -> Result<Identifier, String> {
    if entry.r#type == IdentifierType::Jwt {
        return claim_identifier(&entry.name, tokens);
    }
    let invalid = || format!("is not the name of a header or cookie of 1 to {MAX_NAME_BYTES} bytes");
    let name = HeaderName::from_bytes(entry.name.as_bytes()).map_err(|_| invalid())?;
    match entry.r#type {
        _ if entry.name.len() > MAX_NAME_BYTES => Err(invalid()),
        IdentifierType::Header if name.as_str() != entry.name => Err("is not in lower case".into()),
        IdentifierType::Header => Ok(Identifier::Header(name)),
        IdentifierType::Cookie | IdentifierType::Jwt => Ok(Identifier::Cookie(entry.name.as_str().into())),
    }
}

/// The named lists of a zone.
pub(super) fn lists(path: &str, part: ListsPart, errors: &mut Errors) -> Lists {
    part.load().unwrap_or_else(|mistakes| {
        mistakes.into_iter().for_each(|(place, message)| errors.add(format_args!("{path}.{place}"), message));
        Lists::new()
    })
}

fn claim_identifier(name: &str, tokens: &[Configuration]) -> Result<Identifier, String> {
    let (id, path) = split_claim(name).ok_or("is not a token configuration's id, `:` and a path, as in `<id>:$.sub`")?;
    let path = ClaimPath::parse(path).map_err(|error| format!("has a path that cannot be used: {error}"))?;
    let configuration = tokens.iter().position(|configuration| *configuration.id == *id);
    let configuration = configuration.ok_or_else(|| format!("names the token configuration `{id}`, which is not there"))?;
    let paths = &tokens[configuration].paths;
    let path = paths.iter().position(|known| *known == path).ok_or("has a path that was not read")?;
    Ok(Identifier::Claim { name: name.into(), configuration, path })
}

/// The rules of a zone.
pub(super) fn rules(path: &str, part: &RulesPart, operations: &Operations, lists: &Lists, errors: &mut Errors) -> Rules {
    let path = format!("{path}.rules");
    count(&path, part.rules.len(), 0..=MAX_RULES, errors);
    let indexes = operations.list().iter().zip(0..).map(|(operation, index)| (&*operation.id, index)).collect();
    let mut rules = Rules::default();
    let mut ids = HashMap::new();
    for (index, raw) in part.rules.iter().enumerate().take(MAX_RULES) {
        let path = format!("{path}[{index}]");
        let Some(entry) = read_entry::<RuleEntry>(raw, &path, errors) else { continue };
        short_text(format_args!("{path}.id"), &entry.id, errors);
        if let Some(earlier) = ids.insert(entry.id.clone(), index) {
            errors.add(format_args!("{path}.id"), format_args!("is the id of rules[{earlier}]"));
        }
        match Rule::compile(entry, index as u32, References { operations: &indexes, lists }) {
            Ok(rule) => rules.add(rule),
            Err(mistakes) => {
                mistakes.into_iter().for_each(|(member, message)| errors.add(format_args!("{path}.{member}"), message));
            }
        }
    }
    rules.finish();
    rules
}

/// The limits of a zone.
pub(super) fn limits(
    path: &str,
    zone: &str,
    part: &LimitsPart,
    operations: &Operations,
    lists: &Lists,
    errors: &mut Errors,
) -> Limits {
    let path = format!("{path}.limits");
    count(&path, part.limits.len(), 0..=MAX_LIMITS, errors);
    let indexes = operations.list().iter().zip(0..).map(|(operation, index)| (&*operation.id, index)).collect();
    let mut limits = Limits::default();
    let mut ids = HashMap::new();
    for (index, raw) in part.limits.iter().enumerate().take(MAX_LIMITS) {
        let path = format!("{path}[{index}]");
        let Some(entry) = read_entry::<LimitEntry>(raw, &path, errors) else { continue };
        short_text(format_args!("{path}.id"), &entry.id, errors);
        if let Some(earlier) = ids.insert(entry.id.clone(), index) {
            errors.add(format_args!("{path}.id"), format_args!("is the id of limits[{earlier}]"));
        }
        match Limit::compile(entry, zone, References { operations: &indexes, lists }) {
            Ok(limit) => limits.add(limit),
            Err(mistakes) => {
                mistakes.into_iter().for_each(|(member, message)| errors.add(format_args!("{path}.{member}"), message));
            }
        }
    }
    limits
}

fn read_entry<T: serde::de::DeserializeOwned>(raw: &RawValue, path: &str, errors: &mut Errors) -> Option<T> {
    parse(raw.get().as_bytes(), path, errors)
}
