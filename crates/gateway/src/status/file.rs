//! `run/gateway.status.json`: what other processes know of the gateway, replaced whole on every change and every second, by a
//! thread that a slow disk may hold up without holding up anything else.

use std::fs;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::crowding::Crowding;
use super::report::Status;
use crate::background::Background;
use crate::files;
use crate::log;
use crate::shared::Shared;

const INTERVAL: Duration = Duration::from_secs(1);
/// The alert while the file cannot be written.
pub const ALERT: &str = "status_file_failing";

/// Writes the file once, then again and again.
///
/// # Errors
/// The system's, when it gives no thread.
pub fn start(shared: Arc<Shared>) -> io::Result<Background> {
    write(&shared);
    let bell = shared.status.clone();
    let mut crowding = Crowding::default();
    Background::start("hoplon-status-file", INTERVAL, bell, move || {
        crowding.look(&shared, Instant::now());
        write(&shared);
    })
}

/// Writes the file now, unless it is the successor's by now. A failure is reported once, and as an alert.
pub fn write(shared: &Shared) {
    if shared.has_left() {
        return;
    }
    let path = shared.config.state_path("run/gateway.status.json");
    let document = serde_json::to_vec(&Status::of(shared)).unwrap_or_default();
    let written = fs::create_dir_all(shared.config.state_path("run")).and_then(|()| files::replace(&path, &document));
    match written {
        Ok(()) => shared.alerts.clear(ALERT),
        Err(error) => {
            let message = format!("{}: {error}", path.display());
            if !shared.alerts.all().contains_key(ALERT) {
                log::warn("status.file", &message);
            }
            shared.alerts.raise(ALERT, message);
        }
    }
}
