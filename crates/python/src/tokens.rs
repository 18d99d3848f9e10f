//! Tokens as Python asks about them: whether a key or a path would load, and what an engine in process verifies with.

use std::path::Path;
use std::sync::Arc;

use engine::bundle::TokenInputs;
use engine::tokens::{ClaimPath, Jwk, Key, TokenCache};
use gateway::token_secrets;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

/// Of the cache of an engine in process, as a gateway's by default.
pub const CACHE_BYTES: usize = 16 << 20;

/// Why the engine refuses this JWK (JSON text) in a bundle: the member and a sentence that continues it; None where it takes it.
#[pyfunction]
pub fn check_token_key(jwk: &str) -> Option<(String, String)> {
    let checked = Jwk::parse(jwk).and_then(|jwk| Key::from_jwk(&jwk, None));
    checked.err().map(|(member, message)| (member.to_owned(), message))
}

/// Why the engine refuses this path to a claim; None where it takes it.
#[pyfunction]
pub fn check_claim_path(path: &str) -> Option<String> {
    ClaimPath::parse(path).err().map(|error| error.to_string())
}

/// Secrets are where a gateway of the same state directory reads them.
pub fn inputs(bundles: &Path, cache: &Arc<TokenCache>) -> PyResult<TokenInputs> {
    let state = bundles.parent().unwrap_or(Path::new("."));
    let secrets = token_secrets::read(&state.join(token_secrets::FILE)).map_err(PyValueError::new_err)?;
    Ok(TokenInputs { secrets, cache: cache.clone() })
}
