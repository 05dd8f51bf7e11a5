//! Runs the queries of a metric over facts with the engine's own parts, without shards, logs or tables.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array, Int64Array};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use pipeline::history::{Fact, PANE, ReferenceState as _, WEIGHT};
use pipeline::pane::{LinearPlan, PaneStore};
use pipeline::round::{Evaluator, Metric, evaluate_over, evaluate_public, evaluate_shard};
use pipeline::time::{Day, Window, WindowKind, Zone};
use schemas::time::DurationMs;

use crate::catalogue;
use crate::metrics::queries;
use crate::reference::RetailReference;

pub(super) const ZONE: Zone = Zone(chrono_tz::Asia::Shanghai);

/// Every metric, and the panes of those that have been given facts.
pub(super) struct Harness {
    metrics: Vec<Metric>,
    panes: BTreeMap<String, PaneStore>,
    runtime: tokio::runtime::Runtime,
}

/// Every metric.
pub(super) fn metrics() -> Vec<Metric> {
    let (metrics, problems) = catalogue::load_metrics(&queries());
    assert!(problems.is_empty(), "{problems:?}");
    metrics
}

impl Harness {
    pub(super) fn new() -> Self {
        Self {
            metrics: metrics(),
            panes: BTreeMap::new(),
            runtime: tokio::runtime::Builder::new_current_thread()
                .build()
                .unwrap(),
        }
    }

    fn metric(&self, name: &str) -> &Metric {
        self.metrics
            .iter()
            .find(|metric| metric.name == name)
            .unwrap()
    }

    /// Adds facts to `panes.<name>`; also needed without facts, so that the table exists.
    pub(super) fn stream<F: Fact>(&mut self, name: &str, facts: &[F]) {
        let mut fields: Vec<_> = F::table().schema().fields().iter().cloned().collect();
        fields.push(Arc::new(Field::new(PANE, DataType::Date32, false)));
        fields.push(Arc::new(Field::new(WEIGHT, DataType::Int64, false)));
        let schema = Arc::new(Schema::new(fields));
        let mut columns = F::table().batch(facts).unwrap().columns().to_vec();
        let days = facts.iter().map(|fact| ZONE.day_of(fact.instant()).0);
        columns.push(Arc::new(Date32Array::from_iter_values(days)) as ArrayRef);
        columns.push(Arc::new(Int64Array::from(vec![1; facts.len()])));
        let batch = RecordBatch::try_new(schema.clone(), columns).unwrap();

        let metric = self.metric(name);
        let (stream, table) = (
            metric.stream.as_ref().unwrap(),
            metric.facts.as_ref().unwrap(),
        );
        let plan = self
            .runtime
            .block_on(LinearPlan::new(stream, table, schema))
            .unwrap();
        let sums = self.runtime.block_on(plan.run(batch)).unwrap();
        let mut store = PaneStore::new(&plan).unwrap();
        for sums in sums {
            store.add(&sums).unwrap();
        }
        self.panes.insert(name.to_owned(), store);
    }

    /// Rows of a metric for a window of local days, `[first, end)`, in the columns of its table.
    pub(super) fn round(
        &self,
        name: &str,
        reference: &RetailReference,
        (first, end): (&str, &str),
    ) -> RecordBatch {
        let day = |text: &str| Day::from_date(text.parse().unwrap());
        let (first, end) = (day(first), day(end));
        let kind = match end.0 - first.0 {
            1 => WindowKind::D1,
            7 => WindowKind::W1,
            _ => WindowKind::H28,
        };
        let window = Window { kind, first, end };
        let metric = self.metric(name);
        assert!(metric.windows.contains(&kind), "{name} has no {kind}");

        let mut evaluator = Evaluator::new(ZONE);
        evaluator.open(window);
        let last = window.ends_at(ZONE) - DurationMs::from_ms(1);
        for (table, batch) in reference.as_of(last).unwrap() {
            evaluator.table("asof", table, batch).unwrap();
        }
        let earliest = end.plus(-window.length().max(metric.look_back_days));
        for name in &metric.reads_panes {
            let panes = self.panes[name].read(earliest..end).unwrap();
            evaluator.table("panes", name, panes).unwrap();
        }
        let needed: Vec<&Metric> = self
            .metrics
            .iter()
            .filter(|other| other.name == name || metric.reads_rows.contains(&other.name))
            .collect();
        self.runtime.block_on(async {
            let schema = |name: &str| self.panes.get(name).map(|store| store.schema().clone());
            let answers = evaluate_shard(&mut evaluator, &needed, schema)
                .await
                .unwrap();
            let (_, parts) = answers.last().unwrap();
            let parts = std::slice::from_ref(parts);
            evaluate_public(&mut evaluator, metric, window, parts)
                .await
                .unwrap()
                .rows
        })
    }

    /// A query over the rows of a metric of one day, as the feed has one.
    pub(super) fn over_rows(
        &self,
        metric: &str,
        rows: &RecordBatch,
        query: &str,
        day: &str,
    ) -> RecordBatch {
        let first = Day::from_date(day.parse().unwrap());
        let window = Window {
            kind: WindowKind::D1,
            first,
            end: first.plus(1),
        };
        let mut evaluator = Evaluator::new(ZONE);
        let result = evaluate_over(&mut evaluator, "a test", metric, rows, query, window);
        self.runtime.block_on(result).unwrap()
    }
}

/// The named columns of all rows as text, sorted; NULL is empty.
pub(super) fn rows(batch: &RecordBatch, columns: &[&str]) -> Vec<String> {
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let cell = |name: &&str| array_value_to_string(&batch[*name], row).unwrap();
            columns.iter().map(cell).collect::<Vec<_>>().join(" ")
        })
        .collect();
    rows.sort();
    rows
}
