//! Detectors of sensitive data: what a value looks like, wherever in it that stands. Heuristics: they err on the side of hiding.

use std::sync::LazyLock;

use super::charset::Charset;
use super::formats::{is_date, is_email, is_jwt, is_uuid};
use super::names::kinds_of_name;
use super::numbers_in_text::{numeric_detectors, valid_iban};
use super::random::{looks_random, may_be_random};
use super::sets::word_set;
use crate::url::segments;

word_set! {
    /// Kinds of sensitive data that a value, or the name it stands under, looks like.
    DetectorSet(u32) {
        /// A card number: brand, length and check digit (ISO/IEC 7812) fit.
        CREDIT_CARD = "credit_card",
        /// An IBAN whose check digits (ISO 13616) fit.
        IBAN = "iban",
        EMAIL = "email",
        PHONE = "phone",
        /// A US social security number in its written form.
        SSN = "ssn",
        JWT = "jwt",
        AWS_KEY = "aws_key",
        GITHUB_TOKEN = "github_token",
        GITLAB_TOKEN = "gitlab_token",
        SLACK_TOKEN = "slack_token",
        STRIPE_KEY = "stripe_key",
        GOOGLE_KEY = "google_key",
        /// A key with another known prefix.
        API_KEY = "api_key",
        PRIVATE_KEY = "private_key",
        /// A URL with a password in it.
        URL_CREDENTIALS = "url_credentials",
        /// A secret-like name with a value behind it, inside a longer text.
        ASSIGNMENT = "assignment",
        /// Mixed as passwords are: letters, digits and signs without a blank.
        PASSWORD_LIKE = "password_like",
        /// Long and random.
        HIGH_ENTROPY = "high_entropy",
        /// The name says password.
        PASSWORD_NAME = "password_name",
        /// The name says one-time code, PIN or card verification code.
        OTP_NAME = "otp_name",
        /// The name says token, key, session …
        SECRET_NAME = "secret_name",
        /// The name says card or account number.
        PAYMENT_NAME = "payment_name",
        /// The name says identity document, social security number, date of birth.
        IDENTITY_NAME = "identity_name",
        PHONE_NAME = "phone_name",
    }
}

impl DetectorSet {
    /// Values that are short or chosen by people: whoever holds the key could guess them from their hash, so they get none.
    pub const GUESSABLE: Self = Self::PASSWORD_NAME.with(Self::OTP_NAME).with(Self::PASSWORD_LIKE).with(Self::URL_CREDENTIALS);

    /// The word that stands for a redacted text in a path or name.
    pub(super) fn kind_word(self) -> &'static str {
        const WORDS: &[(DetectorSet, &str)] = &[
            (DetectorSet::PRIVATE_KEY, "private_key"),
            (DetectorSet::JWT, "jwt"),
            (DetectorSet::CREDIT_CARD, "card"),
            (DetectorSet::IBAN, "iban"),
            (DetectorSet::PASSWORD_LIKE.with(DetectorSet::URL_CREDENTIALS), "password"),
            (DetectorSet::EMAIL, "email"),
            (DetectorSet::PHONE, "phone"),
            (DetectorSet::SSN, "ssn"),
            (PREFIXED, "api_key"),
            (DetectorSet::HIGH_ENTROPY, "token"),
        ];
        WORDS.iter().find(|(set, _)| self.has_any(*set)).map_or("secret", |(_, word)| word)
    }
}

const PREFIXED: DetectorSet = DetectorSet::AWS_KEY
    .with(DetectorSet::GITHUB_TOKEN)
    .with(DetectorSet::GITLAB_TOKEN)
    .with(DetectorSet::SLACK_TOKEN)
    .with(DetectorSet::STRIPE_KEY)
    .with(DetectorSet::GOOGLE_KEY)
    .with(DetectorSet::API_KEY);

/// How much of a long value is searched. What is longer never becomes a literal or part of a path.
const SEARCHED: usize = 4096;

