//! Runs the texts of a metric over facts: what the engine does, in its simplest form.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Date32Array};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Fields, Schema};
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use datafusion::catalog::MemorySchemaProvider;
use datafusion::common::ScalarValue;
use datafusion::prelude::{SessionConfig, SessionContext};
use pipeline::history::{Fact, World as _};
use pipeline::time::{Day, Zone};

use crate::metrics::{MetricText, texts};
use crate::world::World;

pub const ZONE: Zone = Zone(chrono_tz::Asia::Shanghai);

/// A database of panes and as-of tables.
pub struct Bench {
    context: SessionContext,
    runtime: tokio::runtime::Runtime,
}

fn metric(name: &str) -> MetricText {
    texts()
        .into_iter()
        .find(|metric| metric.name == name)
        .unwrap()
}

impl Bench {
    pub fn new() -> Self {
        // One partition: these tables are small, and plans of several cost more than they give.
        let config = SessionConfig::new().with_target_partitions(1);
        let context = SessionContext::new_with_config(config);
        pipeline::query::functions::register_all(&context);
        let catalog = context.catalog("datafusion").unwrap();
        for schema in ["facts", "panes", "rows", "parts", "asof"] {
            let provider = Arc::new(MemorySchemaProvider::new());
            catalog.register_schema(schema, provider).unwrap();
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        Self { context, runtime }
    }

    fn put(&self, table: &str, batch: RecordBatch) {
        self.context.deregister_table(table).unwrap();
        self.context.register_batch(table, batch).unwrap();
    }

    fn run(&self, sql: &str, parameters: Vec<(&'static str, ScalarValue)>) -> RecordBatch {
        self.runtime.block_on(async {
            let frame = self.context.sql(sql).await.unwrap();
            let frame = frame.with_param_values(parameters).unwrap();
            let schema = frame.schema().inner().clone();
            let batches = frame.collect().await.unwrap();
            concat_batches(&schema, &batches).unwrap()
        })
    }

    /// `panes.<name>` from facts: stream.sql day by day, with the columns that the engine adds.
    pub fn stream<F: Fact>(&self, name: &str, facts: &[F]) {
        let text = metric(name).stream.unwrap();
        let counted = text.replacen("\nFROM facts.", ",\n  COUNT(*) AS n\nFROM facts.", 1);
        assert_ne!(counted, text);
        let source = counted.split("FROM ").last().unwrap();
        let source = source.split_whitespace().next().unwrap();
        let mut days: BTreeMap<Day, Vec<F>> = BTreeMap::new();
        for fact in facts {
            days.entry(ZONE.day_of(fact.instant_ms()))
                .or_default()
                .push(fact.clone());
        }
        if days.is_empty() {
            // No rows, but a table.
            days.insert(Day(0), Vec::new());
        }
        let mut panes = Vec::new();
        for (day, facts) in days {
            self.put(source, F::to_batch(&facts).unwrap());
            let sums = self.run(&counted, Vec::new());
            let pane = Arc::new(Date32Array::from(vec![day.0; sums.num_rows()])) as ArrayRef;
            let mut fields = vec![Arc::new(Field::new("pane", DataType::Date32, false))];
            fields.extend(sums.schema().fields().iter().cloned());
            let columns = std::iter::once(pane).chain(sums.columns().iter().cloned());
            let schema = Arc::new(Schema::new(fields));
            panes.push(RecordBatch::try_new(schema, columns.collect()).unwrap());
        }
        let panes = concat_batches(&panes[0].schema(), &panes).unwrap();
        self.put(&format!("panes.{name}"), panes);
    }

    /// The last text of a metric for a window of local days, `[first, end)`; its columns are held to be those of its table.
    pub fn round(&self, name: &str, world: &World, (first, end): (&str, &str)) -> RecordBatch {
        let day = |text: &str| Day::from_date(text.parse().unwrap());
        let (first, end) = (day(first), day(end));
        let end_ms = ZONE.start_ms(end);
        for (table, batch) in world.as_of(end_ms - 1).unwrap() {
            self.put(&format!("asof.{table}"), batch);
        }
        let instant =
            |ms: i64| ScalarValue::TimestampMicrosecond(Some(ms * 1_000), Some("UTC".into()));
        let parameters = || {
            vec![
                ("window_start", instant(ZONE.start_ms(first))),
                ("window_end", instant(end_ms)),
                ("window_start_date", ScalarValue::Date32(Some(first.0))),
                ("window_end_date", ScalarValue::Date32(Some(end.0))),
                ("window_kind", ScalarValue::from("W1")),
            ]
        };
        let metric = metric(name);
        // Without shard.sql the parts are the window's panes; that public.sql adds them up once more changes nothing.
        let panes = format!(
            "SELECT * FROM panes.{name} WHERE pane >= $window_start_date AND pane < $window_end_date"
        );
        let mut rows = self.run(metric.shard.unwrap_or(&panes), parameters());
        self.put(&format!("rows.{name}"), rows.clone());
        if let Some(public) = metric.public {
            self.put(&format!("parts.{name}"), rows);
            rows = self.run(public, parameters());
        }
        let types = |fields: &Fields| -> Vec<(String, DataType)> {
            let own = fields
                .iter()
                .filter(|field| !PUBLISHED.contains(&field.name().as_str()));
            own.map(|field| (field.name().clone(), field.data_type().clone()))
                .collect()
        };
        let table = schemas::table::find("metrics", name).unwrap();
        assert_eq!(types(rows.schema().fields()), types(table.schema.fields()));
        rows
    }
}

/// Columns of every metric table that the publisher adds to a row.
const PUBLISHED: &[&str] = &[
    "window_kind",
    "window_start",
    "window_end",
    "revision",
    "restated",
    "emitted_at",
    "epoch",
    "window_date",
];

/// The named columns of all rows as text, sorted; NULL is empty.
pub fn rows(batch: &RecordBatch, columns: &[&str]) -> Vec<String> {
    let mut rows: Vec<String> = (0..batch.num_rows())
        .map(|row| {
            let cell = |name: &&str| array_value_to_string(&batch[*name], row).unwrap();
            columns.iter().map(cell).collect::<Vec<_>>().join(" ")
        })
        .collect();
    rows.sort();
    rows
}
