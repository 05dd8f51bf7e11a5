//! Which row of a table is in force for a subject at an instant (K8).

use std::collections::HashMap;
use std::sync::Arc;

use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use pipeline::columns::Columns;
use schemas::time::TimestampMs;

use super::schema::{ReferenceTable, VALID_FROM, VALID_TO};

#[derive(Clone, Copy, Debug)]
struct Version {
    from: TimestampMs,
    /// Exclusive.
    to: TimestampMs,
    row: usize,
}

/// Versions by subject, those of a subject in the order in which they begin.
pub(super) struct Validity {
    versions: HashMap<Arc<str>, Vec<Version>>,
}

/// Separates the parts of a composite key; no id contains it.
const SEPARATOR: char = '\u{1f}';

impl Validity {
    /// Reads the key and the two instants of every row; an empty instant is open.
    pub(super) fn of(table: &ReferenceTable, batch: &RecordBatch) -> Result<Self, ArrowError> {
        let columns = Columns::of(batch);
        let (from, to) = (columns.instant(VALID_FROM)?, columns.instant(VALID_TO)?);
        let options = FormatOptions::default();
        let mut parts = Vec::new();
        for name in table.key {
            let array = batch
                .column_by_name(name)
                .ok_or_else(|| ArrowError::SchemaError(format!("no column={name}")))?;
            parts.push(ArrayFormatter::try_new(array.as_ref(), &options)?);
        }
        let mut versions: HashMap<Arc<str>, Vec<Version>> = HashMap::new();
        let mut key = String::new();
        for row in 0..batch.num_rows() {
            key.clear();
            for part in &parts {
                if !key.is_empty() {
                    key.push(SEPARATOR);
                }
                key.push_str(&part.value(row).to_string());
            }
            let version = Version {
                from: from.get(row).unwrap_or(TimestampMs::MIN),
                to: to.get(row).unwrap_or(TimestampMs::MAX),
                row,
            };
            match versions.get_mut(key.as_str()) {
                Some(known) => known.push(version),
                None => {
                    versions.insert(key.as_str().into(), vec![version]);
                }
            }
        }
        for known in versions.values_mut() {
            known.sort_by_key(|version| (version.from, version.row));
        }
        Ok(Self { versions })
    }

    /// The row with `valid_from <= at < valid_to`; of several the one that began last.
    pub(super) fn row_at(&self, key: &str, at: TimestampMs) -> Option<usize> {
        in_force(self.versions.get(key)?, at)
    }

    /// All rows in force at `at`, one per subject, in the order of the file.
    pub(super) fn rows_at(&self, at: TimestampMs) -> Vec<u32> {
        let versions = self.versions.values();
        let mut rows: Vec<u32> = versions
            .filter_map(|versions| in_force(versions, at))
            .map(|row| row as u32)
            .collect();
        rows.sort_unstable();
        rows
    }

    /// Whether the subject has any version.
    pub(super) fn contains(&self, key: &str) -> bool {
        self.versions.contains_key(key)
    }

    /// Pairs of rows (earlier, later) of one subject where the later begins before the earlier ends.
    pub(super) fn overlaps(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for versions in self.versions.values() {
            for pair in versions.windows(2) {
                if pair[1].from < pair[0].to {
                    pairs.push((pair[0].row, pair[1].row));
                }
            }
        }
        pairs
    }
}

fn in_force(versions: &[Version], at: TimestampMs) -> Option<usize> {
    let begun = versions.partition_point(|version| version.from <= at);
    let mut begun = versions[..begun].iter().rev();
    begun
        .find(|version| at < version.to)
        .map(|version| version.row)
}
