//! A scrape says what the table says, and the documentation says the same.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::table::METRICS;
use crate::status::report;
use crate::testing::{TempDir, ended, shared};

/// Name to type, and name to help, as a scrape declares them.
fn declared(scrape: &str, word: &str) -> BTreeMap<String, String> {
    let lines = scrape.lines().filter_map(|line| line.strip_prefix(word));
    lines.map(|line| line.trim().split_once(' ').unwrap()).map(|(name, rest)| (name.to_owned(), rest.to_owned())).collect()
}

#[test]
fn a_scrape_declares_exactly_the_metrics_of_the_table() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let metrics = &shared.metrics;
    // A family without label values is left out of a scrape.
    let x = || super::Value::Borrowed("x");
    for counters in [&metrics.refused, &metrics.upstream_ejections, &metrics.panics, &metrics.connection_errors] {
        counters.increment([x()]);
    }
    for counters in [&metrics.records_errors, &metrics.records_retired_bytes, &metrics.health_ignored, &metrics.retries_denied] {
        counters.increment([x()]);
    }
    for counters in [&metrics.violations, &metrics.check_failures, &metrics.upstream_errors, &metrics.upstream_checks] {
        counters.increment([x(), x()]);
    }
    metrics.bundle.set([x(), x()]);
    metrics.mode.set([x()]);
    metrics.show_alerts(["x"].into_iter());
    metrics.show_in_flight([("x".to_owned(), 1)].into_iter());
    let scrape = metrics.render().unwrap();
    let types: BTreeMap<_, _> = METRICS.iter().map(|m| (format!("hoplon_{}", m.name), m.kind.as_str().to_owned())).collect();
    let helps: BTreeMap<_, _> = METRICS.iter().map(|m| (format!("hoplon_{}", m.name), format!("{}.", m.help))).collect();
    assert_eq!(declared(&scrape, "# TYPE "), types);
    assert_eq!(declared(&scrape, "# HELP "), helps);
    assert!(scrape.ends_with("# EOF\n"));
}

#[test]
fn an_ended_transaction_is_counted_by_zone_verdict_and_status() {
    let dir = TempDir::new();
    let shared = shared(dir.path(), "");
    let zone = ended(0).record.zone;
    shared.metrics.zones().serve([&*zone].into_iter());
    (0..14).for_each(|n| shared.ended(Box::new(ended(n))));
    shared.metrics.refused_without_bundle();
    shared.metrics.engine_panicked();
    report::refresh(&shared);
    let scrape = shared.metrics.render().unwrap();
    for line in [
        format!("hoplon_requests_total{{zone=\"{zone}\",action=\"allow\",status=\"2xx\"}} 12"),
        format!("hoplon_requests_total{{zone=\"{zone}\",action=\"block\",status=\"4xx\"}} 2"),
        format!("hoplon_request_duration_seconds_bucket{{le=\"0.0005\",zone=\"{zone}\"}} 0"),
        format!("hoplon_request_duration_seconds_bucket{{le=\"0.001\",zone=\"{zone}\"}} 14"),
        format!("hoplon_request_duration_seconds_bucket{{le=\"+Inf\",zone=\"{zone}\"}} 14"),
        format!("hoplon_request_duration_seconds_sum{{zone=\"{zone}\"}} 0.0126"),
        format!("hoplon_engine_duration_seconds_bucket{{le=\"0.0000025\",zone=\"{zone}\"}} 14"),
        format!("hoplon_response_body_bytes_total{{zone=\"{zone}\"}} 14336"),
        format!("hoplon_violations_total{{zone=\"{zone}\",code=\"operations.fallthrough\"}} 2"),
        "hoplon_refused_total{code=\"no_bundle\"} 1".into(),
        "hoplon_panics_total{place=\"engine\"} 1".into(),
        "hoplon_mode{mode=\"enforce\"} 1".into(),
        "hoplon_ready 0".into(),
        "hoplon_records_queue_depth 14".into(),
    ] {
        assert!(scrape.lines().any(|l| l == line), "{line} is missing in\n{scrape}");
    }
    assert_eq!(shared.metrics.zones().requests(), 14);
    assert!(shared.metrics.resident_memory.get() > 1 << 20);
}

#[test]
fn label_sets_are_bounded() {
    let dir = TempDir::new();
    let metrics = &shared(dir.path(), "").metrics;
    for n in 0..super::MAX_LABEL_SETS + 10 {
        metrics.refused.increment([format!("code{n}").into()]);
    }
    assert_eq!(metrics.refused.get(["other".into()]), 10);
    assert_eq!(metrics.refused.total(), super::MAX_LABEL_SETS as u64 + 10);
}

#[test]
fn zones_of_replaced_bundles_keep_their_counters() {
    let dir = TempDir::new();
    let metrics = &shared(dir.path(), "").metrics;
    metrics.zones().serve(["a"].into_iter());
    metrics.zones().count("a", &super::Counted { status: 200, ..Default::default() });
    metrics.zones().serve(["b"].into_iter());
    metrics.zones().count("a", &super::Counted { status: 200, ..Default::default() });
    assert!(metrics.render().unwrap().contains("hoplon_requests_total{zone=\"a\",action=\"allow\",status=\"2xx\"} 2"));
}

const BEGIN: &str = "<!-- generated: metrics -->\n";
const END: &str = "<!-- end -->";

/// The table of the documentation, as it has to be.
fn documented() -> String {
    let mut page = "\n| metric | kind | labels | what it is |\n| --- | --- | --- | --- |\n".to_owned();
    for metric in METRICS {
        let labels = metric.labels.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>().join(" ");
        writeln!(page, "| `{}` | {} | {labels} | {} |", metric.sample_name(), metric.kind.as_str(), metric.help).unwrap();
    }
    page + "\n"
}

#[test]
fn the_documentation_is_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/metrics.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    if std::env::var_os("HOPLON_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", documented())).unwrap();
    } else {
        assert!(written == documented(), "run this test with HOPLON_WRITE_DOCS=1 to write docs/reference/metrics.md anew");
    }
}
