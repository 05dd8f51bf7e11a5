//! A reference file to columns of the types that its table has; both formats meet in [`typed`].
//!
//! A file is read in batches, and of its columns only those that the table has: memory follows the table, and what else a file
//! holds about people is not read (K48).

use std::cell::Cell;
use std::fs::File;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatchReader, StringBuilder, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};
use pipeline::error::panic_text;

use super::column::typed;
use super::schema::ReferenceTable;
use super::text::{self, shown};
use crate::error::Problem;

/// Rows that are read and typed at once.
const BATCH_ROWS: usize = 8_192;

/// Bytes of a CSV file that are read at once.
const READ_BYTES: usize = 1 << 16;

/// A record of a CSV file is at most this long. A file of another kind may have no line end, and a quotation mark that nothing closes
/// makes one record of all lines behind it.
const MAX_RECORD_BYTES: u64 = 1 << 20;

/// Problems of one file that are listed; the others are counted.
const MAX_PROBLEMS: usize = 100;

/// The content of one file: the table's columns (missing ones NULL) and where each row was.
pub(super) struct Content {
    pub(super) batch: RecordBatch,
    /// Line (CSV) or row (Parquet) of each row.
    pub(super) lines: Vec<u64>,
    /// Columns that the file has and the table does not.
    pub(super) unknown_columns: Vec<String>,
}

/// The line at which a file cannot be read, where that is known, and why.
type UnreadableFile = (Option<u64>, String);

/// Reads the file `name` at `path` as rows of `table`; adds what is wrong with it, and is `None` if something is.
pub(super) fn read(
    name: &str,
    path: &Path,
    table: &ReferenceTable,
    problems: &mut Vec<Problem>,
) -> Option<Content> {
    let mut content = Builder::new(name, table);
    let read = if name.ends_with(".csv") {
        read_csv(path, &mut content)
    } else {
        // The Parquet reader checks much of a damaged file, and panics at some of the rest.
        catch_unwind(AssertUnwindSafe(|| read_parquet(path, &mut content)))
            .unwrap_or_else(|panic| Err((None, damaged(panic_text(panic.as_ref())))))
    };
    if let Err((line, message)) = read {
        content.found.push(Problem {
            line,
            ..Problem::of_file(name, message)
        });
    }
    content.finish(problems)
}

fn read_csv(path: &Path, content: &mut Builder<'_>) -> Result<(), UnreadableFile> {
    let unreadable = |error: csv::Error, begins: u64| {
        let line = error.position().map_or(begins, csv::Position::line);
        (Some(line), error.to_string())
    };
    let file = File::open(path).map_err(|error| (None, error.to_string()))?;
    let bounded = BoundedRecords::new(file);
    let record_begin = bounded.record_begin.clone();
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(READ_BYTES)
        .from_reader(bounded);
    let header = reader.headers();
    let header = header.map_err(|error| unreadable(error, 1))?.clone();
    // Spreadsheets begin a UTF-8 file with a byte-order mark.
    let names = header
        .iter()
        .map(|name| name.trim_start_matches('\u{feff}').trim());
    let names: Vec<&str> = names.collect();
    let places = content.places(&names)?;
    let columns: Vec<&'static str> = content.table.all_columns().map(|(name, _)| name).collect();
    let mut record = csv::StringRecord::new();
    let mut cells: Vec<StringBuilder> = places.iter().map(|_| StringBuilder::new()).collect();
    let mut lines = Vec::new();
    loop {
        let begins = reader.position().line();
        record_begin.set(reader.position().byte());
        let has_more = reader
            .read_record(&mut record)
            .map_err(|error| unreadable(error, begins))?;
        if lines.len() == BATCH_ROWS || !has_more && !lines.is_empty() {
            let arrays = cells
                .iter_mut()
                .map(|cells| Arc::new(cells.finish()) as ArrayRef);
            content.add(arrays.zip(&places), std::mem::take(&mut lines));
        }
        if !has_more {
            return Ok(());
        }
        let line = record.position().map_or(0, csv::Position::line);
        lines.push(line);
        for (cells, (place, in_table)) in cells.iter_mut().zip(&places) {
            let mut cell = record.get(*place).filter(|cell| !cell.is_empty());
            // No column of a table has room for one, and rows that an open mark swallows would be missed by nobody. They hold what
            // no message repeats.
            if cell.is_some_and(|cell| cell.contains('\n')) {
                let message = "holds a line end; is a quotation mark left open?".to_owned();
                content.report(Some(line), columns[*in_table], message);
                cell = None;
            }
            cells.append_option(cell);
        }
    }
}

