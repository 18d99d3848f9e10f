//! The keys of one configuration, and which of them a token's header selects. A header never widens the choice: the algorithm is the
//! key's own, fixed when it was taken in.

use super::algorithm::Algorithm;
use super::error::TokenError;
use super::jwk::Key;
use super::jws::{Compact, Header};

/// Keys of a configuration: all secret, or all public.
#[derive(Debug, Default)]
pub struct KeySet(Vec<Key>);

impl KeySet {
    /// # Errors
    /// A sentence: the keys would be ambiguous or could be confused.
    pub fn new(keys: Vec<Key>) -> Result<Self, String> {
        if keys.iter().any(|key| key.algorithm.is_symmetric()) && keys.iter().any(|key| !key.algorithm.is_symmetric()) {
            return Err("mix secret (oct) and public keys: one configuration has the one or the other".into());
        }
        let names = |key: &Key| (key.kid.clone(), key.algorithm.as_str());
        let twice = keys.iter().enumerate().find(|(place, key)| keys[..*place].iter().any(|other| names(other) == names(key)));
        match twice {
            Some((_, key)) if key.kid.is_some() => Err(format!(
                "hold two keys with the kid `{}` and the algorithm {}",
                key.kid.as_deref().unwrap_or_default(),
                key.algorithm.as_str()
            )),
            _ => Ok(Self(keys)),
        }
    }

    /// All of them.
    #[must_use]
    pub fn list(&self) -> &[Key] {
        &self.0
    }

    /// Verifies the signature with the one key that fits.
    ///
    /// # Errors
    /// None fits, several do, or the signature is wrong.
    pub fn verify(&self, token: &Compact<'_>) -> Result<(), TokenError> {
        self.select(&token.header)?.verify(token.signing_input, &token.signature)
    }

    /// The key of the header's `kid` and algorithm. Without a `kid`, or where keys have none: the only key that fits.
    fn select(&self, header: &Header) -> Result<&Key, TokenError> {
        let is_named = |key: &&Key| key.kid.is_some() && key.kid == header.kid;
        let mut named = self.0.iter().filter(is_named).peekable();
        if named.peek().is_some() {
            return named.find(|key| key.algorithm == header.algorithm).ok_or(TokenError::AlgorithmMismatch);
        }
        let is_open = |key: &&Key| header.kid.is_none() || key.kid.is_none();
        let mut fitting = self.0.iter().filter(is_open).filter(|key| key.algorithm == header.algorithm);
        match (fitting.next(), fitting.next()) {
            (Some(key), None) => Ok(key),
            (Some(_), Some(_)) => Err(TokenError::KeyAmbiguous),
            (None, _) => Err(self.why_none(header.algorithm)),
        }
    }

    /// A set of one kind asked for the other is the classical confusion of algorithms.
    fn why_none(&self, algorithm: Algorithm) -> TokenError {
        let is_other_kind = |key: &Key| key.algorithm.is_symmetric() != algorithm.is_symmetric();
        if !self.0.is_empty() && self.0.iter().all(is_other_kind) {
            TokenError::AlgorithmMismatch
        } else {
            TokenError::KeyUnknown
        }
    }
}
