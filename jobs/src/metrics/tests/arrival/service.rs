//! Two shards and what becomes public, driven step by step; and batch, which is what they must come to.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::record_batch::RecordBatch;
use pipeline::publisher::EpochRecord;
use pipeline::query::audit::Audit;
use pipeline::round::Metric;
use schemas::event::{EventBatchBuilder, Place, Topic, decode};

use super::course::{Course, Happening, Step};
use super::event::{Event, SHARDS, id};
use super::public::{Public, Revised, Sums};
use super::shard::{self, LIMITS, Shard};
use super::story;
use crate::metrics::tests::bench::ZONE;

/// Rounds run at one step between others.
const ROUNDS_AT_ONCE: usize = 6;

pub struct Service {
    metrics: Arc<Vec<Metric>>,
    pub events: Vec<Event>,
    shards: Vec<Shard>,
    pub public: Public,
}

impl Service {
    /// With nothing read yet; without metrics it makes facts and alerts only.
    pub async fn new(metrics: Arc<Vec<Metric>>, allowed_days: i64) -> Self {
        let mut shards = Vec::new();
        for number in 0..SHARDS {
            shards.push(Shard::new(number, allowed_days, metrics.clone()).await);
        }
        Self {
            public: Public::new(metrics.clone()),
            metrics,
            events: Vec::new(),
            shards,
        }
    }

    /// Goes through a course and comes to rest: everything sealed, all clocks at the end, the newest reference data, all rounds run.
    pub async fn run(metrics: Arc<Vec<Metric>>, course: &Course) -> Self {
        let mut service = Self::new(metrics, course.allowed_days()).await;
        service.events = course.events();
        for happening in course.happenings() {
            service.happen(happening).await;
        }
        for shard in &mut service.shards {
            shard.put_in_force(1);
        }
        service.seal_all(story::end_ms()).await;
        service.run_rounds().await;
        service
    }

    async fn happen(&mut self, happening: Happening) {
        let step = match happening {
            Happening::Record { number, shard } => {
                return self.shards[shard].read(number, &self.events);
            }
            Happening::Step(step) => step,
        };
        match step {
            Step::Cut => self.shards.iter_mut().for_each(Shard::cut),
            Step::Seal {
                shards,
                clock_ms,
                clocks,
            } => {
                for (shard, _) in shards.iter().enumerate().filter(|(_, seals)| **seals) {
                    let moves = |place: usize| clocks & (1 << (place % 8)) != 0;
                    self.seal(shard, clock_ms, moves).await;
                }
            }
            Step::Rounds { from } => {
                let Self { public, shards, .. } = self;
                public.run_rounds(shards, from, ROUNDS_AT_ONCE).await;
            }
            Step::Base { shard } => {
                self.seal(shard, i64::MIN, |_| false).await;
                self.shards[shard].write_checkpoint();
            }
            Step::Crash { shard } => self.shards[shard].crash(&self.events).await,
            Step::Reference { shard } => self.shards[shard].put_in_force(1),
        }
    }

    async fn seal(&mut self, shard: usize, clock_ms: i64, moves: impl Fn(usize) -> bool) {
        let effects = self.shards[shard].seal(clock_ms, moves).await;
        self.public
            .take(shard, &effects, &self.shards[shard].clocks);
    }

    /// All shards seal, and all their clocks move on.
    pub async fn seal_all(&mut self, clock_ms: i64) {
        for shard in 0..self.shards.len() {
            self.seal(shard, clock_ms, |_| true).await;
        }
    }

    /// Runs every round that is due.
    pub async fn run_rounds(&mut self) -> Vec<Revised> {
        let Self { public, shards, .. } = self;
        public.run_rounds(shards, 0, usize::MAX).await
    }

    /// The records of these events come in, in this order; then all shards seal and what is due is run.
    pub async fn tell(&mut self, events: Vec<Event>, clock_ms: i64) -> Vec<Revised> {
        let first = self.events.len();
        self.events.extend(events);
        for number in first..self.events.len() {
            let event = &self.events[number];
            let (is_for_all, home) = (event.topic() == Topic::Prices, event.partition() as usize);
            for shard in 0..self.shards.len() {
                if is_for_all || shard == home {
                    self.shards[shard].read(number, &self.events);
                }
            }
        }
        self.seal_all(clock_ms).await;
        self.run_rounds().await
    }

    /// Where facts, alerts and rows differ from what batch makes of the accepted events: all of them sorted, in one step.
    pub async fn differences(&self) -> Vec<String> {
        let mut audit = Audit::new(ZONE, self.metrics.clone(), &self.epoch());
        let mut expected = Sums::default();
        for (number, shard) in (0..SHARDS).zip(&self.shards) {
            let core = shard::core(number, shard.version, &self.metrics).await;
            let effects = audit
                .add_shard(number, core, &self.sorted(shard))
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

    /// Accepted events that nobody may have lost: all that are a shard's business, but in a course in which some come too late.
    pub fn lost(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for (number, shard) in self.shards.iter().enumerate() {
            for (event, told) in self.events.iter().enumerate() {
                let is_mine = told.topic() == Topic::Prices || told.partition() as usize == number;
                let times = shard
                    .accepted
                    .iter()
                    .filter(|accepted| **accepted == event)
                    .count();
                if times != usize::from(is_mine) {
                    lines.push(format!(
                        "shard {number} accepted {} {times} times",
                        id(event)
                    ));
                }
            }
        }
        lines
    }

    /// Accepted events of a shard in the order of K8, a batch a topic.
    fn sorted(&self, shard: &Shard) -> Vec<(Topic, RecordBatch)> {
        let mut numbers = shard.accepted.clone();
        numbers.sort_by_key(|&number| {
            let event = &self.events[number];
            (event.occurred_at_ms, event.recorded_at_ms, id(number))
        });
        let mut builders: BTreeMap<Topic, EventBatchBuilder> = BTreeMap::new();
        for number in numbers {
            let event = &self.events[number];
            let payload = event.payload(number, &self.events);
            let decoded = decode(event.topic(), Some(&payload), &LIMITS).unwrap();
            let place = Place {
                partition: event.partition().cast_signed(),
                offset: 0,
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

    /// An epoch at which the shards stand as they do.
    fn epoch(&self) -> EpochRecord {
        EpochRecord {
            epoch: 1,
            committed_at_ms: 0,
            cut: BTreeMap::new(),
            tables: BTreeMap::new(),
            finality: Vec::new(),
            reference: String::new(),
            drained_to_ms: None,
            clocks: self.public.clocks.clone(),
            unrevised: Vec::new(),
        }
    }
}