/// What panicked while a file was read.
fn damaged(panic: &str) -> String {
    format!("is damaged, reading it broke down ({panic}); write the file again")
}

fn read_parquet(path: &Path, content: &mut Builder<'_>) -> Result<(), UnreadableFile> {
    let failed = |error: String| (None, error);
    let file = File::open(path).map_err(|error| failed(error.to_string()))?;
    let length = file
        .metadata()
        .map_err(|error| failed(error.to_string()))?
        .len();
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)
        .map_err(|error| failed(error.to_string()))?;
    // Room for a column is taken before it is read, as much as its size says.
    let groups = builder.metadata().row_groups().iter();
    let lies_beyond = |column: &ColumnChunkMetaData| {
        let (start, bytes) = column.byte_range();
        start.checked_add(bytes).is_none_or(|end| end > length)
    };
    if groups.flat_map(RowGroupMetaData::columns).any(lies_beyond) {
        let message = "is damaged: a column lies beyond its end; write the file again";
        return Err(failed(message.to_owned()));
    }
    let schema = builder.schema().clone();
    let names: Vec<&str> = schema
        .fields()
        .iter()
        .map(|field| field.name().as_str())
        .collect();
    let mut places = content.places(&names)?;
    // A projection keeps the order of the file.
    places.sort_unstable();
    let roots = places.iter().map(|(place, _)| *place);
    let projection = ProjectionMask::roots(builder.parquet_schema(), roots);
    let reader = builder
        .with_projection(projection)
        .with_batch_size(BATCH_ROWS)
        .build()
        .map_err(|error| failed(error.to_string()))?;
    debug_assert_eq!(reader.schema().fields().len(), places.len());
    let mut rows = 0;
    for batch in reader {
        let batch = batch.map_err(|error| failed(error.to_string()))?;
        let before = rows;
        rows += batch.num_rows() as u64;
        content.add(
            batch.columns().iter().cloned().zip(&places),
            (before + 1..=rows).collect(),
        );
    }
    Ok(())
}

