//! What is written down of a transaction: one `TrafficRecord`, its `Violation` rows and, when it was sampled, its
//! `Observation` rows; and the three tables that name every column. Nothing in these rows is a secret: whoever fills them takes
//! paths, names and values through `observe` first. Knows nothing of Arrow or files: the gateway's writer maps the tables to them.

use std::borrow::Cow;
use std::sync::Arc;

use crate::hash::{Hash64, SessionSource};
use crate::observe::{Charset, DetectorSet, FormatSet};
use crate::timestamp::Timestamp;
use crate::transaction::{Mode, RequestId};
use crate::verdict::Action;

/// Version of the three tables. It grows with every change of a column; readers migrate older segments forward.
pub const SCHEMA_VERSION: u32 = 2;

/// One column: its name, its type as Arrow spells it, whether it may be null, and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldDef {
    pub name: &'static str,
    pub field_type: FieldType,
    pub nullable: bool,
    pub doc: &'static str,
}

/// The types that columns have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    String,
    Bool,
    UInt16,
    UInt32,
    UInt64,
    Float,
    Double,
    TimestampMicros,
    StringList,
}

impl FieldType {
    /// The type as Arrow (and pyarrow) spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Bool => "bool",
            Self::UInt16 => "uint16",
            Self::UInt32 => "uint32",
            Self::UInt64 => "uint64",
            Self::Float => "float",
            Self::Double => "double",
            Self::TimestampMicros => "timestamp[us, tz=UTC]",
            Self::StringList => "list<string>",
        }
    }
}

const fn required(name: &'static str, field_type: FieldType, doc: &'static str) -> FieldDef {
    FieldDef { name, field_type, nullable: false, doc }
}

const fn optional(name: &'static str, field_type: FieldType, doc: &'static str) -> FieldDef {
    FieldDef { name, field_type, nullable: true, doc }
}

/// Columns of `records`, in order: one row per transaction, refused and unanswered ones too.
#[rustfmt::skip]
pub const RECORD_FIELDS: &[FieldDef] = &[
    required("id", FieldType::String, "id of the request (UUIDv7): the same in the response header, the log, the record and the dashboard"),
    required("time", FieldType::TimestampMicros, "when the request's head had been read"),
    required("zone", FieldType::String, "id of the zone; empty when the request was refused before a zone was known"),
    required("gateway", FieldType::String, "name of the gateway instance that wrote the row"),
    required("mode", FieldType::String, "the one switch at that moment: enforce, log or off"),
    required("method", FieldType::String, "request method; `<other>` for one that is neither registered nor short upper-case letters"),
    required("scheme", FieldType::String, "http or https, as the client connected"),
    required("http_version", FieldType::String, "1.0, 1.1 or 2, as the client spoke"),
    required("host", FieldType::String, "lower-case host without port, at most 255 bytes; `<invalid>` when it is not a host name or address"),
    required("host_known", FieldType::Bool, "the host belongs to the zone, or has answered successfully before"),
    required("path", FieldType::String, "normalised path, at most 1024 bytes; segments that look secret are `<type:hash8>`"),
    required("path_anomalies", FieldType::String, "what was not normal in the path as received, comma-joined in the order of the fact's documentation; empty when nothing"),
    optional("operation_id", FieldType::String, "id of the saved operation that matched; null: none did"),
    optional("operation_path", FieldType::String, "path template of that operation"),
    optional("session", FieldType::String, "keyed hash of the session (16 hex digits)"),
    required("session_source", FieldType::String, "what identified the session: identifier, authorization or client_address"),
    required("session_verified", FieldType::Bool, "the session comes from a token that was verified"),
    required("client", FieldType::String, "keyed hash of the client's address (16 hex digits); IPv6 by its /64"),
    required("status", FieldType::UInt16, "status that the client got; 0: no response was sent"),
    optional("upstream_status", FieldType::UInt16, "status that the upstream answered; null: it was not asked or did not answer"),
    optional("upstream", FieldType::UInt16, "index of the upstream in the zone's list"),
    required("action", FieldType::String, "what was decided: allow, log, block or refuse"),
    optional("rule", FieldType::String, "id of the rule that decided"),
    required("violation_count", FieldType::UInt16, "number of violations found, including those beyond the bound that have no row"),
    optional("error", FieldType::String, "what failed outside the engine, e.g. upstream.connect_failed"),
    required("failures", FieldType::String, "checks that failed themselves and so used their fail mode, comma-joined; empty when none"),
    required("bundle", FieldType::String, "first 16 hex digits of the bundle's hash; empty when there was none"),
    required("request_bytes", FieldType::UInt64, "bytes of the request's body that were read"),
    required("response_bytes", FieldType::UInt64, "bytes of the response's body that were sent"),
    optional("request_content_type", FieldType::String, "media type of the request, without parameters"),
    optional("response_content_type", FieldType::String, "media type of the response, without parameters"),
    required("duration_us", FieldType::UInt32, "microseconds from the request's head to the response's last byte"),
    optional("upstream_us", FieldType::UInt32, "microseconds from sending the request to the upstream's response head"),
    optional("engine_ns", FieldType::UInt32, "nanoseconds spent in the engine; null: not measured for this request"),
    required("inspection", FieldType::String, "how the request's body was judged: none, whole, pieces or over_limit"),
    optional("sample_probability", FieldType::Float, "probability with which this transaction was sampled for observations; null: it was not"),
    required("upgraded", FieldType::Bool, "the connection became another protocol (WebSocket …)"),
    required("retried", FieldType::Bool, "sent a second time after a stale pooled connection"),
    required("tls", FieldType::Bool, "the client's connection was TLS that this gateway ended"),
    optional("request_complete", FieldType::Bool, "the request's body was read to its end: request_bytes is its length"),
    optional("session_policy", FieldType::String, "which session identifiers the zone had: first 16 hex digits of their hash; empty when none; null in records older than this column"),
    optional("preflight", FieldType::Bool, "the browser's question before a request to another origin (CORS preflight)"),
    optional("method_override", FieldType::Bool, "head or query ask the application to take another method"),
    optional("form_override", FieldType::Bool, "a form in the body asks for another method; null: not looked for"),
    optional("tokens", FieldType::String, "what became of the tokens that rules or identifiers asked about: `<configuration>@<hash8 of what the policy says of it>=<code>` joined by `;`, code is valid, absent or why it was refused; null: nothing asked"),
];

