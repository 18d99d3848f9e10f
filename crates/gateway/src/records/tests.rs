//! The way of records from the queue to files that can be read back, in calm and in hostile weather.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use arrow_array::{Array, StringArray};
use arrow_ipc::reader::StreamReader;

use super::columns::Table;
use crate::records;
use crate::testing::{TempDir, ended, eventually, shared};

/// Segments below `state`, oldest first.
fn segments(state: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(state.join("records/open")).map_or_else(|_| vec![], |e| e.flatten().map(|e| e.path()).collect());
    let mut visible: Vec<_> =
        entries.into_iter().filter(|p: &PathBuf| !p.file_name().unwrap().to_string_lossy().starts_with('.')).collect();
    visible.sort();
    visible
}

/// A column of a table of a segment, up to the last whole batch.
fn column(segment: &Path, table: Table, name: &str) -> Vec<String> {
    let file = File::open(segment.join(format!("{}.arrows", table.as_str()))).unwrap();
    let reader = StreamReader::try_new(BufReader::new(file), None).unwrap();
    assert_eq!(reader.schema().metadata().get("hoplon.schema_version").map(String::as_str), Some("2"));
    let batches = reader.map_while(Result::ok);
    let texts = batches.map(|batch| {
        let column = batch.column_by_name(name).unwrap().as_any().downcast_ref::<StringArray>().unwrap().clone();
        column.iter().map(|text| text.unwrap_or("null").to_owned()).collect::<Vec<_>>()
    });
    texts.flatten().collect()
}

/// Values of a column of records over all segments.
fn all(state: &Path, table: Table, name: &str) -> Vec<String> {
    segments(state).iter().flat_map(|segment| column(segment, table, name)).collect()
}

#[test]
fn what_was_offered_before_a_stop_is_on_disk_after_it() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let writer = records::start(shared.clone()).unwrap();
    (0..20_000).for_each(|n| shared.records.offer(Box::new(ended(n))));
    writer.stop();
    let paths = all(dir.path(), Table::Records, "path");
    assert_eq!(paths.len(), 20_000);
    assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), 20_000);
    assert_eq!(paths[12_345], "/users/12345/orders");
    let blocked = all(dir.path(), Table::Violations, "record_id");
    let ids: BTreeSet<_> = all(dir.path(), Table::Records, "id").into_iter().collect();
    assert_eq!(blocked.len(), 20_000_usize.div_ceil(7));
    assert!(blocked.iter().all(|id| ids.contains(id)));
    assert_eq!(shared.metrics.records_written.get(), 20_000);
    assert_eq!(shared.metrics.records_dropped(), 0);
}

#[test]
fn a_row_is_on_disk_a_second_after_it_was_offered() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let writer = records::start(shared.clone()).unwrap();
    for n in 0..3 {
        let offered = Instant::now();
        shared.records.offer(Box::new(ended(n)));
        eventually("the row is written", || shared.metrics.records_written.get() == n + 1);
        assert!(offered.elapsed() < Duration::from_millis(1_100), "{:?}", offered.elapsed());
        assert_eq!(all(dir.path(), Table::Records, "path").len() as u64, n + 1);
    }
    writer.stop();
}

#[test]
fn a_full_queue_drops_records_and_counts_them() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), r#""queue": 100"#);
    (0..150).for_each(|n| shared.records.offer(Box::new(ended(n))));
    assert_eq!(shared.metrics.records_dropped_queue_full.get(), 50);
    records::start(shared.clone()).unwrap().stop();
    assert_eq!(all(dir.path(), Table::Records, "path").len(), 100);
}

#[test]
fn segments_rotate_by_size_and_by_time_and_are_whole() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), r#""rotate_bytes": 100000, "rotate_seconds": 0.3, "flush_seconds": 0.05"#);
    let writer = records::start(shared.clone()).unwrap();
    (0..10_000).for_each(|n| shared.records.offer(Box::new(ended(n))));
    eventually("the size rotates", || {
        shared.metrics.records_written.get() == 10_000 && shared.metrics.records_segments.get() >= 1
    });
    shared.records.offer(Box::new(ended(10_000)));
    eventually("the row is written", || shared.metrics.records_written.get() == 10_001);
    let newest = segments(dir.path()).pop().unwrap();
    let is_free = || File::open(newest.join("owner.lock")).unwrap().try_lock().is_ok();
    assert!(!is_free(), "the open segment's lock is held");
    eventually("the time rotates", is_free);
    writer.stop();
    assert_eq!(all(dir.path(), Table::Records, "path").len(), 10_001);
    assert!(segments(dir.path()).len() >= 2);
}

#[test]
fn an_idle_gateway_opens_no_segment() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), r#""flush_seconds": 0.01, "rotate_seconds": 0.01"#);
    let writer = records::start(shared).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    writer.stop();
    assert_eq!(segments(dir.path()), Vec::<PathBuf>::new());
}

