//! Names of parameters, members, cookies and path segments that announce a secret, whatever the value looks like.

use super::detectors::DetectorSet;

/// Names longer than this are judged by their beginning.
const LONGEST: usize = 128;

/// Which kinds of secret a name announces.
#[must_use]
pub fn kinds_of_name(name: &str) -> DetectorSet {
    let words = split_words(name);
    if words.rsplit('_').next().is_some_and(is_about_it) {
        return DetectorSet::NONE;
    }
    let mut before = "";
    let mut kinds = DetectorSet::NONE;
    for word in words.split('_') {
        kinds = kinds.with(kind_of_word(word)).with(kind_of_pair(before, word));
        before = word;
    }
    if kinds.is_empty() { kind_of_end(&words.replace('_', "")) } else { kinds }
}

/// `newPassword`, `new-password` and `NEW_PASSWORD` all become `new_password`.
fn split_words(name: &str) -> String {
    let mut words = String::with_capacity(name.len().min(LONGEST) + 8);
    let mut was_lower = false;
    for c in name.chars().take(LONGEST) {
        if !c.is_alphanumeric() {
            if !words.is_empty() && !words.ends_with('_') {
                words.push('_');
            }
            was_lower = false;
            continue;
        }
        if was_lower && c.is_uppercase() {
            words.push('_');
        }
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        words.extend(c.to_lowercase());
    }
    words.truncate(words.trim_end_matches('_').len());
    words
}

/// Last words that make a name speak about a secret instead of holding it: `password_updated_at`, `token_type`.
fn is_about_it(word: &str) -> bool {
    matches!(
        word,
        "type"
            | "count"
            | "used"
            | "limit"
            | "expiry"
            | "expires"
            | "in"
            | "at"
            | "ttl"
            | "enabled"
            | "required"
            | "length"
            | "status"
            | "policy"
            | "method"
            | "valid"
            | "verified"
            | "changed"
            | "remaining"
    )
}

fn kind_of_word(word: &str) -> DetectorSet {
    match word {
        "password" | "passwords" | "passwd" | "passwort" | "kennwort" | "pwd" | "pass" | "passphrase" | "passcode" | "psw"
        | "pw" | "mdp" | "senha" | "contrasena" | "contraseña" | "wachtwoord" | "parola" | "haslo" => DetectorSet::PASSWORD_NAME,
        "otp" | "otps" | "totp" | "hotp" | "pin" | "pincode" | "tan" | "mfa" | "2fa" | "tfa" | "cvv" | "cvv2" | "cvc"
        | "cvc2" | "csc" | "onetimecode" => DetectorSet::OTP_NAME,
        "token" | "tokens" | "secret" | "secrets" | "apikey" | "apikeys" | "accesskey" | "secretkey" | "privatekey"
        | "signingkey" | "authkey" | "credential" | "credentials" | "creds" | "auth" | "authorization" | "authentication"
        | "authorisation" | "bearer" | "jwt" | "jws" | "jwe" | "session" | "sessions" | "sessionid" | "sessid" | "sid"
        | "jsessionid" | "phpsessid" | "cookie" | "cookies" | "csrf" | "xsrf" | "signature" | "sig" | "hmac" | "nonce"
        | "saml" | "samlresponse" | "assertion" | "oauth" | "otac" | "magic" => DetectorSet::SECRET_NAME,
        "cardnumber" | "cardno" | "ccnumber" | "ccnum" | "pan" | "creditcard" | "iban" | "accountnumber" => {
            DetectorSet::PAYMENT_NAME
        }
        "ssn" | "nationalid" | "passport" | "taxid" | "tin" | "nino" | "dob" | "birthdate" | "birthday" | "dateofbirth" => {
            DetectorSet::IDENTITY_NAME
        }
        "phone" | "telephone" | "tel" | "mobile" | "msisdn" | "fax" => DetectorSet::PHONE_NAME,
        _ => DetectorSet::NONE,
    }
}

fn kind_of_pair(first: &str, second: &str) -> DetectorSet {
    match (first, second) {
        (
            "one" | "verification" | "verify" | "security" | "auth" | "sms" | "reset" | "confirm" | "confirmation" | "activation"
            | "login" | "access" | "pass" | "recovery" | "backup" | "card" | "invite" | "authentication" | "authorization"
            | "two" | "unlock",
            "time" | "code" | "codes" | "factor",
        )
        | ("secret" | "security", "answer") => DetectorSet::OTP_NAME,
        (
            "api" | "access" | "secret" | "private" | "signing" | "encryption" | "auth" | "master" | "session" | "shared"
            | "client" | "account" | "ssh" | "pgp" | "gpg" | "license" | "licence" | "storage" | "recovery" | "subscription"
            | "service" | "deploy" | "app" | "application",
            "key" | "keys",
        ) => DetectorSet::SECRET_NAME,
        ("card" | "cc" | "creditcard", "number" | "num" | "no")
        | ("credit", "card")
        | ("account" | "routing", "number" | "no")
        | ("sort", "code") => DetectorSet::PAYMENT_NAME,
        ("social", "security")
        | ("national" | "tax" | "passport", "id" | "number" | "no")
        | ("driver" | "drivers" | "driving", "license" | "licence")
        | ("birth", "date" | "day")
        | ("of", "birth") => DetectorSet::IDENTITY_NAME,
        _ => DetectorSet::NONE,
    }
}

