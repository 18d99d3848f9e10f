//! Rows of the table `records` from the bytes of an Arrow IPC stream: columns by name, as the newest schema has them; those that older
//! files lack may be missing.

use std::io::Cursor;

use arrow_array::types::{ArrowPrimitiveType, TimestampMicrosecondType, UInt16Type, UInt32Type, UInt64Type};
use arrow_array::{Array, BooleanArray, PrimitiveArray, RecordBatch, StringArray};
use arrow_ipc::reader::StreamReader;
use engine::hash::{Hash64, SessionSource};
use engine::replay::RecordRow;
use engine::{Action, Timestamp};

/// Hands every row of a stream to `take`; gives how many there were.
///
/// # Errors
/// A sentence: it is no such stream, a column is missing or of another type.
pub fn each_row(ipc: &[u8], mut take: impl FnMut(&RecordRow<'_>)) -> Result<u64, String> {
    let reader = StreamReader::try_new(Cursor::new(ipc), None).map_err(|error| format!("is no Arrow IPC stream: {error}"))?;
    Columns::of(&RecordBatch::new_empty(reader.schema()))?;
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|error| format!("is cut off or damaged: {error}"))?;
        let columns = Columns::of(&batch)?;
        for row in 0..batch.num_rows() {
            take(&columns.row(row)?);
        }
        rows += batch.num_rows() as u64;
    }
    Ok(rows)
}

/// The columns that replay reads.
struct Columns<'b> {
    id: Texts<'b>,
    time: Numbers<'b, TimestampMicrosecondType>,
    zone: Texts<'b>,
    gateway: Texts<'b>,
    method: Texts<'b>,
    scheme: Texts<'b>,
    http_version: Texts<'b>,
    host: Texts<'b>,
    host_known: Flags<'b>,
    path: Texts<'b>,
    path_anomalies: Texts<'b>,
    session: Texts<'b>,
    session_source: Texts<'b>,
    session_policy: Option<Texts<'b>>,
    client: Texts<'b>,
    upstream_status: Numbers<'b, UInt16Type>,
    upstream: Numbers<'b, UInt16Type>,
    upstream_us: Numbers<'b, UInt32Type>,
    duration_us: Numbers<'b, UInt32Type>,
    action: Texts<'b>,
    request_bytes: Numbers<'b, UInt64Type>,
    request_complete: Option<Flags<'b>>,
    request_content_type: Texts<'b>,
    response_content_type: Texts<'b>,
    preflight: Option<Flags<'b>>,
    method_override: Option<Flags<'b>>,
    form_override: Option<Flags<'b>>,
    tokens: Option<Texts<'b>>,
}

struct Texts<'b>(&'b str, &'b StringArray);
struct Flags<'b>(&'b BooleanArray);
struct Numbers<'b, T: ArrowPrimitiveType>(&'b str, &'b PrimitiveArray<T>);

impl<'b> Columns<'b> {
    fn of(batch: &'b RecordBatch) -> Result<Self, String> {
        let text = |name| column(batch, name).map(|array| Texts(name, array));
        let flag = |name| column(batch, name).map(Flags);
        Ok(Self {
            id: text("id")?,
            time: Numbers("time", column(batch, "time")?),
            zone: text("zone")?,
            gateway: text("gateway")?,
            method: text("method")?,
            scheme: text("scheme")?,
            http_version: text("http_version")?,
            host: text("host")?,
            host_known: flag("host_known")?,
            path: text("path")?,
            path_anomalies: text("path_anomalies")?,
            session: text("session")?,
            session_source: text("session_source")?,
            session_policy: newer(batch, "session_policy", text)?,
            client: text("client")?,
            upstream_status: Numbers("upstream_status", column(batch, "upstream_status")?),
            upstream: Numbers("upstream", column(batch, "upstream")?),
            upstream_us: Numbers("upstream_us", column(batch, "upstream_us")?),
            duration_us: Numbers("duration_us", column(batch, "duration_us")?),
            action: text("action")?,
            request_bytes: Numbers("request_bytes", column(batch, "request_bytes")?),
            request_complete: newer(batch, "request_complete", flag)?,
            request_content_type: text("request_content_type")?,
            response_content_type: text("response_content_type")?,
            preflight: newer(batch, "preflight", flag)?,
            method_override: newer(batch, "method_override", flag)?,
            form_override: newer(batch, "form_override", flag)?,
            tokens: newer(batch, "tokens", text)?,
        })
    }

