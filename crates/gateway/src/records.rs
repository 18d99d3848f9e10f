//! The way of a record from a serving thread to a file: a bounded queue, a writer thread, Arrow IPC streams, retention.
//!
//! Takes `Ended` transactions; gives `records/open/<segment>/`. A serving thread only ever pushes to a lock-free queue: no
//! system call, no lock, no wait. Whatever fails here costs records, never requests.

pub mod columns;
pub mod queue;
pub mod retention;
pub mod segment;
pub mod writer;

pub use queue::RecordQueue;
pub use writer::{RecordWriter, start};

#[cfg(test)]
mod tests;
