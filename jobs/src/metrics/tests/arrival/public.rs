//! The public state: current rows from rounds and their revisions, sums of weighted facts, open alerts.
//!
//! Planner and revisions are those of the publisher. Logs, Arrow IPC, Parquet and Delta are left out.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, StringArray, TimestampMicrosecondArray};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use bytes::Bytes;
use pipeline::alert::AlertState;
use pipeline::history::WEIGHT;
use pipeline::publisher::{Planner, RoundKey};
use pipeline::query::audit::PublishedRows;
use pipeline::round::{Evaluator, Metric, Published, evaluate_public};
use pipeline::shard::{Clocks, Effects, least_clocks};
use pipeline::time::Window;
use schemas::time::TimestampMs;

use super::event::SHARDS;
use super::shard::TestShard;
use crate::metrics::tests::harness::ZONE;

/// The sum of all effects, which does not depend on how they were cut.
#[derive(Debug, Default, PartialEq)]
pub(super) struct WeightSums {
    /// Facts and orphans as text, with their weight.
    facts: BTreeMap<String, i64>,
    /// Open alerts by dedupe key: deadline and severity. When one fired first depends on the order of arrival.
    open_alerts: BTreeMap<String, String>,
}

impl WeightSums {
    pub(super) fn add(&mut self, shard: usize, effects: &Effects) {
        for (operator, facts) in &effects.facts {
            let weights = facts[WEIGHT].as_primitive::<Int64Type>();
            for row in 0..facts.num_rows() {
                self.add_weight(
                    format!("{operator}: {}", to_text(facts, row)),
                    weights.value(row),
                );
            }
        }
        for orphan in &effects.orphans {
            let text = format!(
                "shard {shard}: {} names {}",
                orphan.event_id, orphan.corrects
            );
            self.add_weight(text, orphan.weight);
        }
        for change in &effects.alerts {
            let key = change.dedupe_key.to_string();
            match change.state {
                AlertState::Firing | AlertState::Updated => {
                    let open = format!("{:?} {:?}", change.about, change.severity);
                    self.open_alerts.insert(key, open);
                }
                AlertState::Resolved | AlertState::Withdrawn => drop(self.open_alerts.remove(&key)),
            }
        }
    }

    fn add_weight(&mut self, text: String, weight: i64) {
        let sum = self.facts.entry(text.clone()).or_default();
        *sum += weight;
        if *sum == 0 {
            self.facts.remove(&text);
        }
    }

    /// One line for each fact and alert that only one side has.
    pub(super) fn differences(&self, expected: &Self) -> Vec<String> {
        let mut lines = one_sided(&expected.facts, &self.facts);
        lines.extend(one_sided(&expected.open_alerts, &self.open_alerts));
        lines
    }

    /// One line per fact.
    pub(super) fn to_text(&self) -> String {
        self.facts.keys().map(|fact| format!("{fact}\n")).collect()
    }

    pub(super) fn open_alerts(&self) -> usize {
        self.open_alerts.len()
    }
}

fn one_sided<V: PartialEq + std::fmt::Debug>(
    expected: &BTreeMap<String, V>,
    found: &BTreeMap<String, V>,
) -> Vec<String> {
    let missing = expected
        .iter()
        .filter(|(key, value)| found.get(*key) != Some(*value));
    let unexpected = found
        .iter()
        .filter(|(key, value)| expected.get(*key) != Some(*value));
    missing
        .map(|(key, value)| format!("batch has {key} ({value:?})"))
        .chain(unexpected.map(|(key, value)| format!("arrival has {key} ({value:?})")))
        .collect()
}

fn to_text(batch: &RecordBatch, row: usize) -> String {
    let schema = batch.schema();
    let cells = schema
        .fields()
        .iter()
        .filter(|field| field.name() != WEIGHT);
    let cells: Vec<String> = cells
        .map(|field| {
            let value = array_value_to_string(&batch[field.name().as_str()], row).unwrap();
            format!("{}={value}", field.name())
        })
        .collect();
    cells.join(" ")
}

/// A window of a metric in which a round revised rows.
pub(super) type Revised = (String, Window);

pub(super) struct PublicState {
    metrics: Arc<Vec<Metric>>,
    planner: Planner,
    published: Published,
    evaluator: Evaluator,
    pub clocks: BTreeMap<u32, Clocks>,
    pub sums: WeightSums,
    /// The latest revision of every current row, by its key.
    rows: BTreeMap<Revised, BTreeMap<Bytes, RecordBatch>>,
}

impl PublicState {
    pub(super) fn new(metrics: Arc<Vec<Metric>>) -> Self {
        Self {
            metrics,
            planner: Planner::default(),
            published: Published::default(),
            evaluator: Evaluator::new(ZONE),
            clocks: BTreeMap::new(),
            sums: WeightSums::default(),
            rows: BTreeMap::new(),
        }
    }

