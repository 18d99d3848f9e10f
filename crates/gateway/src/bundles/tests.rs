//! Good, broken and vanishing bundles in every order: the last good one is never given up.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use super::{ALERT, Serving, Watch, start};
use crate::files;
use crate::shared::Shared;
use crate::testing::{TempDir, eventually, put_bundle, sha256, shared};

fn serving(shared: &Shared) -> (Serving, Option<String>) {
    (shared.bundles.get().serving, shared.bundle.load().as_ref().map(|bundle| bundle.hash.to_string()))
}

fn is_serving(shared: &Shared, manifest: &[u8]) -> bool {
    serving(shared) == (Serving::Current, Some(sha256(manifest)))
}

fn write_current(state: &Path, manifest: &[u8]) {
    fs::create_dir_all(state.join("bundles")).unwrap();
    files::replace(&state.join("bundles/current"), manifest).unwrap();
}

#[test]
fn a_bundle_is_in_use_when_start_returns_and_becomes_the_last_good_one() {
    let dir = TempDir::new();
    let manifest = put_bundle(dir.path(), "one");
    let shared = shared(dir.path(), "");
    let watch = start(shared.clone()).unwrap();
    assert!(is_serving(&shared, &manifest));
    assert_eq!(fs::read(dir.join("bundles/last_good")).unwrap(), manifest);
    assert_eq!(shared.metrics.bundle_loads_ok.get(), 1);
    watch.stop();
}

#[test]
fn good_broken_good_keeps_the_last_good_one_and_says_why() {
    let dir = TempDir::new();
    let first = put_bundle(dir.path(), "one");
    let shared = shared(dir.path(), "");
    let mut watch = Watch::new(shared.clone());
    watch.look();
    for broken in [&b"{"[..], b"", b"{\"format\":99}", b"\xff\xfe", &first[..first.len() / 2]] {
        write_current(dir.path(), broken);
        watch.look();
        let state = shared.bundles.get();
        assert_eq!(serving(&shared), (Serving::Current, Some(sha256(&first))));
        assert_eq!(state.refused, Some(sha256(broken)));
        assert!(state.problems.iter().all(|p| !p.message.is_empty()) && !state.problems.is_empty());
        assert!(shared.alerts.all().contains_key(ALERT));
    }
    assert_eq!(shared.metrics.bundle_loads_failed.get(), 5);
    let second = put_bundle(dir.path(), "two");
    watch.look();
    assert!(is_serving(&shared, &second));
    assert_eq!(shared.bundles.get().problems, []);
    assert!(shared.alerts.all().is_empty());
    assert_eq!(fs::read(dir.join("bundles/last_good")).unwrap(), second);
}

#[test]
fn going_back_to_the_bundle_in_use_clears_the_alert_without_a_load() {
    let dir = TempDir::new();
    let manifest = put_bundle(dir.path(), "one");
    let shared = shared(dir.path(), "");
    let mut watch = Watch::new(shared.clone());
    watch.look();
    write_current(dir.path(), b"broken");
    watch.look();
    write_current(dir.path(), &manifest);
    watch.look();
    assert!(is_serving(&shared, &manifest) && shared.alerts.all().is_empty());
    assert_eq!(shared.metrics.bundle_loads_ok.get(), 1);
}

#[test]
fn parts_that_come_late_are_found_by_themselves() {
    let dir = TempDir::new();
    let manifest = put_bundle(dir.path(), "one");
    fs::rename(dir.join("bundles/parts"), dir.join("elsewhere")).unwrap();
    let shared = shared(dir.path(), "");
    let watch = start(shared.clone()).unwrap();
    assert_eq!(serving(&shared), (Serving::None, None));
    assert!(!shared.bundles.get().problems.is_empty());
    fs::rename(dir.join("elsewhere"), dir.join("bundles/parts")).unwrap();
    eventually("the bundle is loaded", || is_serving(&shared, &manifest));
    watch.stop();
}

#[test]
fn at_the_start_the_last_good_one_serves_when_current_is_broken() {
    let dir = TempDir::new();
    let good = put_bundle(dir.path(), "one");
    start(shared(dir.path(), "")).unwrap().stop();
    write_current(dir.path(), b"broken");
    let shared = shared(dir.path(), "");
    let watch = start(shared.clone()).unwrap();
    assert_eq!(serving(&shared), (Serving::LastGood, Some(sha256(&good))));
    assert_eq!(shared.bundles.get().refused, Some(sha256(b"broken")));
    write_current(dir.path(), &good);
    eventually("current serves", || is_serving(&shared, &good));
    watch.stop();
}

#[test]
fn without_any_bundle_nothing_serves_until_one_comes() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let watch = start(shared.clone()).unwrap();
    assert_eq!(serving(&shared), (Serving::None, None));
    assert!(shared.alerts.all().is_empty(), "a fresh installation is not an alert");
    let manifest = put_bundle(dir.path(), "one");
    let written = Instant::now();
    eventually("the bundle is loaded", || is_serving(&shared, &manifest));
    assert!(written.elapsed() < Duration::from_millis(500));
    watch.stop();
}

#[test]
fn everything_vanishing_changes_nothing() {
    let dir = TempDir::new();
    let manifest = put_bundle(dir.path(), "one");
    let shared = shared(dir.path(), "");
    let watch = start(shared.clone()).unwrap();
    fs::remove_dir_all(dir.join("bundles")).unwrap();
    eventually("it is reported", || shared.alerts.all().contains_key(ALERT));
    assert_eq!(serving(&shared).1, Some(sha256(&manifest)));
    let second = put_bundle(dir.path(), "two");
    eventually("the new one is loaded", || is_serving(&shared, &second));
    watch.stop();
}

#[test]
fn replaced_bundles_are_dropped_by_the_watcher_once_no_transaction_holds_them() {
    let dir = TempDir::new();
    put_bundle(dir.path(), "0");
    let shared = shared(dir.path(), "");
    let mut watch = Watch::new(shared.clone());
    watch.look();
    let is_done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..2).map(|_| std::thread::spawn(pin_and_release(shared.clone(), is_done.clone()))).collect();
    let held = shared.bundle.load_full().unwrap();
    for n in 1..300 {
        let manifest = put_bundle(dir.path(), &n.to_string());
        watch.look();
        assert!(is_serving(&shared, &manifest));
    }
    is_done.store(true, Relaxed);
    assert!(readers.into_iter().all(|reader| reader.join().unwrap() > 0));
    watch.look();
    assert_eq!(watch.retired.len(), 1, "the one that is still held");
    assert_eq!(Arc::strong_count(&held), 2);
    drop(held);
    watch.look();
    assert_eq!(watch.retired.len(), 0);
}

/// What a serving thread does with the bundle, as fast as it can; gives how often.
fn pin_and_release(shared: Arc<Shared>, is_done: Arc<AtomicBool>) -> impl FnOnce() -> u64 {
    move || {
        let mut pinned = 0;
        while !is_done.load(Relaxed) {
            pinned += u64::from(shared.bundle.load_full().is_some_and(|bundle| bundle.zones().len() == 1));
        }
        pinned
    }
}
