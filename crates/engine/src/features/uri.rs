//! The target of a request: whole, path, extension, query and its arguments; as it goes upstream, and (`raw.`) as received.

use std::borrow::Cow;

use super::CLOUDFLARE;
use super::pairs::Style;
use crate::fact::{Fact, FactDef, Read};
use crate::transaction::Scene;
use crate::value::{Type, Value};

pub(super) const FACTS: &[FactDef] = &[
    string("http.request.uri", "path and query; the path normalised", |t| Fact::text(t.seen.upstream_target())),
    string("http.request.full_uri", "scheme, host, path and query; the path normalised", |t| {
        full(t, t.seen.upstream_target().into())
    }),
    string("http.request.uri.path", "path, normalised: what the upstream gets", |t| Fact::text(t.seen.path())),
    string("http.request.uri.path.extension", "behind the last dot of the path's last segment, in lower case; else empty", |t| {
        extension(t.seen.path())
    }),
    string("http.request.uri.query", "query as received, without `?`; empty when there is none", |t| Fact::text(query(t))),
    arguments("http.request.uri.args"),
    argument_names("http.request.uri.args.names"),
    argument_values("http.request.uri.args.values"),
    string("raw.http.request.uri", "path and query as received", |t| owned(raw_target(t))),
    string("raw.http.request.full_uri", "scheme, host, path and query as received", |t| full(t, raw_target(t))),
    string("raw.http.request.uri.path", "path as received", |t| Fact::text(t.seen.raw_path())),
    string("raw.http.request.uri.path.extension", "as http.request.uri.path.extension, of the path as received", |t| {
        extension(t.seen.raw_path())
    }),
    string("raw.http.request.uri.query", "query as received, without `?`; empty when there is none", |t| Fact::text(query(t))),
    arguments("raw.http.request.uri.args"),
    argument_names("raw.http.request.uri.args.names"),
    argument_values("raw.http.request.uri.args.values"),
];

const fn string(name: &'static str, doc: &'static str, read: Read) -> FactDef {
    FactDef::head(name, Type::String, CLOUDFLARE, doc, read)
}

const fn arguments(name: &'static str) -> FactDef {
    let doc = "arguments of the query by name, not decoded; without `=` the value is empty";
    FactDef::head(name, Type::FIELDS, CLOUDFLARE, doc, |t| Fact::Value(Style::Query.map(bytes(t))))
        .by_key(|t, key| Fact::some(Style::Query.under(bytes(t), key)))
}

const fn argument_names(name: &'static str) -> FactDef {
    let doc = "names of the query's arguments in their order, repeated ones each time";
    FactDef::head(name, Type::STRINGS, CLOUDFLARE, doc, |t| Fact::Value(Style::Query.names(query(t).as_bytes())))
}

const fn argument_values(name: &'static str) -> FactDef {
    let doc = "values of the query's arguments in their order";
    FactDef::head(name, Type::STRINGS, CLOUDFLARE, doc, |t| Fact::Value(Style::Query.values(query(t).as_bytes())))
}

fn query<'t>(t: &Scene<'t>) -> &'t str {
    t.seen.query().unwrap_or_default()
}

fn bytes<'t>(t: &Scene<'t>) -> impl Iterator<Item = &'t [u8]> {
    std::iter::once(query(t).as_bytes())
}

fn raw_target<'t>(t: &Scene<'t>) -> Cow<'t, str> {
    match t.seen.query() {
        _ if t.seen.raw_path() == t.seen.path() => t.seen.upstream_target().into(),
        None => t.seen.raw_path().into(),
        Some(query) => [t.seen.raw_path(), "?", query].concat().into(),
    }
}

fn full<'t>(t: &Scene<'t>, target: Cow<'t, str>) -> Fact<'t> {
    owned([t.seen.scheme.as_str(), "://", &t.seen.host, &target].concat().into())
}

fn owned(text: Cow<'_, str>) -> Fact<'_> {
    Fact::Value(Value::String(match text {
        Cow::Borrowed(text) => text.as_bytes().into(),
        Cow::Owned(text) => text.into_bytes().into(),
    }))
}

/// `/.mp3`, `/foo` and `/foo.` have none.
pub(crate) fn extension(path: &str) -> Fact<'_> {
    let name = path.rsplit('/').next().unwrap_or_default();
    let extension = name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or("", |(_, extension)| extension);
    match extension.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => owned(extension.to_ascii_lowercase().into()),
        false => Fact::text(extension),
    }
}
