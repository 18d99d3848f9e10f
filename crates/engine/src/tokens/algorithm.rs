//! The algorithms of RFC 7518 §3 and RFC 8037 §3.1 that signatures are verified with, and what each asks of a key. `none` is not
//! among them, so nothing can select it.

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, RsaParameters, VerificationAlgorithm};

/// A JWS algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    Es512,
    /// With Ed25519 only; RFC 9864 names that pair `Ed25519`.
    EdDsa,
}

/// What a key of an algorithm is.
#[derive(Clone, Copy)]
pub(super) enum KeyShape {
    Secret {
        hash: hmac::Algorithm,
        min_bytes: usize,
    },
    Rsa(&'static RsaParameters),
    /// A point on this curve, each coordinate of so many bytes.
    Ec {
        curve: &'static str,
        coordinate_bytes: usize,
        verification: &'static dyn VerificationAlgorithm,
    },
    Ed25519,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::Es512,
        Self::EdDsa,
    ];

    /// The registered name; names are compared exactly, as RFC 7515 §4.1.1 says.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Es512 => "ES512",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The algorithm of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let name = if name == "Ed25519" { "EdDSA" } else { name };
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    /// Whether the key is a secret that two sides share.
    #[must_use]
    pub const fn is_symmetric(self) -> bool {
        matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// RFC 7518 §3.2 wants a secret as long as the hash, §3.3 and §3.5 RSA keys of 2048 bits, §3.4 fixes the curves.
    pub(super) fn key_shape(self) -> KeyShape {
        let ec = |curve, coordinate_bytes, verification| KeyShape::Ec { curve, coordinate_bytes, verification };
        match self {
            Self::Hs256 => KeyShape::Secret { hash: hmac::HMAC_SHA256, min_bytes: 32 },
            Self::Hs384 => KeyShape::Secret { hash: hmac::HMAC_SHA384, min_bytes: 48 },
            Self::Hs512 => KeyShape::Secret { hash: hmac::HMAC_SHA512, min_bytes: 64 },
            Self::Rs256 => KeyShape::Rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
            Self::Rs384 => KeyShape::Rsa(&signature::RSA_PKCS1_2048_8192_SHA384),
            Self::Rs512 => KeyShape::Rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
            Self::Ps256 => KeyShape::Rsa(&signature::RSA_PSS_2048_8192_SHA256),
            Self::Ps384 => KeyShape::Rsa(&signature::RSA_PSS_2048_8192_SHA384),
            Self::Ps512 => KeyShape::Rsa(&signature::RSA_PSS_2048_8192_SHA512),
            Self::Es256 => ec("P-256", 32, &signature::ECDSA_P256_SHA256_FIXED),
            Self::Es384 => ec("P-384", 48, &signature::ECDSA_P384_SHA384_FIXED),
            Self::Es512 => ec("P-521", 66, &signature::ECDSA_P521_SHA512_FIXED),
            Self::EdDsa => KeyShape::Ed25519,
        }
    }
}
