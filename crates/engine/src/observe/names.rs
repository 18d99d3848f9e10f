//! Names of parameters, members, cookies and path segments that announce a secret, whatever the value looks like.

use std::borrow::Cow;
use std::sync::LazyLock;

use hashbrown::HashMap;

use super::detectors::DetectorSet;
use super::formats::is_uuid;

/// Names longer than this are judged by their beginning.
const LONGEST: usize = 128;

/// Which kinds of secret a name announces.
#[must_use]
pub fn kinds_of_name(name: &str) -> DetectorSet {
    if !name.bytes().any(|b| b.is_ascii_alphabetic() || b > 127) {
        return DetectorSet::NONE;
    }
    kinds_of_words(&split_words(name))
}

fn kinds_of_words(words: &str) -> DetectorSet {
    let mut kinds = DetectorSet::NONE;
    let (mut before, mut start) = (0, 0);
    while start < words.len() {
        let end = words.as_bytes()[start..].iter().position(|b| *b == b'_').map_or(words.len(), |length| start + length);
        let word = &words[start..end];
        if end == words.len() && is_about_it(word) {
            return DetectorSet::NONE;
        }
        let pair = if before < start { kind_of(&words[before..end]) } else { DetectorSet::NONE };
        kinds = kinds.with(kind_of(word)).with(pair).with(kind_of_end(word));
        before = start;
        start = end + 1;
    }
    kinds
}

/// `newPassword`, `new-password` and `NEW_PASSWORD` all become `new_password`.
fn split_words(name: &str) -> Cow<'_, str> {
    if are_split_words(name.as_bytes()) {
        return Cow::Borrowed(name);
    }
    let mut words = String::with_capacity(name.len().min(LONGEST) + 16);
    let (mut was_lower, mut was_sign) = (false, true);
    for c in name.chars().take(LONGEST) {
        if !c.is_alphanumeric() {
            if !was_sign {
                words.push('_');
            }
            (was_lower, was_sign) = (false, true);
            continue;
        }
        if was_lower && c.is_uppercase() {
            words.push('_');
        }
        was_sign = false;
        was_lower = c.is_lowercase() || c.is_ascii_digit();
        if c.is_ascii() {
            words.push(c.to_ascii_lowercase());
        } else {
            words.extend(c.to_lowercase());
        }
    }
    words.truncate(words.trim_end_matches('_').len());
    Cow::Owned(words)
}

