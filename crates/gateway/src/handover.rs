//! What a gateway leaves to the process that takes its place: one small JSON document in the state directory, written when the
//! supervisor announces a successor, read once by that successor.
//!
//! It carries what would be missed at once: which hosts are known, which upstreams are left out, and who is over a limit and may not
//! pass yet. Everything else (what limits have counted, counters of metrics, the sampler's budgets, tables of literals) begins anew. A document that is too large, too old, of another format or
//! broken is not read: then all of it begins anew, and the log says so.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::limits::{Key, Mitigation};
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::files;
use crate::log;
use crate::shared::Shared;

/// The format that is written and read. A successor of another version that does not know it starts without.
const FORMAT: u32 = 1;
/// No document is larger; known hosts are left out where it would be.
const MAX_BYTES: u64 = 4 << 20;
/// More keys under mitigation are not handed over: they begin anew, like everything counted.
const MAX_MITIGATIONS: usize = 20_000;
/// An older document is not what the predecessor left just now.
const MAX_AGE: Duration = Duration::from_secs(60);

/// The document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandOver {
    format: u32,
    /// Who wrote it.
    pid: u32,
    /// Seconds since 1970.
    written_at: u64,
    /// Client connections that were open then: they end in the process that wrote this.
    connections: u64,
    /// Host names by zone id.
    known_hosts: BTreeMap<String, Vec<String>>,
    upstreams: Vec<UpstreamState>,
    /// Keys that were over a limit. A version before did not write them.
    #[serde(default)]
    mitigations: Vec<MitigationState>,
}

/// One key under mitigation: a keyed hash, nothing that could be read back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MitigationState {
    key: u64,
    period_seconds: u32,
    /// How long it still may not pass.
    rest_millis: u64,
}

impl From<Mitigation> for MitigationState {
    fn from(mitigation: Mitigation) -> Self {
        let Mitigation { key, period_seconds, rest } = mitigation;
        Self { key: key.get(), period_seconds, rest_millis: u64::try_from(rest.as_millis()).unwrap_or(u64::MAX) }
    }
}

impl From<&MitigationState> for Mitigation {
    fn from(state: &MitigationState) -> Self {
        let rest = Duration::from_millis(state.rest_millis);
        Self { key: Key::new(state.key), period_seconds: state.period_seconds, rest }
    }
}

/// The health of one upstream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamState {
    /// What makes it the same upstream in both processes.
    pub key: String,
    /// Failures in a row.
    pub failures: u32,
    /// Ejections in a row.
    pub ejections: u32,
    /// How long it is still left out.
    pub ejected_for_millis: u64,
}

fn path(config: &Config) -> PathBuf {
    config.state_path("run/gateway.handover.json")
}

/// Writes what a successor is to know.
///
/// # Errors
/// The file system's; a successor then starts without.
pub fn write(shared: &Shared) -> io::Result<()> {
    let mut left = HandOver {
        format: FORMAT,
        pid: std::process::id(),
        written_at: seconds_since_1970(),
        connections: shared.metrics.connections_open.get().max(0) as u64,
        known_hosts: shared.hosts.all(),
        upstreams: shared.health.states(),
        mitigations: shared.counters.mitigations(shared.steady.now(), MAX_MITIGATIONS).into_iter().map(Into::into).collect(),
    };
    let mut document = serde_json::to_vec(&left)?;
    if document.len() as u64 > MAX_BYTES {
        left.known_hosts.clear();
        document = serde_json::to_vec(&left)?;
    }
    files::replace(&path(&shared.config), &document)
}

/// Takes over what the predecessor left, if it left anything that can be read.
pub fn take(shared: &Shared, predecessor: u32) {
    match read(&shared.config, predecessor) {
        Ok(left) => adopt(shared, &left),
        Err(why) => log::warn("handover.without", &format!("nothing is taken over from process {predecessor}: {why}")),
    }
    let _ = fs::remove_file(path(&shared.config));
}

fn read(config: &Config, predecessor: u32) -> Result<HandOver, String> {
    let mut document = Vec::new();
    let file = fs::File::open(path(config)).map_err(|error| error.to_string())?;
    file.take(MAX_BYTES + 1).read_to_end(&mut document).map_err(|error| error.to_string())?;
    if document.len() as u64 > MAX_BYTES {
        return Err(format!("what it left is larger than {MAX_BYTES} bytes"));
    }
    let left: HandOver =
        serde_json::from_slice(&document).map_err(|error| format!("what it left is of another version: {error}"))?;
    check(left, predecessor)
}

