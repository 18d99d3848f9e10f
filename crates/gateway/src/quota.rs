//! What a client is told of its limits: `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11, structured
//! fields of RFC 9651) and `Retry-After` (RFC 9110 §10.2.3). Takes the Verdict's quota, adds to a response's head: what the
//! upstream says of limits of its own stays beside it, both fields are lists.

use engine::verdict::{Quota, QuotaUnit, Verdict};
use http::header::RETRY_AFTER;
use http::{HeaderMap, HeaderName, HeaderValue};

const RATELIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATELIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Tells the client about the one limit that the verdict shows, if it shows one.
pub fn write(headers: &mut HeaderMap, verdict: &Verdict) {
    let Some(quota) = &verdict.quota else { return };
    if verdict.is_limited {
        headers.insert(RETRY_AFTER, HeaderValue::from(quota.retry_after_seconds));
    }
    let name = name(&quota.limit);
    let fields = [(RATELIMIT_POLICY, policy(&name, quota)), (RATELIMIT, left(&name, quota, verdict.is_limited))];
    for (field, text) in fields {
        if let Some(value) = text.and_then(|text| HeaderValue::from_str(&text).ok()) {
            headers.append(field, value);
        }
    }
}

/// A score is nothing that a client could count: it is not told.
fn policy(name: &str, quota: &Quota) -> Option<String> {
    let Quota { most, period_seconds, .. } = quota;
    match quota.unit {
        QuotaUnit::Requests => Some(format!("\"{name}\";q={most};w={period_seconds}")),
        QuotaUnit::InFlight => Some(format!("\"{name}\";q={most};qu=\"concurrent-requests\"")),
        QuotaUnit::Score => None,
    }
}

fn left(name: &str, quota: &Quota, is_limited: bool) -> Option<String> {
    let seconds = if is_limited { quota.retry_after_seconds } else { quota.reset_seconds };
    match quota.unit {
        QuotaUnit::Requests => Some(format!("\"{name}\";r={};t={seconds}", quota.remaining)),
        QuotaUnit::InFlight => Some(format!("\"{name}\";r={}", quota.remaining)),
        QuotaUnit::Score => None,
    }
}

/// The limit's id as the inside of a string of RFC 9651: visible ASCII and blanks, quote and backslash escaped.
fn name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for character in id.chars() {
        match character {
            '"' | '\\' => name.extend(['\\', character]),
            ' '..='~' => name.push(character),
            _ => name.push('_'),
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use engine::{Bundle, Keys, Mode, RequestId, Timestamp, Transaction};

    use super::*;

    fn verdict(quota: Quota, is_limited: bool) -> Verdict {
        let now = Timestamp::default();
        let transaction =
            Transaction::begin(Bundle::none().into(), &Keys::derive(&[0; 32]), RequestId::new(now, 0), now, Mode::Enforce);
        Verdict { quota: Some(quota), is_limited, ..transaction.verdict().clone() }
    }

    fn quota(unit: QuotaUnit) -> Quota {
        Quota {
            limit: "log\"ins\\é".into(),
            unit,
            most: 100,
            period_seconds: 60,
            remaining: 7,
            reset_seconds: 12,
            retry_after_seconds: 31,
        }
    }

    fn written(unit: QuotaUnit, is_limited: bool) -> Vec<String> {
        let mut headers = HeaderMap::new();
        write(&mut headers, &verdict(quota(unit), is_limited));
        let text = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        headers.iter().map(text).collect()
    }

    #[test]
    fn a_passing_response_says_what_is_left_and_until_when() {
        let name = r#""log\"ins\\_""#;
        let expected = [format!("ratelimit-policy: {name};q=100;w=60"), format!("ratelimit: {name};r=7;t=12")];
        assert_eq!(written(QuotaUnit::Requests, false), expected);
        let expected = [format!("ratelimit-policy: {name};q=100;qu=\"concurrent-requests\""), format!("ratelimit: {name};r=7")];
        assert_eq!(written(QuotaUnit::InFlight, false), expected);
        assert!(written(QuotaUnit::Score, false).is_empty());
    }

    #[test]
    fn a_block_says_when_to_come_again() {
        let fields = written(QuotaUnit::Requests, true);
        assert_eq!(fields[0], "retry-after: 31");
        assert!(fields[2].ends_with(";r=7;t=31"), "{fields:?}");
        assert_eq!(written(QuotaUnit::Score, true), ["retry-after: 31"]);
    }

    #[test]
    fn what_the_upstream_says_of_its_own_limits_stays() {
        let mut headers = HeaderMap::from_iter([(RATELIMIT, HeaderValue::from_static("\"own\";r=1"))]);
        write(&mut headers, &verdict(quota(QuotaUnit::Requests), false));
        assert_eq!(headers.get_all(RATELIMIT).iter().count(), 2);
    }
}
