//! One version of all reference tables, and what is looked up in it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use schemas::calendar::CalendarRow;
use schemas::time::TimestampMs;

use super::UNKNOWN;
use super::archived::{TableHash, version_of_encoded};
use super::customers::CustomerAt;
use super::schema::{self, ReferenceTable, TABLES};
use super::supply::Supply;
use super::validity::Validity;
use crate::error::Problem;

/// A table with the rows of its file.
pub(super) struct LoadedTable {
    pub(super) table: &'static ReferenceTable,
    pub(super) file: String,
    pub(super) batch: RecordBatch,
    /// Line (CSV) or row (Parquet) of each row of the batch.
    pub(super) lines: Vec<u64>,
    pub(super) validity: Validity,
}

/// One version of all reference tables.
pub struct ReferenceData {
    pub(super) version: String,
    /// Of the tables, where they come from files: what the archive has of them is told by it.
    pub(super) hashes: Vec<TableHash<'static>>,
    pub(super) tables: Vec<LoadedTable>,
    /// By row of `ref_customer`.
    pub(super) customers: Vec<CustomerAt>,
    pub(super) calendar: Vec<CalendarRow>,
    pub(super) unknown_customer: CustomerAt,
    pub(super) supply: Supply,
    pub(super) warnings: Vec<Problem>,
    lookups: Lookups,
}

/// Whether events have asked for customers that the data have, and for others.
#[derive(Default)]
struct Lookups {
    found: AtomicBool,
    missed: AtomicBool,
}

impl ReferenceData {
    /// No rows: every dimension is `UNKNOWN`.
    pub fn empty() -> Self {
        Self {
            version: version_of_encoded(std::iter::empty()),
            ..Self::without_tables()
        }
    }

    pub(super) fn without_tables() -> Self {
        Self {
            version: String::new(),
            hashes: Vec::new(),
            tables: Vec::new(),
            customers: Vec::new(),
            calendar: Vec::new(),
            unknown_customer: CustomerAt::unknown(),
            supply: Supply::default(),
            warnings: Vec::new(),
            lookups: Lookups::default(),
        }
    }

    /// A hash of all tables.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Files and columns that nothing reads.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Days that add to the built-in calendar or replace days of it (`Calendar::with_rows`).
    pub fn calendar_rows(&self) -> &[CalendarRow] {
        &self.calendar
    }

    /// The tables as they are in the files, under the names of the contract.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, &RecordBatch)> {
        self.tables
            .iter()
            .map(|loaded| (loaded.table.name, &loaded.batch))
    }

    /// The hash of a table as the archive keeps it; `None` where it comes from there.
    pub(in crate::reference) fn hash(&self, table: &str) -> Option<[u8; 32]> {
        let mut hashes = self.hashes.iter();
        let found = hashes.find(|(name, _)| *name == table);
        found.map(|(_, hash)| *hash)
    }

    pub(super) fn table(&self, name: &str) -> Option<&LoadedTable> {
        self.tables.iter().find(|loaded| loaded.table.name == name)
    }

    /// The customer's version in force at `at`; all [`UNKNOWN`] where there is none.
    pub(crate) fn customer(&self, customer_id: &str, at: TimestampMs) -> &CustomerAt {
        let row = self
            .table(schema::CUSTOMER)
            .and_then(|loaded| loaded.validity.row_at(customer_id, at));
        let seen = if row.is_some() {
            &self.lookups.found
        } else {
            &self.lookups.missed
        };
        // Written once: shards share the data.
        if !seen.load(Ordering::Relaxed) {
            seen.store(true, Ordering::Relaxed);
        }
        row.map_or(&self.unknown_customer, |row| &self.customers[row])
    }

    /// Whether there are customers and no event has found one so far: the ids of events and file are likely to differ.
    pub fn finds_no_customer(&self) -> bool {
        let has_customers = self
            .table(schema::CUSTOMER)
            .is_some_and(|loaded| loaded.batch.num_rows() > 0);
        has_customers
            && self.lookups.missed.load(Ordering::Relaxed)
            && !self.lookups.found.load(Ordering::Relaxed)
    }

    /// Tables `asof.<name>`: the rows in force at `instant` without the columns of validity; texts are [`UNKNOWN`] instead of NULL.
    /// A table without a file has no rows.
    pub(crate) fn as_of(
        &self,
        instant: TimestampMs,
    ) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
        let mut tables = Vec::new();
        for table in TABLES {
            let Some(name) = table.as_of else {
                continue;
            };
            let batch = match self.table(table.name) {
                Some(loaded) => {
                    let rows = loaded.validity.rows_at(instant);
                    if rows.len() == loaded.batch.num_rows() {
                        loaded.batch.clone()
                    } else {
                        take_record_batch(&loaded.batch, &UInt32Array::from(rows))?
                    }
                }
                None => RecordBatch::new_empty(Arc::new(file_schema(table))),
            };
            let columns = table.columns.iter().map(|(column, _)| {
                let array = batch.column_by_name(column).ok_or_else(|| {
                    ArrowError::SchemaError(format!("no column={column} in table={name}"))
                })?;
                Ok((*column, texts_without_null(array), true))
            });
            let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
            tables.push((name, RecordBatch::try_from_iter_with_nullable(columns)?));
        }
        Ok(tables)
    }
}

fn file_schema(table: &ReferenceTable) -> Schema {
    let fields = table
        .all_columns()
        .map(|(name, kind)| Field::new(name, kind.data_type(), true));
    Schema::new(fields.collect::<Vec<_>>())
}

/// A text column with [`UNKNOWN`] instead of NULL; other columns as they are.
fn texts_without_null(array: &ArrayRef) -> ArrayRef {
    if *array.data_type() != DataType::Utf8 || array.null_count() == 0 {
        return array.clone();
    }
    let texts = array.as_string::<i32>().iter();
    Arc::new(StringArray::from_iter_values(
        texts.map(|text| text.unwrap_or(UNKNOWN)),
    ))
}
