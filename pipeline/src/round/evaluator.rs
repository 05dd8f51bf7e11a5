//! Queries, each planned once and run over one window after another.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, TimeUnit};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::{ScalarValue, exec_datafusion_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{ColumnarValue, Volatility, create_udf};
use datafusion::physical_plan::execution_plan::reset_plan_states;
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};
use schemas::time::TimestampMs;

use crate::error::{Error, ErrorKind, Result};
use crate::pane::PaneInput;
use crate::sql::{Arithmetic, register_all};
use crate::time::{Window, Zone};

/// Runs queries over the tables registered for a window.
pub struct Evaluator {
    zone: Zone,
    context: SessionContext,
    bounds: Arc<Mutex<Option<Bounds>>>,
    schemas: BTreeMap<String, Arc<MemorySchemaProvider>>,
    inputs: BTreeMap<(String, String), Arc<PaneInput>>,
    plans: HashMap<String, Arc<dyn ExecutionPlan>>,
}

/// What the parameters say.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    window: Window,
    start: TimestampMs,
    end: TimestampMs,
}

/// A parameter of the queries: its name, its type and its value.
type Parameter = (&'static str, DataType, fn(&Bounds) -> ScalarValue);

/// Longer names first: one is the beginning of another.
fn parameters() -> [Parameter; 5] {
    let instant = DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()));
    fn at(instant: TimestampMs) -> ScalarValue {
        ScalarValue::TimestampMicrosecond(Some(instant.as_micros()), Some("UTC".into()))
    }
    [
        ("window_start_date", DataType::Date32, |bounds| {
            ScalarValue::Date32(Some(bounds.window.first.0))
        }),
        ("window_end_date", DataType::Date32, |bounds| {
            ScalarValue::Date32(Some(bounds.window.end.0))
        }),
        ("window_start", instant.clone(), |bounds| at(bounds.start)),
        ("window_end", instant, |bounds| at(bounds.end)),
        ("window_kind", DataType::Utf8, |bounds| {
            ScalarValue::from(bounds.window.kind.as_str())
        }),
    ]
}

impl Evaluator {
    pub fn new(zone: Zone) -> Self {
        let mut config = SessionConfig::new()
            .with_target_partitions(1)
            .with_default_catalog_and_schema("vitrine", "rows");
        // Inputs cannot use them, and a plan that is run again must not remember.
        config
            .options_mut()
            .optimizer
            .enable_dynamic_filter_pushdown = false;
        let mut context = SessionContext::new_with_config(config);
        register_all(&mut context, Arithmetic::Exact);
        let bounds = Arc::new(Mutex::new(None::<Bounds>));
        for (name, data_type, value) in parameters() {
            let bounds = bounds.clone();
            let function = move |_: &[ColumnarValue]| {
                let bounds = *bounds.lock().unwrap_or_else(PoisonError::into_inner);
                let bounds = bounds.ok_or_else(|| exec_datafusion_err!("no window is open"))?;
                Ok(ColumnarValue::Scalar(value(&bounds)))
            };
            // Volatile, or the optimizer would put the first window's value into the plan.
            let volatility = Volatility::Volatile;
            let function = create_udf(name, vec![], data_type, volatility, Arc::new(function));
            context.register_udf(function);
        }
        Self {
            zone,
            context,
            bounds,
            schemas: BTreeMap::new(),
            inputs: BTreeMap::new(),
            plans: HashMap::new(),
        }
    }

    /// Opens a window; the tables of the one before are gone.
    pub fn open(&mut self, window: Window) {
        for input in self.inputs.values() {
            input.put(None);
        }
        *self.bounds.lock().unwrap_or_else(PoisonError::into_inner) = Some(Bounds {
            window,
            start: window.starts_at(self.zone),
            end: window.ends_at(self.zone),
        });
    }

    /// Registers `schema.name`.
    pub fn table(&mut self, schema: &str, name: &str, rows: RecordBatch) -> Result<()> {
        let key = (schema.to_owned(), name.to_owned());
        match self.inputs.get(&key) {
            Some(input) if input.schema() == rows.schema_ref() => input.put(Some(rows)),
            _ => {
                let input = PaneInput::new(rows.schema());
                let failed = "tables of a round cannot be registered";
                self.register(schema, name, &input)
                    .map_err(Error::from_source(ErrorKind::Internal, failed))?;
                input.put(Some(rows));
                self.inputs.insert(key, input);
                // They were made for other columns.
                self.plans.clear();
            }
        }
        Ok(())
    }

