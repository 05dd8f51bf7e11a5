//! Reference data: versioned rows about customers, SKUs, places and units, read from files (contract, section 4).
//!
//! ```text
//!  ref/ref_customer.csv ─ file ─▶ typed columns ─┬─▶ ref.* tables as they stand
//!                         table: which columns   ├─▶ validity: key, instant → row (K8) ─▶ asof.* tables
//!                                                └─▶ customers ─▶ ReferenceData::customer, the join of every fact
//! ```
//!
//! A set of files is one version, named by its content's hash; it never changes once read.

mod calendar;
mod file;
mod problem;
mod table;
mod validity;

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, StringArray, UInt32Array};
use arrow::compute::take_record_batch;
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use pipeline::columns::Columns;
use schemas::calendar::CalendarRow;
use sha2::{Digest, Sha256};

pub use problem::{Problem, ReferenceError};
use table::{NOT_READ_YET, ReferenceTable, TABLES};
use validity::Validity;

/// What stands where reference data say nothing (K8).
pub const UNKNOWN: &str = "UNKNOWN";

/// A customer's attributes in one version; texts are [`UNKNOWN`] where the row says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerAt {
    /// Whether reference data had a version in force.
    pub known: bool,
    pub territory_id: Arc<str>,
    pub class_id: Arc<str>,
    pub area_unit_id: Arc<str>,
    pub region_code: Arc<str>,
    pub customer_kind: Arc<str>,
    pub is_sample: bool,
}

struct LoadedTable {
    table: &'static ReferenceTable,
    file: String,
    batch: RecordBatch,
    lines: Vec<u64>,
    validity: Validity,
}

/// One version of all reference tables.
pub struct ReferenceData {
    version: String,
    tables: Vec<LoadedTable>,
    /// By row of `ref_customer`.
    customers: Vec<CustomerAt>,
    calendar: Vec<CalendarRow>,
    nobody: CustomerAt,
    warnings: Vec<Problem>,
}

impl ReferenceData {
    /// No rows: every dimension is [`UNKNOWN`].
    pub fn empty() -> Self {
        // No file, no problem: reading an empty set of files cannot fail.
        Self::from_files(&BTreeMap::new()).unwrap_or_else(|_| Self::without_tables())
    }

    /// Reads every table of the contract from `dir`. All tables are optional; other files are let be, with a warning.
    ///
    /// # Errors
    /// Everything that cannot be read, each with file, line and column.
    pub fn load(dir: &Path) -> Result<Self, ReferenceError> {
        Self::from_files(&Self::files(dir)?)
    }

    /// The files of `dir` by name, unread.
    pub fn files(dir: &Path) -> Result<BTreeMap<String, Vec<u8>>, ReferenceError> {
        let unreadable = |path: &Path, error: std::io::Error| {
            ReferenceError(vec![Problem::of_file(
                &path.display().to_string(),
                error.to_string(),
            )])
        };
        let mut files = BTreeMap::new();
        for entry in fs::read_dir(dir).map_err(|error| unreadable(dir, error))? {
            let path = entry.map_err(|error| unreadable(dir, error))?.path();
            if let Some(name) = path.file_name().filter(|_| path.is_file()) {
                let bytes = fs::read(&path).map_err(|error| unreadable(&path, error))?;
                files.insert(name.to_string_lossy().into_owned(), bytes);
            }
        }
        Ok(files)
    }

