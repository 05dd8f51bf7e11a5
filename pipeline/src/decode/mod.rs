//! Bytes become verdicts and typed Arrow batches.
//!
//! A **verdict** (accepted, duplicate, too late, dead letter) depends on the record and on earlier records of its own
//! topic-partition alone (`CONTRACT.md` K3-K6): never on the wall clock, another partition or what memory was pruned. So a
//! replay judges as the live run did. What a record may say is judged by [`schemas::event::decode`]; here comes what needs
//! its place: time, partition, key, and the ids seen before.

mod judge;
mod known;

pub use judge::{Counters, InputJudge, JudgeState, Partitioner, SavedIds, TopicSettings, Verdict};
pub use known::KnownIds;