/// Prefixes of keys, the least length of the whole, the kind. From the issuers' documentation and gitleaks' rules.
#[rustfmt::skip]
const PREFIXES: &[Prefix] = &[
    ("AKIA", 16, DetectorSet::AWS_KEY), ("ASIA", 16, DetectorSet::AWS_KEY), ("AGPA", 16, DetectorSet::AWS_KEY), ("AROA", 16, DetectorSet::AWS_KEY), ("ABIA", 16, DetectorSet::AWS_KEY),
    ("bedrock-api-key-", 20, DetectorSet::AWS_KEY), ("ABSK", 40, DetectorSet::AWS_KEY),
    ("ghp_", 12, DetectorSet::GITHUB_TOKEN), ("gho_", 12, DetectorSet::GITHUB_TOKEN), ("ghu_", 12, DetectorSet::GITHUB_TOKEN), ("ghs_", 12, DetectorSet::GITHUB_TOKEN), ("ghr_", 12, DetectorSet::GITHUB_TOKEN), ("github_pat_", 20, DetectorSet::GITHUB_TOKEN),
    ("glpat-", 12, DetectorSet::GITLAB_TOKEN), ("glptt-", 12, DetectorSet::GITLAB_TOKEN), ("gldt-", 12, DetectorSet::GITLAB_TOKEN), ("glrt-", 12, DetectorSet::GITLAB_TOKEN), ("glcbt-", 12, DetectorSet::GITLAB_TOKEN), ("GR1348941", 20, DetectorSet::GITLAB_TOKEN),
    ("xoxb-", 12, DetectorSet::SLACK_TOKEN), ("xoxp-", 12, DetectorSet::SLACK_TOKEN), ("xoxa-", 12, DetectorSet::SLACK_TOKEN), ("xoxe", 12, DetectorSet::SLACK_TOKEN), ("xoxr-", 12, DetectorSet::SLACK_TOKEN), ("xoxs-", 12, DetectorSet::SLACK_TOKEN), ("xoxo-", 12, DetectorSet::SLACK_TOKEN), ("xapp-", 12, DetectorSet::SLACK_TOKEN),
    ("sk_live_", 12, DetectorSet::STRIPE_KEY), ("sk_test_", 12, DetectorSet::STRIPE_KEY), ("rk_live_", 12, DetectorSet::STRIPE_KEY), ("rk_test_", 12, DetectorSet::STRIPE_KEY), ("pk_live_", 12, DetectorSet::STRIPE_KEY), ("pk_test_", 12, DetectorSet::STRIPE_KEY), ("whsec_", 12, DetectorSet::STRIPE_KEY),
    ("AIza", 30, DetectorSet::GOOGLE_KEY), ("ya29.", 16, DetectorSet::GOOGLE_KEY), ("GOCSPX-", 16, DetectorSet::GOOGLE_KEY),
    ("sk-", 16, DetectorSet::API_KEY), ("sk_", 12, DetectorSet::API_KEY), ("npm_", 16, DetectorSet::API_KEY), ("pypi-", 20, DetectorSet::API_KEY), ("dckr_pat_", 16, DetectorSet::API_KEY), ("hf_", 20, DetectorSet::API_KEY),
    ("hvs.", 16, DetectorSet::API_KEY), ("hvb.", 16, DetectorSet::API_KEY), ("s.", 26, DetectorSet::API_KEY), ("SG.", 20, DetectorSet::API_KEY), ("shpat_", 16, DetectorSet::API_KEY), ("shpss_", 16, DetectorSet::API_KEY),
    ("dop_v1_", 20, DetectorSet::API_KEY), ("ops_eyJ", 20, DetectorSet::API_KEY), ("A3-", 34, DetectorSet::API_KEY), ("pplx-", 20, DetectorSet::API_KEY), ("pnu_", 20, DetectorSet::API_KEY), ("sgp_", 20, DetectorSet::API_KEY), ("sq0", 20, DetectorSet::API_KEY), ("EAAA", 30, DetectorSet::API_KEY), ("EAAM", 30, DetectorSet::API_KEY), ("EAAC", 30, DetectorSet::API_KEY),
    ("ico-", 20, DetectorSet::API_KEY), ("key-", 20, DetectorSet::API_KEY), ("API-", 24, DetectorSet::API_KEY), ("s-s4t2ud-", 20, DetectorSet::API_KEY), ("u-s4t2ud-", 20, DetectorSet::API_KEY), ("lin_api_", 20, DetectorSet::API_KEY), ("dapi", 32, DetectorSet::API_KEY), ("NRAK-", 20, DetectorSet::API_KEY), ("rubygems_", 20, DetectorSet::API_KEY),
];

