//! Keys to verify with: from a JWK (RFC 7517) to a [`Key`], or a sentence why it is refused. What is known to be weak never becomes a
//! key. Secrets of HMAC keys are handed in by their id; a JWK that brings a secret or a private key is refused.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents};
use serde::Deserialize;

use super::algorithm::{Algorithm, KeyShape};
use super::error::TokenError;
use super::{base64url, roca};

/// Bits of an RSA modulus. Verifying with longer ones would cost a client nothing and the gateway much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
/// Bytes of an RSA exponent: below 2^32, as all that are in use.
const MAX_EXPONENT_BYTES: usize = 4;
const ED25519_BYTES: usize = 32;
/// Bytes of a `kid`.
const MAX_KID_BYTES: usize = 1_024;

/// A JWK as it is written. Members that say nothing about verifying are ignored (RFC 7517 §4).
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Jwk {
    pub kty: String,
    pub kid: Option<String>,
    pub alg: Option<String>,
    pub crv: Option<String>,
    pub n: Option<String>,
    pub e: Option<String>,
    pub x: Option<String>,
    pub y: Option<String>,
    /// The id of the secret of an HMAC key.
    pub secret: Option<String>,
    pub r#use: Option<String>,
    pub key_ops: Option<Vec<String>>,
    /// Members of private and secret keys, which do not belong here.
    d: Option<serde::de::IgnoredAny>,
    p: Option<serde::de::IgnoredAny>,
    q: Option<serde::de::IgnoredAny>,
    k: Option<serde::de::IgnoredAny>,
}

impl Jwk {
    /// # Errors
    /// A sentence: it is not JSON, or a member has the wrong type or stands twice.
    pub fn parse(json: &str) -> Result<Self, Mistake> {
        serde_json::from_str(json).map_err(|error| ("", format!("is no JWK: {error}")))
    }
}

/// A key that passed.
#[derive(Debug)]
pub struct Key {
    pub kid: Option<Box<str>>,
    pub algorithm: Algorithm,
    material: Material,
}

enum Material {
    Public(ParsedPublicKey),
    Secret(Box<hmac::Key>),
    /// The secret with this id was not delivered, or is too short.
    Missing(Box<str>),
}

impl fmt::Debug for Material {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public(_) => "Public(..)",
            Self::Secret(_) => "Secret(..)",
            Self::Missing(_) => "Missing(..)",
        })
    }
}

/// What is wrong with a JWK: the member and a sentence that continues its path.
pub type Mistake = (&'static str, String);

impl Key {
    /// Checks a JWK. `secret` is what was delivered under the id that it names, if anything.
    ///
    /// # Errors
    /// The member, and what is wrong with it.
    pub fn from_jwk(jwk: &Jwk, secret: Option<&[u8]>) -> Result<Self, Mistake> {
        check_use(jwk)?;
        let algorithm = algorithm(jwk)?;
        let material = match algorithm.key_shape() {
            KeyShape::Secret { hash, min_bytes } => shared_secret(jwk, hash, min_bytes, secret)?,
            KeyShape::Rsa(parameters) => Material::Public(rsa(jwk, parameters)?),
            KeyShape::Ec { curve, coordinate_bytes, verification } => {
                let point = point(jwk, curve, coordinate_bytes)?;
                let parsed = ParsedPublicKey::new(verification, point);
                Material::Public(parsed.map_err(|_| ("x", format!("and y are no point on the curve {curve}")))?)
            }
            KeyShape::Ed25519 => Material::Public(ed25519(jwk)?),
        };
        let kid = jwk.kid.as_deref().map(Into::into);
        Ok(Self { kid, algorithm, material })
    }

    /// Whether `signature` is this key's for `message`.
    ///
    /// # Errors
    /// It is not ([`TokenError::Signature`]), or the key's secret is not here ([`TokenError::KeyUnusable`]).
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), TokenError> {
        let verified = match &self.material {
            Material::Public(key) => key.verify_sig(message, signature),
            Material::Secret(key) => hmac::verify(key, message, signature),
            Material::Missing(_) => return Err(TokenError::KeyUnusable),
        };
        verified.map_err(|_| TokenError::Signature)
    }

    /// The id of the secret that is not here.
    #[must_use]
    pub fn missing_secret(&self) -> Option<&str> {
        match &self.material {
            Material::Missing(id) => Some(id),
            Material::Public(_) | Material::Secret(_) => None,
        }
    }
}

/// RFC 7517 §4.2 and §4.3: a key that is for something else verifies nothing.
fn check_use(jwk: &Jwk) -> Result<(), Mistake> {
    if jwk.r#use.as_deref().is_some_and(|r#use| r#use != "sig") {
        return Err(("use", "is not `sig`: the key is not for signatures".into()));
    }
    if jwk.key_ops.as_ref().is_some_and(|ops| !ops.iter().any(|op| op == "verify")) {
        return Err(("key_ops", "does not hold `verify`".into()));
    }
    if jwk.kid.as_ref().is_some_and(|kid| kid.is_empty() || kid.len() > MAX_KID_BYTES) {
        return Err(("kid", format!("is not 1 to {MAX_KID_BYTES} bytes")));
    }
    let private = [("d", &jwk.d), ("p", &jwk.p), ("q", &jwk.q), ("k", &jwk.k)];
    match private.into_iter().find(|(_, member)| member.is_some()) {
        Some((member, _)) => Err((member, "belongs to a private or secret key, which never stands in a bundle".into())),
        None => Ok(()),
    }
}

