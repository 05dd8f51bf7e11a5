//! A shard without log, source and thread: verdicts, batches and state are the real ones; what a log would hold is kept in memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use bytes::Bytes;
use pipeline::alert::AlertChange;
use pipeline::columns::{Columns, EventHead};
use pipeline::decode::{InputJudge, JudgeState, Partitioner, TopicSettings, Verdict};
use pipeline::round::Metric;
use pipeline::shard::{Clocks, Effects, OrphanRow, ShardState, from_ipc, to_ipc};
use pipeline::source::{Record, TimestampKind};
use pipeline::time::{Day, TopicTime};
use schemas::event::{EventBatchBuilder, Limits, Place, Topic};
use schemas::time::{DurationMs, TimestampMs};

use super::event::{Event, SHARDS, id, reference};
use crate::alerts::AlertRules;
use crate::catalogue;
use crate::metrics::tests::harness::ZONE;
use crate::reference::RetailReference;

pub(super) const LIMITS: Limits = Limits {
    max_future_skew: DurationMs::from_minutes(5),
    max_record_bytes: 1 << 20,
};

/// One input: topic and partition.
type Input = (Topic, u32);

pub(super) struct TestShard {
    number: u32,
    metrics: Arc<Vec<Metric>>,
    allowed_days: i64,
    pub state: ShardState<RetailReference>,
    judges: BTreeMap<Input, InputJudge>,
    builders: BTreeMap<Topic, EventBatchBuilder>,
    batches: Vec<(Topic, RecordBatch)>,
    pub clocks: Clocks,
    /// Version of the reference data in force.
    pub version: usize,
    /// Numbers of the events read, and of those accepted, since the last seal.
    read_since_seal: Vec<usize>,
    accepted_since_seal: Vec<usize>,
    /// Numbers of all events sealed.
    pub accepted: Vec<usize>,
    checkpoint: Option<Checkpoint>,
    /// Since the checkpoint.
    seals: Vec<TestSeal>,
}

struct Checkpoint {
    state: Vec<u8>,
    judges: BTreeMap<Input, JudgeState>,
    clocks: Clocks,
    version: usize,
}

/// A seal and its effects.
struct TestSeal {
    events: Vec<(Topic, Bytes)>,
    clocks: Clocks,
    version: usize,
    effects: ComparableEffects,
}

/// The effects of a seal in a form that can be compared.
#[derive(Debug, PartialEq)]
struct ComparableEffects {
    facts: Vec<(String, RecordBatch)>,
    orphans: Vec<OrphanRow>,
    touched: BTreeMap<String, Vec<Day>>,
    alerts: Vec<AlertChange>,
}

impl ComparableEffects {
    fn from(effects: &Effects) -> Self {
        Self {
            facts: effects.facts.clone(),
            orphans: effects.orphans.clone(),
            touched: effects.touched.clone(),
            alerts: effects.alerts.clone(),
        }
    }
}

/// The state of a shard that has read nothing yet, with this version of the reference data.
pub(super) async fn empty_state(
    number: u32,
    version: usize,
    metrics: &Arc<Vec<Metric>>,
) -> ShardState<RetailReference> {
    let policy = catalogue::policy().unwrap();
    let rules = AlertRules::built_in(&policy).unwrap().for_shard();
    let metrics = metrics.clone();
    catalogue::shard_state(
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
                time: TopicTime {
                    out_of_orderness: DurationMs::ZERO,
                    allowed_lateness: DurationMs::from_days(allowed_days),
                    idle_after: DurationMs::ZERO,
                    max_jump: DurationMs::from_days(31),
                },
            };
            let state = states.remove(&(topic, partition)).unwrap_or_default();
            let partitioner = Partitioner::Murmur2;
            let judge = InputJudge::new(settings, LIMITS, partitioner, partition, SHARDS, state);
            ((topic, partition), judge)
        })
        .collect()
}

impl TestShard {
    pub(super) async fn new(number: u32, allowed_days: i64, metrics: Arc<Vec<Metric>>) -> Self {
        Self {
            state: empty_state(number, 0, &metrics).await,
            judges: judges(number, allowed_days, BTreeMap::new()),
            number,
            metrics,
            allowed_days,
            builders: BTreeMap::new(),
            batches: Vec::new(),
            clocks: Clocks::new(),
            version: 0,
            read_since_seal: Vec::new(),
            accepted_since_seal: Vec::new(),
            accepted: Vec::new(),
            checkpoint: None,
            seals: Vec::new(),
        }
    }

