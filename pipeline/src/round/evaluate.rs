//! Runs `shard.sql` and `public.sql`.

use std::sync::Arc;

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use datafusion::error::DataFusionError;

use super::evaluator::Evaluator;
use super::metric::Metric;
use super::narrow::{Overflows, narrow, narrow_column};
use crate::error::{Error, ErrorKind, Result};
use crate::history::PANE;
use crate::pane::COUNT;
use crate::time::Window;

/// For `map_err`: `<query>.sql` of the metric does not run.
fn failed(metric: &str, query: &str) -> impl FnOnce(DataFusionError) -> Error {
    Error::from_source(
        ErrorKind::Configuration,
        format!("metric={metric}: {query}.sql failed"),
    )
}

/// For `map_err`: what `<query>.sql` gives does not fit the metric's table.
fn wrong_types(metric: &str, query: &str) -> impl FnOnce(ArrowError) -> Error {
    Error::from_source(
        ErrorKind::Configuration,
        format!("metric={metric}: {query}.sql gives columns of the wrong type"),
    )
}

fn missing_column(metric: &str, query: &str, column: &str) -> Error {
    Error::new(
        ErrorKind::Configuration,
        format!("metric={metric}: {query}.sql does not give column={column} of its table"),
    )
}

/// The partial aggregates of one shard for the open window, for the metrics given (in the order of [`Metric::load_all`]).
///
/// `panes.*` and `asof.*` are registered before; results are registered as `rows.*` for the metrics that follow.
pub async fn evaluate_shard(
    evaluator: &mut Evaluator,
    metrics: &[&Metric],
    panes: impl Fn(&str) -> Option<SchemaRef>,
) -> Result<Vec<(String, RecordBatch)>> {
    let mut partials = Vec::with_capacity(metrics.len());
    for metric in metrics {
        let summed;
        let sql = match &metric.shard {
            Some(sql) => sql,
            None => {
                summed = summed_panes(metric, panes(&metric.name));
                &summed
            }
        };
        let rows = evaluator
            .run(sql)
            .await
            .map_err(failed(&metric.name, "shard"))?;
        let rows = match metric.public {
            Some(_) => rows,
            None => of_table(metric, "shard", &rows)?,
        };
        evaluator.table("rows", &metric.name, rows.clone())?;
        partials.push((metric.name.clone(), rows));
    }
    Ok(partials)
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

/// The rows of one metric in one window.
#[derive(Clone, Debug)]
pub struct MetricRows {
    /// As the metric's table has them.
    pub rows: RecordBatch,
    /// The same rows before numbers were narrowed: what further queries read.
    pub exact: RecordBatch,
    /// What was lost by it.
    pub overflows: Overflows,
}

/// The rows of one metric from the parts of all shards.
pub async fn evaluate_public(
    evaluator: &mut Evaluator,
    metric: &Metric,
    window: Window,
    parts: &[RecordBatch],
) -> Result<MetricRows> {
    let Some(first) = parts.first() else {
        let rows = RecordBatch::new_empty(row_schema(metric));
        return Ok(MetricRows {
            exact: rows.clone(),
            rows,
            overflows: Overflows::new(),
        });
    };
    let together =
        concat_batches(&first.schema(), parts).map_err(wrong_types(&metric.name, "shard"))?;
    let (query, exact) = match &metric.public {
        None => ("shard", together),
        Some(sql) => {
            evaluator.open(window);
            evaluator.table("parts", &metric.name, together)?;
            let rows = evaluator
                .run(sql)
                .await
                .map_err(failed(&metric.name, "public"))?;
            ("public", of_table(metric, "public", &rows)?)
        }
    };
    let (rows, overflows) =
        narrow(&exact, row_schema(metric)).map_err(wrong_types(&metric.name, query))?;
    Ok(MetricRows {
        rows,
        exact,
        overflows,
    })
}

/// A query of `of` over the exact rows of `metric` in one window (`rows.<metric>`).
pub async fn evaluate_over(
    evaluator: &mut Evaluator,
    of: &str,
    metric: &str,
    rows: &RecordBatch,
    sql: &str,
    window: Window,
) -> Result<RecordBatch> {
    evaluator.open(window);
    evaluator.table("rows", metric, rows.clone())?;
    evaluator.run(sql).await.map_err(failed(of, "feed"))
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

/// Columns of the metric's table that its queries must give.
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

/// The columns of its table in the result of a query, their numbers still exact; rows without facts are left out.
fn of_table(metric: &Metric, query: &str, rows: &RecordBatch) -> Result<RecordBatch> {
    let wrong = |source| wrong_types(&metric.name, query)(source);
    let schema = row_schema(metric);
    let mut fields = Vec::with_capacity(schema.fields().len());
    let mut arrays = Vec::with_capacity(schema.fields().len());
    for field in schema.fields() {
        let column = rows
            .column_by_name(field.name())
            .ok_or_else(|| missing_column(&metric.name, query, field.name()))?;
        fields.push(Field::new(field.name(), column.data_type().clone(), true));
        arrays.push(column.clone());
    }
    let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(wrong)?;
    let Some(facts) = table.column_by_name(COUNT) else {
        return Ok(table);
    };
    let facts = narrow_column(facts, &DataType::Int64).map_err(wrong)?;
    let holds = arrow::compute::kernels::cmp::gt(&facts, &arrow::array::Int64Array::new_scalar(0))
        .map_err(wrong)?;
    arrow::compute::filter_record_batch(&table, &holds).map_err(wrong)
}
