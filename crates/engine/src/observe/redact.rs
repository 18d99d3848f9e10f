//! What a record may hold of texts that a client chose: paths, hosts, methods, media types, names; and evidence that never quotes.
//! A part that looks secret becomes `<type:hash8>`, or `<type>` where its hash could be guessed.

use std::borrow::Cow;

use super::charset::Charset;
use super::detectors::{DetectorSet, detect};
use super::formats::{FormatSet, formats_of, is_uuid};
use super::names::{Announces, announced_by_segment, is_plain_word_of_a_path, kinds_of_name};
use crate::hash::Keys;
use crate::url::segments;

/// Longest path in a record, in bytes; what is cut off is said by a last segment `<more>`.
pub const PATH_BYTES: usize = 1024;
/// Longest segment of a path that is kept as it is.
pub const SEGMENT_BYTES: usize = 96;
/// Longest name of a parameter, header, cookie or member that is kept as it is.
pub const NAME_BYTES: usize = 64;

/// An operation's path template as redaction needs it: its literal segments, and what each announces. Made once per bundle.
#[derive(Clone, Debug, Default)]
pub struct PathPlan(Vec<Option<(Box<str>, Announces)>>);

impl PathPlan {
    /// From a template: `/users/{id}`.
    #[must_use]
    pub fn of(template: &str) -> Self {
        let literal = |segment: &str| (!segment.starts_with('{')).then(|| (segment.into(), announced_by(segment)));
        Self(template.split('/').map(literal).collect())
    }

    /// What the literal at this position announces, when `segment` is that literal.
    fn literal(&self, position: usize, segment: &str) -> Option<Announces> {
        let (literal, announces) = self.0.get(position)?.as_ref()?;
        (**literal == *segment).then_some(*announces)
    }
}

/// The path as a record may hold it. `normalised` is the path as the engine matched it, `plan` that of the operation that matched: its
/// literal segments stay whatever they look like. Numbers and UUIDs stay, unless a segment before them announced a secret.
#[must_use]
pub fn redact_path(normalised: &str, plan: Option<&PathPlan>, keys: &Keys) -> Box<str> {
    let mut announced = Announces::Nothing;
    let mut out = String::with_capacity(normalised.len().min(PATH_BYTES));
    let mut segments = segments(normalised).enumerate().peekable();
    while let Some((position, segment)) = segments.next() {
        let literal = plan.and_then(|plan| plan.literal(position, segment));
        let kept = if literal.is_some() { Cow::Borrowed(segment) } else { redact_segment(segment, announced, keys) };
        if out.len() + kept.len() + 1 > PATH_BYTES - "/<more>".len() {
            out.push_str("/<more>");
            break;
        }
        if position > 0 {
            out.push('/');
        }
        out.push_str(&kept);
        if segments.peek().is_some() {
            announced = announced.and_then(literal.unwrap_or_else(|| announced_by(segment)));
        }
    }
    out.into()
}

/// What is announced for the segment behind `segment`.
pub(super) fn announced_behind(before: Announces, segment: &str) -> Announces {
    before.and_then(announced_by(segment))
}

/// What a segment as it stands in a path announces. Without a letter it announces nothing.
fn announced_by(segment: &str) -> Announces {
    if !segment.bytes().any(|byte| byte.is_ascii_alphabetic() || byte == b'%') {
        return Announces::Nothing;
    }
    if is_lower_case_name(segment.as_bytes()) {
        return announced_by_segment(segment);
    }
    let decoded = decode_percent(segment);
    decoded.split(';').next().filter(|name| !name.contains('=')).map_or(Announces::Nothing, announced_by_segment)
}

/// Nothing is encoded in it, and it has no parameters.
fn is_lower_case_name(segment: &[u8]) -> bool {
    segment.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'))
}

fn redact_segment<'s>(segment: &'s str, announced: Announces, keys: &Keys) -> Cow<'s, str> {
    if announced != Announces::Nothing && !segment.is_empty() && !is_plain_word_of_a_path(segment) {
        return Cow::Borrowed("<secret>");
    }
    if is_plainly_harmless(segment) {
        return Cow::Borrowed(segment);
    }
    let decoded = decode_percent(segment);
    if segment.contains(';') || segment.contains('=') {
        return Cow::Owned(redact_parameters(segment, keys));
    }
    match secret_in_segment(&decoded) {
        Some(kinds) => Cow::Owned(placeholder(kinds, &decoded, keys)),
        None if segment.len() > SEGMENT_BYTES => Cow::Owned(format!("<long:{}>", keys.value(decoded.as_bytes()).short())),
        None => Cow::Borrowed(segment),
    }
}