    /// Reads the record of event `number` of `all`.
    pub(super) fn read(&mut self, number: usize, all: &[Event]) {
        self.read_since_seal.push(number);
        let event = &all[number];
        let payload = event.payload(number, all);
        let record = Record {
            input: 0,
            offset: 0,
            key: None,
            payload_len: payload.len() as u64,
            payload: Some(Bytes::from(payload)),
            timestamp: None,
            timestamp_kind: TimestampKind::None,
            headers: Vec::new(),
        };
        let (topic, partition) = (event.topic(), event.partition());
        let judge = self.judges.get_mut(&(topic, partition)).unwrap();
        match judge.judge(&record) {
            Verdict::Accepted(decoded, _) => {
                let place = Place {
                    partition: partition.cast_signed(),
                    offset: number as i64,
                    timestamp: None,
                };
                self.builders
                    .entry(topic)
                    .or_insert_with(|| EventBatchBuilder::new(topic))
                    .append(&decoded, &place);
                self.accepted_since_seal.push(number);
            }
            Verdict::Duplicate => {}
            // Only in scenarios that allow it.
            Verdict::TooLate(_) => assert!(self.allowed_days < 30, "{} came too late", id(number)),
            Verdict::Dead(rejection) => panic!("{event:?}: {rejection:?}"),
        }
    }

    /// Ends the current batch of every topic.
    pub(super) fn cut(&mut self) {
        for (topic, builder) in &mut self.builders {
            if !builder.is_empty() {
                self.batches.push((*topic, builder.finish()));
            }
        }
    }

    /// Seals what was read. The clocks of the topic sets that `moves` names move to the instant unless they are beyond it.
    pub(super) async fn seal(
        &mut self,
        instant: TimestampMs,
        moves: impl Fn(usize) -> bool,
    ) -> Effects {
        self.cut();
        for (place, key) in self.state.clock_sets().into_iter().enumerate() {
            if moves(place) {
                let clock = self.clocks.entry(key).or_insert(instant);
                *clock = (*clock).max(instant);
            }
        }
        let batches = std::mem::take(&mut self.batches);
        let effects = self
            .state
            .apply(&batches, &self.clocks, None)
            .await
            .unwrap();
        self.read_since_seal.clear();
        self.accepted.append(&mut self.accepted_since_seal);
        self.seals.push(TestSeal {
            events: batches
                .iter()
                .map(|(topic, batch)| (*topic, to_ipc(batch).unwrap()))
                .collect(),
            clocks: self.clocks.clone(),
            version: self.version,
            effects: ComparableEffects::from(&effects),
        });
        effects
    }

    /// Writes a checkpoint; everything read must be sealed.
    pub(super) fn write_checkpoint(&mut self) {
        assert!(self.read_since_seal.is_empty());
        let saved = self
            .judges
            .iter()
            .map(|(input, judge)| (*input, judge.save()));
        self.checkpoint = Some(Checkpoint {
            state: self.state.save().unwrap(),
            judges: saved.collect(),
            clocks: self.clocks.clone(),
            version: self.version,
        });
        self.seals.clear();
    }

    pub(super) fn switch_reference(&mut self, version: usize) {
        if self.version != version {
            self.state.replace_reference(reference(version)).unwrap();
            self.version = version;
        }
    }

    /// Restores the shard from what was sealed, as [`pipeline::shard`] does, and reads again what was not.
    ///
    /// Replaying a seal must give the effects that it had at first.
    pub(super) async fn crash(&mut self, all: &[Event]) {
        let wanted = self.version;
        let checkpoint = self.checkpoint.as_ref();
        let first = checkpoint.map(|checkpoint| checkpoint.version);
        self.version = first
            .or(self.seals.first().map(|seal| seal.version))
            .unwrap_or(wanted);
        self.state = empty_state(self.number, self.version, &self.metrics).await;
        self.judges = judges(
            self.number,
            self.allowed_days,
            checkpoint
                .map(|checkpoint| checkpoint.judges.clone())
                .unwrap_or_default(),
        );
        self.clocks = Clocks::new();
        if let Some(checkpoint) = checkpoint {
            self.state
                .load(&checkpoint.state, &checkpoint.clocks, None)
                .await
                .unwrap();
            self.clocks = checkpoint.clocks.clone();
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
            self.switch_reference(seal.version);
            let effects = self
                .state
                .apply(&batches, &seal.clocks, None)
                .await
                .unwrap();
            assert_eq!(
                ComparableEffects::from(&effects),
                seal.effects,
                "a replay has other effects"
            );
            self.clocks = seal.clocks.clone();
        }
        self.seals = seals;
        self.switch_reference(wanted);
        self.builders.clear();
        self.batches.clear();
        self.accepted_since_seal.clear();
        for number in std::mem::take(&mut self.read_since_seal) {
            self.read(number, all);
        }
    }

    fn remember(&mut self, topic: Topic, batch: &RecordBatch) {
        let head = EventHead::of(batch).unwrap();
        let partitions = Columns::of(batch).integer("partition").unwrap();
        for row in 0..batch.num_rows() {
            let partition = u32::try_from(partitions.get(row).unwrap()).unwrap();
            let input = (topic, partition);
            let judge = self.judges.get_mut(&input).unwrap();
            judge.remember(head.event_id(row), head.occurred_at(row));
        }
    }
}
