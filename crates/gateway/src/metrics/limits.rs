//! What the counters of limits tell of themselves, read from them at a scrape: the request path counts nothing twice.

use std::fmt;
use std::sync::Arc;

use engine::limits::Counters;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::table;

/// See the module.
#[derive(Debug)]
pub struct LimitsCollector(pub Arc<Counters>);

impl Collector for LimitsCollector {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), fmt::Error> {
        let usage = self.0.usage();
        let tally = usage.tally;
        let counters = [
            (&table::LIMITS_CHECKS, tally.checks),
            (&table::LIMITS_EXCEEDED, tally.exceeded),
            (&table::LIMITS_MITIGATIONS, tally.mitigations),
            (&table::LIMITS_OVERFLOWED, tally.overflowed),
            (&table::LIMITS_EVICTED, tally.forgotten),
            (&table::LIMITS_NO_ROOM, tally.no_room),
        ];
        for (def, count) in counters {
            let metric = encoder.encode_descriptor(def.name, &format!("{}.", def.help), None, MetricType::Counter)?;
            ConstCounter::new(count).encode(metric)?;
        }
        let gauges =
            [(&table::LIMITS_KEYS, usage.keys), (&table::LIMITS_CAPACITY, usage.capacity), (&table::LIMITS_BYTES, usage.bytes)];
        for (def, value) in gauges {
            let metric = encoder.encode_descriptor(def.name, &format!("{}.", def.help), None, MetricType::Gauge)?;
            ConstGauge::new(value as i64).encode(metric)?;
        }
        Ok(())
    }
}
