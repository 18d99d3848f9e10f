//! Secrets of HMAC keys as they reach the gateway: `keys/token_secrets.json`, written whole before the bundle that needs it. The file
//! may be missing; a secret that is not there leaves its key unusable, which an alert says.

use std::fs;
use std::io;
use std::path::Path;

use engine::bundle::Bundle;
use engine::tokens::Secrets;

/// Below the state directory.
pub const FILE: &str = "keys/token_secrets.json";
/// The alert while a key of the bundle in use has no secret here.
pub const ALERT: &str = "token_secret_missing";

/// The secrets in this file; none where there is no file.
///
/// # Errors
/// A sentence with the path, and nothing of the content.
pub fn read(path: &Path) -> Result<Secrets, String> {
    let content = match fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Secrets::default()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    Secrets::parse(&content).map_err(|message| format!("{} {message}", path.display()))
}

/// The sentence of the alert, where it is due.
pub fn complaint(bundle: &Bundle) -> Option<String> {
    let missing: Vec<_> = bundle.missing_secrets().collect();
    let first = missing.first()?;
    Some(format!(
        "{} HMAC keys verify nothing: their secrets are not in {FILE}, or are too short (the first is `{first}`)",
        missing.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn no_file_is_no_secrets_and_a_broken_one_is_named_without_its_content() {
        let dir = TempDir::new();
        assert_eq!(read(&dir.join("none")).unwrap(), Secrets::default());
        fs::write(dir.join("secrets"), r#"{"format": 1, "secrets": {"a": "Zm9v"}}"#).unwrap();
        assert_eq!(read(&dir.join("secrets")).unwrap().get("a"), Some(&b"foo"[..]));
        fs::write(dir.join("secrets"), "tell").unwrap();
        let error = read(&dir.join("secrets")).unwrap_err();
        assert!(error.contains("secrets") && !error.contains("tell"), "{error}");
    }
}
