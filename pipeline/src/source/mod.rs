//! Where records come from: Kafka, event files, or a producer in the same process.
//!
//! ```text
//! broker ─▶ librdkafka queue per partition ─▶ poll thread ─▶ Buffers (bounded per partition) ─┐
//!                          end watcher: still at the end? once a second ─▶ Buffers            ├─▶ Source::poll ─▶ shard
//! DIR/<topic>/<n>.ndjson[.gz|.zst] ─▶ reader per file ─▶ merge by recorded_at ────────────────┤
//! Producer ─▶ lane per reader (bounded, in order of sending) ─────────────────────────────────┘
//! ```
//!
//! Each shard thread owns one source with its own consumer: no lock is shared between shards. Records of one input come in
//! offset order, without gap or repeat, from the offset the shard asks for; between inputs the source chooses, so that no
//! input runs far ahead of the others in event time (alignment). An input that has been read to its end says so.
//!
//! Start reading at [`Source`], then [`kafka`], [`files`] or [`memory`]. What this module does not do: decode, judge, or remember
//! positions. Those live in the shard's log; Kafka's committed offsets are never read.

mod error;
pub mod files;
mod identity;
pub mod kafka;
pub mod memory;
mod record;

pub use identity::{InputIdentity, OnMissing};
pub(crate) use record::content_bytes;
pub use record::{InputNews, Item, Record, Start, TimestampKind};

use schemas::time::TimestampMs;

use crate::error::Result;

/// The inputs of one shard, read by that shard's thread. Dropping it stops reading and frees threads and connections.
pub trait Source: Send {
    /// Appends up to `max` records, and what ends were reached or confirmed; waits for nothing.
    ///
    /// `watermarks[i]` is the event time reached by input `i` (`TimestampMs::MIN` before its first record): the input that is
    /// furthest behind goes first. Nothing appended means that nothing has come. After an error the source is to be
    /// dropped; what was appended before it is good.
    fn poll(&mut self, max: usize, watermarks: &[TimestampMs], out: &mut Vec<Item>) -> Result<()>;

    /// Whether the input has records that have been read ahead, or is not known to be at its end.
    fn unread(&self, input: usize) -> bool;
}
