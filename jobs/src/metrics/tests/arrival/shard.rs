//! A shard without log, source and thread: real verdicts, real batches, the real core, and a memory for what a log would keep.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use pipeline::alert::AlertChange;
use pipeline::decode::{InputJudge, JudgeState, Partitioner, TopicSettings, Verdict};
use pipeline::round::Metric;
use pipeline::shard::{Clocks, OrphanRow, from_ipc, to_ipc};
use pipeline::shard::{Effects, ShardState};
use pipeline::source::{Record, TimestampKind};
use pipeline::time::{DAY_MS, Day};
use schemas::event::{EventBatchBuilder, Limits, Place, Topic};
use schemas::time::DurationMs;

use super::event::{Event, SHARDS, id, reference};
use crate::alerts::shard_rules;
use crate::catalogue;
use crate::metrics::tests::bench::ZONE;
use crate::reference::RetailReference;

pub const LIMITS: Limits = Limits {
    max_future_skew: DurationMs::from_minutes(5),
    max_record_bytes: 1 << 20,
};

/// One input: topic and partition.
type Input = (Topic, u32);

pub struct Shard {
    number: u32,
    metrics: Arc<Vec<Metric>>,
    allowed_days: i64,
    pub core: ShardState<RetailReference>,
    judges: BTreeMap<Input, InputJudge>,
    builders: BTreeMap<Topic, EventBatchBuilder>,
    batches: Vec<(Topic, RecordBatch)>,
    pub clocks: Clocks,
    /// Version of the reference data in force.
    pub version: usize,
    /// Numbers of the events read and accepted since the last seal.
    read: Vec<usize>,
    taken: Vec<usize>,
    /// Numbers of all events sealed.
    pub accepted: Vec<usize>,
    base: Option<Base>,
    /// Since the base.
    seals: Vec<Sealed>,
}

struct Base {
    core: Vec<u8>,
    judges: BTreeMap<Input, JudgeState>,
    clocks: Clocks,
    version: usize,
}

/// What a seal says, and what it said followed.
struct Sealed {
    events: Vec<(Topic, Bytes)>,
    clocks: Clocks,
    version: usize,
    followed: Followed,
}

/// Effects that can be compared.
#[derive(Debug, PartialEq)]
struct Followed {
    facts: Vec<(String, RecordBatch)>,
    orphans: Vec<OrphanRow>,
    touched: BTreeMap<String, Vec<Day>>,
    alerts: Vec<AlertChange>,
}

impl Followed {
    fn from(effects: &Effects) -> Self {
        Self {
            facts: effects.facts.clone(),
            orphans: effects.orphans.clone(),
            touched: effects.touched.clone(),
            alerts: effects.alerts.clone(),
        }
    }
}

/// An empty core that knows this version of the reference data.
pub async fn core(
    number: u32,
    version: usize,
    metrics: &Arc<Vec<Metric>>,
) -> ShardState<RetailReference> {
    let policy = catalogue::policy().unwrap();
    let rules = shard_rules(&policy).unwrap();
    let metrics = metrics.clone();
    catalogue::shard_core(
        ZONE,
        number,
        SHARDS,
        reference(version),
        metrics,
        policy,
        rules,
    )
    .await
    .unwrap()
}

fn judges(
    number: u32,
    allowed_days: i64,
    mut states: BTreeMap<Input, JudgeState>,
) -> BTreeMap<Input, InputJudge> {
    let inputs = Topic::ALL
        .into_iter()
        .flat_map(|topic| (0..SHARDS).map(move |partition| (topic, partition)))
        .filter(|(topic, partition)| !topic.is_keyed() || *partition == number);
    inputs
        .map(|(topic, partition)| {
            let settings = TopicSettings {
                topic,
                name: topic.default_topic().to_owned(),
                out_of_orderness_ms: 0,
                allowed_lateness_ms: allowed_days * DAY_MS,
                idle_after_ms: 0,
            };
            let state = states.remove(&(topic, partition)).unwrap_or_default();
            let partitioner = Partitioner::Murmur2;
            let judge = InputJudge::new(settings, LIMITS, partitioner, partition, SHARDS, state);
            ((topic, partition), judge)
        })
        .collect()
}

impl Shard {
    pub async fn new(number: u32, allowed_days: i64, metrics: Arc<Vec<Metric>>) -> Self {
        Self {
            core: core(number, 0, &metrics).await,
            judges: judges(number, allowed_days, BTreeMap::new()),
            number,
            metrics,
            allowed_days,
            builders: BTreeMap::new(),
            batches: Vec::new(),
            clocks: Clocks::new(),
            version: 0,
            read: Vec::new(),
            taken: Vec::new(),
            accepted: Vec::new(),
            base: None,
            seals: Vec::new(),
        }
    }

