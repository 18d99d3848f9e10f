//! What records cost: handing one over, writing one, and the same rows as JSON lines in the same run.
//!
//! `cargo bench -p hoplon-gateway --features testing --bench records` prints one JSON document.

use std::fs::File;
use std::hint::black_box;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::record::TrafficRecord;
use engine::transaction::Ended;
use gateway::records;
use gateway::shared::Shared;
use gateway::testing::{TempDir, ended, shared};
use serde::Serialize;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROWS: u64 = 400_000;

#[derive(Serialize)]
struct Report {
    rows: u64,
    offer_nanos_per_row: f64,
    arrow_rows_per_second: f64,
    arrow_writer_cpu_nanos_per_row: f64,
    arrow_bytes_per_row: f64,
    json_rows_per_second: f64,
    json_bytes_per_row: f64,
    arrow_over_json: f64,
    paced_rows_per_second: f64,
    paced_writer_cpu_percent: f64,
    paced_dropped: u64,
}

fn main() {
    let (arrow, [offer, writer], arrow_bytes) = best_of(3, arrow);
    let (json, _, json_bytes) = best_of(3, json);
    let (rate, cpu, dropped) = paced(30_000, Duration::from_secs(5));
    let report = Report {
        rows: ROWS,
        offer_nanos_per_row: offer.as_nanos() as f64 / ROWS as f64,
        arrow_rows_per_second: per_second(arrow),
        arrow_writer_cpu_nanos_per_row: writer.as_nanos() as f64 / ROWS as f64,
        arrow_bytes_per_row: arrow_bytes as f64 / ROWS as f64,
        json_rows_per_second: per_second(json),
        json_bytes_per_row: json_bytes as f64 / ROWS as f64,
        arrow_over_json: json.as_secs_f64() / arrow.as_secs_f64(),
        paced_rows_per_second: rate,
        paced_writer_cpu_percent: cpu,
        paced_dropped: dropped,
    };
    println!("{}", serde_json::to_string_pretty(&report).unwrap());
}

/// The whole, its parts, and bytes in files.
type Measured = (Duration, [Duration; 2], u64);

fn best_of(times: usize, run: fn() -> Measured) -> Measured {
    (0..times).map(|_| run()).min_by_key(|(whole, ..)| *whole).unwrap()
}

fn per_second(duration: Duration) -> f64 {
    ROWS as f64 / duration.as_secs_f64()
}

fn rows() -> Vec<Ended> {
    (0..ROWS).map(ended).collect()
}

/// From the first row offered until all are in files; what of it the offering thread spent offering, and the writer computing.
fn arrow() -> Measured {
    let directory = TempDir::new();
    let shared = shared(directory.path(), "");
    let rows = rows();
    let writer = records::start(shared.clone()).unwrap();
    let started = Instant::now();
    let mut offering = Duration::ZERO;
    for chunk in chunks(rows, 1_000) {
        while shared.records.len() > 60_000 {
            std::thread::yield_now();
        }
        let begun = Instant::now();
        chunk.into_iter().for_each(|row| shared.records.offer(Box::new(row)));
        offering += begun.elapsed();
    }
    while shared.metrics.records_written.get() < ROWS {
        std::thread::sleep(Duration::from_millis(1));
    }
    let whole = started.elapsed();
    let cpu = Duration::from_secs_f64(writer_cpu());
    writer.stop();
    (whole, [offering, cpu], bytes_below(&directory.join("records/open")))
}

fn chunks(rows: Vec<Ended>, size: usize) -> impl Iterator<Item = Vec<Ended>> {
    let mut rows = rows.into_iter();
    std::iter::from_fn(move || Some(rows.by_ref().take(size).collect::<Vec<_>>()).filter(|chunk| !chunk.is_empty()))
}

fn bytes_below(directory: &Path) -> u64 {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    entries.map(|e| if e.path().is_dir() { bytes_below(&e.path()) } else { e.metadata().unwrap().len() }).sum()
}

/// The same rows as JSON lines, by one thread through one buffer.
fn json() -> Measured {
    let directory = TempDir::new();
    let path = directory.join("records.jsonl");
    let rows = rows();
    let started = Instant::now();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(&path).unwrap());
    for row in rows {
        serde_json::to_writer(&mut file, &JsonRow::of(&row.record)).unwrap();
        file.write_all(b"\n").unwrap();
    }
    file.flush().unwrap();
    (started.elapsed(), [Duration::ZERO; 2], std::fs::metadata(&path).unwrap().len())
}