/// The one algorithm that the key is for: `alg`, or what `kty` and `crv` leave no choice about; `RS256` for RSA, as Cloudflare does.
fn algorithm(jwk: &Jwk) -> Result<Algorithm, Mistake> {
    let implied = match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => Some(Algorithm::Rs256),
        ("EC", Some("P-256")) => Some(Algorithm::Es256),
        ("EC", Some("P-384")) => Some(Algorithm::Es384),
        ("EC", Some("P-521")) => Some(Algorithm::Es512),
        ("OKP", Some("Ed25519")) => Some(Algorithm::EdDsa),
        ("oct", _) => None,
        ("EC" | "OKP", _) => return Err(("crv", "is none of P-256, P-384, P-521 (EC) and Ed25519 (OKP)".into())),
        _ => return Err(("kty", "is none of RSA, EC, OKP and oct".into())),
    };
    let Some(name) = &jwk.alg else {
        return implied.ok_or(("alg", "is missing: an HMAC key has to say which hash it is for".into()));
    };
    let algorithm = Algorithm::parse(name).ok_or_else(|| ("alg", "is no algorithm that signatures are verified with".into()))?;
    let fits = match implied {
        None => algorithm.is_symmetric(),
        Some(Algorithm::Rs256) => matches!(algorithm.key_shape(), KeyShape::Rsa(_)),
        Some(implied) => algorithm == implied,
    };
    if fits { Ok(algorithm) } else { Err(("alg", format!("is {}, which the key's kty or crv does not fit", algorithm.as_str()))) }
}

fn shared_secret(jwk: &Jwk, hash: hmac::Algorithm, min_bytes: usize, secret: Option<&[u8]>) -> Result<Material, Mistake> {
    let id = jwk.secret.as_deref().ok_or(("secret", "is missing: the id under which the secret is delivered".to_owned()))?;
    let delivered = secret.filter(|bytes| bytes.len() >= min_bytes);
    Ok(delivered.map_or_else(|| Material::Missing(id.into()), |bytes| Material::Secret(hmac::Key::new(hash, bytes).into())))
}

fn rsa(jwk: &Jwk, parameters: &'static signature::RsaParameters) -> Result<ParsedPublicKey, Mistake> {
    let modulus = bytes("n", jwk.n.as_deref())?;
    // Some libraries write the sign byte of their big integers (RFC 7518 §2); it changes nothing.
    let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
    let modulus = &modulus[zeros..];
    let bits = modulus.first().map_or(0, |first| modulus.len() * 8 - first.leading_zeros() as usize);
    if !RSA_BITS.contains(&bits) {
        return Err(("n", format!("has {bits} bits, not {} to {}", RSA_BITS.start(), RSA_BITS.end())));
    }
    if modulus.last().is_some_and(|last| last % 2 == 0) {
        return Err(("n", "is even: no RSA modulus is".into()));
    }
    if roca::is_vulnerable(modulus) {
        return Err(("n", "was made by a generator whose keys can be factored (ROCA, CVE-2017-15361)".into()));
    }
    let exponent = bytes("e", jwk.e.as_deref())?;
    let is_sane = matches!(exponent.len(), 1..=MAX_EXPONENT_BYTES) && exponent[0] != 0;
    if !is_sane || exponent == [1] || exponent[exponent.len() - 1] % 2 == 0 {
        return Err(("e", "is not an odd number from 3 to 2^32 - 1 without leading zeros".into()));
    }
    let components = RsaPublicKeyComponents { n: modulus, e: &exponent[..] };
    components.to_parsed_public_key(parameters).map_err(|_| ("n", "and e are no RSA key".into()))
}

/// The uncompressed point of SEC 1 §2.3.3. RFC 7518 §6.2.1.2: both coordinates have the full length.
fn point(jwk: &Jwk, curve: &str, coordinate_bytes: usize) -> Result<Vec<u8>, Mistake> {
    if jwk.crv.as_deref() != Some(curve) {
        return Err(("crv", format!("is not {curve}")));
    }
    let mut point = vec![4];
    for (member, text) in [("x", &jwk.x), ("y", &jwk.y)] {
        let coordinate = bytes(member, text.as_deref())?;
        if coordinate.len() != coordinate_bytes {
            return Err((member, format!("has {} bytes, not {coordinate_bytes}", coordinate.len())));
        }
        point.extend_from_slice(&coordinate);
    }
    Ok(point)
}

fn ed25519(jwk: &Jwk) -> Result<ParsedPublicKey, Mistake> {
    let x = bytes("x", jwk.x.as_deref())?;
    if x.len() != ED25519_BYTES {
        return Err(("x", format!("has {} bytes, not {ED25519_BYTES}", x.len())));
    }
    if jwk.y.is_some() {
        return Err(("y", "does not belong to an Ed25519 key".into()));
    }
    ParsedPublicKey::new(&signature::ED25519, x).map_err(|_| ("x", "is no Ed25519 key".into()))
}

fn bytes(member: &'static str, text: Option<&str>) -> Result<Vec<u8>, Mistake> {
    let text = text.ok_or_else(|| (member, "is missing".to_owned()))?;
    base64url::decode(text.as_bytes()).ok_or_else(|| (member, "is not unpadded base64url".to_owned()))
}