/// What a text of these classes of characters looks like. Time in proportion to its length, which is bounded.
#[must_use]
pub fn detect(text: &str, charset: Charset) -> DetectorSet {
    let text = beginning(text);
    let is_short_word = charset.is_within(Charset::LETTER.with(Charset::UNDERSCORE).with(Charset::SPACE)) && text.len() < 12;
    if text.len() < 6 || is_short_word || is_uuid(text) {
        return DetectorSet::NONE;
    }
    let mut found = DetectorSet::NONE;
    if charset.has_any(Charset::DIGIT) {
        found = found.with(numeric_detectors(text)).with(password_like(text, charset));
    }
    let may_be_private_key = [Charset::DASH, Charset::UPPER, Charset::SPACE].into_iter().all(|class| charset.has_any(class));
    if may_be_private_key && text.contains("-----BEGIN") && text.contains("PRIVATE KEY") {
        found = found.with(DetectorSet::PRIVATE_KEY);
    }
    if charset.has_any(Charset::COLON) && has_url_credentials(text) {
        found = found.with(DetectorSet::URL_CREDENTIALS);
    }
    if charset.has_any(Charset::COLON.with(Charset::EQUALS).with(Charset::SPACE)) && has_assignment(text) {
        found = found.with(DetectorSet::ASSIGNMENT);
    }
    if charset.has_any(OF_A_KEY) {
        found = found.with(prefixed(text));
    }
    if !charset.has_any(DELIMITING) {
        return found.with(detect_token(text, charset));
    }
    let tokens = text.split(is_delimiter).filter(|token| token.len() >= SHORTEST_TOKEN);
    tokens.fold(found, |found, token| found.with(detect_token(token, charset)))
}

/// Shorter tokens are judged by nothing.
const SHORTEST_TOKEN: usize = 6;

/// A key's rest is not only words: it has one of these.
const OF_A_KEY: Charset = Charset::UPPER.with(Charset::DIGIT).with(Charset::PLUS).with(Charset::EQUALS);

/// The classes that what ends a token belongs to.
const DELIMITING: Charset = Charset::SPACE
    .with(Charset::CONTROL)
    .with(Charset::COLON)
    .with(Charset::EQUALS)
    .with(Charset::PUNCTUATION)
    .with(Charset::NON_ASCII);

fn beginning(text: &str) -> &str {
    if text.len() <= SEARCHED {
        return text;
    }
    let cut = (0..=SEARCHED).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    &text[..cut]
}

/// What ends a token in free text, a URL, a query or a list.
fn is_delimiter(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '"' | '\''
                | '`'
                | ','
                | ';'
                | '('
                | ')'
                | '<'
                | '>'
                | '{'
                | '}'
                | '['
                | ']'
                | '&'
                | '?'
                | '#'
                | '='
                | ':'
                | '|'
                | '\\'
        )
}

/// A token may be glued of others by signs: `me@example.com`, but also `u@eyJ…` or `x!sk_live_…`. `charset` may say more than the
/// token has: it is that of the text around it.
fn detect_token(token: &str, charset: Charset) -> DetectorSet {
    let is_glue = |c: char| matches!(c, '@' | '!' | '$' | '*' | '^' | '~' | '%');
    let whole = detect_whole(token, charset);
    if !charset.has_any(Charset::AT.with(Charset::PUNCTUATION)) || !token.contains(is_glue) {
        return whole;
    }
    let address = token.rmatch_indices('@').nth(1).map_or("", |(at, _)| &token[at + 1..]);
    let email = if is_email(address) { DetectorSet::EMAIL } else { DetectorSet::NONE };
    token.split(is_glue).fold(whole.with(email), |found, part| found.with(detect_whole(part, charset)))
}

fn detect_whole(token: &str, charset: Charset) -> DetectorSet {
    let token = token.trim_matches(|c: char| matches!(c, '.' | '!' | '/' | '*'));
    if token.len() < SHORTEST_TOKEN || is_date(token) {
        return DetectorSet::NONE;
    }
    let mut found = DetectorSet::NONE;
    if is_jwt(token) || token.len() >= 30 && (token.starts_with("eyJ") || token.starts_with("ZXlK")) {
        found = found.with(DetectorSet::JWT);
    }
    if is_aws_secret(token) {
        found = found.with(DetectorSet::AWS_KEY);
    }
    if charset.has_any(Charset::AT) && is_email(token) {
        found = found.with(DetectorSet::EMAIL);
    }
    if valid_iban(token) {
        found = found.with(DetectorSet::IBAN);
    }
    if may_be_random(token.len(), charset) && segments(token).any(looks_random) {
        found = found.with(DetectorSet::HIGH_ENTROPY);
    }
    found
}

/// Keys with a known prefix, wherever in the text one begins: whatever is glued to it, a letter, digit or underscore apart.
fn prefixed(text: &str) -> DetectorSet {
    let bytes = text.as_bytes();
    let (mut found, mut is_inside) = (DetectorSet::NONE, false);
    for at in 0..(bytes.len() + 1).saturating_sub(SHORTEST_KEY) {
        let byte = bytes[at];
        if !is_inside && BEGINS_A_KEY[usize::from(byte)] {
            found = found.with(key_at(&bytes[at..]));
        }
        is_inside = byte.is_ascii_alphanumeric() || byte == b'_';
    }
    found
}

