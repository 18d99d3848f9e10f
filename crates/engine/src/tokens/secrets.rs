//! Secrets of HMAC keys, by id. They never stand in a bundle: the gateway reads them from a file of its own and hands them in.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;

use super::base64url;

/// The format of the file.
const FORMAT: u32 = 1;

/// Secrets by id.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(HashMap<String, Vec<u8>>);

#[derive(Deserialize)]
struct File {
    format: u32,
    secrets: HashMap<String, String>,
}

impl Secrets {
    /// Reads `{"format": 1, "secrets": {"<id>": "<unpadded base64url>"}}`. A secret that is not base64url is left out: its key then
    /// verifies nothing, and the others do.
    ///
    /// # Errors
    /// A sentence without anything of the content.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let file: File = serde_json::from_slice(json).map_err(|error| format!("is not as expected (line {})", error.line()))?;
        if file.format != FORMAT {
            return Err(format!("has the format {}, this gateway reads {FORMAT}", file.format));
        }
        let decoded = file.secrets.into_iter().filter_map(|(id, text)| Some((id, base64url::decode(text.as_bytes())?)));
        Ok(Self(decoded.collect()))
    }

    /// The secret with this id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&[u8]> {
        self.0.get(id).map(Vec::as_slice)
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} ..)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_read_by_id_and_never_shown() {
        let secrets = Secrets::parse(br#"{"format": 1, "secrets": {"a": "Zm9v", "b": "Zg==", "c": ""}}"#).unwrap();
        assert_eq!((secrets.get("a"), secrets.get("b"), secrets.get("c")), (Some(&b"foo"[..]), None, Some(&b""[..])));
        assert_eq!(format!("{secrets:?}"), "Secrets(2 ..)");
    }

    #[test]
    fn another_file_is_refused_without_a_word_of_it() {
        for text in ["", "[]", r#"{"format": 1, "secrets": ["tell"]}"#] {
            assert!(!Secrets::parse(text.as_bytes()).unwrap_err().contains("tell"), "{text}");
        }
        assert_eq!(Secrets::parse(br#"{"format": 2, "secrets": {}}"#).unwrap_err(), "has the format 2, this gateway reads 1");
    }
}
