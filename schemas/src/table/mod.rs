//! Output tables: schema, key, partition and sort order of every public table (contract 5 and 6).
//!
//! The publisher creates Delta tables from these, queries show their comments, rounds compare rows by their keys. Comments are in the
//! metadata key `comment` of schema and fields: English first, then the Chinese term.

mod column;
mod events;
mod feeds;
mod metrics;
mod ops;

use arrow::datatypes::SchemaRef;

pub use metrics::metric_tables;

use events::events_tables;
use feeds::feeds_tables;
use ops::ops_tables;

/// Everything that is fixed about a table.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDescription {
    /// Schema in SQL: `metrics`, `ops`, `events`, `feeds`.
    pub schema_name: &'static str,
    pub name: &'static str,
    pub schema: SchemaRef,
    /// Partition column of the Delta table.
    pub partition_by: Option<&'static str>,
    /// Order of rows in files.
    pub sort_by: Vec<&'static str>,
    /// Columns that identify a row; for metrics, a row of one revision.
    pub key: Vec<&'static str>,
    /// Computed from other tables; nothing is stored under this name.
    pub is_view: bool,
}

/// Every table of every schema.
pub fn all_tables() -> Vec<TableDescription> {
    [
        metric_tables(),
        ops_tables(),
        events_tables(),
        feeds_tables(),
    ]
    .concat()
}

/// The table of a schema and a name, `find("metrics", "demand_orders")`.
pub fn find(schema_name: &str, name: &str) -> Option<TableDescription> {
    all_tables()
        .into_iter()
        .find(|table| table.schema_name == schema_name && table.name == name)
}

#[cfg(test)]
mod tests;