fn key_at(rest: &[u8]) -> DetectorSet {
    let candidates = BY_FIRST_BYTE.get(usize::from(rest[0])).map_or(&[][..], Vec::as_slice);
    let fits = |(prefix, least, _): &&&Prefix| {
        rest.starts_with(prefix.as_bytes()) && key_length(rest) >= *least && is_key(&rest[prefix.len()..key_length(rest)])
    };
    candidates.iter().find(fits).map_or(DetectorSet::NONE, |(_, _, kind)| *kind)
}

/// How far the characters of keys go.
fn key_length(rest: &[u8]) -> usize {
    rest.iter().position(|b| !b.is_ascii_alphanumeric() && !b"-_.+=".contains(b)).unwrap_or(rest.len())
}

/// No prefix asks for less.
const SHORTEST_KEY: usize = 12;

type Prefix = (&'static str, usize, DetectorSet);

/// Whether a prefix begins with this byte.
static BEGINS_A_KEY: [bool; 256] = {
    let mut begins = [false; 256];
    let mut index = 0;
    while index < PREFIXES.len() {
        begins[PREFIXES[index].0.as_bytes()[0] as usize] = true;
        index += 1;
    }
    begins
};

static BY_FIRST_BYTE: LazyLock<[Vec<&'static Prefix>; 128]> = LazyLock::new(|| {
    std::array::from_fn(|byte| PREFIXES.iter().filter(|(prefix, ..)| usize::from(prefix.as_bytes()[0]) == byte).collect())
});

/// A secret access key: 40 characters of base64 with all classes among them.
fn is_aws_secret(token: &str) -> bool {
    if token.len() != 40 {
        return false;
    }
    let charset = Charset::of(token.as_bytes());
    let all = [Charset::LOWER, Charset::UPPER, Charset::DIGIT];
    charset.is_within(Charset::ALPHANUMERIC.with(Charset::PLUS).with(Charset::SLASH))
        && all.into_iter().all(|class| charset.has_any(class))
}

/// A key's rest is not only words.
fn is_key(rest: &[u8]) -> bool {
    let is_plain_word = |word: &[u8]| word.iter().all(u8::is_ascii_lowercase);
    !rest.split(|b| matches!(b, b'-' | b'_' | b'.')).all(is_plain_word)
}

