//! What choosing an upstream costs a request: health, requests under way and turns of all of a zone's upstreams, the count of
//! requests under way, the retry budget. None of it but the last two runs for a zone of one upstream.
//!
//! `cargo bench -p hoplon-gateway --features testing --bench upstreams` prints one JSON document, in nanoseconds per request.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use engine::{BalancingMethod, BalancingSettings, RetrySettings};
use gateway::testing::balance::{View, choose};
use gateway::testing::health::{Health, UpstreamHealth};
use gateway::testing::retries::RetryBudgets;
use serde::Serialize;

#[derive(Serialize)]
struct Row {
    what: &'static str,
    upstreams: usize,
    nanos: f64,
}

fn main() {
    let mut rows: Vec<_> = [2, 8, 64].iter().flat_map(|upstreams| choices(*upstreams)).collect();
    rows.extend([under_way(), budget()]);
    println!("{}", serde_json::to_string_pretty(&rows).unwrap());
}

fn choices(upstreams: usize) -> [Row; 2] {
    let table = UpstreamHealth::default();
    let healths: Vec<_> = (0..upstreams).map(|n| table.of(&n.to_string(), "http://upstream")).collect();
    let row = |what, method| {
        let settings = BalancingSettings { method, panic_percent: 50 };
        let mut start = 0;
        let nanos = nanos(|| {
            let views: smallvec::SmallVec<[View; 8]> = healths.iter().map(view).collect();
            start = choose(settings, start, black_box(&views)).map_or(0, |chosen| (chosen.index + 1) % upstreams);
        });
        Row { what, upstreams, nanos }
    };
    [row("least requests", BalancingMethod::LeastRequests), row("round robin", BalancingMethod::RoundRobin)]
}

fn view(health: &Arc<Health>) -> View {
    View { is_drained: false, is_healthy: health.is_healthy(1), was_tried: false, in_flight: health.in_flight() }
}

fn under_way() -> Row {
    let health = UpstreamHealth::default().of("a", "http://upstream");
    let nanos = nanos(|| {
        black_box(&health).begin();
        black_box(&health).end();
    });
    Row { what: "counted as under way, begin and end", upstreams: 1, nanos }
}

fn budget() -> Row {
    let settings = RetrySettings::default();
    let budget = RetryBudgets::default().of("zone", settings, 0);
    let nanos = nanos(|| black_box(&budget).pay_in(settings));
    Row { what: "paid into a full retry budget", upstreams: 1, nanos }
}

/// Nanoseconds per call in the best of many rounds, each so short that some of them meet nothing else on this core.
fn nanos(mut call: impl FnMut()) -> f64 {
    const ROUNDS: u32 = 5_000;
    const CALLS: u32 = 200;
    let mut round = || {
        let started = Instant::now();
        (0..CALLS).for_each(|_| call());
        started.elapsed().as_nanos() as f64 / f64::from(CALLS)
    };
    (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min)
}
