//! Bytes of a reference file to columns of the types that its table has; both formats meet in [`typed`].

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, StringArray, new_null_array};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use arrow::record_batch::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::column::typed;
use super::schema::ReferenceTable;
use crate::error::Problem;

/// The content of one file: the table's columns (missing ones NULL) and where each row was.
pub(super) struct Content {
    pub(super) batch: RecordBatch,
    /// Line (CSV) or row (Parquet) of each row.
    pub(super) lines: Vec<u64>,
    /// Columns that the file has and the table does not.
    pub(super) unknown_columns: Vec<String>,
}

/// The columns of a file before they are typed.
struct Raw {
    columns: Vec<(String, ArrayRef)>,
    lines: Vec<u64>,
}

/// Reads `bytes` of `file` as rows of `table`; adds every problem, and is `None` if there is one.
pub(super) fn read(
    file: &str,
    bytes: &[u8],
    table: &ReferenceTable,
    problems: &mut Vec<Problem>,
) -> Option<Content> {
    let before = problems.len();
    let raw = if file.ends_with(".csv") {
        csv_columns(bytes)
    } else {
        parquet_columns(bytes)
    };
    let raw = match raw {
        Ok(raw) => raw,
        Err((line, message)) => {
            problems.push(Problem {
                line,
                ..Problem::of_file(file, message)
            });
            return None;
        }
    };
    let mut fields = Vec::new();
    let mut arrays = Vec::new();
    for (name, kind) in table.all_columns() {
        let required = table.key.contains(&name);
        let column = match raw.columns.iter().find(|(header, _)| header == name) {
            Some((_, array)) => typed(array, kind, &mut |row, message| {
                problems.push(Problem {
                    file: file.to_owned(),
                    line: Some(raw.lines[row]),
                    column: Some(name),
                    message,
                });
            }),
            None if required => Err("the file lacks this column, which is required".to_owned()),
            None => Ok(new_null_array(&kind.data_type(), raw.lines.len())),
        };
        let array = match column {
            Ok(array) => array,
            Err(message) => {
                problems.push(Problem {
                    column: Some(name),
                    ..Problem::of_file(file, message)
                });
                continue;
            }
        };
        if required {
            for row in (0..array.len()).filter(|row| array.is_null(*row)) {
                problems.push(Problem {
                    file: file.to_owned(),
                    line: Some(raw.lines[row]),
                    column: Some(name),
                    message: "must not be empty".to_owned(),
                });
            }
        }
        fields.push(Field::new(name, kind.data_type(), true));
        arrays.push(array);
    }
    if problems.len() > before {
        return None;
    }
    let known = |name: &str| table.all_columns().any(|(column, _)| column == name);
    let unknown_columns = raw.columns.iter().map(|(name, _)| name.clone());
    let unknown_columns = unknown_columns.filter(|name| !known(name)).collect();
    match RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays) {
        Ok(batch) => Some(Content {
            batch,
            lines: raw.lines,
            unknown_columns,
        }),
        Err(error) => {
            problems.push(Problem::of_file(file, error.to_string()));
            None
        }
    }
}

/// The line at which a file cannot be read, where that is known, and why.
type UnreadableFile = (Option<u64>, String);

fn csv_columns(bytes: &[u8]) -> Result<Raw, UnreadableFile> {
    let unreadable = |error: csv::Error| {
        let line = error.position().map(csv::Position::line);
        (line, error.to_string())
    };
    // Spreadsheets begin a UTF-8 file with a byte-order mark.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers().map_err(unreadable)?.clone();
    let mut lines = Vec::new();
    let mut cells: Vec<Vec<Option<String>>> = vec![Vec::new(); header.len()];
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        lines.push(record.position().map_or(0, csv::Position::line));
        for (column, cell) in cells.iter_mut().zip(&record) {
            column.push((!cell.is_empty()).then(|| cell.to_owned()));
        }
    }
    let arrays = cells
        .into_iter()
        .map(|column| Arc::new(StringArray::from(column)) as ArrayRef);
    let columns = header.iter().map(|name| name.trim().to_owned());
    Ok(Raw {
        columns: columns.zip(arrays).collect(),
        lines,
    })
}

fn parquet_columns(bytes: &[u8]) -> Result<Raw, UnreadableFile> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::copy_from_slice(bytes))
        .and_then(|builder| builder.build())
        .map_err(|error| (None, error.to_string()))?;
    let schema = arrow::array::RecordBatchReader::schema(&reader);
    let batch = reader
        .collect::<Result<Vec<_>, _>>()
        .and_then(|batches| concat_batches(&schema, &batches))
        .map_err(|error| (None, error.to_string()))?;
    let names = schema.fields().iter().map(|field| field.name().clone());
    Ok(Raw {
        columns: names.zip(batch.columns().iter().cloned()).collect(),
        lines: (1..=batch.num_rows() as u64).collect(),
    })
}
