//! A broker inside the process: a producer's records reach the shards without a network, a file or an installation.
//!
//! ```text
//! Producer ─ numbers each partition ─▶ lane of a reader (bounded, in order of sending) ─▶ MemorySource ─▶ shard
//!                                  └─▶ lanes of all others that read the same partition (prices)
//! ```
//!
//! **No lane per partition but one per reader.** A reader takes what was sent in the order in which it was sent, over all its
//! partitions, so none runs ahead of the others (K1 does the same for files) and nobody ever waits for one that is empty. A
//! full lane stops the producer until its reader has taken something; that reader always can. So back-pressure cannot
//! deadlock.
//!
//! **Ends.** An empty lane says nothing while the producer is at work: the next record may be on its way. It is the end once
//! the producer [rests](Producer::rest) (a live one, between two records) or is [finished](Producer::finish).
//!
//! It keeps nothing that has been read: a source can be opened once, at the beginning. For a log that can be read again there
//! are [event files](super::files) and [Kafka](super::kafka).

mod activity;
mod broker;
mod memory_source;
mod producer;

pub use broker::Broker;
pub use memory_source::MemorySource;
pub use producer::{Outgoing, Producer};
