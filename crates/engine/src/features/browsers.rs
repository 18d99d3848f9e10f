//! What browsers and frameworks do beside the method line: the CORS preflight, which carries no credentials and asks for nothing yet,
//! and requests that ask the application to take another method than the one that rules and operations were judged by.

use http::HeaderMap;
use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ORIGIN};

use super::RuleViolation;
use crate::fact::{BodyUse, Cost, Fact, FactDef, Phase};
use crate::transaction::{BodyLength, Inspected};
use crate::value::Type;
use crate::verdict::FactError;
use crate::violation::ViolationDef;

/// Headers that frameworks take a method from (Rails, Symfony, ASP.NET, Express' method-override, OData).
const OVERRIDE_HEADERS: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];
/// The parameter that Rails, Laravel and Symfony take a method from.
const OVERRIDE_PARAMETER: &[u8] = b"_method";

pub(super) const FACTS: &[FactDef] = &[
    FactDef::head(
        "hoplon.cors.preflight",
        Type::Bool,
        "Hoplon; Fetch standard, CORS-preflight request",
        "OPTIONS with Origin and Access-Control-Request-Method, no body and nothing that asks for another method: a browser asks whether \
         it may send the request itself",
        |t| Fact::bool(t.seen.is_preflight),
    ),
    FactDef::head(
        "hoplon.method_override",
        Type::Bool,
        "Hoplon",
        "X-HTTP-Method-Override, X-HTTP-Method, X-Method-Override or a query parameter _method asks the application to take another method",
        |t| Fact::bool(t.seen.has_method_override),
    ),
    FactDef {
        phase: Phase::RequestBody,
        cost: Cost::Parse,
        body: form_use,
        ..FactDef::head(
            "hoplon.method_override.form",
            Type::Bool,
            "Hoplon",
            "a field _method of an urlencoded form in the body asks the application to take another method; missing where there is no such form",
            |t| form_override(t.seen),
        )
    },
];

pub(super) const VIOLATIONS: &[RuleViolation] = &[
    RuleViolation {
        def: ViolationDef {
            code: "http.method_override",
            location: "head",
            doc: "a header or the query asks the application to take another method than the request's",
        },
        evidence: |t| format!("asked of a {}", t.seen.known_method()),
    },
    RuleViolation {
        def: ViolationDef {
            code: "http.method_override.form",
            location: "body",
            doc: "a form asks the application to take another method than the request's",
        },
        evidence: |t| format!("asked of a {}", t.seen.known_method()),
    },
];

/// A CORS preflight (Fetch standard, "CORS-preflight request"). Anybody can write one: it is an OPTIONS and reaches nothing else.
pub(crate) fn is_preflight(method: &str, headers: &HeaderMap) -> bool {
    method == "OPTIONS" && headers.contains_key(ORIGIN) && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whether head or query ask for another method, whichever it is.
pub(crate) fn has_method_override(headers: &HeaderMap, query: Option<&str>) -> bool {
    headers.keys().any(|name| is_override_header(name.as_str())) || query.is_some_and(|query| names_override(query.as_bytes()))
}

/// To applications behind CGI and its kin, `_` and `-` in a header's name are the same.
fn is_override_header(name: &str) -> bool {
    let same = |known: &&str| {
        known.len() == name.len() && known.bytes().zip(name.bytes()).all(|(k, n)| k == n || k == b'-' && n == b'_')
    };
    name.starts_with('x') && OVERRIDE_HEADERS.iter().any(same)
}

fn form_use(t: &Inspected) -> BodyUse {
    if is_form(t) && !t.is_encoded { BodyUse::Whole } else { BodyUse::Nothing }
}

pub(super) fn is_form(t: &Inspected) -> bool {
    t.body_length != BodyLength::None && t.request_content_type.as_deref() == Some("application/x-www-form-urlencoded")
}

fn form_override(t: &Inspected) -> Fact<'_> {
    if !is_form(t) {
        return Fact::Missing;
    }
    if t.is_encoded {
        return Fact::Error(FactError::Encoded);
    }
    match t.body.whole() {
        Ok(body) => Fact::bool(*t.form_override.get_or_init(|| names_override(body))),
        Err(error) => Fact::Error(error),
    }
}

/// Whether a parameter of `a=b&c=d` is named `_method`. PHP reads blanks, dots and an open bracket in a name as underscores.
fn names_override(parameters: &[u8]) -> bool {
    let may_be = |name: &[u8]| name.len() >= OVERRIDE_PARAMETER.len() && (name.contains(&b'%') || name.ends_with(b"method"));
    let mut names = parameters
        .split(|byte| matches!(byte, b'&' | b';'))
        .map(|pair| pair.split(|byte| *byte == b'=').next().unwrap_or_default());
    names.any(|name| may_be(name) && is_override(&decoded(name)))
}

fn is_override(name: &[u8]) -> bool {
    let name = name.trim_ascii_start();
    name.ends_with(b"method") && matches!(name.strip_suffix(b"method"), Some(b"_" | b"." | b"["))
}

/// Percent-encoding and blanks as forms write them (URL standard, application/x-www-form-urlencoded).
fn decoded(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, behind)) = rest.split_first() {
        let hex = |at: usize| behind.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        match (first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                rest = &behind[2..];
            }
            (b'+', ..) => {
                out.push(b' ');
                rest = behind;
            }
            (byte, ..) => {
                out.push(*byte);
                rest = behind;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_is_all_three_of_its_signs() {
        let headers = |names: &[&str]| {
            let pairs = names.iter().map(|name| (http::HeaderName::from_bytes(name.as_bytes()).unwrap(), "x".parse().unwrap()));
            pairs.collect::<HeaderMap>()
        };
        let both = headers(&["origin", "access-control-request-method"]);
        assert!(is_preflight("OPTIONS", &both));
        assert!(!is_preflight("GET", &both));
        assert!(!is_preflight("OPTIONS", &headers(&["origin"])));
        assert!(!is_preflight("OPTIONS", &headers(&["access-control-request-method"])));
    }

    #[test]
    fn a_method_parameter_is_found_however_it_is_written() {
        for query in [
            "_method=PUT",
            "a=b&_method=DELETE",
            "a;_method=PUT",
            "%5Fmethod=PUT",
            "_%6dethod",
            "_method",
            ".method=PUT",
            "+_method=PUT",
            "%5Bmethod=",
        ] {
            assert!(names_override(query.as_bytes()), "{query}");
        }
        for query in ["", "method=PUT", "a=_method", "_methods=x", "my_method=x", "__method=x", "_METHOD", "%zzmethod", "%"] {
            assert!(!names_override(query.as_bytes()), "{query}");
        }
    }
}
