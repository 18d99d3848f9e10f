//! Why a token is refused: one stable code each, as `hoplon.token.error` gives it, as records and metrics hold it. Codes are never
//! renamed; nothing of the token itself is in them.

use std::fmt;

macro_rules! token_errors {
    ($($(#[doc = $doc:literal])+ $name:ident = $code:literal,)+) => {
        /// See the module. In the order in which a token is judged.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum TokenError {
            $($(#[doc = $doc])+ $name,)+
        }

        impl TokenError {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The stable code.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// A sentence for the documentation.
            #[must_use]
            pub const fn doc(self) -> &'static str {
                match self {
                    $(Self::$name => concat!($($doc),+).trim_ascii(),)+
                }
            }
        }
    };
}

token_errors! {
    /// The source occurs several times with different values: servers differ in which one counts.
    Repeated = "repeated",
    /// The value has another authentication scheme than Bearer.
    Scheme = "scheme",
    /// The token is longer than 16,384 bytes.
    TooLong = "too_long",
    /// Five parts: an encrypted token (JWE, RFC 7516).
    Encrypted = "encrypted",
    /// Not the three parts of a signed token (RFC 7515 §7.1).
    Parts = "parts",
    /// A part is not unpadded base64url in its one canonical form (RFC 7515 §2).
    Encoding = "encoding",
    /// The header is no JSON object, or a member of it has the wrong type.
    HeaderInvalid = "header_invalid",
    /// The header has a name twice (RFC 7515 §4).
    HeaderDuplicate = "header_duplicate",
    /// The header brings a key of its own (`jwk`).
    EmbeddedJwk = "embedded_jwk",
    /// The header says where keys are to be fetched (`jku`).
    EmbeddedJku = "embedded_jku",
    /// The header says where a certificate is to be fetched (`x5u`).
    EmbeddedX5u = "embedded_x5u",
    /// The header brings a certificate of its own (`x5c`).
    EmbeddedX5c = "embedded_x5c",
    /// The payload is not encoded (`b64` is false, RFC 7797), which tokens must not use.
    Unencoded = "unencoded",
    /// The header names extensions that have to be understood (`crit`); none is.
    Critical = "critical",
    /// The header names no algorithm.
    AlgorithmMissing = "algorithm_missing",
    /// The algorithm is `none`, however it is written.
    AlgorithmNone = "algorithm_none",
    /// The algorithm is none of those that are verified.
    AlgorithmUnknown = "algorithm_unknown",
    /// The key that the header names is for another algorithm.
    AlgorithmMismatch = "algorithm_mismatch",
    /// No key of the configuration fits the header.
    KeyUnknown = "key_unknown",
    /// The header names no key, and several fit.
    KeyAmbiguous = "key_ambiguous",
    /// The secret of the key has not been delivered to this gateway, or is too short.
    KeyUnusable = "key_unusable",
    /// The signature is wrong.
    Signature = "signature",
    /// The payload is no JSON object.
    PayloadInvalid = "payload_invalid",
    /// The payload has a name twice.
    PayloadDuplicate = "payload_duplicate",
    /// `exp`, `nbf` or `iat` is no number.
    ClaimInvalid = "claim_invalid",
    /// `typ` is none of the configuration's types.
    Type = "type",
    /// `iss` is none of the configuration's issuers.
    Issuer = "issuer",
    /// `aud` names none of the configuration's audiences.
    Audience = "audience",
    /// A claim that the configuration requires is missing or null.
    ClaimMissing = "claim_missing",
    /// `exp` has passed.
    Expired = "expired",
    /// `nbf` is still to come.
    NotYetValid = "not_yet_valid",
    /// `iat` is still to come.
    IssuedInFuture = "issued_in_future",
    /// `iat` is longer ago than the configuration allows, or missing where it sets a maximal age.
    TooOld = "too_old",
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl std::error::Error for TokenError {}