/// Names written without a break: `userpassword`, `accesstoken`.
fn kind_of_end(squashed: &str) -> DetectorSet {
    const ENDS: &[(&str, DetectorSet)] = &[
        ("password", DetectorSet::PASSWORD_NAME),
        ("passwd", DetectorSet::PASSWORD_NAME),
        ("passphrase", DetectorSet::PASSWORD_NAME),
        ("pwd", DetectorSet::PASSWORD_NAME),
        ("securitycode", DetectorSet::OTP_NAME),
        ("verificationcode", DetectorSet::OTP_NAME),
        ("token", DetectorSet::SECRET_NAME),
        ("secret", DetectorSet::SECRET_NAME),
        ("apikey", DetectorSet::SECRET_NAME),
        ("privatekey", DetectorSet::SECRET_NAME),
        ("sessionid", DetectorSet::SECRET_NAME),
        ("sessid", DetectorSet::SECRET_NAME),
    ];
    let plain = squashed.trim_end_matches(|c: char| c.is_ascii_digit());
    let end = ENDS.iter().find(|(end, _)| plain.ends_with(end) || plain.strip_suffix('s').is_some_and(|one| one.ends_with(end)));
    end.map_or(DetectorSet::NONE, |(_, kind)| *kind)
}

/// Whether a name says that its members are secrets, whatever they are called.
pub(super) fn holds_secrets(name: &str) -> bool {
    let words = split_words(name);
    let last = words.rsplit('_').next().unwrap_or_default();
    matches!(last, "secrets" | "secret" | "credentials" | "creds" | "passwords" | "tokens" | "cookies")
        || last == "keys" && !kinds_of_name(name).is_empty()
}

/// What a segment of a path says about the segments behind it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Announces {
    #[default]
    Nothing,
    /// The next segment is a secret: `/tokens/…`.
    Next,
    /// Everything behind is: `/reset-password/…/…`.
    All,
}

/// What a path's segment announces for those behind it.
pub(super) fn announced_by_segment(segment: &str) -> Announces {
    let words = split_words(segment);
    let is_all = |word: &str| {
        matches!(
            word,
            "reset"
                | "verify"
                | "verification"
                | "confirm"
                | "confirmation"
                | "activate"
                | "activation"
                | "invite"
                | "magic"
                | "unsubscribe"
                | "recover"
                | "recovery"
                | "unlock"
                | "forgot"
        )
    };
    let kinds = kinds_of_name(segment);
    if kinds.has_any(DetectorSet::PASSWORD_NAME.with(DetectorSet::OTP_NAME)) || words.split('_').any(is_all) {
        Announces::All
    } else if kinds.has_any(
        DetectorSet::SECRET_NAME.with(DetectorSet::PAYMENT_NAME).with(DetectorSet::IDENTITY_NAME).with(DetectorSet::PHONE_NAME),
    ) {
        Announces::Next
    } else {
        Announces::Nothing
    }
}

/// Verbs and nouns of APIs that stay although something before announced a secret: `/password/reset`, `/otp/verify`.
pub(super) fn is_plain_word_of_a_path(segment: &str) -> bool {
    matches!(
        segment,
        "reset"
            | "forgot"
            | "change"
            | "verify"
            | "confirm"
            | "new"
            | "edit"
            | "update"
            | "resend"
            | "send"
            | "request"
            | "validate"
            | "check"
            | "status"
            | "refresh"
            | "revoke"
            | "login"
            | "logout"
            | "email"
            | "phone"
            | "sms"
            | "password"
            | "token"
            | "tokens"
            | "otp"
            | "code"
            | "me"
            | "current"
            | "callback"
            | "authorize"
            | "introspect"
            | "userinfo"
            | "register"
            | "signup"
            | "users"
            | "api"
            | "keys"
            | "search"
            | "list"
            | "create"
            | "delete"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_announce_a_secret_are_known_in_every_spelling() {
        let cases = [
            ("password", DetectorSet::PASSWORD_NAME),
            ("newPassword", DetectorSet::PASSWORD_NAME),
            ("NEW_PASSWORD", DetectorSet::PASSWORD_NAME),
            ("userpassword2", DetectorSet::PASSWORD_NAME),
            ("user[password]", DetectorSet::PASSWORD_NAME),
            ("otp", DetectorSet::OTP_NAME),
            ("verificationCode", DetectorSet::OTP_NAME),
            ("card.cvv", DetectorSet::OTP_NAME),
            ("X-Api-Key", DetectorSet::SECRET_NAME),
            ("accessToken", DetectorSet::SECRET_NAME),
            ("accesstoken", DetectorSet::SECRET_NAME),
            ("PHPSESSID", DetectorSet::SECRET_NAME),
            ("card_number", DetectorSet::PAYMENT_NAME),
            ("dateOfBirth", DetectorSet::IDENTITY_NAME),
        ];
        for (name, kind) in cases {
            assert!(kinds_of_name(name).has_any(kind), "{name}");
        }
    }

    #[test]
    fn ordinary_names_announce_nothing() {
        for name in [
            "status",
            "page",
            "country_code",
            "keyword",
            "key",
            "author",
            "authors",
            "tokenCount",
            "token_type",
            "password_updated_at",
            "passenger",
            "compass",
            "description",
            "pinned",
            "spin",
            "tangent",
            "code",
            "id",
            "",
            "_",
            "assigned",
            "design",
        ] {
            assert_eq!(kinds_of_name(name), DetectorSet::NONE, "{name}");
        }
    }

    #[test]
    fn segments_announce_what_follows_them() {
        assert_eq!(announced_by_segment("reset-password"), Announces::All);
        assert_eq!(announced_by_segment("tokens"), Announces::Next);
        assert_eq!(announced_by_segment("orders"), Announces::Nothing);
    }
}
