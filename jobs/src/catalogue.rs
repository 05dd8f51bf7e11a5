//! What the engine is given: operators, metrics, tables, views, the state of a shard.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use pipeline::alert::AlertRule;
use pipeline::error::ErrorKind;
use pipeline::history::{KeyedHistory, KeyedOperator, PANE, WEIGHT};
use pipeline::query::catalog::ViewDefinition;
use pipeline::round::{Metric, MetricProblem, MetricQueries};
use pipeline::shard::ShardState;
use pipeline::table::TableSpec;
use pipeline::time::Zone;
use schemas::table::TableDescription;

use crate::error::{Error, Result};
use crate::operator::closing_stock::ClosingStock;
use crate::operator::order_lines::OrderLines;
use crate::operator::price_observations::PriceObservations;
use crate::operator::sell_through::SellThrough;
use crate::operator::sla::{Policy, Sla};
use crate::operator::survey_answers::SurveyAnswers;
use crate::operator::survey_invitations::SurveyInvitations;
use crate::reference::RetailReference;

/// The operators of one shard.
pub fn operators(
    zone: Zone,
    shard: u32,
    shards: u32,
    policy: Arc<Policy>,
) -> Vec<Box<dyn KeyedOperator<RetailReference>>> {
    vec![
        Box::new(KeyedHistory::new(OrderLines { zone }, zone)),
        Box::new(KeyedHistory::new(SellThrough { zone }, zone)),
        Box::new(KeyedHistory::new(ClosingStock { zone }, zone)),
        Box::new(KeyedHistory::new(
            PriceObservations {
                zone,
                shard,
                shards,
            },
            zone,
        )),
        Box::new(KeyedHistory::new(SurveyAnswers, zone)),
        Box::new(KeyedHistory::new(SurveyInvitations, zone)),
        Box::new(KeyedHistory::new(Sla::new(policy), zone)),
    ]
}

/// The time limits of service cases that come with Vitrine.
///
/// # Errors
/// A table of steps that cannot be read or does not make sense.
pub fn policy() -> Result<Arc<Policy>> {
    Ok(Arc::new(Policy::built_in()?))
}

/// Every metric, in an order in which each reads only those before it.
///
/// # Errors
/// A query whose header is wrong, or that reads what is not there.
pub fn metrics() -> Result<Arc<Vec<Metric>>> {
    let metrics = Metric::load_all(&crate::metrics::queries(), table_of).map_err(|error| {
        error.context("the metrics cannot be loaded; `vitrine check` lists every problem")
    })?;
    Ok(Arc::new(metrics))
}

/// Those of these queries that can be loaded, in such an order, and what is wrong with each of the others.
pub fn load_metrics(queries: &[MetricQueries]) -> (Vec<Metric>, Vec<MetricProblem>) {
    Metric::load_each(queries, table_of)
}

/// Columns and dimensions of a metric's table.
fn table_of(metric: &str) -> Option<(SchemaRef, Vec<String>)> {
    let described = schemas::table::metric_tables();
    let table = described.into_iter().find(|table| table.name == metric)?;
    let dimensions = table
        .key
        .iter()
        .filter(|key| {
            !matches!(
                **key,
                "window_kind" | "window_start" | "window_end" | "revision"
            )
        })
        .map(|key| (*key).to_owned())
        .collect();
    Some((table.schema, dimensions))
}

/// The state of one shard that has read nothing yet.
pub async fn shard_state(
    zone: Zone,
    shard: u32,
    shards: u32,
    reference: RetailReference,
    metrics: Arc<Vec<Metric>>,
    policy: Arc<Policy>,
    rules: Vec<Box<dyn AlertRule>>,
) -> pipeline::error::Result<ShardState<RetailReference>> {
    let operators = operators(zone, shard, shards, policy);
    ShardState::new(zone, reference, operators, metrics, rules).await
}

