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
    if let Some(told) = &quota.told {
        headers.reserve(2);
        headers.append(RATELIMIT_POLICY, told.policy.clone());
        if let Ok(left) = HeaderValue::try_from(left(told.name(), quota, verdict.is_limited)) {
            headers.append(RATELIMIT, left);
        }
    }
}

/// `"<name>";r=7;t=12`; of requests at the same time nobody knows until when.
fn left(name: &str, quota: &Quota, is_limited: bool) -> String {
    let mut digits = itoa::Buffer::new();
    let mut field = String::with_capacity(name.len() + 32);
    field.extend([name, ";r=", digits.format(quota.remaining)]);
    if quota.unit == QuotaUnit::Requests {
        let seconds = if is_limited { quota.retry_after_seconds } else { quota.reset_seconds };
        field.extend([";t=", digits.format(seconds)]);
    }
    field
}

#[cfg(test)]
mod tests {
    use engine::testing::{BundleText, limit};
    use engine::{Keys, Mode, RequestId, Timestamp, Transaction};
    use serde_json::json;

    use super::*;

    /// A verdict that shows a limit of 100 in ten seconds, of which 7 are left for 12 more.
    fn verdict(is_limited: bool) -> Verdict {
        let bundle = BundleText::of(&[], &json!([])).limited_by(&[limit("one", 100)]).load().unwrap();
        let now = Timestamp::default();
        let told = bundle.zones()[0].limits().all()[0].told().cloned();
        let transaction = Transaction::begin(bundle.into(), &Keys::derive(&[0; 32]), RequestId::new(now, 0), now, Mode::Enforce);
        let quota = Quota {
            limit: "one".into(),
            unit: QuotaUnit::Requests,
            most: 100,
            told,
            period_seconds: 10,
            remaining: 7,
            reset_seconds: 12,
            retry_after_seconds: 31,
        };
        Verdict { quota: Some(quota), is_limited, ..transaction.verdict().clone() }
    }

    fn written(verdict: &Verdict) -> Vec<String> {
        let mut headers = HeaderMap::new();
        write(&mut headers, verdict);
        let text = |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        headers.iter().map(text).collect()
    }

    #[test]
    fn a_passing_response_says_what_is_left_and_until_when() {
        assert_eq!(written(&verdict(false)), [r#"ratelimit-policy: "one";q=100;w=10"#, r#"ratelimit: "one";r=7;t=12"#]);
    }

    #[test]
    fn a_block_says_when_to_come_again_also_where_nothing_else_is_told() {
        let mut limited = verdict(true);
        assert_eq!(written(&limited)[0], "retry-after: 31");
        assert_eq!(written(&limited)[2], r#"ratelimit: "one";r=7;t=31"#);
        limited.quota.as_mut().unwrap().told = None;
        assert_eq!(written(&limited), ["retry-after: 31"]);
    }

    #[test]
    fn what_the_upstream_says_of_its_own_limits_stays() {
        let mut headers = HeaderMap::from_iter([(RATELIMIT, HeaderValue::from_static("\"own\";r=1"))]);
        write(&mut headers, &verdict(false));
        assert_eq!(headers.get_all(RATELIMIT).iter().count(), 2);
    }
}
