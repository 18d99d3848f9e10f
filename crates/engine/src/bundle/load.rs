//! Loading a bundle: bytes in, a [`Bundle`] or every error out. Reads the manifest, then each part; what a part says is checked
//! in `check`. Nothing of a bundle with one error is used.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::check;
use super::format::{FORMAT, IdentityPart, Manifest, ManifestPart, ManifestZone, OperationsPart, PartKind, RulesPart, ZonePart};
use super::tokens::{self, TokenInputs, TokenKeysPart, TokenParts, TokensPart};
use super::zone::Zone;
use super::{Bundle, BundleHash};
use crate::identity::Identifiers;
use crate::limits::LimitsPart;
use crate::operations::{HostTable, Operations};
use crate::program::ListsPart;

/// Bytes of a manifest, and of one part.
pub const MAX_MANIFEST_BYTES: usize = 4 << 20;
pub const MAX_PART_BYTES: u64 = 64 << 20;
/// Zones of a bundle.
pub const MAX_ZONES: usize = 1_000;
/// Errors that are reported; what is beyond is counted in a last one.
pub const MAX_ERRORS: usize = 1_000;

/// One error: where, and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// `manifest.zones[0].id`, or `<kind>[<zone id>].…` for a part.
    pub path: String,
    /// A sentence that continues the path: "is longer than 64 bytes".
    pub message: String,
}

/// All errors of a bundle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadErrors(pub Vec<LoadError>);

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|error| writeln!(f, "{} {}", error.path, error.message))
    }
}

impl std::error::Error for LoadErrors {}

/// Where errors are gathered while everything is read.
#[derive(Debug, Default)]
pub(super) struct Errors {
    list: Vec<LoadError>,
    more: usize,
}

