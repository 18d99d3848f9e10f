//! The installation key of records: 32 random bytes in `keys/records.key`, made at the first start, readable by its owner only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use engine::hash::Keys;

const KEY_BYTES: usize = 32;

/// The subkeys of the key in this file. A missing file is created; one of another length is an error, because another key
/// would make every session a new one.
///
/// # Errors
/// A sentence with the path.
pub fn load(path: &Path) -> Result<Keys, String> {
    let key = read(path).or_else(|error| match error.kind() {
        io::ErrorKind::NotFound => create(path).and_then(|()| read(path)),
        _ => Err(error),
    });
    key.map(|key| Keys::derive(&key)).map_err(|error| format!("{}: {error}", path.display()))
}

fn read(path: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let bytes = fs::read(path)?;
    let length = bytes.len();
    bytes.try_into().map_err(|_| {
        io::Error::other(format!(
            "the key has {length} bytes, not {KEY_BYTES}; restore it from a backup, or remove it to begin anew"
        ))
    })
}

/// Writes a fresh key beside and links it into place, so that two starters agree on one whole key.
fn create(path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let temporary = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = write_random(&temporary);
    let linked = written.and_then(|()| fs::hard_link(&temporary, path));
    let _ = fs::remove_file(&temporary);
    linked.or_else(|error| if error.kind() == io::ErrorKind::AlreadyExists { Ok(()) } else { Err(error) })
}

fn write_random(path: &Path) -> io::Result<()> {
    let mut key = [0; KEY_BYTES];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(&key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_missing_key_is_made_once_and_for_its_owner_only() {
        let dir = TempDir::new();
        let path = dir.join("keys/records.key");
        let first = load(&path).unwrap();
        let second = load(&path).unwrap();
        assert_eq!(first.value(b"x"), second.value(b"x"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.join("keys")).unwrap().count(), 1);
    }

    #[test]
    fn a_key_of_another_length_is_an_error_with_its_path() {
        let dir = TempDir::new();
        fs::write(dir.join("k"), [0; 31]).unwrap();
        let error = load(&dir.join("k")).unwrap_err();
        assert!(error.contains("31 bytes"), "{error}");
    }
}
