//! What can go wrong with a public table, and what to do about it.

use std::fmt::Display;

use deltalake::DeltaTableError;
use parquet::errors::ParquetError;

use crate::error::{Error, ErrorKind};

pub(super) fn bad_name(name: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("table names are schema.name: name={name}"),
    )
}

pub(super) fn missing(table: &str) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "table={table} is missing in the storage: restore its folder below tables/ from a copy"
        ),
    )
}

/// The newest epoch names a version that the stored table has not reached.
pub(super) fn too_old(table: &str, stored: i64, named: i64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "table={table} has version={stored}, the newest epoch names version={named}: restore its folder below tables/ from \
             a copy that is as new"
        ),
    )
}

/// The stored table has other columns than this version of the program writes.
pub(super) fn other_column(table: &str, column: &str, stored: &str, written: &str) -> Error {
    Error::new(
        ErrorKind::Incompatible,
        format!(
            "table={table} column={column}: stored as {stored}, written as {written}; move the old table away or keep the \
             column"
        ),
    )
}

/// Rows to be staged do not have the table's columns.
pub(super) fn other_rows(table: &str, what: impl Display) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("rows for table={table} have other columns than the table: {what}"),
    )
}

/// Only dates and texts can partition a table.
pub(super) fn bad_partition(table: &str, column: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!(
            "table={table} cannot be partitioned by column={column}: it has to be a DATE or a text"
        ),
    )
}

/// The table does not show the epoch; where every try met trouble that passes, another call may succeed.
pub(super) fn not_committed(table: &str, epoch: i64, error: Error) -> Error {
    let advice = if error.is_retryable() {
        ": repeat it, it is safe to repeat"
    } else {
        ""
    };
    error.context(format!("commit failed table={table} epoch={epoch}{advice}"))
}

/// The newest version names a file that is not in the table's folder.
pub(super) fn file_missing(table: &str, path: impl Display) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "table={table} names a file that is not there path={path}: restore it from a copy; nothing is vacuumed until then"
        ),
    )
}

/// For `map_err`: the Delta log cannot be read or written.
pub(super) fn delta(table: &str) -> impl FnOnce(DeltaTableError) -> Error {
    let message = format!("table={table} cannot be read or written: check the storage");
    move |source| Error::new(ErrorKind::Unavailable, message).caused_by(first_line(&source))
}

/// Characters of an error of others: some repeat what they could not read.
const LONGEST: usize = 200;

/// What an error says: some print the stack behind it, hundreds of lines.
pub(super) fn first_line(error: &dyn Display) -> String {
    let text = error.to_string();
    let first = text.lines().map(str::trim).find(|line| !line.is_empty());
    first.unwrap_or("unknown").chars().take(LONGEST).collect()
}

/// A file's content is not what its name says.
pub(super) fn damaged_file(path: impl Display) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "damaged path={path}: its content does not have the hash in its name; restore this file from a copy"
        ),
    )
}

/// A file that a version names is gone.
pub(super) fn file_gone(path: impl Display) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("missing path={path}: a table names this file; restore it from a copy"),
    )
}

/// An object of a Delta log is not what was written.
pub(super) fn damaged_log(table: &str, path: impl Display) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("damaged path={path}: the log of table={table}; restore this object from a copy"),
    )
}

/// The files of a version are not those of the epoch, and nothing says which object of the log is to blame.
pub(super) fn other_files(table: &str, version: i64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "table={table} version={version} has other files than the epoch names: restore its folder _delta_log from a copy"
        ),
    )
}

/// The table has files of an epoch of which no commit says that it is in there.
pub(super) fn files_without_epoch(table: &str, epoch: i64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "table={table} has files of epoch={epoch} without its commit: restore its folder _delta_log from a copy"
        ),
    )
}

/// The table has a commit of this epoch or a later one, and not the files of this epoch.
pub(super) fn epoch_without_files(table: &str, epoch: i64, found: i64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!(
            "table={table} has a commit of epoch={found} without the files of epoch={epoch}: restore its folder _delta_log from \
             a copy, or end the other owner of this storage"
        ),
    )
}

/// For `map_err`: Parquet cannot be written or read.
pub(super) fn encode(table: &str) -> impl FnOnce(ParquetError) -> Error {
    let message = format!("table={table}: rows cannot be arranged or encoded");
    Error::from_source(ErrorKind::Internal, message)
}

pub(super) fn interrupted(table: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("interrupted table={table}: the process is ending"),
    )
}