    /// Ingests the effects of a seal.
    pub(super) fn ingest(&mut self, shard: usize, effects: &Effects, clocks: &Clocks) {
        for (metric, days) in &effects.touched {
            self.planner.touch(&self.metrics, metric, days);
        }
        if effects.reference_changed {
            self.planner.touch_reference(&self.metrics);
        }
        self.clocks
            .insert(u32::try_from(shard).unwrap(), clocks.clone());
        self.sums.add(shard, effects);
    }

    /// Rounds that are due, now that all shards have sealed.
    fn due(&self) -> Vec<RoundKey> {
        if self.clocks.len() < SHARDS as usize {
            return Vec::new();
        }
        let clocks = least_clocks(&self.clocks, SHARDS as usize);
        self.planner.changed(ZONE, &clocks)
    }

    /// Runs at most this many of the rounds that are due, beginning with the one at `from` (modulo their number).
    pub(super) async fn run_rounds(
        &mut self,
        shards: &mut [TestShard],
        from: usize,
        at_most: usize,
    ) -> Vec<Revised> {
        let mut due = self.due();
        let first = from.checked_rem(due.len()).unwrap_or(0);
        due.rotate_left(first);
        due.truncate(at_most);
        let mut revised = Vec::new();
        for key in due {
            self.planner.opened(&key, TimestampMs::MIN);
            revised.extend(self.run_round(shards, &key).await);
        }
        revised
    }

    async fn run_round(&mut self, shards: &mut [TestShard], key: &RoundKey) -> Vec<Revised> {
        let all = self.metrics.clone();
        let metrics = Planner::metrics_of(&all, key);
        let names: Vec<String> = metrics.iter().map(|metric| metric.name.clone()).collect();
        let mut parts: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
        for shard in shards {
            for (metric, rows) in shard.state.aggregate(key.window, &names).await.unwrap() {
                parts.entry(metric).or_default().push(rows);
            }
        }
        let mut revised = Vec::new();
        for metric in metrics {
            let rows = evaluate_public(
                &mut self.evaluator,
                metric,
                key.window,
                &parts[&metric.name],
            )
            .await
            .unwrap()
            .rows;
            let changes = self.published.compare(metric, key.window, &rows).unwrap();
            if changes.keys.is_empty() {
                continue;
            }
            let place = (metric.name.clone(), key.window);
            let current = self.rows.entry(place.clone()).or_default();
            for (row, (key, revision)) in changes.keys.iter().enumerate() {
                match revision.hash {
                    Some(_) => drop(current.insert(key.clone(), changes.rows.slice(row, 1))),
                    None => drop(current.remove(key)),
                }
            }
            self.published
                .accept(&metric.name, key.window, changes.keys);
            revised.push(place);
        }
        revised
    }

    /// The current rows of a metric in one window; `None` if there are none.
    pub(super) fn window(&self, metric: &str, window: Window) -> Option<RecordBatch> {
        let rows: Vec<&RecordBatch> = self
            .rows
            .get(&(metric.to_owned(), window))?
            .values()
            .collect();
        let first = rows.first()?;
        Some(concat_batches(&first.schema(), rows.iter().copied()).unwrap())
    }

    /// All current rows, as an audit takes them.
    pub(super) fn published(&self) -> BTreeMap<String, PublishedRows> {
        let mut batches: BTreeMap<String, Vec<RecordBatch>> = BTreeMap::new();
        for (metric, window) in self.rows.keys() {
            if let Some(rows) = self.window(metric, *window) {
                let batches = batches.entry(metric.clone()).or_default();
                batches.push(with_window(&rows, *window));
            }
        }
        batches
            .into_iter()
            .map(|(metric, rows)| (metric, PublishedRows::new(&rows, ZONE).unwrap()))
            .collect()
    }
}

fn with_window(rows: &RecordBatch, window: Window) -> RecordBatch {
    let n = rows.num_rows();
    let instant = |at: TimestampMs| -> ArrayRef {
        Arc::new(TimestampMicrosecondArray::from(vec![at.as_micros(); n]).with_timezone("UTC"))
    };
    let kind: ArrayRef = Arc::new(StringArray::from(vec![window.kind.as_str(); n]));
    let schema = rows.schema();
    let own = schema.fields().iter().zip(rows.columns());
    let own = own.map(|(field, column)| (field.name().as_str(), column.clone(), true));
    let added = [
        ("window_kind", kind, true),
        ("window_start", instant(window.starts_at(ZONE)), true),
        ("window_end", instant(window.ends_at(ZONE)), true),
    ];
    RecordBatch::try_from_iter_with_nullable(own.chain(added)).unwrap()
}