    /// Content hash of the files among these that are read: SHA-256 in hexadecimal.
    pub fn version_of(files: &BTreeMap<String, Vec<u8>>) -> String {
        let mut hash = Sha256::new();
        for (file, bytes) in files.iter().filter(|(file, _)| table_of(file).is_some()) {
            hash.update((file.len() as u64).to_le_bytes());
            hash.update(file);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        hex::encode(hash.finalize())
    }

    /// What [`ReferenceData::load`] reads, from file names and their bytes.
    pub fn from_files(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, ReferenceError> {
        let mut reference = Self::without_tables();
        reference.version = Self::version_of(files);
        let mut problems = Vec::new();
        for (file, bytes) in files {
            let Some(table) = table_of(file) else {
                reference
                    .warnings
                    .push(Problem::of_file(file, why_ignored(file)));
                continue;
            };
            if let Some(other) = reference.of(table.name) {
                let message = format!("the same table stands in {}; keep one of them", other.file);
                problems.push(Problem::of_file(file, message));
                continue;
            }
            let Some(content) = file::read(file, bytes.clone(), table, &mut problems) else {
                continue;
            };
            for column in &content.unknown_columns {
                let message = format!("column `{column}` is not read");
                reference.warnings.push(Problem::of_file(file, message));
            }
            match Validity::of(table, &content.batch) {
                Ok(validity) => reference.tables.push(LoadedTable {
                    table,
                    file: file.clone(),
                    batch: content.batch,
                    lines: content.lines,
                    validity,
                }),
                Err(error) => problems.push(Problem::of_file(file, error.to_string())),
            }
        }
        if let Some(loaded) = reference.of(table::CUSTOMER) {
            match customers(&loaded.batch, &reference.nobody) {
                Ok(customers) => reference.customers = customers,
                Err(error) => problems.push(Problem::of_file(&loaded.file, error.to_string())),
            }
        }
        if let Some(loaded) = reference.of(table::CALENDAR) {
            reference.calendar = calendar::rows(loaded, &mut problems);
        }
        if problems.is_empty() {
            Ok(reference)
        } else {
            Err(ReferenceError(problems))
        }
    }

    fn without_tables() -> Self {
        let unknown: Arc<str> = UNKNOWN.into();
        Self {
            version: String::new(),
            tables: Vec::new(),
            customers: Vec::new(),
            calendar: Vec::new(),
            nobody: CustomerAt {
                known: false,
                territory_id: unknown.clone(),
                class_id: unknown.clone(),
                area_unit_id: unknown.clone(),
                region_code: unknown.clone(),
                customer_kind: unknown,
                is_sample: false,
            },
            warnings: Vec::new(),
        }
    }

    /// [`ReferenceData::version_of`] its files.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The customer's version in force at `at_ms`, or one that is [`UNKNOWN`] throughout.
    pub fn customer(&self, customer_id: &str, at_ms: i64) -> &CustomerAt {
        self.of(table::CUSTOMER)
            .and_then(|loaded| loaded.validity.row(customer_id, at_ms))
            .map_or(&self.nobody, |row| &self.customers[row])
    }

    /// Days for `Calendar::with_rows`, which add to the built-in ones or replace them.
    pub fn calendar_rows(&self) -> &[CalendarRow] {
        &self.calendar
    }

    /// The tables as they stand in the files, under the names of the contract.
    pub fn tables(&self) -> impl Iterator<Item = (&'static str, &RecordBatch)> {
        self.tables
            .iter()
            .map(|loaded| (loaded.table.name, &loaded.batch))
    }

    /// Tables `asof.<name>`: the rows in force at `instant_ms`, without validity, texts never NULL but [`UNKNOWN`]. A table without
    /// a file has no rows.
    pub fn as_of(&self, instant_ms: i64) -> Result<Vec<(&'static str, RecordBatch)>, ArrowError> {
        let mut answers = Vec::new();
        for table in TABLES {
            let Some(name) = table.as_of else {
                continue;
            };
            let batch = match self.of(table.name) {
                Some(loaded) => {
                    let rows = UInt32Array::from(loaded.validity.rows_at(instant_ms));
                    take_record_batch(&loaded.batch, &rows)?
                }
                None => RecordBatch::new_empty(Arc::new(arrow::datatypes::Schema::new(
                    table
                        .all_columns()
                        .map(|(name, kind)| {
                            arrow::datatypes::Field::new(name, kind.data_type(), true)
                        })
                        .collect::<Vec<_>>(),
                ))),
            };
            let columns = table.columns.iter().map(|(column, _)| {
                let array = batch.column_by_name(column).ok_or_else(|| {
                    ArrowError::SchemaError(format!("no column={column} in table={name}"))
                })?;
                Ok((*column, said(array), true))
            });
            let columns = columns.collect::<Result<Vec<_>, ArrowError>>()?;
            answers.push((name, RecordBatch::try_from_iter_with_nullable(columns)?));
        }
        Ok(answers)
    }

    /// What `load` let be: files and columns that nothing reads.
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// What can be read and is still doubtful: two versions of one subject in force at once, ids that point nowhere.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for loaded in &self.tables {
            let at = |row: usize, column, message| Problem {
                file: loaded.file.clone(),
                line: Some(loaded.lines[row]),
                column,
                message,
            };
            for (earlier, later) in loaded.validity.overlaps() {
                let message = format!(
                    "is in force while line {} still is; end that one first",
                    loaded.lines[earlier]
                );
                problems.push(at(later, Some(table::VALID_FROM), message));
            }
            for (column, target, always) in loaded.table.points_to {
                // Without that table nobody can say which ids there are.
                let (Some(ids), Some(target)) =
                    (loaded.batch.column_by_name(column), self.of(target))
                else {
                    continue;
                };
                for (row, id) in ids.as_string::<i32>().iter().enumerate() {
                    if let Some(id) = id
                        && Some(id) != *always
                        && !target.validity.knows(id)
                    {
                        let message = format!("`{id}` is not in {}", target.file);
                        problems.push(at(row, Some(*column), message));
                    }
                }
            }
        }
        problems.sort();
        problems
    }