/// Rows at a fixed rate: what was reached, the share of one core that the writer's thread used, and rows dropped.
fn paced(rate: u64, during: Duration) -> (f64, f64, u64) {
    let directory = TempDir::new();
    let shared: Arc<Shared> = shared(directory.path(), "");
    let rows: Vec<Ended> = (0..rate * during.as_secs()).map(ended).collect();
    let writer = records::start(shared.clone()).unwrap();
    let cpu = writer_cpu();
    let started = Instant::now();
    for (n, row) in rows.into_iter().enumerate() {
        if n % 300 == 0 {
            let due = started + Duration::from_secs_f64(n as f64 / rate as f64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        shared.records.offer(black_box(Box::new(row)));
    }
    let (used, elapsed) = (writer_cpu() - cpu, started.elapsed());
    writer.stop();
    let written = shared.metrics.records_written.get() as f64;
    (written / elapsed.as_secs_f64(), 100.0 * used / elapsed.as_secs_f64(), shared.metrics.records_dropped())
}

/// CPU seconds of the thread `hoplon-records`, from `/proc/self/task/*/stat` (proc(5): fields 14 and 15, in ticks of 1/100 s).
fn writer_cpu() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    let stats = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("stat")).ok());
    let ours = stats.filter(|stat| stat.contains("(hoplon-records)"));
    let ticks = ours.map(|stat| {
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or("").split(' ').collect();
        fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()
    });
    ticks.sum::<f64>() / 100.0
}

/// Every column of a record, as JSON has it.
#[derive(Serialize)]
struct JsonRow<'a> {
    id: String,
    time: i64,
    zone: &'a str,
    gateway: &'a str,
    mode: &'a str,
    method: &'a str,
    scheme: &'a str,
    http_version: &'a str,
    host: &'a str,
    host_known: bool,
    path: &'a str,
    path_anomalies: &'a str,
    operation_id: Option<&'a str>,
    operation_path: Option<&'a str>,
    session: Option<String>,
    session_source: &'a str,
    session_verified: bool,
    client: String,
    status: u16,
    upstream_status: Option<u16>,
    upstream: Option<u16>,
    action: &'a str,
    rule: Option<&'a str>,
    violation_count: u16,
    error: Option<&'a str>,
    failures: &'a str,
    bundle: &'a str,
    request_bytes: u64,
    response_bytes: u64,
    request_content_type: Option<&'a str>,
    response_content_type: Option<&'a str>,
    duration_us: u32,
    upstream_us: Option<u32>,
    engine_ns: Option<u32>,
    inspection: &'a str,
    sample_probability: Option<f32>,
    upgraded: bool,
    retried: bool,
    tls: bool,
    tokens: Option<&'a str>,
}

impl<'a> JsonRow<'a> {
    fn of(r: &'a TrafficRecord) -> JsonRow<'a> {
        JsonRow {
            id: r.id.to_string(),
            time: r.time.micros(),
            zone: &r.zone,
            gateway: "gw-1",
            mode: r.mode.as_str(),
            method: &r.method,
            scheme: r.scheme,
            http_version: r.http_version,
            host: &r.host,
            host_known: r.host_known,
            path: &r.path,
            path_anomalies: &r.path_anomalies,
            operation_id: r.operation_id.as_deref(),
            operation_path: r.operation_path.as_deref(),
            session: r.session.map(|session| session.to_string()),
            session_source: r.session_source.as_str(),
            session_verified: r.session_verified,
            client: r.client.to_string(),
            status: r.status,
            upstream_status: r.upstream_status,
            upstream: r.upstream,
            action: r.action.as_str(),
            rule: r.rule.as_deref(),
            violation_count: r.violation_count,
            error: r.error,
            failures: &r.failures,
            bundle: &r.bundle,
            request_bytes: r.request_bytes,
            response_bytes: r.response_bytes,
            request_content_type: r.request_content_type.as_deref(),
            response_content_type: r.response_content_type.as_deref(),
            duration_us: r.duration_us,
            upstream_us: r.upstream_us,
            engine_ns: r.engine_ns,
            inspection: r.inspection.as_str(),
            sample_probability: r.sample_probability,
            upgraded: r.upgraded,
            retried: r.retried,
            tls: r.tls,
            tokens: r.tokens.as_deref(),
        }
    }
}
