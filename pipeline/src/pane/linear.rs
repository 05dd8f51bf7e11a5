//! The linear part of a metric, run by DataFusion on every micro-batch.

use std::fmt;
use std::sync::Arc;

use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider};
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::DataFusionError;
use datafusion::execution::TaskContext;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{
    Aggregate, Expr, LogicalPlan, LogicalPlanBuilder, Volatility, col, lit,
};
use datafusion::physical_plan::{ExecutionPlan, collect};
use datafusion::prelude::{SessionConfig, SessionContext};

use super::input::PaneInput;
use crate::error::{Error, ErrorKind, Result};
use crate::history::{PANE, WEIGHT};
use crate::sql::{Arithmetic, register_all};

/// Weighted number of facts behind a group; zero means that the group does not exist.
pub const COUNT: &str = "n";

fn refuse<T>(why: impl fmt::Display) -> Result<T> {
    Err(Error::new(
        ErrorKind::Configuration,
        format!("stream.sql is not linear: {why}"),
    ))
}

fn not_planned(source: DataFusionError) -> Error {
    Error::new(ErrorKind::Configuration, "stream.sql cannot be planned").caused_by(source)
}

/// `stream.sql`, checked and planned once, then run on each batch of facts.
pub struct LinearPlan {
    plan: Arc<dyn ExecutionPlan>,
    context: Arc<TaskContext>,
    facts: Arc<PaneInput>,
    schema: SchemaRef,
    keys: usize,
}

impl LinearPlan {
    /// Plans `sql` over `facts.<facts>` whose columns are `schema` (with [`PANE`] and [`WEIGHT`]).
    pub async fn new(sql: &str, facts: &str, schema: SchemaRef) -> Result<Self> {
        let input = PaneInput::new(schema);
        let context = context_over(facts, &input).map_err(not_planned)?;
        let state = context.state();
        let logical = state.create_logical_plan(sql).await.map_err(not_planned)?;
        let (logical, keys) = with_pane_and_weight(logical)?;
        let optimized = state.optimize(&logical).map_err(not_planned)?;
        let plan = state
            .query_planner()
            .create_physical_plan(&optimized, &state)
            .await
            .map_err(not_planned)?;
        let out = plan.schema();
        for sum in &out.fields()[keys + 2..] {
            if !matches!(sum.data_type(), DataType::Int64 | DataType::Decimal256(..)) {
                return refuse(format!(
                    "column {} is of type {}; a sum must be BIGINT or DECIMAL so that it is exact: cast it",
                    sum.name(),
                    sum.data_type()
                ));
            }
        }
        Ok(Self {
            plan,
            context: context.task_ctx(),
            facts: input,
            schema: out,
            keys,
        })
    }

    /// Key columns, then [`PANE`], [`WEIGHT`], the sums (DECIMAL(76, …)) and counts (BIGINT), and at last [`COUNT`].
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// How many key columns there are (without pane and weight).
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// Sums up a batch of weighted facts; signs are not applied yet.
    pub async fn run(&self, facts: RecordBatch) -> Result<Vec<RecordBatch>, DataFusionError> {
        self.facts.put(Some(facts));
        let sums = collect(self.plan.clone(), self.context.clone()).await;
        self.facts.put(None);
        sums
    }
}

/// A session with the one table `facts.<facts>`.
fn context_over(facts: &str, input: &Arc<PaneInput>) -> Result<SessionContext, DataFusionError> {
    let config = SessionConfig::new()
        .with_target_partitions(1)
        .with_default_catalog_and_schema("vitrine", "facts");
    let mut context = SessionContext::new_with_config(config);
    register_all(&mut context, Arithmetic::Linear);
    let provider = MemorySchemaProvider::new();
    provider.register_table(facts.to_owned(), input.table()?)?;
    if let Some(catalog) = context.catalog("vitrine") {
        catalog.register_schema("facts", Arc::new(provider))?;
    }
    Ok(context)
}