    /// Reads the record of event `number` of `all`.
    pub fn read(&mut self, number: usize, all: &[Event]) {
        self.read.push(number);
        let event = &all[number];
        let payload = event.payload(number, all);
        let record = Record {
            input: 0,
            offset: 0,
            key: None,
            payload_len: payload.len() as u64,
            payload: Some(Bytes::from(payload)),
            timestamp_ms: None,
            timestamp_kind: TimestampKind::None,
            headers: Vec::new(),
        };
        let (topic, partition) = (event.topic(), event.partition());
        let judge = self.judges.get_mut(&(topic, partition)).unwrap();
        match judge.judge(&record) {
            Verdict::Accepted(decoded) => {
                let place = Place {
                    partition: partition.cast_signed(),
                    offset: 0,
                    timestamp: None,
                };
                self.builders
                    .entry(topic)
                    .or_insert_with(|| EventBatchBuilder::new(topic))
                    .append(&decoded, &place);
                self.taken.push(number);
            }
            Verdict::Duplicate => {}
            // Only where the course lets it come too late.
            Verdict::TooLate(_) => assert!(self.allowed_days < 30, "{} came too late", id(number)),
            Verdict::Dead(rejection) => panic!("{event:?}: {rejection:?}"),
        }
    }

    /// What was read so far is a batch of its own.
    pub fn cut(&mut self) {
        for (topic, builder) in &mut self.builders {
            if !builder.is_empty() {
                self.batches.push((*topic, builder.finish()));
            }
        }
    }

    /// Seals what was read; the clocks of those sets of topics that `moves` names move on to the instant, unless they are beyond it.
    pub async fn seal(&mut self, clock_ms: i64, moves: impl Fn(usize) -> bool) -> Effects {
        self.cut();
        for (place, key) in self.core.clock_sets().into_keys().enumerate() {
            if moves(place) {
                let clock = self.clocks.entry(key).or_insert(clock_ms);
                *clock = (*clock).max(clock_ms);
            }
        }
        let batches = std::mem::take(&mut self.batches);
        let effects = self.core.apply(&batches, &self.clocks, None).await.unwrap();
        self.read.clear();
        self.accepted.append(&mut self.taken);
        self.seals.push(Sealed {
            events: batches
                .iter()
                .map(|(topic, batch)| (*topic, to_ipc(batch).unwrap()))
                .collect(),
            clocks: self.clocks.clone(),
            version: self.version,
            followed: Followed::from(&effects),
        });
        effects
    }

    /// Writes a base; everything read must be sealed.
    pub fn write_checkpoint(&mut self) {
        assert!(self.read.is_empty());
        let saved = self
            .judges
            .iter()
            .map(|(input, judge)| (*input, judge.save()));
        self.base = Some(Base {
            core: self.core.save().unwrap(),
            judges: saved.collect(),
            clocks: self.clocks.clone(),
            version: self.version,
        });
        self.seals.clear();
    }

    pub fn put_in_force(&mut self, version: usize) {
        if self.version != version {
            self.core.replace_reference(reference(version)).unwrap();
            self.version = version;
        }
    }

    /// Takes the shard back from what was sealed, as [`pipeline::shard`] does, and reads again what was not.
    ///
    /// What follows from a seal a second time must be what it said the first time.
    pub async fn crash(&mut self, all: &[Event]) {
        let wanted = self.version;
        let base = self.base.as_ref();
        let first = base.map(|base| base.version);
        self.version = first
            .or(self.seals.first().map(|seal| seal.version))
            .unwrap_or(wanted);
        self.core = core(self.number, self.version, &self.metrics).await;
        self.judges = judges(
            self.number,
            self.allowed_days,
            base.map(|base| base.judges.clone()).unwrap_or_default(),
        );
        self.clocks = Clocks::new();
        if let Some(base) = base {
            self.core
                .load(&base.core, &base.clocks, None)
                .await
                .unwrap();
            self.clocks = base.clocks.clone();
        }
        let seals = std::mem::take(&mut self.seals);
        for seal in &seals {
            let mut batches = Vec::new();
            for (topic, bytes) in &seal.events {
                for batch in from_ipc(bytes).unwrap() {
                    self.remember(*topic, &batch);
                    batches.push((*topic, batch));
                }
            }
            self.put_in_force(seal.version);
            let effects = self.core.apply(&batches, &seal.clocks, None).await.unwrap();
            assert_eq!(
                Followed::from(&effects),
                seal.followed,
                "a replay says something else"
            );
            self.clocks = seal.clocks.clone();
        }
        self.seals = seals;
        self.put_in_force(wanted);
        self.builders.clear();
        self.batches.clear();
        self.taken.clear();
        for number in std::mem::take(&mut self.read) {
            self.read(number, all);
        }
    }

    fn remember(&mut self, topic: Topic, batch: &RecordBatch) {
        let head = pipeline::columns::EventHead::of(batch).unwrap();
        let partitions = pipeline::columns::int32(batch, "partition").unwrap();
        for row in 0..batch.num_rows() {
            let input = (topic, partitions.value(row).cast_unsigned());
            let judge = self.judges.get_mut(&input).unwrap();
            judge.remember(head.event_id(row), head.occurred_at_ms(row));
        }
    }
}