/// How a segment of a recorded path came to be replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Redacted {
    /// For what stood before it, or for its own look.
    Announced,
    /// For its own look only.
    Detected,
}

/// Whether this segment of a recorded path, or a part of it, was replaced. No normalised path holds a `<`.
pub(crate) fn redacted(segment: &str) -> Option<Redacted> {
    match segment {
        _ if !segment.contains('<') => None,
        "<secret>" => Some(Redacted::Announced),
        _ => Some(Redacted::Detected),
    }
}

impl Redacted {
    /// Whether a segment with this text can have been replaced in this way.
    pub(crate) fn may_stand_for(self, text: &str) -> bool {
        let looks_secret = || redact_segment(text, Announces::Nothing, &Keys::derive(&[0; 32])) != text;
        match self {
            Self::Announced => !is_plain_word_of_a_path(text) || looks_secret(),
            Self::Detected => looks_secret(),
        }
    }
}

/// Short words and short numbers: most segments, for which nothing has to be searched.
fn is_plainly_harmless(segment: &str) -> bool {
    segment.len() < 12 && segment.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b == b'_')
        || segment.len() < 9 && segment.bytes().all(|b| b.is_ascii_digit())
        || is_uuid(segment)
}

/// Parameters of a segment (`;jsessionid=…`, `filter=…`): names stay, values stay when they are plain.
fn redact_parameters(segment: &str, keys: &Keys) -> String {
    let mut out = String::with_capacity(segment.len());
    for part in segment.split_inclusive([';', '=', ',']) {
        let (text, sign) = part.strip_suffix([';', '=', ',']).map_or((part, ""), |text| (text, &part[text.len()..]));
        let is_value = out.ends_with('=');
        let name = out.strip_suffix('=').map_or("", |before| before.rsplit([';', ',']).next().unwrap_or_default());
        let kept = if is_value && !kinds_of_name(name).is_empty() {
            Cow::Borrowed("<secret>")
        } else {
            let decoded = decode_percent(text);
            match secret_in_segment(&decoded) {
                Some(kinds) => Cow::Owned(placeholder(kinds, &decoded, keys)),
                None if text.len() > SEGMENT_BYTES => Cow::Owned(format!("<long:{}>", keys.value(decoded.as_bytes()).short())),
                None => Cow::Borrowed(text),
            }
        };
        out.push_str(&kept);
        out.push_str(sign);
    }
    out
}

/// The kinds of secret in a decoded segment. Slashes that were encoded make parts of their own, with what they announce.
fn secret_in_segment(decoded: &str) -> Option<DetectorSet> {
    let charset = Charset::of(decoded.as_bytes());
    let found = detect(decoded, charset);
    if !found.is_empty() {
        return Some(found);
    }
    if charset.has_any(Charset::SLASH) || decoded.contains('\\') {
        let mut announced = Announces::Nothing;
        for part in decoded.split(['/', '\\']) {
            if announced != Announces::Nothing && !part.is_empty() && !is_plain_word_of_a_path(part) {
                return Some(DetectorSet::SECRET_NAME);
            }
            announced = announced_behind(announced, part);
        }
    }
    None
}

fn placeholder(kinds: DetectorSet, decoded: &str, keys: &Keys) -> String {
    let word = kinds.kind_word();
    if kinds.has_any(DetectorSet::GUESSABLE) {
        return format!("<{word}>");
    }
    format!("<{word}:{}>", keys.value(decoded.as_bytes()).short())
}

/// The name of a parameter, header, cookie or member as a row may hold it. Names that are data (identifiers, dates, addresses, anything
/// that is no identifier of a program) become `<type:hash8>`.
#[must_use]
pub fn redact_name<'n>(name: &'n str, keys: &Keys) -> Cow<'n, str> {
    let charset = Charset::of(name.as_bytes());
    if charset.is_within(Charset::LETTER.with(Charset::UNDERSCORE)) && name.len() < 12 {
        return Cow::Borrowed(name);
    }
    let found = detect(name, charset);
    if !found.is_empty() {
        return Cow::Owned(placeholder(found, name, keys));
    }
    let kind = if name.len() > NAME_BYTES {
        "long"
    } else if let Some(kind) = dynamic_kind(name, charset) {
        kind
    } else if name.chars().all(|c| c.is_alphanumeric() || "_-.$@:[]*~+/".contains(c)) {
        return Cow::Borrowed(name);
    } else {
        "name"
    };
    Cow::Owned(format!("<{kind}:{}>", keys.value(name.as_bytes()).short()))
}

