//! From rows to Arrow: one list of columns per table, each naming the row's field it is made from.
//!
//! Takes a [`Batch`] of rows; gives `RecordBatch`es. The tables themselves are the engine's; a test compares names, order and
//! types. Knows no file.

use std::fmt::{Display, Write as _};
use std::sync::Arc;

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::types::{ArrowPrimitiveType, Float32Type, Float64Type, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{ArrayRef, BooleanArray, PrimitiveArray, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef, TimeUnit};
use engine::hash::Hash64;
use engine::record::{
    FieldDef, FieldType, OBSERVATION_FIELDS, Observation, RECORD_FIELDS, SCHEMA_VERSION, TrafficRecord, VIOLATION_FIELDS,
    Violation,
};
use engine::transaction::{RequestId, RequestIdText};

/// Rows that wait to be written. Violations and observations name their record by its index.
#[derive(Default)]
pub struct Batch {
    /// Name of this gateway.
    pub gateway: Arc<str>,
    pub records: Vec<TrafficRecord>,
    pub violations: Vec<(usize, Violation)>,
    pub observations: Vec<(usize, Observation)>,
}

/// The three tables, by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Table {
    Records,
    Violations,
    Observations,
}

impl Table {
    /// All three, in the order in which they are written: a violation's record is never missing from a whole file.
    pub const ALL: [Table; 3] = [Table::Records, Table::Violations, Table::Observations];

    /// The word in file names and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Table::Records => "records",
            Table::Violations => "violations",
            Table::Observations => "observations",
        }
    }

    /// The documented columns.
    pub const fn fields(self) -> &'static [FieldDef] {
        match self {
            Table::Records => RECORD_FIELDS,
            Table::Violations => VIOLATION_FIELDS,
            Table::Observations => OBSERVATION_FIELDS,
        }
    }

    const fn columns(self) -> &'static [Column] {
        match self {
            Table::Records => RECORDS,
            Table::Violations => VIOLATIONS,
            Table::Observations => OBSERVATIONS,
        }
    }

    /// The Arrow schema, with the schema's version in its metadata.
    pub fn schema(self) -> SchemaRef {
        let fields: Vec<Field> = self.fields().iter().map(|f| Field::new(f.name, data_type(f.field_type), f.nullable)).collect();
        let metadata = [("hoplon.schema_version".to_owned(), SCHEMA_VERSION.to_string())];
        Arc::new(Schema::new(fields).with_metadata(metadata))
    }

    /// This table's rows of a batch.
    ///
    /// # Errors
    /// Arrow's, when a column does not fit the schema.
    pub fn encode(self, batch: &Batch, schema: &SchemaRef) -> Result<RecordBatch, ArrowError> {
        RecordBatch::try_new(schema.clone(), self.columns().iter().map(|(_, build)| build(batch)).collect())
    }

    /// How many rows of it a batch holds.
    pub fn rows(self, batch: &Batch) -> usize {
        match self {
            Table::Records => batch.records.len(),
            Table::Violations => batch.violations.len(),
            Table::Observations => batch.observations.len(),
        }
    }
}

fn data_type(field_type: FieldType) -> DataType {
    match field_type {
        FieldType::String => DataType::Utf8,
        FieldType::Bool => DataType::Boolean,
        FieldType::UInt16 => DataType::UInt16,
        FieldType::UInt32 => DataType::UInt32,
        FieldType::UInt64 => DataType::UInt64,
        FieldType::Float => DataType::Float32,
        FieldType::Double => DataType::Float64,
        FieldType::TimestampMicros => DataType::Timestamp(TimeUnit::Microsecond, Some(UTC.into())),
        FieldType::StringList => DataType::new_list(DataType::Utf8, true),
    }
}

const UTC: &str = "UTC";

