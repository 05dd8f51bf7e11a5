//! What can go wrong with a table, and what to do about it.

use deltalake::DeltaTableError;

/// Every failure of a public table.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("table names are schema.name: name={name}")]
    Name { name: String },
    #[error("table={table} does not exist: make it first (ensure)")]
    Missing { table: String },
    /// The stored table has other columns than this version of the program writes.
    #[error(
        "table={table} column={column}: stored as {stored}, written as {written}; move the old table away or keep the column"
    )]
    Schema {
        table: String,
        column: String,
        stored: String,
        written: String,
    },
    /// Rows to be staged do not have the table's columns.
    #[error("rows for table={table} have other columns than the table: {what}")]
    Rows { table: String, what: String },
    /// Only dates and texts can partition a table.
    #[error(
        "table={table} cannot be partitioned by column={column}: it has to be a DATE or a text"
    )]
    Partition { table: String, column: String },
    /// Every try ended in an error and the table does not show the epoch.
    #[error("commit failed table={table} epoch={epoch}: repeat it, it is safe to repeat")]
    Commit {
        table: String,
        epoch: i64,
        #[source]
        source: Box<DeltaTableError>,
    },
    #[error("table={table} cannot be read or written: check the storage")]
    Delta {
        table: String,
        #[source]
        source: Box<DeltaTableError>,
    },
    #[error("object store failed path={path}: check that the storage can be reached and written")]
    Store {
        path: String,
        #[source]
        source: object_store::Error,
    },
    #[error("table={table}: rows cannot be arranged or encoded")]
    Encode {
        table: String,
        #[source]
        source: parquet::errors::ParquetError,
    },
    #[error("interrupted table={table}: the process is ending")]
    Interrupted { table: String },
}

impl TableError {
    pub(super) fn delta(table: &str, source: DeltaTableError) -> Self {
        Self::Delta {
            table: table.to_owned(),
            source: Box::new(source),
        }
    }

    pub(super) fn encode(table: &str, source: impl Into<parquet::errors::ParquetError>) -> Self {
        Self::Encode {
            table: table.to_owned(),
            source: source.into(),
        }
    }
}
