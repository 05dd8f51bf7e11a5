//! Runs `shard.sql` and `public.sql`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::compute::{cast, concat_batches};
use arrow::datatypes::{Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use chrono::DateTime;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::prelude::{SessionConfig, SessionContext};

use super::metric::Metric;
use crate::history::PANE;
use crate::pane::COUNT;
use crate::time::{Window, Zone};

#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    #[error("metric={metric}: {text}.sql failed")]
    Sql {
        metric: String,
        text: &'static str,
        source: DataFusionError,
    },
    #[error("metric={metric}: {text}.sql does not give column={column} of its table")]
    MissingColumn {
        metric: String,
        text: &'static str,
        column: String,
    },
    #[error("metric={metric}: {text}.sql gives columns of the wrong type")]
    Columns {
        metric: String,
        text: &'static str,
        source: ArrowError,
    },
    #[error("tables of a round cannot be put up")]
    Tables(#[from] DataFusionError),
}

/// One window of a round and the tables that its texts may read.
pub struct Frame {
    window: Window,
    zone: Zone,
    context: SessionContext,
    schemas: BTreeMap<String, Arc<MemorySchemaProvider>>,
}

impl Frame {
    pub fn new(window: Window, zone: Zone) -> Self {
        let config = SessionConfig::new()
            .with_target_partitions(1)
            .with_default_catalog_and_schema("vitrine", "rows");
        let context = SessionContext::new_with_config(config);
        crate::query::functions::register_all(&context);
        Self {
            window,
            zone,
            context,
            schemas: BTreeMap::new(),
        }
    }

    /// Puts up `schema.name`.
    pub fn table(
        &mut self,
        schema: &str,
        name: &str,
        columns: SchemaRef,
        rows: Vec<RecordBatch>,
    ) -> Result<(), DataFusionError> {
        let provider = match self.schemas.get(schema) {
            Some(provider) => provider.clone(),
            None => {
                let provider = Arc::new(MemorySchemaProvider::new());
                if let Some(catalog) = self.context.catalog("vitrine") {
                    catalog.register_schema(schema, provider.clone())?;
                }
                self.schemas.insert(schema.to_owned(), provider.clone());
                provider
            }
        };
        let table = MemTable::try_new(columns, vec![rows])?;
        provider.register_table(name.to_owned(), Arc::new(table))?;
        Ok(())
    }

    async fn run(&self, sql: &str) -> Result<(SchemaRef, Vec<RecordBatch>), DataFusionError> {
        let frame = self.context.sql(&self.with_parameters(sql)).await?;
        let schema: SchemaRef = Arc::new(frame.schema().as_arrow().clone());
        Ok((schema, frame.collect().await?))
    }

    fn with_parameters(&self, sql: &str) -> String {
        let instant = |ms: i64| {
            let text = DateTime::from_timestamp_millis(ms)
                .map(|at| at.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
                .unwrap_or_default();
            format!("arrow_cast('{text}', 'Timestamp(Microsecond, Some(\"UTC\"))')")
        };
        // Longer names first: one is the beginning of another.
        [
            (
                "$window_start_date",
                format!("DATE '{}'", self.window.first.date()),
            ),
            (
                "$window_end_date",
                format!("DATE '{}'", self.window.end.date()),
            ),
            ("$window_start", instant(self.window.start_ms(self.zone))),
            ("$window_end", instant(self.window.end_ms(self.zone))),
            ("$window_kind", format!("'{}'", self.window.kind)),
        ]
        .iter()
        .fold(sql.to_owned(), |text, (name, value)| {
            text.replace(name, value)
        })
    }
}

/// What one shard says of a window, for the metrics given (in the order of [`Metric::load_all`]).
///
/// The frame holds `panes.*` and `asof.*`; results are put up as `rows.*` for the metrics that follow.
pub async fn evaluate_shard(
    frame: &mut Frame,
    metrics: &[&Metric],
    panes: impl Fn(&str) -> Option<SchemaRef>,
) -> Result<Vec<(String, RecordBatch)>, RoundError> {
    let mut answers = Vec::with_capacity(metrics.len());
    for metric in metrics {
        let sql = match &metric.shard {
            Some(sql) => sql.clone(),
            None => summed_panes(metric, panes(&metric.name)),
        };
        let failed = |source| RoundError::Sql {
            metric: metric.name.clone(),
            text: "shard",
            source,
        };
        let (schema, rows) = frame.run(&sql).await.map_err(failed)?;
        let rows = concat_batches(&schema, &rows)
            .map_err(|source| failed(DataFusionError::from(source)))?;
        let rows = match metric.public {
            Some(_) => rows,
            None => as_table(metric, "shard", &rows)?,
        };
        frame.table("rows", &metric.name, rows.schema(), vec![rows.clone()])?;
        answers.push((metric.name.clone(), rows));
    }
    Ok(answers)
}

/// The panes of the window, summed by their keys.
fn summed_panes(metric: &Metric, schema: Option<SchemaRef>) -> String {
    let fields = schema.unwrap_or_else(|| Arc::new(Schema::empty()));
    let is_key = |name: &str| metric.dimensions.iter().any(|dimension| dimension == name);
    let keys: Vec<_> = fields
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| *name != PANE && is_key(name))
        .collect();
    let sums: Vec<_> = fields
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .filter(|name| *name != PANE && !is_key(name))
        .map(|name| format!("SUM({name}) AS {name}"))
        .collect();
    format!(
        "SELECT {keys}, {sums} FROM panes.{name} WHERE {PANE} >= $window_start_date AND {PANE} < $window_end_date GROUP BY {keys}",
        keys = keys.join(", "),
        sums = sums.join(", "),
        name = metric.name,
    )
}

/// The rows of one metric from the parts of all shards.
pub async fn evaluate_public(
    metric: &Metric,
    window: Window,
    zone: Zone,
    parts: &[RecordBatch],
) -> Result<RecordBatch, RoundError> {
    let wrong = |source: ArrowError| RoundError::Columns {
        metric: metric.name.clone(),
        text: "shard",
        source,
    };
    let Some(first) = parts.first() else {
        return Ok(RecordBatch::new_empty(row_schema(metric)));
    };
    let together = concat_batches(&first.schema(), parts).map_err(wrong)?;
    let Some(sql) = &metric.public else {
        return as_table(metric, "shard", &together);
    };
    let mut frame = Frame::new(window, zone);
    frame.table("parts", &metric.name, together.schema(), vec![together])?;
    let failed = |source| RoundError::Sql {
        metric: metric.name.clone(),
        text: "public",
        source,
    };
    let (schema, rows) = frame.run(sql).await.map_err(failed)?;
    let rows =
        concat_batches(&schema, &rows).map_err(|source| failed(DataFusionError::from(source)))?;
    as_table(metric, "public", &rows)
}

/// A text of `of` over the public rows of `metric` in one window (`rows.<metric>`).
pub async fn evaluate_over(
    of: &str,
    metric: &str,
    rows: &RecordBatch,
    sql: &str,
    window: Window,
    zone: Zone,
) -> Result<RecordBatch, RoundError> {
    let mut frame = Frame::new(window, zone);
    frame.table("rows", metric, rows.schema(), vec![rows.clone()])?;
    let failed = |source| RoundError::Sql {
        metric: of.to_owned(),
        text: "feed",
        source,
    };
    let (schema, rows) = frame.run(sql).await.map_err(failed)?;
    concat_batches(&schema, &rows).map_err(|source| failed(source.into()))
}

/// Columns that the engine adds to every metric row.
const ENGINE_COLUMNS: [&str; 8] = [
    "window_kind",
    "window_start",
    "window_end",
    "window_date",
    "revision",
    "restated",
    "emitted_at",
    "epoch",
];

/// Columns of the metric's table that its texts must give.
pub fn row_schema(metric: &Metric) -> SchemaRef {
    let fields: Vec<_> = metric
        .table
        .fields()
        .iter()
        .filter(|field| !ENGINE_COLUMNS.contains(&field.name().as_str()))
        .cloned()
        .collect();
    Arc::new(Schema::new(fields))
}

/// The result of a text as the columns of its table; rows without facts are left out.
fn as_table(
    metric: &Metric,
    text: &'static str,
    rows: &RecordBatch,
) -> Result<RecordBatch, RoundError> {
    let wrong = |source| RoundError::Columns {
        metric: metric.name.clone(),
        text,
        source,
    };
    let schema = row_schema(metric);
    let mut arrays = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column =
            rows.column_by_name(field.name())
                .ok_or_else(|| RoundError::MissingColumn {
                    metric: metric.name.clone(),
                    text,
                    column: field.name().clone(),
                })?;
        arrays.push(cast(column, field.data_type()).map_err(wrong)?);
    }
    let table = RecordBatch::try_new(schema, arrays).map_err(wrong)?;
    let Some(facts) = table.column_by_name(COUNT) else {
        return Ok(table);
    };
    let holds = arrow::compute::kernels::cmp::gt(facts, &arrow::array::Int64Array::new_scalar(0))
        .map_err(wrong)?;
    arrow::compute::filter_record_batch(&table, &holds).map_err(wrong)
}
