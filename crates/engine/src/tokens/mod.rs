//! Tokens: JSON Web Tokens (RFC 7519) of a request, verified once per transaction and configuration, only when a fact asks. Takes
//! header values, keys and a clock that is handed in, gives an [`Outcome`] with a stable code. Claims are read of verified tokens only.
//!
//! A token goes through: source → compact form and header ([`jws`]) → the one key that fits ([`keys`]) → signature ([`jwk`]) → payload
//! and claims ([`claims`]) → what the configuration asks ([`configuration`]) → clock.

pub mod algorithm;
pub mod base64url;
pub mod cache;
pub mod claims;
pub mod configuration;
pub mod error;
pub mod jsonpath;
pub mod jwk;
pub mod jws;
pub mod keys;
mod roca;
pub mod secrets;
pub mod source;

pub use algorithm::Algorithm;
pub use cache::TokenCache;
pub use claims::Verified;
pub use configuration::{Checks, Configuration, Judged, Outcome};
pub use error::TokenError;
pub use jsonpath::ClaimPath;
pub use jwk::{Jwk, Key};
pub use keys::KeySet;
pub use secrets::Secrets;
pub use source::Source;