    fn register(
        &mut self,
        schema: &str,
        name: &str,
        input: &Arc<PaneInput>,
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
        provider.deregister_table(name)?;
        provider.register_table(name.to_owned(), input.table()?)?;
        Ok(())
    }

    /// The rows of a query over the open window.
    pub async fn run(&mut self, sql: &str) -> Result<RecordBatch, DataFusionError> {
        let plan = match self.plans.get(sql) {
            Some(plan) => plan.clone(),
            None => {
                let frame = self.context.sql(&with_parameters(sql)).await?;
                let plan = frame.create_physical_plan().await?;
                self.plans.insert(sql.to_owned(), plan.clone());
                plan
            }
        };
        // A join keeps the side that it has read.
        let plan = reset_plan_states(plan)?;
        let rows = collect(plan.clone(), self.context.task_ctx()).await?;
        Ok(concat_batches(&plan.schema(), &rows)?)
    }
}

/// Parameters become calls: what is bound only when a plan runs has no type while `DATE` arithmetic is checked.
fn with_parameters(sql: &str) -> String {
    parameters()
        .iter()
        .fold(sql.to_owned(), |query, (name, ..)| {
            query.replace(&format!("${name}"), &format!("{name}()"))
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use arrow::array::{AsArray, Date32Array, Int64Array, RecordBatch};
    use arrow::datatypes::Int64Type;

    use super::*;
    use crate::time::{Day, WindowKind};

    fn days(first: i32) -> Window {
        Window {
            kind: WindowKind::W1,
            first: Day(first),
            end: Day(first + 7),
        }
    }

    fn panes(rows: &[(i32, i64)]) -> RecordBatch {
        RecordBatch::try_from_iter([
            (
                "pane",
                Arc::new(Date32Array::from_iter_values(rows.iter().map(|r| r.0))) as _,
            ),
            (
                "qty",
                Arc::new(Int64Array::from_iter_values(rows.iter().map(|r| r.1))) as _,
            ),
        ])
        .unwrap()
    }

    fn number(rows: &RecordBatch) -> i64 {
        rows.column(0).as_primitive::<Int64Type>().value(0)
    }

    const SQL: &str = "
        WITH inside AS (SELECT pane, qty FROM panes.x WHERE pane >= $window_start_date AND pane < $window_end_date)
        SELECT CAST(SUM(a.qty) AS BIGINT) AS qty FROM inside a JOIN panes.y b ON a.pane = b.pane";

    #[tokio::test]
    async fn a_plan_that_is_run_again_sees_the_new_window_and_the_new_rows() {
        let mut evaluator = Evaluator::new(Zone(chrono_tz::Asia::Shanghai));
        for (first, x, want) in [
            (0, vec![(0, 1), (6, 2), (7, 100)], 3),
            (7, vec![(0, 1), (6, 2), (7, 100)], 100),
            (7, vec![(7, 1), (8, 5)], 6),
        ] {
            evaluator.open(days(first));
            evaluator.table("panes", "x", panes(&x)).unwrap();
            let y: Vec<_> = x.iter().map(|(pane, _)| (*pane, 0)).collect();
            evaluator.table("panes", "y", panes(&y)).unwrap();
            assert_eq!(number(&evaluator.run(SQL).await.unwrap()), want);
        }
        assert_eq!(evaluator.plans.len(), 1);
    }

    #[tokio::test]
    async fn a_table_of_the_window_before_is_not_read() {
        let mut evaluator = Evaluator::new(Zone(chrono_tz::Asia::Shanghai));
        evaluator.open(days(0));
        evaluator.table("panes", "x", panes(&[(0, 1)])).unwrap();
        let sql = "SELECT CAST(SUM(qty) AS BIGINT) AS qty FROM panes.x";
        assert_eq!(number(&evaluator.run(sql).await.unwrap()), 1);
        evaluator.open(days(7));
        assert!(evaluator.run(sql).await.is_err());
    }

    #[tokio::test]
    async fn other_columns_are_planned_anew() {
        let mut evaluator = Evaluator::new(Zone(chrono_tz::Asia::Shanghai));
        let sql = "SELECT COUNT(*) AS n FROM panes.x";
        evaluator.open(days(0));
        evaluator.table("panes", "x", panes(&[(0, 1)])).unwrap();
        assert_eq!(number(&evaluator.run(sql).await.unwrap()), 1);
        let other = panes(&[(0, 1), (1, 1)]).project(&[1]).unwrap();
        evaluator.table("panes", "x", other).unwrap();
        assert_eq!(number(&evaluator.run(sql).await.unwrap()), 2);
    }
}
