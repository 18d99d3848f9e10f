//! How a limit is named to clients: one member of `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11), which never changes, so
//! it is written when the policy is loaded. Takes a limit's id and numbers; knows no request.

use http::HeaderValue;

use super::limit::Quantity;

/// `"<id>";q=100;w=60`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub policy: HeaderValue,
    /// So many bytes of it are the name, quoted: what `RateLimit` begins with.
    name_bytes: usize,
}

impl Told {
    /// None where a client could not count: a score.
    pub(super) fn of(id: &str, quantity: &Quantity, period_seconds: u32) -> Option<Self> {
        let name = quoted(id);
        let policy = match quantity {
            Quantity::Requests(most) => format!("{name};q={most};w={period_seconds}"),
            Quantity::InFlight(most) => format!("{name};q={most};qu=\"concurrent-requests\""),
            Quantity::Score { .. } => return None,
        };
        Some(Self { policy: HeaderValue::try_from(policy).ok()?, name_bytes: name.len() })
    }

    /// The name, quoted.
    #[must_use]
    pub fn name(&self) -> &str {
        self.policy.to_str().ok().and_then(|policy| policy.get(..self.name_bytes)).unwrap_or("\"\"")
    }
}

/// A string of RFC 9651: visible ASCII and blanks, quote and backslash escaped.
fn quoted(id: &str) -> String {
    let mut name = String::with_capacity(id.len() + 2);
    name.push('"');
    for character in id.chars() {
        match character {
            '"' | '\\' => name.extend(['\\', character]),
            ' '..='~' => name.push(character),
            _ => name.push('_'),
        }
    }
    name.push('"');
    name
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn a_limit_is_named_once_with_what_it_allows() {
        let told = |quantity| Told::of("log\"ins\\é", &quantity, 60);
        let requests = told(Quantity::Requests(100)).unwrap();
        assert_eq!((requests.policy.to_str().unwrap(), requests.name()), (r#""log\"ins\\_";q=100;w=60"#, r#""log\"ins\\_""#));
        let busy = told(Quantity::InFlight(5)).unwrap();
        assert_eq!(busy.policy, r#""log\"ins\\_";q=5;qu="concurrent-requests""#);
        assert_eq!(told(Quantity::Score { most: 9, header: HeaderName::from_static("x-cost") }), None);
    }
}
