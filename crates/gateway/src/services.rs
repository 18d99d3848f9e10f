//! What runs beside the request path, started and stopped in one order.

use std::net::TcpListener;
use std::sync::Arc;

use crate::background::Background;
use crate::certificates::{self, Certificates};
use crate::records::{RecordWriter, retention};
use crate::shared::{Phase, Shared};
use crate::status::{StatusListener, file};
use crate::upstream::checks::HealthChecks;
use crate::{bundles, mode, records, status};

/// The running background threads.
pub struct Services {
    shared: Arc<Shared>,
    mode: Background,
    bundles: Background,
    writer: RecordWriter,
    retention: Background,
    certificates: Option<Background>,
    health: HealthChecks,
    status_file: Background,
    status: StatusListener,
}

impl Services {
    /// Starts all of them. The mode and, if any can be loaded, a bundle are in use when this returns.
    ///
    /// # Errors
    /// A sentence, when the system gives no thread.
    pub fn start(shared: &Arc<Shared>, status: TcpListener, certificates: Vec<Arc<Certificates>>) -> Result<Services, String> {
        let failed = |error| format!("a background thread could not be started: {error}");
        let watched = (!certificates.is_empty()).then(|| certificates::start(shared.clone(), certificates));
        Ok(Services {
            shared: shared.clone(),
            status: status::start(shared.clone(), status).map_err(failed)?,
            status_file: file::start(shared.clone()).map_err(failed)?,
            mode: mode::start(shared.clone()).map_err(failed)?,
            bundles: bundles::start(shared.clone()).map_err(failed)?,
            health: HealthChecks::start(shared.clone()).map_err(failed)?,
            writer: records::start(shared.clone()).map_err(failed)?,
            retention: retention::start(shared.clone()).map_err(failed)?,
            certificates: watched.transpose().map_err(failed)?,
        })
    }

    /// Stops all of them once the last transaction has ended: first what changes behaviour, then the writer with everything that
    /// is queued, last the status listener.
    pub fn stop(self) {
        self.health.stop();
        self.bundles.stop();
        self.mode.stop();
        self.writer.stop();
        self.retention.stop();
        self.certificates.into_iter().for_each(Background::stop);
        self.shared.enter(Phase::Stopped);
        self.status_file.stop();
        file::write(&self.shared);
        self.status.stop();
    }
}
