//! One row of the table `records` as replay reads it: borrowed, with what older files do not have as none.

use crate::hash::{Hash64, SessionSource};
use crate::timestamp::Timestamp;
use crate::verdict::Action;

/// See the module. The columns are documented in [`crate::record::RECORD_FIELDS`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecordRow<'r> {
    pub id: &'r str,
    pub time: Timestamp,
    pub zone: &'r str,
    pub gateway: &'r str,
    pub method: &'r str,
    pub scheme: &'r str,
    pub http_version: &'r str,
    pub host: &'r str,
    pub host_known: bool,
    pub path: &'r str,
    pub path_anomalies: &'r str,
    pub session: Option<Hash64>,
    pub session_source: Option<SessionSource>,
    pub session_policy: Option<&'r str>,
    pub client: Option<Hash64>,
    pub upstream_status: Option<u16>,
    pub upstream: Option<u16>,
    pub upstream_us: Option<u32>,
    pub duration_us: u32,
    pub action: Option<Action>,
    pub request_bytes: u64,
    pub request_complete: Option<bool>,
    pub request_content_type: Option<&'r str>,
    pub response_content_type: Option<&'r str>,
    pub preflight: Option<bool>,
    pub method_override: Option<bool>,
    pub form_override: Option<bool>,
    pub tokens: Option<&'r str>,
}

impl RecordRow<'_> {
    /// Whose request it was, as far as the record tells: the session, else the client.
    pub(super) fn caller(&self) -> Option<Hash64> {
        self.session.or(self.client)
    }
}