    fn row(&self, row: usize) -> Result<RecordRow<'b>, String> {
        let flag = |column: &Option<Flags<'b>>| column.as_ref().and_then(|column| column.at(row));
        Ok(RecordRow {
            id: self.id.required(row)?,
            time: Timestamp::from_micros(self.time.required(row)?),
            zone: self.zone.required(row)?,
            gateway: self.gateway.at(row).unwrap_or_default(),
            method: self.method.required(row)?,
            scheme: self.scheme.required(row)?,
            http_version: self.http_version.required(row)?,
            host: self.host.required(row)?,
            host_known: self.host_known.at(row).unwrap_or_default(),
            path: self.path.required(row)?,
            path_anomalies: self.path_anomalies.required(row)?,
            session: self.session.at(row).and_then(Hash64::parse),
            session_source: self.session_source.at(row).and_then(SessionSource::parse),
            session_policy: self.session_policy.as_ref().and_then(|column| column.at(row)),
            client: self.client.at(row).and_then(Hash64::parse),
            upstream_status: self.upstream_status.at(row),
            upstream: self.upstream.at(row),
            upstream_us: self.upstream_us.at(row),
            duration_us: self.duration_us.at(row).unwrap_or_default(),
            action: self.action.at(row).and_then(Action::parse),
            request_bytes: self.request_bytes.at(row).unwrap_or_default(),
            request_complete: flag(&self.request_complete),
            request_content_type: self.request_content_type.at(row),
            response_content_type: self.response_content_type.at(row),
            preflight: flag(&self.preflight),
            method_override: flag(&self.method_override),
            form_override: flag(&self.form_override),
            tokens: self.tokens.as_ref().and_then(|column| column.at(row)),
        })
    }
}

/// A column that older files do not have.
fn newer<'n, T>(
    batch: &RecordBatch,
    name: &'n str,
    read: impl FnOnce(&'n str) -> Result<T, String>,
) -> Result<Option<T>, String> {
    batch.schema_ref().index_of(name).is_ok().then(|| read(name)).transpose()
}

fn column<'b, T: Array + 'static>(batch: &'b RecordBatch, name: &str) -> Result<&'b T, String> {
    let column = batch.column_by_name(name).ok_or_else(|| format!("has no column `{name}`"))?;
    let found = column.as_any().downcast_ref();
    found.ok_or_else(|| format!("has the column `{name}` as {}: hand in the schema of records", column.data_type()))
}

impl<'b> Texts<'b> {
    fn at(&self, row: usize) -> Option<&'b str> {
        self.1.is_valid(row).then(|| self.1.value(row))
    }

    fn required(&self, row: usize) -> Result<&'b str, String> {
        self.at(row).ok_or_else(|| format!("has a null in the column `{}`", self.0))
    }
}

impl Flags<'_> {
    fn at(&self, row: usize) -> Option<bool> {
        self.0.is_valid(row).then(|| self.0.value(row))
    }
}

impl<T: ArrowPrimitiveType> Numbers<'_, T> {
    fn at(&self, row: usize) -> Option<T::Native> {
        self.1.is_valid(row).then(|| self.1.value(row))
    }

    fn required(&self, row: usize) -> Result<T::Native, String> {
        self.at(row).ok_or_else(|| format!("has a null in the column `{}`", self.0))
    }
}