    fn of(&self, name: &str) -> Option<&LoadedTable> {
        self.tables.iter().find(|loaded| loaded.table.name == name)
    }
}

fn table_of(file: &str) -> Option<&'static ReferenceTable> {
    let (stem, extension) = file.rsplit_once('.')?;
    TABLES
        .iter()
        .find(|table| table.name == stem && matches!(extension, "csv" | "parquet"))
}

fn why_ignored(file: &str) -> String {
    let stem = file.split('.').next().unwrap_or_default();
    if NOT_READ_YET.contains(&stem) {
        return "no metric reads this table yet; it is ignored".to_owned();
    }
    let names = TABLES.iter().map(|table| table.name);
    let nearest = names
        .max_by(|a, b| strsim::jaro_winkler(a, stem).total_cmp(&strsim::jaro_winkler(b, stem)));
    format!(
        "no reference table has this file name; it is ignored (nearest: {}.csv)",
        nearest.unwrap_or_default()
    )
}

/// Texts without NULL.
fn said(array: &ArrayRef) -> ArrayRef {
    if *array.data_type() != DataType::Utf8 || array.null_count() == 0 {
        return array.clone();
    }
    let texts = array.as_string::<i32>().iter();
    Arc::new(StringArray::from_iter_values(
        texts.map(|text| text.unwrap_or(UNKNOWN)),
    ))
}

fn customers(batch: &RecordBatch, nobody: &CustomerAt) -> Result<Vec<CustomerAt>, ArrowError> {
    let columns = Columns::of(batch);
    let territory_id = columns.text("territory_id")?;
    let class_id = columns.text("class_id")?;
    let area_unit_id = columns.text("area_unit_id")?;
    let region_code = columns.text("region_code")?;
    let customer_kind = columns.text("customer_kind")?;
    let is_sample = columns.flag("is_sample")?;
    // A few hundred values stand in a hundred thousand rows: each is kept once.
    let mut texts = HashSet::from([nobody.territory_id.clone()]);
    let mut shared = |text: Option<&str>| {
        let text = text.unwrap_or(UNKNOWN);
        if let Some(known) = texts.get(text) {
            return known.clone();
        }
        let new: Arc<str> = text.into();
        texts.insert(new.clone());
        new
    };
    Ok((0..batch.num_rows())
        .map(|row| CustomerAt {
            known: true,
            territory_id: shared(territory_id.get(row)),
            class_id: shared(class_id.get(row)),
            area_unit_id: shared(area_unit_id.get(row)),
            region_code: shared(region_code.get(row)),
            customer_kind: shared(customer_kind.get(row)),
            is_sample: is_sample.get(row).unwrap_or(false),
        })
        .collect())
}

#[cfg(test)]
mod tests;