/// `scheme://user:password@host`.
fn has_url_credentials(text: &str) -> bool {
    text.match_indices("://").any(|(at, _)| {
        let authority = text[at + 3..].split(['/', '?', '#', ' ', '"', '\'']).next().unwrap_or_default();
        authority.rsplit_once('@').and_then(|(user, _)| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
    })
}

/// A secret-like name, then `=`, `:` or ` is `, then something: `password=…`, `"token": "…"`, `my pin is …`.
fn has_assignment(text: &str) -> bool {
    let separators = text.match_indices([':', '=']).map(|(at, sign)| (at, at + sign.len()));
    let spoken = text.match_indices(" is ").map(|(at, is)| (at, at + is.len()));
    separators.chain(spoken).take(64).any(|(end, behind)| {
        let name = last_word(&text[..end]);
        let value = text[behind..].trim_start_matches([' ', '"', '\'', '\\', '=', '>']);
        !name.is_empty() && !value.is_empty() && is_secret_name(name)
    })
}

fn last_word(text: &str) -> &str {
    let text = text.trim_end_matches([' ', '"', '\'', '\\', ']']);
    let start = text.rfind(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.')).map_or(0, |at| at + 1);
    text.get(start..).unwrap_or_default()
}

fn is_secret_name(name: &str) -> bool {
    let telling = DetectorSet::PASSWORD_NAME.with(DetectorSet::OTP_NAME).with(DetectorSet::SECRET_NAME);
    name.len() <= 64 && kinds_of_name(name).has_any(telling)
}

/// Letters, digits and a sign that is rare in identifiers, without blanks; or a well-known word for a password with digits.
fn password_like(text: &str, charset: Charset) -> DetectorSet {
    let apart = Charset::SPACE.with(Charset::CONTROL).with(Charset::SLASH);
    let is_colour =
        text.strip_prefix('#').is_some_and(|rest| matches!(rest.len(), 3 | 6 | 8) && rest.bytes().all(|b| b.is_ascii_hexdigit()));
    if text.len() > 64 || is_colour || charset.has_any(apart) || !charset.has_any(Charset::LETTER.with(Charset::NON_ASCII)) {
        return DetectorSet::NONE;
    }
    let is_sign = |b: u8| b"!#$%^&*?@~|\\<>".contains(&b);
    let has_sign = charset.has_any(Charset::PUNCTUATION.with(Charset::AT))
        && text.bytes().any(is_sign)
        && !is_email(text)
        && text.bytes().filter(|b| is_sign(*b)).count() <= 8;
    if has_sign || has_password_word(text.as_bytes()) { DetectorSet::PASSWORD_LIKE } else { DetectorSet::NONE }
}

/// Words of passwords, in any case of letters.
fn has_password_word(text: &[u8]) -> bool {
    const WORDS: &[&[u8]] = &[b"passw", b"p4ssw", b"letmein", b"hunter2", b"qwert", b"secret"];
    let begins = |byte: u8| matches!(byte.to_ascii_lowercase(), b'p' | b'l' | b'h' | b'q' | b's');
    let is_at = |at: usize, word: &[u8]| text.get(at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    (0..text.len()).any(|at| begins(text[at]) && WORDS.iter().any(|word| is_at(at, word)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<&'static str> {
        detect(text, Charset::of(text.as_bytes())).names().collect()
    }

    #[test]
    fn each_kind_is_found_alone_and_inside_a_text() {
        let cases = [
            ("4111111111111111", "credit_card"),
            ("378282246310005", "credit_card"),
            ("4111 1111 1111 1111", "credit_card"),
            ("GB82WEST12345698765432", "iban"),
            ("ada@example.com", "email"),
            ("+49 151 12345678", "phone"),
            ("(555) 010-4477", "phone"),
            ("078-05-1120", "ssn"),
            ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "jwt"),
            ("AKIAIOSFODNN7EXAMPLE", "aws_key"),
            ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "github_token"),
            ("sk_live_4eC39HqLyjWDarjtT1zdp7dc", "stripe_key"),
            ("postgres://app:hunter2@db/x", "url_credentials"),
            ("5f4dcc3b5aa765d61d8327deb882cf99", "high_entropy"),
            ("dQw4w9WgXcQv8Zk2LmN0", "high_entropy"),
        ];
        for (text, detector) in cases {
            assert!(names(text).contains(&detector), "{text}: {:?}", names(text));
            let inside = format!("please take {text}, thanks");
            assert!(names(&inside).contains(&detector), "{inside}: {:?}", names(&inside));
        }
        for glued in ["x.{}", "({}!.{}+", "{}!{}.$", "a-{}", "\u{da}{}", "x+{}~"] {
            let text = glued.replace("{}", "sk_live_4eC39HqLyjWDarjtT1zdp7dc");
            assert!(names(&text).contains(&"stripe_key"), "{text}: {:?}", names(&text));
        }
        for (text, detector) in
            [("Tr0ub4dor&3", "password_like"), ("my pin is 4711", "assignment"), ("{\"password\": \"x\"}", "assignment")]
        {
            assert!(names(text).contains(&detector), "{text}: {:?}", names(text));
        }
    }

    #[test]
    fn signs_and_words_around_it_hide_nothing() {
        let cases = [
            ("u@eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", "jwt"),
            ("u@ada@example.com", "email"),
            ("a!sk_live_4eC39HqLyjWDarjtT1zdp7dc!b.$", "stripe_key"),
            ("pay-4111111111111111", "credit_card"),
            ("pay_4111111111111111_now", "credit_card"),
        ];
        for (text, detector) in cases {
            assert!(names(text).contains(&detector), "{text}: {:?}", names(text));
        }
    }

    #[test]
    fn ordinary_values_are_left_alone() {
        for text in [
            "shipped",
            "in_progress",
            "order_confirmation_email_v2",
            "2026-11-21T12:00:00Z",
            "1732190000000",
            "42",
            "us-east-1",
            "application/json",
            "getUserAccountDetails",
            "https://api.example.com/users/42?page=2",
            "0190b6f2-7b0a-7c3e-9d57-3a3d1c2b4e5f",
            "Hello, how are you today?",
            "Baden-Wuerttemberg",
            "1234567890",
            "content-security-policy",
            "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
            "A-1042",
            "SKU-2231-XL",
            "v1.24.3",
            "192.168.10.20",
            "max-age=3600, must-revalidate",
            "internationalization",
            "en-US,en;q=0.5",
            "#ff00aa",
            "order-1732190000000",
            "0190b6f2-7b0a-7c3e-9d57-411111111111",
            "inbox@home",
        ] {
            assert_eq!(names(text), [""; 0], "{text}");
        }
    }
}
