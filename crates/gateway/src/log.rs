//! One JSON line on stderr per rare event. Never per request, never with a header, a body or a query inside.

use std::io::Write;
use std::time::SystemTime;

use serde::Serialize;

#[derive(Serialize)]
struct Line<'a> {
    time: f64,
    level: &'a str,
    event: &'a str,
    message: &'a str,
}

/// Something an operator may want to know.
pub fn info(event: &str, message: &str) {
    write("info", event, message);
}

/// Something an operator should look at.
pub fn warn(event: &str, message: &str) {
    write("warn", event, message);
}

/// Something that keeps the gateway from doing its work.
pub fn error(event: &str, message: &str) {
    write("error", event, message);
}

fn write(level: &str, event: &str, message: &str) {
    let time = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs_f64();
    let line = serde_json::to_string(&Line { time, level, event, message }).unwrap_or_default();
    let _ = writeln!(std::io::stderr(), "{line}");
}
