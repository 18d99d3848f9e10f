//! One open segment: a directory of three Arrow IPC streams and the lock that says who writes them.
//!
//! Takes encoded batches; gives files that are readable up to the last whole batch at any moment. The directory appears under
//! its name only once its lock is held, so that the worker never seals what is being written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use arrow_ipc::writer::StreamWriter;
use arrow_schema::{ArrowError, SchemaRef};

use super::columns::{Batch, Table};
use crate::files::{Lock, LockFailure};

/// File of the lock inside a segment.
pub const OWNER_LOCK: &str = "owner.lock";

/// A segment that this gateway writes.
pub struct Segment {
    path: PathBuf,
    opened: Instant,
    tables: [Stream; 3],
    _owner: Lock,
}

/// One table's file. Batches are encoded in memory and written whole, so that a failed write can be cut off again.
struct Stream {
    table: Table,
    schema: SchemaRef,
    encoder: StreamWriter<Vec<u8>>,
    file: File,
    length: u64,
}

impl Segment {
    /// Creates a segment below `open`, the directory of open segments.
    ///
    /// # Errors
    /// The file system's. Nothing is left behind under a name that readers look at.
    pub fn create(open: &Path, id: &str) -> io::Result<Segment> {
        let hidden = open.join(format!(".{id}"));
        fs::create_dir_all(&hidden)?;
        Segment::create_in(&hidden, &open.join(id)).inspect_err(|_| drop(fs::remove_dir_all(&hidden)))
    }

    fn create_in(hidden: &Path, path: &Path) -> io::Result<Segment> {
        let owner =
            Lock::try_take(&hidden.join(OWNER_LOCK), &std::process::id().to_string()).map_err(|failure| match failure {
                LockFailure::Held(by) => io::Error::other(format!("{} is held by process {by}", hidden.display())),
                LockFailure::Io(error) => error,
            })?;
        let [records, violations, observations] = Table::ALL.map(|table| Stream::create(hidden, table));
        let tables = [records?, violations?, observations?];
        fs::rename(hidden, path)?;
        Ok(Segment { path: path.to_owned(), opened: Instant::now(), tables, _owner: owner })
    }

    /// Writes one batch to all its tables, or to none.
    ///
    /// # Errors
    /// The file system's, or that the segment's directory is gone; the batch may be written again, here or elsewhere.
    pub fn write(&mut self, batch: &Batch) -> io::Result<()> {
        if !self.path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotFound, format!("{} was removed", self.path.display())));
        }
        let lengths = self.tables.each_ref().map(|stream| stream.length);
        let written = self.tables.iter_mut().try_for_each(|stream| stream.write(batch));
        if written.is_err() {
            self.tables.iter_mut().zip(lengths).for_each(|(stream, length)| stream.cut(length));
        }
        written
    }

    /// Bytes of the three files.
    pub fn bytes(&self) -> u64 {
        self.tables.iter().map(|stream| stream.length).sum()
    }

    /// Time since it was opened, by the monotonic clock.
    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    /// Writes the end-of-stream marks and gives the lock back: the worker may seal it.
    ///
    /// # Errors
    /// The file system's; the segment is readable without the marks too.
    pub fn close(mut self) -> io::Result<()> {
        self.tables.iter_mut().try_for_each(Stream::finish)
    }
}

impl Stream {
    fn create(directory: &Path, table: Table) -> io::Result<Stream> {
        let schema = table.schema();
        let encoder = StreamWriter::try_new(Vec::new(), &schema).map_err(invalid)?;
        let file = File::create_new(directory.join(format!("{}.arrows", table.as_str())))?;
        let mut stream = Stream { table, schema, encoder, file, length: 0 };
        stream.append()?;
        Ok(stream)
    }

    fn write(&mut self, batch: &Batch) -> io::Result<()> {
        if self.table.rows(batch) == 0 {
            return Ok(());
        }
        let rows = self.table.encode(batch, &self.schema).map_err(invalid)?;
        self.encoder.write(&rows).map_err(invalid)?;
        self.append()
    }

    fn finish(&mut self) -> io::Result<()> {
        self.encoder.finish().map_err(invalid)?;
        self.append()
    }

    /// Moves what was encoded into the file.
    fn append(&mut self) -> io::Result<()> {
        let encoded = self.encoder.get_mut();
        let written = self.file.write_all(encoded);
        let length = encoded.len() as u64;
        encoded.clear();
        encoded.shrink_to(KEPT_CAPACITY);
        written.map(|()| self.length += length)
    }

    /// Cuts off what a failed write left. Shortening a file needs no space.
    fn cut(&mut self, length: u64) {
        use io::Seek;
        let _ = self.file.set_len(length).and_then(|()| self.file.seek(io::SeekFrom::Start(length)));
        self.length = length;
    }
}

/// The encoding buffer is given back beyond this, so that one burst does not stay resident.
const KEPT_CAPACITY: usize = 256 * 1024;

fn invalid(error: ArrowError) -> io::Error {
    match error {
        ArrowError::IoError(_, error) => error,
        other => io::Error::new(io::ErrorKind::InvalidData, other),
    }
}

/// Names segments so that they sort by the time they were opened, in one process even when the clock jumps back.
#[derive(Debug, Default)]
pub struct SegmentIds {
    last_millis: u64,
}

impl SegmentIds {
    /// The next id, in the form of a UUIDv7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then bits that differ between processes.
    pub fn next(&mut self, now: SystemTime, random: u128) -> String {
        let millis = now.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64);
        self.last_millis = millis.max(self.last_millis + 1);
        let time = u128::from(self.last_millis) << 80;
        let variable = (random >> 48) & !(0xF << 76) & !(0x3 << 62);
        let bits = time | (variable & ((1 << 80) - 1)) | (0x7 << 76) | (0x2 << 62);
        let hex = format!("{bits:032x}");
        format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

/// The time in a segment's id; `None` when it is not one.
pub fn segment_time(id: &str) -> Option<SystemTime> {
    let digits: String = id.get(..13)?.chars().filter(|c| *c != '-').collect();
    let millis = u64::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 12)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_even_when_the_clock_jumps_back() {
        let mut ids = SegmentIds::default();
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_763_700_000_123);
        let first = ids.next(now, u128::MAX);
        let second = ids.next(now - Duration::from_secs(86_400), 0);
        assert!(first < second, "{first} {second}");
        assert_eq!(first.len(), 36);
        assert_eq!((&first[14..15], &second[14..15]), ("7", "7"));
        assert!("89ab".contains(&first[19..20]) && "89ab".contains(&second[19..20]));
        assert_eq!(segment_time(&first), Some(now));
        assert_eq!(segment_time("trash"), None);
    }
}