/// Checks that the plan is linear and makes pane and weight further keys of it.
///
/// By linearity the sums of the facts of weight −1 are subtracted from those of weight +1, so the queries need not know.
fn with_pane_and_weight(plan: LogicalPlan) -> Result<(LogicalPlan, usize)> {
    let LogicalPlan::Projection(projection) = plan else {
        return refuse("it must be one SELECT … GROUP BY, without ORDER BY, LIMIT or DISTINCT");
    };
    let LogicalPlan::Aggregate(aggregate) = projection.input.as_ref() else {
        return refuse("it must GROUP BY its keys; HAVING and window functions are not linear");
    };
    check_input(&aggregate.input)?;
    check_aggregates(aggregate)?;

    let grouped = aggregate.group_expr.len();
    let (mut keys, mut sums) = (Vec::new(), Vec::new());
    for expr in &projection.expr {
        let name = expr.schema_name().to_string();
        let Expr::Column(column) = bare(expr) else {
            return refuse(format!(
                "column {name} calculates above the aggregate; move it inside SUM or into shard.sql or public.sql"
            ));
        };
        if name == COUNT || name == PANE || name == WEIGHT {
            return refuse(format!("the name {name} is the engine's; choose another"));
        }
        let place = aggregate
            .schema
            .index_of_column(column)
            .map_err(not_planned)?;
        if place < grouped {
            keys.push(expr.clone());
        } else {
            sums.push(expr.clone());
        }
    }
    if keys.len() != grouped {
        return refuse("every GROUP BY key must be selected, once");
    }

    let mut group = aggregate.group_expr.clone();
    group.extend([col(PANE), col(WEIGHT)]);
    let mut sums_of = aggregate.aggr_expr.clone();
    sums_of.push(count(lit(1)).alias(COUNT));
    let count_keys = keys.len();
    let columns = keys
        .into_iter()
        .chain([col(PANE), col(WEIGHT)])
        .chain(sums)
        .chain([col(COUNT)]);
    let plan = LogicalPlanBuilder::from(aggregate.input.as_ref().clone())
        .aggregate(group, sums_of)
        .and_then(|builder| builder.project(columns))
        .and_then(LogicalPlanBuilder::build)
        .map_err(not_planned)?;
    Ok((plan, count_keys))
}

fn check_input(plan: &LogicalPlan) -> Result<()> {
    let mut wrong = None;
    plan.apply(|node| {
        let fits = matches!(
            node,
            LogicalPlan::TableScan(_) | LogicalPlan::Filter(_) | LogicalPlan::SubqueryAlias(_)
        ) || matches!(node, LogicalPlan::Projection(p) if p.expr.iter().all(|e| !has_subquery(e)));
        if !fits {
            wrong = Some(node.display().to_string());
            return Ok(TreeNodeRecursion::Stop);
        }
        Ok(TreeNodeRecursion::Continue)
    })
    .map_err(not_planned)?;
    match wrong {
        Some(node) => refuse(format!(
            "it may only filter one table of facts, but has: {node}"
        )),
        None => Ok(()),
    }
}

fn has_subquery(expr: &Expr) -> bool {
    expr.exists(|inner| {
        Ok(matches!(
            inner,
            Expr::ScalarSubquery(_) | Expr::Exists(_) | Expr::InSubquery(_)
        ))
    })
    .unwrap_or(true)
}

/// Without its names; `COUNT(*) AS x` has two.
fn bare(mut expr: &Expr) -> &Expr {
    while let Expr::Alias(alias) = expr {
        expr = &alias.expr;
    }
    expr
}