fn dynamic_kind(name: &str, charset: Charset) -> Option<&'static str> {
    const DYNAMIC: FormatSet = FormatSet::INTEGER
        .with(FormatSet::NUMBER)
        .with(FormatSet::UUID)
        .with(FormatSet::ULID)
        .with(FormatSet::DATE)
        .with(FormatSet::TIME)
        .with(FormatSet::DATE_TIME)
        .with(FormatSet::IPV4)
        .with(FormatSet::IPV6)
        .with(FormatSet::URI)
        .with(FormatSet::HEX);
    let formats = formats_of(name, charset);
    formats.has_any(DYNAMIC).then(|| formats.names().next().unwrap_or("name"))
}

/// The host as a record may hold it: lower-case name or address of at most 255 bytes, else `<invalid>`.
#[must_use]
pub fn redact_host(host: &str) -> Cow<'_, str> {
    let is_valid = !host.is_empty()
        && host.len() <= 255
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b':' | b'[' | b']'));
    match is_valid {
        false => Cow::Borrowed("<invalid>"),
        true if host.bytes().any(|b| b.is_ascii_uppercase()) => Cow::Owned(host.to_ascii_lowercase()),
        true => Cow::Borrowed(host),
    }
}

/// What a record holds instead of a method that is none.
pub const OTHER_METHOD: &str = "<other>";

/// The method as a record may hold it: one of the IANA registry, or at most 16 upper-case letters and dashes; else `<other>`.
#[must_use]
pub fn redact_method(method: &str) -> &str {
    let is_plain = !method.is_empty() && method.len() <= 16 && method.bytes().all(|b| b.is_ascii_uppercase() || b == b'-');
    if is_plain { method } else { OTHER_METHOD }
}

/// The media type of a `Content-Type` value, lower-case and without parameters; None when it is none. A subtype that looks like data
/// becomes `<other>`.
#[must_use]
pub fn media_type(content_type: &[u8]) -> Option<Cow<'static, str>> {
    let essence = std::str::from_utf8(content_type).ok()?.split(';').next()?.trim();
    let common = COMMON_MEDIA_TYPES.iter().find(|common| common.eq_ignore_ascii_case(essence));
    common.map(|common| Cow::Borrowed(*common)).or_else(|| judged_media_type(&essence.to_ascii_lowercase()))
}

/// What most messages are, each what `judged_media_type` says of it: they need no judging and no copy.
const COMMON_MEDIA_TYPES: &[&str] = &[
    "application/json",
    "application/problem+json",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/html",
    "text/plain",
    "application/octet-stream",
];

fn judged_media_type(essence: &str) -> Option<Cow<'static, str>> {
    let (top, sub) = essence.split_once('/')?;
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b));
    if essence.len() > 100 || !is_token(top) || !is_token(sub) {
        return None;
    }
    let is_known = matches!(
        top,
        "application"
            | "audio"
            | "chemical"
            | "example"
            | "font"
            | "haptics"
            | "image"
            | "message"
            | "model"
            | "multipart"
            | "text"
            | "video"
    );
    let is_plain = detect(sub, Charset::of(sub.as_bytes())).is_empty();
    Some(match (is_known, is_plain) {
        (true, true) => essence.to_owned().into(),
        (true, false) => format!("{top}/<other>").into(),
        (false, _) => "<other>".into(),
    })
}

/// Evidence for a violation: what kind of text it was, how long, of which characters. Never the text.
#[must_use]
pub fn describe(value: &[u8]) -> String {
    let charset = Charset::of(value);
    let format = std::str::from_utf8(value).ok().and_then(|text| formats_of(text, charset).names().next());
    let classes = if value.is_empty() { String::new() } else { format!(" ({charset})") };
    format!("{} of {} bytes{classes}", format.unwrap_or("text"), value.len())
}

/// The text with percent-encoding resolved, up to three layers of it; what is no UTF-8 then becomes U+FFFD.
pub(super) fn decode_percent(text: &str) -> Cow<'_, str> {
    let mut decoded = Cow::Borrowed(text);
    for _ in 0..3 {
        if !decoded.contains('%') {
            break;
        }
        let bytes = percent_bytes(decoded.as_bytes(), false);
        decoded = Cow::Owned(String::from_utf8_lossy(&bytes).into_owned());
    }
    decoded
}

/// One layer of percent-encoding resolved; what is no encoding stays. In forms a plus is a blank.
pub(super) fn percent_bytes(text: &[u8], plus_is_blank: bool) -> Vec<u8> {
    let hex = |at: usize| text.get(at).and_then(|b| (*b as char).to_digit(16));
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(byte) = text.get(at) {
        match (byte, hex(at + 1), hex(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 2;
            }
            (b'+', ..) if plus_is_blank => out.push(b' '),
            _ => out.push(*byte),
        }
        at += 1;
    }
    out
}