/// Columns of `violations`, in order: one row per violation (at most 32 of a transaction).
#[rustfmt::skip]
pub const VIOLATION_FIELDS: &[FieldDef] = &[
    required("record_id", FieldType::String, "id of the record it belongs to"),
    required("time", FieldType::TimestampMicros, "time of that record"),
    required("zone", FieldType::String, "zone of that record"),
    required("code", FieldType::String, "stable code: feature.thing[.detail]"),
    required("location", FieldType::String, "where: path, query, `header:name`, or a place in the body"),
    required("evidence", FieldType::String, "what was seen, redacted at birth: kinds, lengths and counts, never the value"),
    optional("rule", FieldType::String, "id of the rule that asked"),
    required("action", FieldType::String, "what that rule said: log, block or refuse"),
];

/// Columns of `observations`, in order: one row per value seen in a sampled transaction.
#[rustfmt::skip]
pub const OBSERVATION_FIELDS: &[FieldDef] = &[
    required("record_id", FieldType::String, "id of the record it belongs to"),
    required("time", FieldType::TimestampMicros, "time of that record"),
    required("zone", FieldType::String, "zone of that record"),
    optional("operation_id", FieldType::String, "operation of that record"),
    required("host", FieldType::String, "host of that record"),
    required("method", FieldType::String, "method of that record"),
    required("direction", FieldType::String, "request or response"),
    required("location", FieldType::String, "path, query, header, cookie or body"),
    required("pointer", FieldType::String, "name of the parameter, or JSON pointer into the body (`*` is any array index, a member named `*` is `~2`, dynamic names are `<type:hash8>`); in the path of an unmatched operation the segment's index"),
    required("type", FieldType::String, "string, integer, number, boolean, null, array, object; or for a whole body: opaque (not read), invalid, truncated"),
    required("length", FieldType::UInt32, "bytes of the value as text; elements of an array, members of an object"),
    required("charset", FieldType::String, "classes of characters present, e.g. lower+digit+dash; empty for other types"),
    optional("number", FieldType::Double, "magnitude: exact up to 1000, beyond that to 1 % (a logarithmic bucket); null for what is not a number, under a secret-like name, or where a detector hit"),
    required("formats", FieldType::StringList, "formats that the whole value matches"),
    required("detectors", FieldType::StringList, "kinds of sensitive data that the value or its name looks like"),
    optional("hash", FieldType::String, "keyed hash of the value (16 hex digits); null for passwords, one-time codes and the like, and for what carries no identity (booleans, null, containers)"),
    optional("literal", FieldType::String, "the value itself, only once seen in enough distinct sessions at this place, with no detector hit and no secret-like name"),
];