/// Collects typed batches of one file and what is wrong with it.
struct Builder<'t> {
    name: &'t str,
    table: &'t ReferenceTable,
    schema: Arc<Schema>,
    batches: Vec<RecordBatch>,
    lines: Vec<u64>,
    unknown_columns: Vec<String>,
    found: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`].
    not_listed: u64,
}

impl<'t> Builder<'t> {
    fn new(name: &'t str, table: &'t ReferenceTable) -> Self {
        let fields = table.all_columns();
        let fields = fields.map(|(name, kind)| Field::new(name, kind.data_type(), true));
        Self {
            name,
            table,
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            batches: Vec::new(),
            lines: Vec::new(),
            unknown_columns: Vec::new(),
            found: Vec::new(),
            not_listed: 0,
        }
    }

    /// Where the table's columns are among those of the file: (place in the file, place in the table).
    fn places(&mut self, names: &[&str]) -> Result<Vec<(usize, usize)>, UnreadableFile> {
        let mut places = Vec::new();
        for (in_file, name) in names.iter().enumerate() {
            if names[..in_file].contains(name) {
                return Err((None, format!("has the column `{}` twice", shown(name))));
            }
            match self
                .table
                .all_columns()
                .position(|(column, _)| column == *name)
            {
                Some(in_table) => places.push((in_file, in_table)),
                None => self.unknown_columns.push(shown(name)),
            }
        }
        for key in self.table.key {
            if !names.contains(key) {
                let message = "the file lacks this column, which is required";
                self.found.push(Problem {
                    column: Some(key),
                    ..Problem::of_file(self.name, message)
                });
            }
        }
        Ok(places)
    }

    /// Rows as the file has them: each array with the place of its column in the table.
    fn add<'p>(
        &mut self,
        columns: impl Iterator<Item = (ArrayRef, &'p (usize, usize))>,
        lines: Vec<u64>,
    ) {
        let rows = lines.len();
        let mut arrays: Vec<Option<ArrayRef>> = vec![None; self.schema.fields().len()];
        let kinds: Vec<_> = self.table.all_columns().collect();
        for (array, (_, place)) in columns {
            let (column, kind) = kinds[*place];
            let mut wrong = Vec::new();
            let result = typed(&array, kind, &mut |row, message| wrong.push((row, message)));
            match result {
                Ok(array) => {
                    text::check(&array, &mut |row, message| wrong.push((row, message)));
                    if self.table.key.contains(&column) {
                        let is_reported = |row| wrong.iter().any(|(other, _)| *other == row);
                        let empty =
                            (0..rows).filter(|&row| array.is_null(row) && !is_reported(row));
                        let empty: Vec<_> = empty
                            .map(|row| (row, "must not be empty".to_owned()))
                            .collect();
                        wrong.extend(empty);
                    }
                    arrays[*place] = Some(array);
                }
                Err(message) => self.report(None, column, message),
            }
            for (row, message) in wrong {
                self.report(Some(lines[row]), column, message);
            }
        }
        let arrays = arrays.into_iter().zip(&kinds);
        let arrays = arrays.map(|(array, (_, kind))| {
            array.unwrap_or_else(|| new_null_array(&kind.data_type(), rows))
        });
        if self.found.is_empty() {
            match RecordBatch::try_new(self.schema.clone(), arrays.collect()) {
                Ok(batch) => self.batches.push(batch),
                Err(error) => self
                    .found
                    .push(Problem::of_file(self.name, error.to_string())),
            }
            self.lines.extend(lines);
        } else {
            self.batches.clear();
            self.lines.clear();
        }
    }

    fn report(&mut self, line: Option<u64>, column: &'static str, message: String) {
        let problem = Problem {
            file: self.name.to_owned(),
            line,
            column: Some(column),
            message,
        };
        // What is wrong with a column as a whole is found in every batch.
        if line.is_none() && self.found.contains(&problem) {
            return;
        }
        if self.found.len() < MAX_PROBLEMS {
            self.found.push(problem);
        } else {
            self.not_listed += 1;
        }
    }

    fn finish(mut self, problems: &mut Vec<Problem>) -> Option<Content> {
        if self.not_listed > 0 {
            let message = format!("and {} more values that cannot be read", self.not_listed);
            self.found.push(Problem::of_file(self.name, message));
        }
        if !self.found.is_empty() {
            problems.append(&mut self.found);
            return None;
        }
        match concat_batches(&self.schema, &self.batches) {
            Ok(batch) => Some(Content {
                batch,
                lines: self.lines,
                unknown_columns: self.unknown_columns,
            }),
            Err(error) => {
                problems.push(Problem::of_file(self.name, error.to_string()));
                None
            }
        }
    }
}

/// Passes bytes on as long as records are not too long: a parser would collect an endless one.
struct BoundedRecords<R> {
    inner: R,
    /// Bytes that have been passed on. The parser has seen all of them when it asks for more.
    passed: u64,
    /// Where the record under way begins, as the parser counts.
    record_begin: Rc<Cell<u64>>,
}

impl<R> BoundedRecords<R> {
    fn new(inner: R) -> Self {
        Self {
            inner,
            passed: 0,
            record_begin: Rc::default(),
        }
    }
}

impl<R: Read> Read for BoundedRecords<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.passed.saturating_sub(self.record_begin.get()) > MAX_RECORD_BYTES {
            let message = format!(
                "a record is longer than {MAX_RECORD_BYTES} bytes; is it a CSV file, and is every quotation mark closed?"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let read = self.inner.read(buffer)?;
        self.passed += read as u64;
        Ok(read)
    }
}
