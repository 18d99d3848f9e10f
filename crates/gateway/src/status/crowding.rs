//! Whether the counters of limits are full: an alert while keys found no room of their own within the last minute.

use std::time::{Duration, Instant};

use crate::shared::Shared;

/// The alert.
pub const ALERT: &str = "limits_full";
/// So long after the last one without room the alert is taken back.
const REMEMBERED: Duration = Duration::from_secs(60);

/// What was seen at the last look.
#[derive(Debug, Default)]
pub struct Crowding {
    overflowed: u64,
    last: Option<Instant>,
}

impl Crowding {
    /// Looks again, and raises or takes back the alert.
    pub fn look(&mut self, shared: &Shared, now: Instant) {
        let usage = shared.counters.usage();
        if usage.tally.overflowed > self.overflowed {
            self.overflowed = usage.tally.overflowed;
            self.last = Some(now);
        }
        match self.last {
            Some(last) if now.duration_since(last) < REMEMBERED => {
                let mebibytes = shared.config.limits.counter_bytes >> 20;
                shared.alerts.raise(
                    ALERT,
                    format!(
                        "the counters of limits are full ({mebibytes} MiB, {} keys): new keys share one counter per address prefix; \
                         raise limits.counter_bytes, or use characteristics that a client cannot invent",
                        usage.keys
                    ),
                );
            }
            Some(_) => {
                self.last = None;
                shared.alerts.clear(ALERT);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use engine::Keys;
    use engine::limits::{Check, Counter, Key, StateStep, Test};

    use super::*;
    use crate::testing::{TempDir, config};

    #[test]
    fn full_counters_are_an_alert_for_a_minute() {
        let dir = TempDir::new();
        let shared = Shared::new(
            crate::config::Config {
                limits: crate::limits::LimitsConfig { counter_bytes: 1 << 20, ..Default::default() },
                ..config(dir.path(), "")
            },
            Keys::derive(&[7; 32]),
        );
        let (mut crowding, now) = (Crowding::default(), Instant::now());
        crowding.look(&shared, now);
        assert!(shared.alerts.all().is_empty());
        for number in 0..30_000_u64 {
            let counter = Counter {
                key: Key::new(number << 40 | number << 8 | number >> 8),
                overflow: Key::new(number),
                period_seconds: 3_600,
            };
            let check = Check { counter, limit: 9, test: Test::Counting, mitigation_seconds: 0, stops: true, to_origin: false };
            let _ = shared.counters.decide(&StateStep { checks: [check][..].into() }, shared.steady.now());
        }
        crowding.look(&shared, now);
        assert!(shared.alerts.all()[ALERT].contains("1 MiB"), "{:?}", shared.alerts.all());
        crowding.look(&shared, now + REMEMBERED / 2);
        assert!(shared.alerts.all().contains_key(ALERT));
        crowding.look(&shared, now + REMEMBERED);
        assert!(shared.alerts.all().is_empty());
    }
}