/// A column's name, and how it is built from a batch.
type Column = (&'static str, fn(&Batch) -> ArrayRef);

#[rustfmt::skip]
const RECORDS: &[Column] = &[
    ("id", |b| ids(b.records(), |r| r.id)),
    ("time", |b| times(b.records(), |r| r)),
    ("zone", |b| texts(b.records(), |r| &r.zone)),
    ("gateway", |b| texts(b.records(), |_| &b.gateway)),
    ("mode", |b| texts(b.records(), |r| r.mode.as_str())),
    ("method", |b| texts(b.records(), |r| &r.method)),
    ("scheme", |b| texts(b.records(), |r| r.scheme)),
    ("http_version", |b| texts(b.records(), |r| r.http_version)),
    ("host", |b| texts(b.records(), |r| &r.host)),
    ("host_known", |b| flags(b.records(), |r| r.host_known)),
    ("path", |b| texts(b.records(), |r| &r.path)),
    ("path_anomalies", |b| texts(b.records(), |r| &r.path_anomalies)),
    ("operation_id", |b| maybe_texts(b.records(), |r| r.operation_id.as_deref())),
    ("operation_path", |b| maybe_texts(b.records(), |r| r.operation_path.as_deref())),
    ("session", |b| hashes(b.records(), |r| r.session)),
    ("session_source", |b| texts(b.records(), |r| r.session_source.as_str())),
    ("session_verified", |b| flags(b.records(), |r| r.session_verified)),
    ("client", |b| hashes(b.records(), |r| Some(r.client))),
    ("status", |b| numbers::<UInt16Type, _>(b.records(), |r| r.status)),
    ("upstream_status", |b| maybe_numbers::<UInt16Type, _>(b.records(), |r| r.upstream_status)),
    ("upstream", |b| maybe_numbers::<UInt16Type, _>(b.records(), |r| r.upstream)),
    ("action", |b| texts(b.records(), |r| r.action.as_str())),
    ("rule", |b| maybe_texts(b.records(), |r| r.rule.as_deref())),
    ("violation_count", |b| numbers::<UInt16Type, _>(b.records(), |r| r.violation_count)),
    ("error", |b| maybe_texts(b.records(), |r| r.error)),
    ("failures", |b| texts(b.records(), |r| &r.failures)),
    ("bundle", |b| texts(b.records(), |r| &r.bundle)),
    ("request_bytes", |b| numbers::<UInt64Type, _>(b.records(), |r| r.request_bytes)),
    ("response_bytes", |b| numbers::<UInt64Type, _>(b.records(), |r| r.response_bytes)),
    ("request_content_type", |b| maybe_texts(b.records(), |r| r.request_content_type.as_deref())),
    ("response_content_type", |b| maybe_texts(b.records(), |r| r.response_content_type.as_deref())),
    ("duration_us", |b| numbers::<UInt32Type, _>(b.records(), |r| r.duration_us)),
    ("upstream_us", |b| maybe_numbers::<UInt32Type, _>(b.records(), |r| r.upstream_us)),
    ("engine_ns", |b| maybe_numbers::<UInt32Type, _>(b.records(), |r| r.engine_ns)),
    ("inspection", |b| texts(b.records(), |r| r.inspection.as_str())),
    ("sample_probability", |b| maybe_numbers::<Float32Type, _>(b.records(), |r| r.sample_probability)),
    ("upgraded", |b| flags(b.records(), |r| r.upgraded)),
    ("retried", |b| flags(b.records(), |r| r.retried)),
    ("tls", |b| flags(b.records(), |r| r.tls)),
    ("request_complete", |b| flags(b.records(), |r| r.request_complete)),
    ("session_policy", |b| maybe_texts(b.records(), |r| r.session_policy.as_deref())),
    ("preflight", |b| flags(b.records(), |r| r.preflight)),
    ("method_override", |b| flags(b.records(), |r| r.method_override)),
    ("form_override", |b| maybe_flags(b.records(), |r| r.form_override)),
    ("tokens", |b| maybe_texts(b.records(), |r| r.tokens.as_deref())),
];

#[rustfmt::skip]
const VIOLATIONS: &[Column] = &[
    ("record_id", |b| ids(b.violations(), |(r, _)| r.id)),
    ("time", |b| times(b.violations(), |(r, _)| r)),
    ("zone", |b| texts(b.violations(), |(r, _)| &r.zone)),
    ("code", |b| texts(b.violations(), |(_, v)| &v.code)),
    ("location", |b| texts(b.violations(), |(_, v)| &v.location)),
    ("evidence", |b| texts(b.violations(), |(_, v)| &v.evidence)),
    ("rule", |b| maybe_texts(b.violations(), |(_, v)| v.rule.as_deref())),
    ("action", |b| texts(b.violations(), |(_, v)| v.action.as_str())),
];

#[rustfmt::skip]
const OBSERVATIONS: &[Column] = &[
    ("record_id", |b| ids(b.observations(), |(r, _)| r.id)),
    ("time", |b| times(b.observations(), |(r, _)| r)),
    ("zone", |b| texts(b.observations(), |(r, _)| &r.zone)),
    ("operation_id", |b| maybe_texts(b.observations(), |(r, _)| r.operation_id.as_deref())),
    ("host", |b| texts(b.observations(), |(r, _)| &r.host)),
    ("method", |b| texts(b.observations(), |(r, _)| &r.method)),
    ("direction", |b| texts(b.observations(), |(_, o)| o.direction.as_str())),
    ("location", |b| texts(b.observations(), |(_, o)| o.location.as_str())),
    ("pointer", |b| texts(b.observations(), |(_, o)| &o.pointer)),
    ("type", |b| texts(b.observations(), |(_, o)| o.value_type.as_str())),
    ("length", |b| numbers::<UInt32Type, _>(b.observations(), |(_, o)| o.length)),
    ("charset", |b| displays(b.observations(), |(_, o)| o.charset)),
    ("number", |b| maybe_numbers::<Float64Type, _>(b.observations(), |(_, o)| o.number)),
    ("formats", |b| lists(b.observations(), |(_, o)| o.formats.names())),
    ("detectors", |b| lists(b.observations(), |(_, o)| o.detectors.names())),
    ("hash", |b| hashes(b.observations(), |(_, o)| o.hash)),
    ("literal", |b| maybe_texts(b.observations(), |(_, o)| o.literal.as_deref())),
];

impl Batch {
    fn records(&self) -> impl ExactSizeIterator<Item = &TrafficRecord> + Clone {
        self.records.iter()
    }

    fn violations(&self) -> impl ExactSizeIterator<Item = (&TrafficRecord, &Violation)> + Clone {
        self.violations.iter().map(|(record, violation)| (&self.records[*record], violation))
    }

    fn observations(&self) -> impl ExactSizeIterator<Item = (&TrafficRecord, &Observation)> + Clone {
        self.observations.iter().map(|(record, observation)| (&self.records[*record], observation))
    }
}

fn texts<'a, R>(rows: impl ExactSizeIterator<Item = R> + Clone, of: impl Fn(R) -> &'a str) -> ArrayRef {
    let bytes = rows.clone().map(|row| of(row).len()).sum();
    let mut builder = StringBuilder::with_capacity(rows.len(), bytes);
    rows.for_each(|row| builder.append_value(of(row)));
    Arc::new(builder.finish())
}

