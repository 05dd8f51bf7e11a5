//! The shard log: a chain of immutable records, the point of no return of a seal (and of a publisher's intent).
//!
//! ```text
//! log/<name>/record/00000000000000000041   data    claim 37   previous = hash of 40
//! log/<name>/record/00000000000000000042   claim   claim 42   previous = hash of 41     a new owner
//! log/<name>/record/00000000000000000043   data    claim 42   previous = hash of 42
//! log/<name>/checkpoint/00000000000000000041-00000000000000000037-<nonce>      state up to and with record 41
//! ```
//!
//! * **One name, one record.** A record's name is its number alone and it is put with create-if-absent, so of two
//!   owners only one can stand at a number. Claim, nonce and the previous record's hash stand inside.
//! * **Ownership is in the log itself.** A new owner puts an empty claim as the next record; whoever finds another
//!   claim at his own next number has been fenced and ends (exit code 4).
//! * **An unanswered put is repeated with identical bytes** until the number has been read: an error says nothing about
//!   whether the record stands.
//! * **A checkpoint** shortens recovery. It names the record it covers and that record's hash, and is ignored where the chain
//!   differs; a damaged one is named and the next older one serves.
//! * **Another version's log is refused.** Each object carries the format of its frame and the layout of its payload. Both are compared
//!   before a payload is handed out; what differs ends claiming, reading and trimming with a sentence, and nothing is changed.
//! * **A hole stops.** Numbers are contiguous; where one is missing or damaged and no checkpoint covers it, recovery ends with
//!   a sentence, never with a guess.
//!
//! Start with `protocol` (what to do, as pure functions), then [`Log`] (the owner) and [`LogReader`] (everybody else).
//! [`trim()`] deletes what no owner and no reader needs any more. The bytes are in `record`, durability on a local disk in [`FsyncStore`].
//!
//! Left out: claims in record names (two owners would both succeed); a lease with a time-out (needs clocks that agree).

mod chain;
mod checkpoint_schedule;
mod error;
mod fsync;
mod objects;
mod owner;
mod permissions;
mod protocol;
mod reader;
mod record;
mod recover;
mod store;
mod trim;

#[cfg(test)]
pub(crate) mod faulty;
#[cfg(test)]
mod interleaving;
#[cfg(test)]
mod versions;

pub(crate) use checkpoint_schedule::CheckpointSchedule;
pub(crate) use error::store_failed;
pub use fsync::FsyncStore;
pub use owner::Log;
pub use permissions::StorageMode;
pub(crate) use permissions::make_private_folder;
pub use reader::{LogEntry, LogReader};
pub use record::{ClaimId, LogPosition, RecordKind};
pub use recover::Recovered;
pub use store::{Access, LogFolder, local_folder, open_store};
pub(crate) use store::{delete_all, get_if_there};
pub use trim::{Trimmed, trim};
