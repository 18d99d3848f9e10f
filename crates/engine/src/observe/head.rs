//! Rows of what stands before a body: path variables, query parameters, headers, cookies.

use http::header::{self, HeaderName};

use super::body::pairs;
use super::detectors::DetectorSet;
use super::formats::FormatSet;
use super::names::{Announces, kinds_of_name};
use super::redact::{announced_behind, decode_percent, redact_name};
use super::rows::{Place, Rows};
use super::sample::MessageCopy;
use crate::record::{Direction, Location};

/// Most values of one kind (path segments, cookies of one header).
const MOST: usize = 32;

/// The variables of the path; every segment, under its index, when no operation matched.
pub(super) fn observe_path(rows: &mut Rows<'_>, path: &str, template: Option<&str>) {
    let mut names = template.map(|template| template.split('/'));
    let mut announced = Announces::Nothing;
    for (index, segment) in path.split('/').enumerate().skip(usize::from(path.starts_with('/'))).take(MOST) {
        let index = index - usize::from(path.starts_with('/'));
        let kinds = if announced == Announces::Nothing {
            DetectorSet::NONE
        } else {
            DetectorSet::SECRET_NAME.with(DetectorSet::OTP_NAME)
        };
        let name = match names.as_mut().map(|names| template_segment(names, index)) {
            None => Some((index.to_string(), DetectorSet::NONE)),
            Some(segment) => variable(segment).map(|name| (name.to_owned(), kinds_of_name(name))),
        };
        if let (Some((name, named)), false) = (name, segment.is_empty()) {
            let place = request(Location::Path, &name, kinds.with(named));
            rows.text(place, &decode_percent(segment));
        }
        announced = announced_behind(announced, segment);
    }
}

/// Steps to the segment of that index; the first call passes the empty part before the first slash.
fn template_segment<'t>(segments: &mut std::str::Split<'t, char>, index: usize) -> &'t str {
    if index == 0 {
        segments.next();
    }
    segments.next().unwrap_or_default()
}

fn variable(segment: &str) -> Option<&str> {
    segment.strip_prefix('{')?.strip_suffix('}')
}

fn request(location: Location, pointer: &str, kinds: DetectorSet) -> Place<'_> {
    Place {
        direction: Direction::Request,
        location,
        pointer,
        kinds,
        is_code: pointer.eq_ignore_ascii_case("code"),
        may_be_literal: true,
    }
}

/// The parameters of the query.
pub(super) fn observe_query(rows: &mut Rows<'_>, query: &str) {
    for (name, value) in pairs(query.as_bytes()) {
        let kinds = kinds_of_name(&name);
        let pointer = redact_name(&name, rows.keys);
        rows.text(request(Location::Query, &pointer, kinds), &value);
    }
}

/// The headers that were copied; cookies each under their name.
pub(super) fn observe_headers(rows: &mut Rows<'_>, copy: &MessageCopy, direction: Direction) {
    for (name, value) in &copy.headers {
        let text = String::from_utf8_lossy(value);
        match *name {
            header::COOKIE => text.split(';').take(MOST).for_each(|cookie| observe_cookie(rows, cookie, direction)),
            header::SET_COOKIE => observe_cookie(rows, text.split(';').next().unwrap_or_default(), direction),
            header::AUTHORIZATION | header::PROXY_AUTHORIZATION => observe_credentials(rows, name, &text, direction),
            _ => {
                let pointer = redact_name(name.as_str(), rows.keys);
                let place = Place {
                    direction,
                    may_be_literal: !is_never_literal(name),
                    ..request(Location::Header, &pointer, kinds_of_name(name.as_str()))
                };
                rows.text(place, &text);
            }
        }
    }
}

/// Headers that quote addresses, with whatever their queries hold.
fn is_never_literal(name: &HeaderName) -> bool {
    const NEVER: &[HeaderName] = &[
        header::REFERER,
        header::LOCATION,
        header::CONTENT_LOCATION,
        header::LINK,
        header::REFRESH,
        header::WWW_AUTHENTICATE,
        header::FROM,
    ];
    NEVER.contains(name)
}

fn observe_cookie(rows: &mut Rows<'_>, cookie: &str, direction: Direction) {
    let (name, value) = cookie.trim().split_once('=').unwrap_or(("", cookie.trim()));
    let pointer = redact_name(name, rows.keys);
    let place = Place { direction, may_be_literal: false, ..request(Location::Cookie, &pointer, kinds_of_name(name)) };
    rows.text(place, value.trim_matches('"'));
}

/// The scheme is said, what follows is a secret; of `Basic`, which holds a password, not even a hash is kept.
fn observe_credentials(rows: &mut Rows<'_>, header: &HeaderName, text: &str, direction: Direction) {
    let (scheme, credentials) = text.trim().split_once(' ').unwrap_or(("", text.trim()));
    let (format, guessable) = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => (FormatSet::BEARER, DetectorSet::NONE),
        "basic" => (FormatSet::BASIC, DetectorSet::PASSWORD_NAME),
        _ => (FormatSet::OTHER_SCHEME, DetectorSet::NONE),
    };
    let kinds = DetectorSet::SECRET_NAME.with(guessable);
    let place = Place { direction, may_be_literal: false, ..request(Location::Header, header.as_str(), kinds) };
    rows.text_with(place, credentials.trim(), format);
}