impl Errors {
    pub fn add(&mut self, path: impl fmt::Display, message: impl fmt::Display) {
        if self.list.len() < MAX_ERRORS {
            self.list.push(LoadError { path: path.to_string(), message: message.to_string() });
        } else {
            self.more += 1;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub fn count(&self) -> usize {
        self.list.len() + self.more
    }

    fn into_result(mut self) -> LoadErrors {
        if self.more > 0 {
            self.list.push(LoadError { path: "bundle".into(), message: format!("has {} more errors", self.more) });
        }
        LoadErrors(self.list)
    }
}

type Fetch<'f> = &'f mut dyn FnMut(&str) -> Result<Vec<u8>, String>;

/// See [`Bundle::load`].
pub(super) fn load(manifest_bytes: &[u8], fetch: Fetch<'_>, inputs: &TokenInputs) -> Result<Bundle, LoadErrors> {
    let mut errors = Errors::default();
    let Some(manifest) = read_manifest(manifest_bytes, &mut errors) else { return Err(errors.into_result()) };
    let zones: Vec<_> = manifest.zones.iter().map(|zone| load_zone(zone, &manifest, fetch, inputs, &mut errors)).collect();
    let zones: Vec<_> = zones.into_iter().flatten().collect();
    let hosts = index_hosts(&zones, &mut errors);
    if errors.is_empty() {
        let hash = BundleHash::of(manifest_bytes);
        let token_cache = inputs.cache.clone();
        Ok(Bundle { hash, manifest, short_hash: hash.short().into(), token_cache, zones, hosts })
    } else {
        Err(errors.into_result())
    }
}

fn read_manifest(bytes: &[u8], errors: &mut Errors) -> Option<Manifest> {
    if bytes.len() > MAX_MANIFEST_BYTES {
        errors.add("manifest", format_args!("is longer than {MAX_MANIFEST_BYTES} bytes"));
        return None;
    }
    let manifest: Manifest = match check_format(bytes, "manifest", errors) {
        true => parse(bytes, "manifest", errors)?,
        false => return None,
    };
    check_manifest(&manifest, errors);
    errors.is_empty().then_some(manifest)
}

/// The format is looked at first: another one may have other members.
fn check_format(bytes: &[u8], path: &str, errors: &mut Errors) -> bool {
    #[derive(serde::Deserialize)]
    struct FormatOnly {
        format: u32,
    }
    match serde_json::from_slice(bytes) {
        Ok(FormatOnly { format }) => is_known_format(format, path, errors),
        // What is wrong is said by whoever reads all of it.
        Err(_) => true,
    }
}

/// Formats N and N-1 load. N is 1, and there never was a 0.
fn is_known_format(format: u32, path: &str, errors: &mut Errors) -> bool {
    match format {
        FORMAT => return true,
        0 => errors.add(format_args!("{path}.format"), "is 0: the first format was 1, write the bundle again with this version"),
        newer => errors.add(
            format_args!("{path}.format"),
            format_args!("is {newer}, this gateway reads up to {FORMAT}: update the gateway first"),
        ),
    }
    false
}

fn check_manifest(manifest: &Manifest, errors: &mut Errors) {
    check::created_at(&manifest.created_at, errors);
    check::count("manifest.zones", manifest.zones.len(), 1..=MAX_ZONES, errors);
    let mut ids = HashSet::new();
    for (index, zone) in manifest.zones.iter().enumerate() {
        let path = format!("manifest.zones[{index}]");
        check::zone_id(&path, &zone.id, errors);
        check::name(&path, &zone.name, errors);
        if !ids.insert(zone.id.as_str()) {
            errors.add(format_args!("{path}.id"), "is the id of an earlier zone");
        }
    }
    check_parts(manifest, &ids, errors);
}

fn check_parts(manifest: &Manifest, zones: &HashSet<&str>, errors: &mut Errors) {
    let mut seen = HashMap::new();
    for (index, part) in manifest.parts.iter().enumerate() {
        let path = format!("manifest.parts[{index}]");
        is_known_format(part.format, &path, errors);
        if !zones.contains(part.zone.as_str()) {
            errors.add(format_args!("{path}.zone"), "is no zone of this manifest");
        }
        if !is_sha256(&part.sha256) {
            errors.add(format_args!("{path}.sha256"), "is not 64 lower-case hex digits");
        }
        if part.bytes > MAX_PART_BYTES {
            errors.add(format_args!("{path}.bytes"), format_args!("is more than {MAX_PART_BYTES}"));
        }
        if let Some(earlier) = seen.insert((part.kind, part.zone.as_str()), index) {
            errors
                .add(&path, format_args!("is a second {} part of its zone, after manifest.parts[{earlier}]", part.kind.as_str()));
        }
    }
    for zone in &manifest.zones {
        for kind in PartKind::REQUIRED.into_iter().filter(|kind| !seen.contains_key(&(*kind, zone.id.as_str()))) {
            errors.add("manifest.parts", format_args!("has no {} part of zone {}", kind.as_str(), zone.id));
        }
    }
}

fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn load_zone(
    entry: &ManifestZone,
    manifest: &Manifest,
    fetch: Fetch<'_>,
    inputs: &TokenInputs,
    errors: &mut Errors,
) -> Option<Zone> {
    let zone = read_part::<ZonePart>(PartKind::Zone, &entry.id, manifest, fetch, errors);
    let operations = read_part::<OperationsPart>(PartKind::Operations, &entry.id, manifest, fetch, errors);
    let rules = read_part::<RulesPart>(PartKind::Rules, &entry.id, manifest, fetch, errors);
    let identity = read_part::<IdentityPart>(PartKind::Identity, &entry.id, manifest, fetch, errors);
    let tokens = read_part::<TokensPart>(PartKind::Tokens, &entry.id, manifest, fetch, errors).unwrap_or_default();
    let keys = read_part::<TokenKeysPart>(PartKind::TokenKeys, &entry.id, manifest, fetch, errors).unwrap_or_default();
    let identity = identity.unwrap_or_default();
    let configurations = tokens::configurations(
        &TokenParts {
            path: &part_path(PartKind::Tokens, &entry.id),
            keys_path: &part_path(PartKind::TokenKeys, &entry.id),
            tokens: &tokens,
            keys: &keys,
            claims: &check::claims(&identity),
            inputs,
        },
        errors,
    );
    let identifiers = check::identifiers(&part_path(PartKind::Identity, &entry.id), &identity, &configurations, errors);
    let operations = operations.map(|part| check::operations(&part_path(PartKind::Operations, &entry.id), &part, errors));
    let lists = read_part::<ListsPart>(PartKind::Lists, &entry.id, manifest, fetch, errors);
    let lists = lists.map(|part| check::lists(&part_path(PartKind::Lists, &entry.id), part, errors)).unwrap_or_default();
    let none = Operations::default();
    let known = operations.as_ref().unwrap_or(&none);
    let rules = rules.map(|part| check::rules(&part_path(PartKind::Rules, &entry.id), &part, known, &lists, errors));
    let limits = read_part::<LimitsPart>(PartKind::Limits, &entry.id, manifest, fetch, errors);
    let limits =
        limits.map(|part| check::limits(&part_path(PartKind::Limits, &entry.id), &entry.id, &part, known, &lists, errors));
    let limits = limits.unwrap_or_default();
    let rules = rules.map(|mut rules| {
        limits.readers().for_each(|(phase, headers)| rules.note_reader(phase, headers));
        rules
    });
    let zone = zone.and_then(|part| check::zone(&part_path(PartKind::Zone, &entry.id), part, entry, errors));
    Some(Zone {
        operations: operations?,
        rules: rules?,
        identity_hash: identity_hash(manifest, &entry.id, &identifiers),
        identifiers,
        tokens: configurations,
        limits,
        ..zone?
    })
}

/// Which session identifiers a zone has, as records name them. A claim is another one under another token configuration.
fn identity_hash(manifest: &Manifest, zone: &str, identifiers: &Identifiers) -> Arc<str> {
    let hash = |kind| manifest.parts.iter().find(|part| part.kind == kind && part.zone == zone).map(|part| &*part.sha256);
    let Some(identity) = hash(PartKind::Identity) else { return Arc::default() };
    match hash(PartKind::Tokens).filter(|_| identifiers.has_claim()) {
        None => identity[..16].into(),
        Some(tokens) => BundleHash::of([identity, tokens].concat().as_bytes()).short().into(),
    }
}

/// The beginning of an error's path in a part.
fn part_path(kind: PartKind, zone: &str) -> String {
    format!("{}[{zone}]", kind.as_str())
}

fn read_part<T: DeserializeOwned>(
    kind: PartKind,
    zone: &str,
    manifest: &Manifest,
    fetch: Fetch<'_>,
    errors: &mut Errors,
) -> Option<T> {
    let part = manifest.parts.iter().find(|part| part.kind == kind && part.zone == zone)?;
    let path = part_path(kind, zone);
    let bytes = fetch(&part.sha256).map_err(|reason| errors.add(&path, format_args!("cannot be read: {reason}"))).ok()?;
    if let Err(message) = check_content(part, &bytes) {
        errors.add(&path, message);
        return None;
    }
    parse(&bytes, &path, errors)
}

fn check_content(part: &ManifestPart, bytes: &[u8]) -> Result<(), String> {
    if bytes.len() as u64 != part.bytes {
        return Err(format!("has {} bytes, the manifest says {}", bytes.len(), part.bytes));
    }
    let hash = BundleHash::of(bytes).to_string();
    if hash == part.sha256 { Ok(()) } else { Err(format!("has the SHA-256 {hash}, the manifest says {}", part.sha256)) }
}

/// Reads JSON whole; the first mistake in its form is reported with the path to it.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], path: &str, errors: &mut Errors) -> Option<T> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let inside = error.path().to_string();
        let separator = if inside == "." || inside.starts_with('[') { "" } else { "." };
        let inside = if inside == "." { "" } else { &inside };
        errors.add(format_args!("{path}{separator}{inside}"), format_args!("cannot be read: {}", error.inner()));
    });
    let value = value.ok()?;
    reader.end().map_err(|error| errors.add(path, format_args!("cannot be read: {error}"))).ok()?;
    Some(value)
}

fn index_hosts(zones: &[Zone], errors: &mut Errors) -> HostTable {
    let mut table = HostTable::default();
    for (index, zone) in zones.iter().enumerate() {
        let path = part_path(PartKind::Zone, &zone.id);
        let any = [crate::host::HostPattern::Any];
        let patterns = if zone.hosts.is_empty() { &any[..] } else { &zone.hosts };
        for (place, pattern) in patterns.iter().enumerate() {
            let Err(other) = table.insert(pattern, index as u32) else { continue };
            let owner = &zones[other as usize];
            match zone.hosts.is_empty() {
                true => errors
                    .add(format_args!("{path}.hosts"), format_args!("is empty (any host), and so is that of zone {}", owner.id)),
                false => {
                    errors.add(format_args!("{path}.hosts[{place}]"), format_args!("is already a host of zone {}", owner.id))
                }
            }
        }
    }
    table
}