/// The path with every segment that identifies something replaced by `*`: the place of an observation when no operation matched.
pub(super) fn shape_of(redacted_path: &str) -> String {
    redacted_path
        .split('/')
        .map(|segment| {
            let is_identifier = segment.contains('<') || is_uuid(segment) || segment.bytes().any(|b| b.is_ascii_digit());
            if is_identifier { "*" } else { segment }
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> String {
        redact_path(text, None, &Keys::derive(&[1; 32])).into()
    }

    #[test]
    fn ordinary_paths_stay() {
        for text in [
            "/",
            "/users/42",
            "/users/0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f/orders",
            "/api/v2/carts/7/items",
            "/password/reset",
            "/a//b/",
            "/files/report-2026-11.pdf",
            "/search/blue%20shoes",
            "/zones/eu-west-1/status",
            "/colors/%23ff00aa",
        ] {
            assert_eq!(path(text), text);
        }
    }

    #[test]
    fn segments_that_look_secret_are_replaced() {
        for (text, begins) in [
            ("/users/ada%40example.com/x", "/users/<email:"),
            ("/users/ada%2540example.com/x", "/users/<email:"),
            ("/cards/4111111111111111", "/cards/<card:"),
            ("/x/eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "/x/<jwt:"),
            ("/x/sk_live_4eC39HqLyjWDarjtT1zdp7dc", "/x/<api_key:"),
            ("/x/Tr0ub4dor&3", "/x/<password>"),
            ("/reset/12345", "/reset/<secret>"),
            ("/reset-password/abc/def", "/reset-password/<secret>/<secret>"),
            ("/tokens/abc/permissions", "/tokens/<secret>/permissions"),
            ("/a;jsessionid=1A530637289A03B07199/b", "/a;jsessionid=<secret>/b"),
            ("/a/otp%2F123456", "/a/<secret:"),
        ] {
            assert!(path(text).starts_with(begins), "{text}: {}", path(text));
        }
    }

    #[test]
    fn literals_of_the_operation_stay_and_its_variables_do_not() {
        let keys = Keys::derive(&[1; 32]);
        let redact = |text, template| redact_path(text, Some(&PathPlan::of(template)), &keys);
        assert_eq!(&*redact("/verify/email", "/verify/email"), "/verify/email");
        assert_eq!(&*redact("/verify/mailbox/now", "/verify/mailbox/now"), "/verify/mailbox/now");
        assert_eq!(&*redact("/verify/482913", "/verify/{var1}"), "/verify/<secret>");
    }

    #[test]
    fn paths_are_bounded() {
        assert!(path(&"/segment".repeat(1000)).len() <= PATH_BYTES);
        assert!(path(&"/segment".repeat(1000)).ends_with("/<more>"));
        assert!(path(&format!("/{}", "a b".repeat(2000))).starts_with("/<long:"));
    }

    #[test]
    fn names_that_are_data_are_replaced() {
        let keys = Keys::derive(&[1; 32]);
        for name in ["status", "filter[0]", "X-Request-Id", "@type", "größe", "line_1", "a.b.c"] {
            assert_eq!(redact_name(name, &keys), name);
        }
        for (name, begins) in [
            ("ada@example.com", "<email:"),
            ("0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f", "<uuid:"),
            ("12345", "<integer:"),
            ("2026-11-21", "<date:"),
            ("P@ssw0rd!", "<password>"),
            ("John Smith", "<name:"),
        ] {
            assert!(redact_name(name, &keys).starts_with(begins), "{name}: {}", redact_name(name, &keys));
        }
    }

    #[test]
    fn hosts_methods_and_media_types_hold_nothing_else() {
        assert_eq!(redact_host("api.Example.com"), "api.example.com");
        assert_eq!(redact_host("a b"), "<invalid>");
        assert_eq!(redact_method("PROPFIND"), "PROPFIND");
        assert_eq!(redact_method("ghp_16C7e42F292c"), "<other>");
        assert_eq!(media_type(b"Application/JSON; charset=utf-8").as_deref(), Some("application/json"));
        assert_eq!(media_type(b"nonsense"), None);
        assert!(COMMON_MEDIA_TYPES.iter().all(|common| judged_media_type(common).as_deref() == Some(*common)));
        assert_eq!(media_type(b"x-ghp/abc").as_deref(), Some("<other>"));
    }

    #[test]
    fn evidence_never_quotes() {
        assert_eq!(describe(b"hunter2"), "text of 7 bytes (lower+digit)");
        assert_eq!(describe(b"42"), "integer of 2 bytes (digit)");
        assert_eq!(describe(b""), "text of 0 bytes");
    }
}