/// Whether a name is as `split_words` gives it already.
fn are_split_words(name: &[u8]) -> bool {
    let mut was_sign = true;
    for byte in name {
        let is_sign = *byte == b'_';
        if is_sign && was_sign || !(is_sign || byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            return false;
        }
        was_sign = is_sign;
    }
    name.len() <= LONGEST && !was_sign
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

/// Words, and pairs of words joined by `_`, that announce a secret.
const KINDS: &[(DetectorSet, &str)] = &[
    (
        DetectorSet::PASSWORD_NAME,
        "password passwords passwd passwort kennwort pwd pass passphrase passcode psw pw mdp senha contrasena contraseña \
         wachtwoord parola haslo",
    ),
    (DetectorSet::OTP_NAME, "otp otps totp hotp pin pincode tan mfa 2fa tfa cvv cvv2 cvc cvc2 csc onetimecode"),
    (
        DetectorSet::SECRET_NAME,
        "token tokens secret secrets apikey apikeys accesskey secretkey privatekey signingkey authkey credential credentials \
         creds auth authorization authentication authorisation bearer jwt jws jwe session sessions sessionid sessid sid \
         jsessionid phpsessid cookie cookies csrf xsrf signature sig hmac nonce saml samlresponse assertion oauth otac magic",
    ),
    (DetectorSet::PAYMENT_NAME, "cardnumber cardno ccnumber ccnum pan creditcard iban accountnumber"),
    (DetectorSet::IDENTITY_NAME, "ssn nationalid passport taxid tin nino dob birthdate birthday dateofbirth"),
    (DetectorSet::PHONE_NAME, "phone telephone tel mobile msisdn fax"),
    (
        DetectorSet::OTP_NAME,
        "verification_code verification_codes verify_code verify_codes security_code security_codes auth_code auth_codes \
         sms_code sms_codes reset_code reset_codes confirm_code confirm_codes confirmation_code confirmation_codes \
         activation_code activation_codes login_code login_codes access_code access_codes pass_code pass_codes recovery_code \
         recovery_codes backup_code backup_codes card_code card_codes invite_code invite_codes authentication_code \
         authentication_codes authorization_code authorization_codes unlock_code unlock_codes one_time two_factor secret_answer \
         security_answer",
    ),
    (
        DetectorSet::SECRET_NAME,
        "api_key api_keys access_key access_keys secret_key secret_keys private_key private_keys signing_key signing_keys \
         encryption_key encryption_keys auth_key auth_keys master_key master_keys session_key session_keys shared_key \
         shared_keys client_key client_keys account_key account_keys ssh_key ssh_keys pgp_key pgp_keys gpg_key gpg_keys \
         license_key license_keys licence_key licence_keys storage_key storage_keys recovery_key recovery_keys subscription_key \
         subscription_keys service_key service_keys deploy_key deploy_keys app_key app_keys application_key application_keys",
    ),
    (
        DetectorSet::PAYMENT_NAME,
        "card_number card_num card_no cc_number cc_num cc_no creditcard_number creditcard_num creditcard_no credit_card \
         account_number account_no routing_number routing_no sort_code",
    ),
    (
        DetectorSet::IDENTITY_NAME,
        "social_security driver_license drivers_license driving_license driver_licence drivers_licence driving_licence \
         birth_date birth_day of_birth national_id national_number national_no tax_id tax_number tax_no passport_id \
         passport_number passport_no",
    ),
];

static KIND_OF: LazyLock<HashMap<&'static str, DetectorSet>> =
    LazyLock::new(|| KINDS.iter().flat_map(|(kind, words)| words.split_whitespace().map(|word| (word, *kind))).collect());

/// By the first byte of a word of [`KINDS`], the lengths of those that begin with it, as bits: most words are none of them.
static LENGTHS: LazyLock<[u32; 256]> = LazyLock::new(|| {
    KIND_OF.keys().fold([0; 256], |mut lengths, word| {
        lengths[usize::from(word.as_bytes()[0])] |= length_bit(word);
        lengths
    })
});

fn length_bit(word: &str) -> u32 {
    1 << word.len().min(31)
}

fn kind_of(words: &str) -> DetectorSet {
    let may_be = words.as_bytes().first().is_some_and(|first| LENGTHS[usize::from(*first)] & length_bit(words) != 0);
    if may_be { KIND_OF.get(words).copied().unwrap_or_default() } else { DetectorSet::NONE }
}

/// Names written without a break: `userpassword`, `accesstoken`.
fn kind_of_end(word: &str) -> DetectorSet {
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
    if word.len() < 8 {
        return DetectorSet::NONE;
    }
    let plain = word.trim_end_matches(|c: char| c.is_ascii_digit());
    let one = plain.strip_suffix('s').unwrap_or(plain);
    if !one.ends_with(['d', 'e', 'n', 't', 'y']) {
        return DetectorSet::NONE;
    }
    let end = ENDS.iter().find(|(end, _)| one.ends_with(end));
    end.map_or(DetectorSet::NONE, |(_, kind)| *kind)
}

/// Whether a name says that its members are secrets, whatever they are called.
pub(super) fn holds_secrets(name: &str) -> bool {
    let words = split_words(name);
    let last = words.as_bytes().rsplit(|b| *b == b'_').next().unwrap_or_default();
    matches!(last, b"secrets" | b"secret" | b"credentials" | b"creds" | b"passwords" | b"tokens" | b"cookies")
        || last == b"keys" && !kinds_of_words(&words).is_empty()
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

impl Announces {
    /// What holds behind a segment that announces `own`, when `self` held for it.
    pub(super) fn and_then(self, own: Self) -> Self {
        if self == Self::All { Self::All } else { own }
    }
}

/// What a path's segment announces for those behind it.
pub(super) fn announced_by_segment(segment: &str) -> Announces {
    if segment.len() > 64 || !segment.bytes().any(|b| b.is_ascii_alphabetic() || b > 127) || is_uuid(segment) {
        return Announces::Nothing;
    }
    let words = split_words(segment);
    let is_all = |word: &[u8]| {
        matches!(
            word,
            b"reset"
                | b"verify"
                | b"verification"
                | b"confirm"
                | b"confirmation"
                | b"activate"
                | b"activation"
                | b"invite"
                | b"magic"
                | b"unsubscribe"
                | b"recover"
                | b"recovery"
                | b"unlock"
                | b"forgot"
        )
    };
    let kinds = kinds_of_words(&words);
    if kinds.has_any(DetectorSet::PASSWORD_NAME.with(DetectorSet::OTP_NAME)) || words.as_bytes().split(|b| *b == b'_').any(is_all)
    {
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