/// One transaction, flat. Filled by `Transaction::end`; the columns are documented in [`RECORD_FIELDS`] (`gateway` is the
/// writer's to add).
#[derive(Clone, Debug, PartialEq)]
pub struct TrafficRecord {
    pub id: RequestId,
    pub time: Timestamp,
    pub zone: Arc<str>,
    pub mode: Mode,
    pub method: Cow<'static, str>,
    pub scheme: &'static str,
    pub http_version: &'static str,
    pub host: Arc<str>,
    pub host_known: bool,
    pub path: Box<str>,
    pub path_anomalies: String,
    pub operation_id: Option<Arc<str>>,
    pub operation_path: Option<Arc<str>>,
    pub session: Option<Hash64>,
    pub session_source: SessionSource,
    pub session_verified: bool,
    pub client: Hash64,
    pub status: u16,
    pub upstream_status: Option<u16>,
    pub upstream: Option<u16>,
    pub action: Action,
    pub rule: Option<Arc<str>>,
    pub violation_count: u16,
    pub error: Option<&'static str>,
    pub failures: String,
    pub bundle: Arc<str>,
    pub request_bytes: u64,
    pub response_bytes: u64,
    pub request_content_type: Option<Cow<'static, str>>,
    pub response_content_type: Option<Cow<'static, str>>,
    pub duration_us: u32,
    pub upstream_us: Option<u32>,
    pub engine_ns: Option<u32>,
    pub inspection: Inspection,
    pub sample_probability: Option<f32>,
    pub upgraded: bool,
    pub retried: bool,
    pub tls: bool,
    pub request_complete: bool,
    pub session_policy: Option<Arc<str>>,
    pub preflight: bool,
    pub method_override: bool,
    pub form_override: Option<bool>,
    pub tokens: Option<Arc<str>>,
}

/// How the request's body was judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Inspection {
    /// No rule asked for it.
    #[default]
    None,
    /// Held back and judged as a whole.
    Whole,
    /// Judged in pieces while it passed.
    Pieces,
    /// It was longer than the inspection limit.
    OverLimit,
}

impl Inspection {
    /// The word that the record's `inspection` column holds.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Whole => "whole",
            Self::Pieces => "pieces",
            Self::OverLimit => "over_limit",
        }
    }
}

/// One violation: a stable code, where, and redacted evidence. The columns are documented in [`VIOLATION_FIELDS`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    pub code: Arc<str>,
    pub location: String,
    pub evidence: String,
    pub rule: Option<Arc<str>>,
    pub action: Action,
}

/// What one value looked like. The columns are documented in [`OBSERVATION_FIELDS`]; those of the record are joined by its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    pub direction: Direction,
    pub location: Location,
    pub pointer: Box<str>,
    pub value_type: ValueType,
    pub length: u32,
    pub charset: Charset,
    pub number: Option<f64>,
    pub formats: FormatSet,
    pub detectors: DetectorSet,
    pub hash: Option<Hash64>,
    pub literal: Option<Box<str>>,
}

/// A closed set of words, each the text of a column.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)+ }
        impl $name {
            /// The word that the column holds.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }
    };
}

words! {
    /// Which way the value went.
    Direction { Request = "request", Response = "response", }
}

words! {
    /// Which part of the message held the value.
    Location { Path = "path", Query = "query", Header = "header", Cookie = "cookie", Body = "body", }
}

words! {
    /// What the value is, as it was written: a query parameter is always a string (its formats say what it could be read as).
    ValueType {
        String = "string",
        /// A number without fraction or exponent.
        Integer = "integer",
        Number = "number",
        Boolean = "boolean",
        Null = "null",
        Array = "array",
        Object = "object",
        /// A whole body that is not read: another media type, an unknown encoding.
        Opaque = "opaque",
        /// A whole body that is not what its media type says.
        Invalid = "invalid",
        /// A whole body of which only the beginning was kept or could be decoded; what stands there follows in other rows.
        Truncated = "truncated",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_is_named_once_and_documented() {
        for table in [RECORD_FIELDS, VIOLATION_FIELDS, OBSERVATION_FIELDS] {
            let mut names: Vec<_> = table.iter().map(|field| field.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), table.len());
            assert!(table.iter().all(|field| field.doc.len() > 8), "a column without documentation");
            assert!(names.iter().all(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
        }
    }

    #[test]
    fn rows_of_one_transaction_carry_its_id_time_and_zone() {
        for table in [VIOLATION_FIELDS, OBSERVATION_FIELDS] {
            let names: Vec<_> = table[..3].iter().map(|field| field.name).collect();
            assert_eq!(names, ["record_id", "time", "zone"]);
        }
    }
}
