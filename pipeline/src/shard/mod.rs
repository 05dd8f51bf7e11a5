//! One shard: reads, judges, applies, seals. A thread of its own; no lock shared.
//!
//! `recover` takes checkpoint and records back, `read` judges what comes in, `sealing` decides when a micro-batch is full and puts
//! it into the log. State without input and output is [`ShardState`].

mod read;
mod recover;
mod reference;
mod seal;
mod sealing;
mod state;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::error::ArrowError;
use crossbeam_channel::Receiver;
use schemas::event::{EventBatchBuilder, Limits, Topic};
use tokio::runtime::Handle;
use tokio::sync::mpsc::UnboundedSender;

use crate::alert::AlertChange;
use crate::decode::{InputJudge, Partitioner, TopicSettings};
use crate::error::Error;
use crate::history::ReferenceState;
use crate::kafka::TopicPartition;
use crate::log::Log;
use crate::source::{Source, Start};
use crate::time::{InputTime, LiveTime, Window};

use self::read::DeadLetterCircuit;
pub use self::recover::first_reference;
pub use self::reference::{ReferenceStore, ReferenceStoreError, ReferenceVersions, SwitchError};
pub use self::seal::{
    Clocks, DeadLetter, InputSeal, LAYOUT, LateEvent, OrphanRow, PartialAggregate, Seal,
    ShardCheckpoint, from_ipc, least_clocks, to_ipc,
};
pub use self::state::{CoreError, Effects, ShardState, clock_key};

/// What a shard needs to know of the configuration.
#[derive(Clone, Debug)]
pub struct ShardSettings {
    pub shard: u32,
    pub shards: u32,
    /// Partitions of the topic that every shard reads whole.
    pub global_partitions: u32,
    pub topics: Vec<TopicSettings>,
    pub limits: Limits,
    pub partitioner: Partitioner,
    /// Longest time between two seals while there is something to seal.
    pub seal_every: Duration,
    /// Records after which a seal comes early.
    pub seal_records: usize,
    /// Bytes of payloads after which a seal comes early.
    pub seal_bytes: usize,
    /// Longest time for which a moving clock alone stays unsealed.
    pub quiet_every: Duration,
    /// Seals between two checkpoints.
    pub checkpoint_every: u64,
    /// The share of dead letters among the last 10,000 records at which the shard stops.
    pub dead_letter_stop_ratio: f64,
}

#[derive(Debug, thiserror::Error)]
pub enum ShardError {
    #[error(transparent)]
    Engine(#[from] Error),
    #[error(transparent)]
    Core(#[from] CoreError),
    #[error(transparent)]
    Reference(#[from] SwitchError),
    #[error("events cannot be written as columns")]
    Arrow(#[from] ArrowError),
    #[error("a seal cannot be encoded or read")]
    Seal(#[from] postcard::Error),
    #[error(
        "shard={shard} had inputs {sealed} and now has {now}: the number of partitions must not change, nor the names of topics"
    )]
    Inputs {
        shard: u32,
        sealed: String,
        now: String,
    },
    #[error(
        "{share:.0} % of the last {records} records of shard={shard} are dead letters, most recently reason={reason}: stopped before more is passed over; mend the producer, or raise [limits] dead_letter_stop_ratio"
    )]
    CircuitOpen {
        shard: u32,
        share: f64,
        records: usize,
        reason: &'static str,
    },
}

/// What the publisher asks of a shard.
#[derive(Clone, Debug)]
pub enum ShardCommand {
    /// Run shard.sql of these metrics over a window and answer with the next seal.
    Aggregate {
        round: u64,
        window: Window,
        metrics: Vec<String>,
    },
    /// Move event time on to this instant as if nothing more came; only once all inputs have ended.
    Drain { to_ms: i64 },
    /// Put this version of the reference data in force with the next seal.
    Reference { version: String },
    /// Seal what there is, write a checkpoint and end.
    Stop,
}

/// What a shard tells the publisher.
#[derive(Debug)]
pub enum ShardReport {
    Sealed {
        shard: u32,
        number: u64,
        seal: Arc<Seal>,
    },
    /// Everything up to the ends that were seen at start is in seals up to `number`.
    CaughtUp { shard: u32, number: u64 },
    Ended {
        shard: u32,
        result: Result<(), ShardError>,
    },
}

struct ShardInput {
    id: TopicPartition,
    topic: Topic,
    judge: InputJudge,
    next_offset: i64,
    at_end: bool,
    end_live_ms: Option<i64>,
    /// The end seen at start; `None` for files (their end is their end).
    stop_offset: Option<i64>,
    reached_stop_offset: bool,
    accounted: bool,
}

/// A shard with its state taken back, ready to read.
pub struct Shard<R: ReferenceState> {
    settings: ShardSettings,
    core: ShardState<R>,
    inputs: Vec<ShardInput>,
    builders: BTreeMap<Topic, EventBatchBuilder>,
    dead_letters: Vec<DeadLetter>,
    late_events: Vec<LateEvent>,
    answers: Vec<(u64, Window, Vec<String>)>,
    /// What is left over from a seal that could not number them all.
    alerts: Vec<AlertChange>,
    unsealed: usize,
    /// Bytes of the payloads among them.
    unsealed_bytes: usize,
    clock_sets: BTreeMap<String, Vec<usize>>,
    clocks: Clocks,
    live: LiveTime,
    drained_to_ms: Option<i64>,
    references: ReferenceVersions<R>,
    recent: DeadLetterCircuit,
    log: Log,
    last_checkpoint: u64,
    last_seal_at: Instant,
    reported_caught_up: bool,
    runtime: Handle,
}

impl<R: ReferenceState> Shard<R> {
    /// The inputs of a shard: its partition of every keyed topic, all partitions of the others.
    pub fn topic_partitions(settings: &ShardSettings) -> Vec<(TopicPartition, Topic)> {
        let mut ids = Vec::new();
        for topic in &settings.topics {
            let partitions = match topic.topic.is_keyed() {
                true => settings.shard..settings.shard + 1,
                false => 0..settings.global_partitions,
            };
            for partition in partitions {
                let id = TopicPartition::new(
                    topic.name.clone(),
                    i32::try_from(partition).unwrap_or(i32::MAX),
                );
                ids.push((id, topic.topic));
            }
        }
        ids
    }

    /// Where read begins.
    pub fn starts(&self) -> Vec<Start> {
        self.inputs
            .iter()
            .map(|input| Start::new(input.id.clone(), input.next_offset))
            .collect()
    }

    /// The instant to which an earlier run drained this shard.
    pub fn drained_to_ms(&self) -> Option<i64> {
        self.drained_to_ms
    }

    /// Reads until told to stop. Ends with a seal and a checkpoint, or with the error that stopped it.
    pub fn run(
        mut self,
        mut source: Box<dyn Source>,
        commands: &Receiver<ShardCommand>,
        reports: &UnboundedSender<ShardReport>,
    ) -> Result<(), ShardError> {
        let result = self.read(source.as_mut(), commands, reports);
        source.close();
        result
    }
}

impl ShardInput {
    fn time(&self, topic: usize) -> InputTime {
        let settings = self.judge.settings();
        InputTime {
            topic,
            highest_ms: self.judge.highest_ms(),
            bound_ms: settings.out_of_orderness_ms,
            idle_after_ms: settings.idle_after_ms,
            at_end: self.at_end,
            end_live_ms: self.end_live_ms,
        }
    }
}

/// Clocks of a set of topics by their names, for the publisher.
pub fn clock_of(clocks: &Clocks, topics: &[String]) -> Option<i64> {
    clocks.get(&clock_key(topics)).copied()
}