fn check(left: HandOver, predecessor: u32) -> Result<HandOver, String> {
    if left.format != FORMAT {
        return Err(format!("what it left is of format {}, this version reads {FORMAT}", left.format));
    }
    if left.pid != predecessor {
        return Err(format!("what lies there was left by process {}", left.pid));
    }
    if seconds_since_1970().abs_diff(left.written_at) > MAX_AGE.as_secs() {
        return Err("what it left is too old".into());
    }
    Ok(left)
}

fn adopt(shared: &Shared, left: &HandOver) {
    for (zone, hosts) in &left.known_hosts {
        for host in hosts {
            shared.hosts.remember(zone, host);
        }
    }
    shared.health.restore(&left.upstreams);
    let now = shared.steady.now();
    let mitigations = left.mitigations.iter().filter(|state| shared.counters.restore(&Mitigation::from(*state), now)).count();
    let hosts: usize = left.known_hosts.values().map(Vec::len).sum();
    let (pid, upstreams, connections) = (left.pid, left.upstreams.len(), left.connections);
    log::info(
        "handover",
        &format!(
            "{hosts} hosts, {upstreams} upstreams and {mitigations} mitigations from process {pid}, which ends {connections} connections"
        ),
    );
}

fn seconds_since_1970() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TempDir, shared};

    fn prepared(dir: &TempDir) -> std::sync::Arc<Shared> {
        fs::create_dir_all(dir.join("run")).unwrap();
        shared(dir.path(), "")
    }

    #[test]
    fn hosts_and_ejections_survive_and_the_document_is_read_once() {
        let dir = TempDir::new();
        let old = prepared(&dir);
        old.hosts.remember("zone", "api.test");
        let health = old.health.of("up", "http://up");
        for _ in 0..3 {
            health.failed(old.health.now_millis());
        }
        assert!(health.is_ejected(old.health.now_millis()));
        write(&old).unwrap();

        let new = prepared(&dir);
        take(&new, std::process::id());
        assert!(new.hosts.contains("zone", "api.test"));
        let restored = new.health.of("up", "http://up");
        assert!(restored.is_ejected(new.health.now_millis()));
        assert!(!restored.is_ejected(new.health.now_millis() + crate::upstream::health::EJECTION_STEP_MILLIS + 1));
        assert!(read(&new.config, std::process::id()).is_err(), "it is gone");
    }

    #[test]
    fn who_is_over_a_limit_still_is_with_the_successor_for_the_rest_of_the_time() {
        let dir = TempDir::new();
        let old = prepared(&dir);
        let one = Mitigation { key: Key::new(u64::MAX), period_seconds: 60, rest: Duration::from_secs(90) };
        assert!(old.counters.restore(&one, old.steady.now()));
        write(&old).unwrap();
        let new = prepared(&dir);
        take(&new, std::process::id());
        let taken = new.counters.mitigations(new.steady.now(), 10);
        assert_eq!(taken.iter().map(|taken| (taken.key, taken.period_seconds)).collect::<Vec<_>>(), [(one.key, 60)]);
        assert!((80..=90).contains(&taken[0].rest.as_secs()));
    }

    #[test]
    fn what_a_version_before_left_is_read_without_mitigations() {
        let dir = TempDir::new();
        let shared = prepared(&dir);
        write(&shared).unwrap();
        let old = fs::read_to_string(path(&shared.config)).unwrap().replace(",\"mitigations\":[]", "");
        fs::write(path(&shared.config), old).unwrap();
        assert!(read(&shared.config, std::process::id()).unwrap().mitigations.is_empty());
    }

    #[test]
    fn what_is_not_the_predecessors_is_not_taken() {
        let dir = TempDir::new();
        let shared = prepared(&dir);
        shared.hosts.remember("zone", "api.test");
        write(&shared).unwrap();
        let pid = std::process::id();
        assert!(read(&shared.config, pid + 1).unwrap_err().contains("left by process"));
        let good = fs::read_to_string(path(&shared.config)).unwrap();
        for (broken, why) in [
            (good.replace("\"format\":1", "\"format\":2"), "format 2"),
            (good.replace("\"written_at\":1", "\"written_at\":9"), "too old"),
            (good.replace("\"upstreams\"", "\"upstream\""), "another version"),
            (good[..good.len() / 2].to_owned(), "another version"),
            (" ".repeat(MAX_BYTES as usize + 1), "larger"),
        ] {
            fs::write(path(&shared.config), broken).unwrap();
            let error = read(&shared.config, pid).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn too_many_hosts_are_left_out_rather_than_written_without_bound() {
        let dir = TempDir::new();
        let shared = prepared(&dir);
        let long = "h".repeat(240);
        for zone in 0..20 {
            for host in 0..1_000 {
                shared.hosts.remember(&format!("zone-{zone}"), &format!("{long}{host}"));
            }
        }
        write(&shared).unwrap();
        let left = read(&shared.config, std::process::id()).unwrap();
        assert!(left.known_hosts.is_empty());
    }
}
