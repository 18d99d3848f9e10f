//! The small file-system steps of the state directory: replace a file whole, hold a lock, tell whether a file changed.

use std::fs::{self, File, Metadata, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Replaces `path` by `bytes` through a rename: a reader sees the old file or the new one, never a part.
///
/// # Errors
/// The file system's; the old file is then unchanged.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let temporary = sibling(path);
    let written = fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written
}

/// `path` with `.<pid>.tmp` behind it: in the same directory, so that a rename is atomic.
fn sibling(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    name.into()
}

/// What tells that a file is another one than before: inode, size and times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity([i64; 6]);

/// The identity of the file at `path`; `None` when there is none that can be read.
pub fn identity(path: &Path) -> Option<Identity> {
    let m: Metadata = fs::metadata(path).ok()?;
    Some(Identity([m.ino() as i64, m.size() as i64, m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()]))
}

/// An exclusive lock (flock(2)) on a file; given back when dropped or when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a lock was not taken.
#[derive(Debug)]
pub enum LockFailure {
    /// Someone else holds it; what the file says about them.
    Held(String),
    /// The file system's error.
    Io(io::Error),
}

impl Lock {
    /// Takes the lock without waiting, creating the file when there is none, and writes `content` into it.
    ///
    /// # Errors
    /// [`LockFailure`].
    pub fn try_take(path: &Path, content: &str) -> Result<Lock, LockFailure> {
        let mut file = File::options().read(true).write(true).create(true).truncate(false).open(path).map_err(LockFailure::Io)?;
        match file.try_lock() {
            Ok(()) => {
                file.set_len(0).and_then(|()| file.write_all(content.as_bytes())).map_err(LockFailure::Io)?;
                Ok(Lock { _file: file })
            }
            Err(TryLockError::WouldBlock) => {
                Err(LockFailure::Held(fs::read_to_string(path).unwrap_or_default().trim().to_owned()))
            }
            Err(TryLockError::Error(error)) => Err(LockFailure::Io(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let dir = TempDir::new();
        let path = dir.join("f");
        replace(&path, b"one").unwrap();
        let before = identity(&path);
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_ne!(before, identity(&path));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_replacement_leaves_the_old_file() {
        let dir = TempDir::new();
        let path = dir.join("f");
        fs::create_dir(&path).unwrap();
        assert!(replace(&path, b"x").is_err());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn the_second_taker_learns_who_holds_the_lock() {
        let dir = TempDir::new();
        let held = Lock::try_take(&dir.join("l"), "42").unwrap();
        assert!(matches!(Lock::try_take(&dir.join("l"), "43"), Err(LockFailure::Held(by)) if by == "42"));
        drop(held);
        assert!(Lock::try_take(&dir.join("l"), "43").is_ok());
    }
}