fn maybe_texts<'a, R>(rows: impl ExactSizeIterator<Item = R> + Clone, of: impl Fn(R) -> Option<&'a str>) -> ArrayRef {
    let bytes = rows.clone().map(|row| of(row).map_or(0, str::len)).sum();
    let mut builder = StringBuilder::with_capacity(rows.len(), bytes);
    rows.for_each(|row| builder.append_option(of(row)));
    Arc::new(builder.finish())
}

fn ids<R>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> RequestId) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 36);
    rows.for_each(|row| builder.append_value(RequestIdText::from(of(row)).as_str()));
    Arc::new(builder.finish())
}

/// 16 hex digits each, without the formatter: three of them are in every row.
fn hashes<R>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> Option<Hash64>) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 16);
    for row in rows {
        let digits = of(row).map(hex);
        builder.append_option(digits.as_ref().and_then(|digits| std::str::from_utf8(digits).ok()));
    }
    Arc::new(builder.finish())
}

fn hex(hash: Hash64) -> [u8; 16] {
    std::array::from_fn(|place| b"0123456789abcdef"[(hash.0 >> (60 - 4 * place)) as usize & 0xf])
}

fn displays<R, D: Display>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> D) -> ArrayRef {
    let mut builder = StringBuilder::with_capacity(rows.len(), rows.len() * 16);
    for row in rows {
        // Formatting into a builder cannot fail; the empty value closes what was written.
        let _ = write!(builder, "{}", of(row));
        builder.append_value("");
    }
    Arc::new(builder.finish())
}

fn numbers<T: ArrowPrimitiveType, R>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> T::Native) -> ArrayRef {
    Arc::new(PrimitiveArray::<T>::from_iter_values(rows.map(of)))
}

fn maybe_numbers<T: ArrowPrimitiveType, R>(
    rows: impl ExactSizeIterator<Item = R>,
    of: impl Fn(R) -> Option<T::Native>,
) -> ArrayRef {
    Arc::new(rows.map(of).collect::<PrimitiveArray<T>>())
}

fn flags<R>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> bool) -> ArrayRef {
    Arc::new(rows.map(|row| Some(of(row))).collect::<BooleanArray>())
}

fn maybe_flags<R>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> Option<bool>) -> ArrayRef {
    Arc::new(rows.map(of).collect::<BooleanArray>())
}

fn times<'a, R>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> &'a TrafficRecord) -> ArrayRef {
    let micros = rows.map(|row| of(row).time.micros());
    Arc::new(TimestampMicrosecondArray::from_iter_values(micros).with_timezone(UTC))
}

fn lists<R, I: Iterator<Item = &'static str>>(rows: impl ExactSizeIterator<Item = R>, of: impl Fn(R) -> I) -> ArrayRef {
    let mut builder = ListBuilder::with_capacity(StringBuilder::new(), rows.len());
    for row in rows {
        of(row).for_each(|word| builder.values().append_value(word));
        builder.append(true);
    }
    Arc::new(builder.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow_array::Array;

    #[test]
    fn hex_is_what_the_engine_shows() {
        for hash in [Hash64(0), Hash64(u64::MAX), Hash64(0x0123_4567_89ab_cdef)] {
            assert_eq!(hex(hash), hash.to_string().as_bytes());
        }
    }

    #[test]
    fn every_documented_column_is_built_in_order_and_with_its_type() {
        for table in Table::ALL {
            let documented: Vec<_> = table.fields().iter().map(|field| field.name).collect();
            let built: Vec<_> = table.columns().iter().map(|(name, _)| *name).collect();
            assert_eq!(documented, built, "{}", table.as_str());
            let batch = table.encode(&Batch::default(), &table.schema()).unwrap();
            assert!(batch.columns().iter().all(|column| column.is_empty()));
        }
    }
}
