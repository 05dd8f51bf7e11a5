//! Two shards and the public state, driven action by action; and the batch computation, which they must equal.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::publisher::EpochRecord;
use pipeline::query::audit::Audit;
use pipeline::round::Metric;
use schemas::event::{EventBatchBuilder, Place, Topic, decode};
use schemas::time::TimestampMs;

use super::event::{Event, SHARDS, id};
use super::public::{PublicState, Revised, WeightSums};
use super::scenario::{Action, Operation, Scenario};
use super::shard::{self, LIMITS, TestShard};
use super::strategy;
use crate::metrics::tests::harness::ZONE;

/// Rounds that one operation runs.
const ROUNDS_AT_ONCE: usize = 6;

pub(super) struct Service {
    metrics: Arc<Vec<Metric>>,
    pub events: Vec<Event>,
    shards: Vec<TestShard>,
    pub public: PublicState,
}

impl Service {
    /// A service that has read nothing yet; without metrics it computes facts and alerts only.
    pub(super) async fn new(metrics: Arc<Vec<Metric>>, allowed_days: i64) -> Self {
        let mut shards = Vec::new();
        for number in 0..SHARDS {
            shards.push(TestShard::new(number, allowed_days, metrics.clone()).await);
        }
        Self {
            public: PublicState::new(metrics.clone()),
            metrics,
            events: Vec::new(),
            shards,
        }
    }

    /// Runs a scenario to its end: everything sealed, all clocks at the end, the newest reference data in force, all rounds run.
    pub(super) async fn run(metrics: Arc<Vec<Metric>>, scenario: &Scenario) -> Self {
        let mut service = Self::new(metrics, scenario.allowed_days()).await;
        service.events = scenario.events();
        for action in scenario.actions() {
            service.perform(action).await;
        }
        for shard in &mut service.shards {
            shard.switch_reference(1);
        }
        service.seal_all(strategy::end()).await;
        service.run_rounds().await;
        service
    }

    async fn perform(&mut self, action: Action) {
        let operation = match action {
            Action::Read { number, shard } => {
                return self.shards[shard].read(number, &self.events);
            }
            Action::Operation(operation) => operation,
        };
        match operation {
            Operation::Cut => self.shards.iter_mut().for_each(TestShard::cut),
            Operation::Seal {
                shards,
                clock,
                clocks,
            } => {
                for (shard, _) in shards.iter().enumerate().filter(|(_, seals)| **seals) {
                    let moves = |place: usize| clocks & (1 << (place % 8)) != 0;
                    self.seal(shard, clock, moves).await;
                }
            }
            Operation::Rounds { from } => {
                let Self { public, shards, .. } = self;
                public.run_rounds(shards, from, ROUNDS_AT_ONCE).await;
            }
            Operation::Checkpoint { shard } => {
                self.seal(shard, TimestampMs::MIN, |_| false).await;
                self.shards[shard].write_checkpoint();
            }
            Operation::Crash { shard } => self.shards[shard].crash(&self.events).await,
            Operation::Reference { shard } => self.shards[shard].switch_reference(1),
        }
    }

    async fn seal(&mut self, shard: usize, clock: TimestampMs, moves: impl Fn(usize) -> bool) {
        let effects = self.shards[shard].seal(clock, moves).await;
        self.public
            .ingest(shard, &effects, &self.shards[shard].clocks);
    }

    /// All shards seal, and all their clocks move to the instant.
    pub(super) async fn seal_all(&mut self, clock: TimestampMs) {
        for shard in 0..self.shards.len() {
            self.seal(shard, clock, |_| true).await;
        }
    }

    /// Runs every round that is due.
    pub(super) async fn run_rounds(&mut self) -> Vec<Revised> {
        let Self { public, shards, .. } = self;
        public.run_rounds(shards, 0, usize::MAX).await
    }

    /// Reads the records of these events in this order, then seals all shards and runs every round that is due.
    pub(super) async fn ingest(&mut self, events: Vec<Event>, clock: TimestampMs) -> Vec<Revised> {
        let first = self.events.len();
        self.events.extend(events);
        for number in first..self.events.len() {
            let event = &self.events[number];
            let (is_global, home) = (event.topic() == Topic::Prices, event.partition() as usize);
            for shard in 0..self.shards.len() {
                if is_global || shard == home {
                    self.shards[shard].read(number, &self.events);
                }
            }
        }
        self.seal_all(clock).await;
        self.run_rounds().await
    }

    /// Where facts, alerts and rows differ from a batch computation over the accepted events, sorted and in one step.
    pub(super) async fn differences(&self) -> Vec<String> {
        let mut audit = Audit::new(ZONE, self.metrics.clone(), &self.epoch());
        let mut expected = WeightSums::default();
        for (number, shard) in (0..SHARDS).zip(&self.shards) {
            let state = shard::empty_state(number, shard.version, &self.metrics).await;
            let effects = audit
                .add_shard(number, state, &self.sorted(shard))
                .await
                .unwrap();
            expected.add(number as usize, &effects);
        }
        let mut lines = self.public.sums.differences(&expected);
        let published = self.public.published();
        for table in audit.compare(&published, None, |_, _| {}).await.unwrap() {
            if table.differing > 0 {
                let first = table.first.unwrap_or_default();
                lines.push(format!(
                    "{}: {} rows differ, first {first}",
                    table.table, table.differing
                ));
            }
        }
        lines
    }

    /// Events that a shard has not accepted exactly once although they are its own; only where no event can be too late.
    pub(super) fn lost(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            for (id_number, event) in self.events.iter().enumerate() {
                let is_own = event.topic() == Topic::Prices || event.partition() as usize == number;
                let times = shard
                    .accepted
                    .iter()
                    .filter(|accepted| **accepted == id_number)
                    .count();
                if times != usize::from(is_own) {
                    lines.push(format!(
                        "shard {number} accepted {} {times} times",
                        id(id_number)
                    ));
                }
            }
        }
        lines
    }

    /// Accepted events of a shard in the order of K8, one batch per topic.
    fn sorted(&self, shard: &TestShard) -> Vec<(Topic, RecordBatch)> {
        let mut numbers = shard.accepted.clone();
        numbers.sort_by_key(|&number| {
            let event = &self.events[number];
            (event.occurred_at, event.recorded_at, id(number))
        });
        let mut builders: BTreeMap<Topic, EventBatchBuilder> = BTreeMap::new();
        for number in numbers {
            let event = &self.events[number];
            let payload = event.payload(number, &self.events);
            let decoded = decode(event.topic(), Some(&payload), &LIMITS).unwrap();
            let place = Place {
                partition: event.partition().cast_signed(),
                offset: number as i64,
                timestamp: None,
            };
            let builder = builders
                .entry(event.topic())
                .or_insert_with(|| EventBatchBuilder::new(event.topic()));
            builder.append(&decoded, &place);
        }
        let batches = builders
            .into_iter()
            .map(|(topic, mut builder)| (topic, builder.finish()));
        batches.collect()
    }

    /// An epoch with the current clocks of the shards.
    fn epoch(&self) -> EpochRecord {
        EpochRecord {
            epoch: 1,
            committed_at: TimestampMs::default(),
            cut: BTreeMap::new(),
            tables: BTreeMap::new(),
            finality: Vec::new(),
            reference: String::new(),
            drained_to: None,
            clocks: self.public.clocks.clone(),
            unrevised: Vec::new(),
            identity: None,
        }
    }
}