/// Every stored table.
///
/// # Errors
/// A table of steps that cannot be read; a table that `schemas` does not describe.
pub fn stored_tables(zone: Zone) -> Result<Vec<TableSpec>> {
    let mut specs: Vec<TableSpec> = schemas::table::all_tables()
        .into_iter()
        .filter(|table| !table.is_view)
        .map(|table| stored(&table))
        .collect();
    for operator in operators(zone, 0, 1, policy()?) {
        specs.push(fact_table(operator.as_ref()));
    }
    specs.push(orphans()?);
    Ok(specs)
}

/// Corrections that name no event within reach are facts of the engine itself.
fn orphans() -> Result<TableSpec> {
    let described = described("orphans")?;
    let mut fields: Vec<_> = described.schema.fields().iter().cloned().collect();
    fields.push(commented(
        PANE,
        DataType::Date32,
        "Local date of occurred_at (日期)",
    ));
    fields.push(commented(
        WEIGHT,
        DataType::Int64,
        "+1: an orphan, -1: no longer (权重)",
    ));
    fields.push(epoch_column());
    let metadata = described.schema.metadata().clone();
    Ok(TableSpec {
        schema_name: "facts".to_owned(),
        name: "orphans".to_owned(),
        schema: Arc::new(Schema::new_with_metadata(fields, metadata)),
        partition_by: None,
        sort_by: vec![PANE.to_owned(), "event_id".to_owned()],
    })
}

/// A column that is never NULL.
fn commented(name: &str, data_type: DataType, comment: &str) -> FieldRef {
    let field = Field::new(name, data_type, false);
    Arc::new(field.with_metadata(pipeline::columns::comment(comment)))
}

/// The column that every table of facts has beside those of its operator.
fn epoch_column() -> FieldRef {
    commented(
        "epoch",
        DataType::Int64,
        "Epoch that published it (发布批次)",
    )
}

/// A table or view of `ops` as `schemas` describes it.
fn described(name: &str) -> Result<TableDescription> {
    schemas::table::find("ops", name).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            format!("ops.{name} is not described; add it to the crate `schemas`"),
        )
    })
}

/// The views of `ops`: facts that hold, under the names and columns of the contract.
///
/// # Errors
/// A view that `schemas` does not describe.
pub fn views() -> Result<Vec<ViewDefinition>> {
    let queries = [
        (
            "orphans",
            "SELECT topic, event_id, corrects, occurred_at FROM facts.orphans_current",
        ),
        (
            "sla_steps",
            "SELECT case_id, step_id, started_at, deadline, warned_at, stopped_at, outcome, overrun_ms, \
             owner_role AS owner, unit_id FROM facts.sla_steps_current",
        ),
    ];
    let comment = |metadata: &HashMap<String, String>| {
        metadata
            .get(pipeline::columns::COMMENT)
            .cloned()
            .unwrap_or_default()
    };
    queries
        .into_iter()
        .map(|(name, sql)| {
            let described = described(name)?;
            let fields = described.schema.fields();
            Ok(ViewDefinition {
                schema: "ops".to_owned(),
                name: name.to_owned(),
                sql: sql.to_owned(),
                comment: comment(described.schema.metadata()),
                column_comments: fields
                    .iter()
                    .map(|field| (field.name().clone(), comment(field.metadata())))
                    .collect(),
            })
        })
        .collect()
}

fn stored(table: &TableDescription) -> TableSpec {
    TableSpec {
        schema_name: table.schema_name.to_owned(),
        name: table.name.to_owned(),
        schema: table.schema.clone(),
        partition_by: table.partition_by.map(str::to_owned),
        sort_by: table
            .sort_by
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
    }
}

/// Facts as stored: the operator's columns, pane and weight, and the epoch that published them.
fn fact_table(operator: &dyn KeyedOperator<RetailReference>) -> TableSpec {
    let schema = operator.schema();
    let mut fields: Vec<_> = schema.fields().iter().cloned().collect();
    fields.push(epoch_column());
    let first = schema.field(0).name().clone();
    TableSpec {
        schema_name: "facts".to_owned(),
        name: operator.name().to_owned(),
        schema: Arc::new(Schema::new_with_metadata(fields, schema.metadata().clone())),
        partition_by: None,
        sort_by: vec![PANE.to_owned(), first],
    }
}

#[cfg(test)]
mod tests;
