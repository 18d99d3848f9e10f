//! Every metric of the gateway: its name, type, labels and meaning, in one table that the registry, the scrape and
//! `docs/reference/metrics.md` are made from.

/// What a metric is, in the words of the exposition format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its samples end in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts in buckets; its samples end in `_bucket`, `_sum` and `_count`.
    Histogram,
    /// A constant 1 whose labels carry the meaning; its sample ends in `_info`.
    Info,
}

impl Kind {
    /// The word after `# TYPE`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
            Kind::Info => "info",
        }
    }

    /// What the name of a sample has after the name of its metric.
    pub const fn sample_suffix(self) -> &'static str {
        match self {
            Kind::Counter => "_total",
            Kind::Gauge => "",
            Kind::Histogram => "_bucket",
            Kind::Info => "_info",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub struct MetricDef {
    /// Name without the prefix `hoplon_` and without the suffix of its kind.
    pub name: &'static str,
    /// Counter, gauge, histogram or info.
    pub kind: Kind,
    /// Label names, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// One sentence, without the full stop that the encoder adds.
    pub help: &'static str,
}

impl MetricDef {
    /// The name in a query: prefix, name, and the suffix of its kind.
    pub fn sample_name(&self) -> String {
        format!("hoplon_{}{}", self.name, self.kind.sample_suffix())
    }
}

const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDef {
    MetricDef { name, kind: Kind::Counter, labels, help }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDef {
    MetricDef { name, kind: Kind::Gauge, labels, help }
}

const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDef {
    MetricDef { name, kind: Kind::Histogram, labels, help }
}

const fn info(name: &'static str, labels: &'static [&'static str], help: &'static str) -> MetricDef {
    MetricDef { name, kind: Kind::Info, labels, help }
}

pub const REQUESTS: MetricDef = counter(
    "requests",
    &["zone", "action", "status"],
    "Transactions that ended, by zone id (empty: refused before a zone was known), verdict and class of the status the client got (none: it got nothing)",
);
pub const REQUEST_DURATION: MetricDef =
    histogram("request_duration_seconds", &["zone"], "From the request's head to the last byte of the response");
pub const UPSTREAM_DURATION: MetricDef =
    histogram("upstream_duration_seconds", &["zone"], "From the choice of an upstream to the head of its response");
pub const ENGINE_DURATION: MetricDef =
    histogram("engine_duration_seconds", &["zone"], "Time inside the engine per transaction, all phases together");
pub const REQUEST_BODY_BYTES: MetricDef = counter("request_body_bytes", &["zone"], "Bytes of request bodies received");
pub const RESPONSE_BODY_BYTES: MetricDef = counter("response_body_bytes", &["zone"], "Bytes of response bodies sent");
pub const SAMPLED: MetricDef = counter("sampled", &["zone"], "Transactions of which Observations were taken");
pub const RETRIES: MetricDef = counter("retries", &["zone"], "Requests sent a second time because a pooled connection was stale");
pub const REFUSED: MetricDef = counter("refused", &["code"], "Protocol refusals by their violation code; they act in every mode");
pub const VIOLATIONS: MetricDef = counter("violations", &["zone", "code"], "Violations found, by code");
pub const CHECK_FAILURES: MetricDef = counter(
    "check_failures",
    &["check", "mode"],
    "A check itself failed or lacked its state, and its fail mode (open or closed) decided instead",
);
pub const UPSTREAM_ERRORS: MetricDef = counter(
    "upstream_errors",
    &["zone", "error"],
    "Transactions that failed between gateway and upstream or client, by error code",
);
pub const UPSTREAM_EJECTIONS: MetricDef =
    counter("upstream_ejections", &["upstream"], "Times an upstream was left out after failures in a row");
pub const UPSTREAMS_EJECTED: MetricDef = gauge("upstreams_ejected", &[], "Upstreams left out at this moment");
pub const UPSTREAM_CHECKS: MetricDef =
    counter("upstream_checks", &["upstream", "result"], "Active health checks of an upstream (result: ok or failed)");
pub const UPSTREAMS_FAILING: MetricDef =
    gauge("upstreams_failing", &[], "Upstreams that fail their active health checks at this moment");
pub const UPSTREAM_IN_FLIGHT: MetricDef =
    gauge("upstream_in_flight", &["upstream"], "Requests under way to an upstream, upgraded connections included");
pub const HEALTH_IGNORED: MetricDef = counter(
    "upstream_health_ignored",
    &["zone"],
    "Requests sent without regard to health because fewer upstreams were healthy than the zone's panic threshold",
);
pub const RETRIES_DENIED: MetricDef =
    counter("retries_denied", &["zone"], "Retries that were not made because the zone's retry budget was used up");
pub const ZONES_IN_MAINTENANCE: MetricDef =
    gauge("zones_in_maintenance", &[], "Zones whose requests are answered 503 by their policy");
pub const PANICS: MetricDef = counter("panics", &["place"], "Panics caught, by the part that panicked");
pub const CONNECTIONS: MetricDef =
    counter("connections", &["transport"], "Client connections accepted (transport: plain or tls)");
pub const CONNECTIONS_OPEN: MetricDef = gauge("connections_open", &[], "Client connections open at this moment");
pub const CONNECTION_ERRORS: MetricDef =
    counter("connection_errors", &["error"], "Client connections that ended with an error, by kind");
pub const UPGRADES_OPEN: MetricDef =
    gauge("upgrades_open", &[], "Upgraded connections (WebSocket and others) open at this moment");
pub const RECORDS_WRITTEN: MetricDef = counter("records_written", &["table"], "Rows written to the open segment, by table");
pub const RECORDS_DROPPED: MetricDef = counter(
    "records_dropped",
    &["reason"],
    "Records not written: queue_full (the writer is behind), io (the disk is full or failing), panic (the writer panicked)",
);
pub const RECORDS_ERRORS: MetricDef = counter("records_errors", &["operation"], "Errors of the records files, by operation");
pub const RECORDS_QUEUE: MetricDef = gauge("records_queue_depth", &[], "Records waiting for the writer");
pub const RECORDS_SAMPLES_DROPPED: MetricDef = counter(
    "records_samples_dropped",
    &[],
    "Samples dropped because too many bytes of samples were waiting; their records are kept",
);
pub const RECORDS_SEGMENTS: MetricDef = counter("records_segments", &[], "Segments opened");
pub const RECORDS_RETIRED_BYTES: MetricDef =
    counter("records_retired_bytes", &["reason"], "Bytes of records deleted by retention (age or bytes)");
pub const RECORDS_STORED_BYTES: MetricDef =
    gauge("records_stored_bytes", &[], "Bytes of open and sealed records at the last look of retention");
pub const BUNDLE_LOADS: MetricDef =
    counter("bundle_loads", &["result"], "Bundles loaded (ok), or refused (failed) with the one before kept");
pub const BUNDLE: MetricDef = gauge("bundle", &["hash", "serving"], "The bundle in use; serving: current, last_good or none");
pub const BUNDLE_LOADED: MetricDef =
    gauge("bundle_loaded_timestamp_seconds", &[], "When the bundle in use was loaded, in Unix time");
pub const MODE: MetricDef = gauge("mode", &["mode"], "1 for the mode in use: enforce, log or off");
pub const KNOWN_HOSTS: MetricDef = gauge("known_hosts", &[], "Hosts known because they answered successfully, all zones");
pub const KNOWN_HOSTS_FORGONE: MetricDef =
    counter("known_hosts_forgone", &[], "Hosts not remembered because their zone's table was full");
pub const TOKENS: MetricDef =
    counter("tokens", &["outcome"], "Tokens judged, by outcome: valid, absent, or the code of why one was refused");
pub const TOKEN_CACHE_HITS: MetricDef =
    counter("token_cache_hits", &[], "Tokens whose signature was not verified again, because it was remembered");
pub const TOKEN_CACHE_ENTRIES: MetricDef = gauge("token_cache_entries", &[], "Verified tokens that are remembered");
pub const TOKEN_CACHE_BYTES: MetricDef = gauge("token_cache_bytes", &[], "Memory that verified tokens take, about");
pub const TOKEN_SECRETS_MISSING: MetricDef =
    gauge("token_secrets_missing", &[], "HMAC keys of the bundle in use whose secret is not here, or too short");
pub const ALERT: MetricDef = gauge("alert", &["alert"], "1 while something needs the operator's attention");
pub const READY: MetricDef = gauge("ready", &[], "1 while /readyz answers 200");
pub const RESIDENT_MEMORY: MetricDef = gauge("resident_memory_bytes", &[], "Resident memory of the gateway's process");
pub const STARTED: MetricDef = gauge("start_timestamp_seconds", &[], "When the gateway started, in Unix time");
pub const BUILD: MetricDef = info("build", &["version", "instance"], "The version of Hoplon and the name of this gateway");

pub const LIMITS_CHECKS: MetricDef = counter("limits_checks", &[], "Checks of a limit: one for each limit that a request met");
pub const LIMITS_EXCEEDED: MetricDef =
    counter("limits_exceeded", &[], "Checks that found the limit exceeded, or its key under mitigation");
pub const LIMITS_MITIGATIONS: MetricDef = counter("limits_mitigations", &[], "Mitigations that began");
pub const LIMITS_OVERFLOWED: MetricDef = counter(
    "limits_overflowed",
    &[],
    "Checks and counts for whose key there was no room: they went to the overflow bucket of their limit and address prefix",
);
pub const LIMITS_EVICTED: MetricDef =
    counter("limits_evicted", &[], "Overflow buckets that were forgotten for another; never one under mitigation");
pub const LIMITS_NO_ROOM: MetricDef =
    counter("limits_no_room", &[], "Checks and counts that found no room at all: the fail mode of the limit applied");
pub const LIMITS_KEYS: MetricDef =
    gauge("limits_keys", &[], "Counters in use, those that are over but not yet taken over included");
pub const LIMITS_CAPACITY: MetricDef = gauge("limits_capacity", &[], "Counters that there can be");
pub const LIMITS_BYTES: MetricDef =
    gauge("limits_bytes", &[], "Memory set aside for counters; resident as far as they were used");

/// All of them, in the order of the documentation. What is not here is not exposed; a test compares this table with a scrape.
pub const METRICS: &[MetricDef] = &[
    REQUESTS,
    REQUEST_DURATION,
    UPSTREAM_DURATION,
    ENGINE_DURATION,
    REQUEST_BODY_BYTES,
    RESPONSE_BODY_BYTES,
    SAMPLED,
    RETRIES,
    REFUSED,
    VIOLATIONS,
    CHECK_FAILURES,
    UPSTREAM_ERRORS,
    UPSTREAM_EJECTIONS,
    UPSTREAMS_EJECTED,
    UPSTREAM_CHECKS,
    UPSTREAMS_FAILING,
    UPSTREAM_IN_FLIGHT,
    HEALTH_IGNORED,
    RETRIES_DENIED,
    ZONES_IN_MAINTENANCE,
    PANICS,
    CONNECTIONS,
    CONNECTIONS_OPEN,
    CONNECTION_ERRORS,
    UPGRADES_OPEN,
    RECORDS_WRITTEN,
    RECORDS_DROPPED,
    RECORDS_ERRORS,
    RECORDS_QUEUE,
    RECORDS_SAMPLES_DROPPED,
    RECORDS_SEGMENTS,
    RECORDS_RETIRED_BYTES,
    RECORDS_STORED_BYTES,
    LIMITS_CHECKS,
    LIMITS_EXCEEDED,
    LIMITS_MITIGATIONS,
    LIMITS_OVERFLOWED,
    LIMITS_EVICTED,
    LIMITS_NO_ROOM,
    LIMITS_KEYS,
    LIMITS_CAPACITY,
    LIMITS_BYTES,
    BUNDLE_LOADS,
    BUNDLE,
    BUNDLE_LOADED,
    MODE,
    KNOWN_HOSTS,
    KNOWN_HOSTS_FORGONE,
    TOKENS,
    TOKEN_CACHE_HITS,
    TOKEN_CACHE_ENTRIES,
    TOKEN_CACHE_BYTES,
    TOKEN_SECRETS_MISSING,
    ALERT,
    READY,
    RESIDENT_MEMORY,
    STARTED,
    BUILD,
];