fn check_aggregates(aggregate: &Aggregate) -> Result<()> {
    for expr in &aggregate.aggr_expr {
        let Expr::AggregateFunction(call) = bare(expr) else {
            return refuse(format!("{expr} is no aggregate"));
        };
        let name = call.func.name();
        if !matches!(name, "sum" | "count") {
            return refuse(format!(
                "{name} cannot take a fact back; use SUM or COUNT(*) and calculate in shard.sql or public.sql"
            ));
        }
        if call.params.distinct {
            return refuse("DISTINCT cannot take a fact back; make it a finer key");
        }
        for argument in &call.params.args {
            let volatile = argument
                .exists(|inner| {
                    Ok(matches!(inner, Expr::ScalarFunction(function)
                        if function.func.signature().volatility != Volatility::Immutable))
                })
                .unwrap_or(true);
            if volatile || has_subquery(argument) {
                return refuse(format!(
                    "{argument} is not a function of the fact alone, so it could not be retracted"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use arrow::datatypes::{Field, Schema};

    use super::*;

    async fn plan(sql: &str) -> Result<LinearPlan> {
        let schema = Schema::new(vec![
            Field::new("sku_id", DataType::Utf8, false),
            Field::new("qty", DataType::Int64, false),
            Field::new("price", DataType::Float64, false),
            Field::new(PANE, DataType::Date32, false),
            Field::new(WEIGHT, DataType::Int64, false),
        ]);
        LinearPlan::new(sql, "lines", Arc::new(schema)).await
    }

    async fn refused(sql: &str) -> String {
        match plan(sql).await {
            Ok(_) => panic!("accepted: {sql}"),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Configuration);
                error.to_string()
            }
        }
    }

    #[tokio::test]
    async fn what_is_linear_is_accepted() {
        let plan = plan(
            "SELECT sku_id, SUM(qty * 2) AS twice, COUNT(*) AS lines_n FROM facts.lines WHERE qty > 0 GROUP BY sku_id",
        )
        .await
        .unwrap();
        let names: Vec<_> = plan
            .schema()
            .fields()
            .iter()
            .map(|f| f.name().as_str())
            .collect();
        assert_eq!(names, ["sku_id", "pane", "weight", "twice", "lines_n", "n"]);
    }

    #[tokio::test]
    async fn what_is_not_linear_is_refused_with_a_reason() {
        for (sql, reason) in [
            (
                "SELECT sku_id, MAX(qty) AS x FROM facts.lines GROUP BY sku_id",
                "max cannot take",
            ),
            (
                "SELECT sku_id, COUNT(DISTINCT qty) AS x FROM facts.lines GROUP BY sku_id",
                "DISTINCT",
            ),
            (
                "SELECT sku_id, SUM(qty) / COUNT(*) AS x FROM facts.lines GROUP BY sku_id",
                "above the aggregate",
            ),
            (
                "SELECT sku_id, SUM(qty) AS x FROM facts.lines GROUP BY sku_id HAVING SUM(qty) > 1",
                "HAVING",
            ),
            (
                "SELECT sku_id, SUM(qty) AS x FROM facts.lines GROUP BY sku_id LIMIT 1",
                "LIMIT",
            ),
            (
                "SELECT sku_id, SUM(price) AS x FROM facts.lines GROUP BY sku_id",
                "exact",
            ),
            (
                "SELECT sku_id, SUM(qty) AS n FROM facts.lines GROUP BY sku_id",
                "engine's",
            ),
            (
                "SELECT SUM(qty) AS x FROM facts.lines GROUP BY sku_id",
                "must be selected",
            ),
            (
                "SELECT a.sku_id, SUM(a.qty) AS x FROM facts.lines a JOIN facts.lines b ON a.sku_id = b.sku_id GROUP BY a.sku_id",
                "one table",
            ),
            ("SELECT sku_id FROM facts.lines", "GROUP BY"),
            (
                "SELECT sku_id, SUM(qty + random()::BIGINT) AS x FROM facts.lines GROUP BY sku_id",
                "fact alone",
            ),
        ] {
            let message = refused(sql).await;
            assert!(message.contains(reason), "{sql}\n{message}");
        }
    }
}
