//! What can be read and is still likely to be wrong: overlapping versions, versions that never are in force, ids with blanks around
//! them, ids that no table has.

use arrow::error::ArrowError;
use pipeline::columns::Columns;

use super::reference_data::{LoadedTable, ReferenceData};
use super::schema::{VALID_FROM, VALID_TO};
use super::text::shown;
use crate::error::Problem;

impl ReferenceData {
    /// Versions of one subject that are in force at once, versions that never are, and ids that the table they refer to does not
    /// have; sorted.
    pub fn inconsistencies(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for loaded in &self.tables {
            overlaps(loaded, &mut problems);
            never_in_force(loaded, &mut problems);
            let found = padded_keys(loaded, &mut problems);
            if let Err(error) = found.and_then(|()| self.dangling_ids(loaded, &mut problems)) {
                problems.push(Problem::of_file(&loaded.file, error.to_string()));
            }
        }
        problems.sort();
        problems
    }

    fn dangling_ids(
        &self,
        loaded: &LoadedTable,
        problems: &mut Vec<Problem>,
    ) -> Result<(), ArrowError> {
        let columns = Columns::of(&loaded.batch);
        for (column, referenced, wildcard) in loaded.table.foreign_keys {
            // Without the file of that table its ids are not known.
            let Some(referenced) = self.table(referenced) else {
                continue;
            };
            let ids = columns.text(column)?;
            for row in 0..loaded.batch.num_rows() {
                if let Some(id) = ids.get(row)
                    && Some(id) != *wildcard
                    && !referenced.validity.contains(id)
                {
                    let message = format!("`{id}` is not in {}", referenced.file);
                    problems.push(at(loaded, row, column, message));
                }
            }
        }
        Ok(())
    }
}

fn overlaps(loaded: &LoadedTable, problems: &mut Vec<Problem>) {
    for (earlier, later) in loaded.validity.overlaps() {
        let message = format!(
            "begins while the version of line {} is in force; end that one first",
            loaded.lines[earlier]
        );
        problems.push(at(loaded, later, VALID_FROM, message));
    }
}

fn never_in_force(loaded: &LoadedTable, problems: &mut Vec<Problem>) {
    for row in loaded.validity.never_in_force() {
        let message =
            "is not after valid_from: the version is never in force; correct or remove it";
        problems.push(at(loaded, row, VALID_TO, message.to_owned()));
    }
}

/// `C1` and `C1 ` look the same and are two ids: where only one of the two stands here, the other is UNKNOWN.
fn padded_keys(loaded: &LoadedTable, problems: &mut Vec<Problem>) -> Result<(), ArrowError> {
    let columns = Columns::of(&loaded.batch);
    for column in loaded.table.key {
        if !column.ends_with("_id") {
            continue;
        }
        let ids = columns.text(column)?;
        for row in 0..loaded.batch.num_rows() {
            if let Some(id) = ids.get(row).filter(|id| id.trim().len() < id.len()) {
                let message = format!(
                    "`{}` has blanks around it: another id than without",
                    shown(id)
                );
                problems.push(at(loaded, row, column, message));
            }
        }
    }
    Ok(())
}

fn at(loaded: &LoadedTable, row: usize, column: &'static str, message: String) -> Problem {
    Problem {
        file: loaded.file.clone(),
        line: Some(loaded.lines[row]),
        column: Some(column),
        message,
    }
}