#[test]
fn while_the_directory_cannot_be_written_rows_are_held_in_bounds_and_come_after() {
    let dir = TempDir::new();
    fs::create_dir_all(dir.join("records")).unwrap();
    fs::write(dir.join("records/open"), "in the way").unwrap();
    let shared = shared(dir.path(), r#""flush_seconds": 0.05"#);
    let writer = records::start(shared.clone()).unwrap();
    (0..50_000).for_each(|n| shared.records.offer(Box::new(ended(n))));
    eventually("the alert is raised", || shared.alerts.all().contains_key(super::writer::ALERT));
    eventually("what is too much is dropped", || shared.records.is_empty());
    let held = 50_000 - shared.metrics.records_dropped_io.get();
    assert!((1..=20_000).contains(&held), "{held}");
    assert!(shared.metrics.records_errors.total() >= 1);
    fs::remove_file(dir.join("records/open")).unwrap();
    eventually("writing recovers", || shared.metrics.records_written.get() == held);
    eventually("the alert is cleared", || shared.alerts.all().is_empty());
    writer.stop();
    assert_eq!(all(dir.path(), Table::Records, "path").len() as u64, held);
}

#[test]
fn a_segment_that_vanishes_is_replaced() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), r#""flush_seconds": 0.05"#);
    let writer = records::start(shared.clone()).unwrap();
    shared.records.offer(Box::new(ended(1)));
    eventually("the row is written", || shared.metrics.records_written.get() == 1);
    fs::remove_dir_all(dir.join("records")).unwrap();
    shared.records.offer(Box::new(ended(2)));
    eventually("the row is written", || shared.metrics.records_written.get() == 2);
    writer.stop();
    assert_eq!(all(dir.path(), Table::Records, "path"), ["/users/2/orders"]);
}

/// Runs one of the ignored tests below in a process of its own, by this shell prefix.
fn child(test: &str, state: &Path, prefix: &str) -> Child {
    let binary = std::env::current_exe().unwrap();
    let command = format!("{prefix} exec '{}' --exact records::tests::{test} --ignored --nocapture", binary.display());
    Command::new("sh").args(["-c", &command]).env("HOPLON_TEST_STATE", state).stdout(Stdio::piped()).spawn().unwrap()
}

fn state_of_parent() -> PathBuf {
    std::env::var_os("HOPLON_TEST_STATE").expect("run by another test").into()
}

/// Offers numbered records at about 20,000 a second and keeps a note of each number and the time it was offered.
#[test]
#[ignore = "the child of the test that kills it"]
fn child_offers_until_it_is_killed() {
    let state = state_of_parent();
    let shared = shared(&state, r#""rotate_bytes": 2000000"#);
    let _writer = records::start(shared.clone()).unwrap();
    let mut number = 0;
    loop {
        for _ in 0..20 {
            shared.records.offer(Box::new(ended(number)));
            number += 1;
        }
        crate::files::replace(&state.join("offered"), number.to_string().as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn kill_9_loses_at_most_the_last_second() {
    for life_millis in [1_300, 2_170, 3_050] {
        let dir = TempDir::new();
        let mut child = child("child_offers_until_it_is_killed", dir.path(), "");
        let offered = || fs::read_to_string(dir.join("offered")).ok().and_then(|n| n.parse::<usize>().ok()).unwrap_or(0);
        eventually("the child offers", || offered() > 0);
        std::thread::sleep(Duration::from_millis(life_millis - 1_000));
        let before_last_second = offered();
        // A quarter more than promised, for a machine that runs other tests on every core.
        std::thread::sleep(Duration::from_millis(1_250));
        child.kill().unwrap();
        child.wait().unwrap();
        let paths = all(dir.path(), Table::Records, "path");
        assert!(paths.len() >= before_last_second, "{} of {before_last_second} offered a second before", paths.len());
        let expected: Vec<_> = (0..paths.len()).map(|n| format!("/users/{n}/orders")).collect();
        assert!(paths == expected, "rows are in order, none is missing or doubled");
        assert!(segments(dir.path()).iter().all(|s| File::open(s.join("owner.lock")).unwrap().try_lock().is_ok()));
    }
}

/// Under a limit of the size of a file every segment fills up like a disk does: in the middle of a write.
#[test]
#[ignore = "the child of the test that limits it"]
fn child_writes_into_files_that_fill_up() {
    let shared = shared(&state_of_parent(), r#""flush_seconds": 0.02"#);
    let writer = records::start(shared.clone()).unwrap();
    for number in 0..4_000 {
        shared.records.offer(Box::new(ended(number)));
        std::thread::sleep(Duration::from_millis(1));
    }
    eventually("an error was met", || shared.metrics.records_errors.total() > 0);
    eventually("all is written in the end", || shared.metrics.records_written.get() == 4_000);
    eventually("the alert is cleared", || shared.alerts.all().is_empty());
    assert_eq!(shared.metrics.records_dropped(), 0);
    writer.stop();
}

#[test]
fn a_write_that_fails_in_the_middle_leaves_whole_batches_and_is_done_again() {
    let dir = TempDir::new();
    // About a megabyte, less than the rows need and more than those of one retry; the signal that the limit sends by default is ignored, so that write(2) fails with EFBIG.
    let child = child("child_writes_into_files_that_fill_up", dir.path(), "trap '' XFSZ; ulimit -f 2000;");
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    let paths = all(dir.path(), Table::Records, "path");
    let expected: Vec<_> = (0..4_000).map(|n| format!("/users/{n}/orders")).collect();
    assert!(segments(dir.path()).len() > 1);
    assert!(paths == expected, "{} rows", paths.len());
}
