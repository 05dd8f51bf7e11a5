//! Which row of a table is in force for a subject at an instant (K8).

use std::hash::BuildHasher;

use arrow::array::{AsArray, StringArray, StringBuilder};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use hashbrown::{DefaultHashBuilder, HashTable};
use pipeline::columns::Columns;
use schemas::time::TimestampMs;

use super::schema::{ReferenceTable, VALID_FROM, VALID_TO};

/// When a row is in force.
#[derive(Clone, Copy, Debug)]
struct Version {
    from: TimestampMs,
    /// Exclusive.
    to: TimestampMs,
    row: u32,
}

impl Version {
    fn is_ever_in_force(&self) -> bool {
        self.from < self.to
    }
}

/// Versions by subject.
///
/// A province has millions of rows, so it holds no copy of a key: 24 bytes a row and 5 to 9 a subject.
pub(super) struct Validity {
    /// By row.
    keys: StringArray,
    /// Those of a subject side by side, in the order in which they begin.
    versions: Vec<Version>,
    /// Where the versions of each subject begin.
    subjects: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

/// Separates the parts of a composite key; no id contains it.
const SEPARATOR: char = '\u{1f}';

impl Validity {
    /// Reads the key and the two instants of every row; an empty instant is open.
    pub(super) fn of(table: &ReferenceTable, batch: &RecordBatch) -> Result<Self, ArrowError> {
        let columns = Columns::of(batch);
        let (from, to) = (columns.instant(VALID_FROM)?, columns.instant(VALID_TO)?);
        let keys = keys(table, batch)?;
        let rows = u32::try_from(batch.num_rows()).map_err(|_| {
            ArrowError::InvalidArgumentError(format!("more than {} rows", u32::MAX))
        })?;
        let mut versions: Vec<Version> = (0..rows)
            .map(|row| Version {
                from: from.get(row as usize).unwrap_or(TimestampMs::MIN),
                to: to.get(row as usize).unwrap_or(TimestampMs::MAX),
                row,
            })
            .collect();
        let key = |version: &Version| keys.value(version.row as usize);
        versions.sort_unstable_by(|a, b| {
            let order = |version: &Version| (version.from, version.row);
            key(a).cmp(key(b)).then_with(|| order(a).cmp(&order(b)))
        });
        let hasher = DefaultHashBuilder::default();
        let mut subjects = HashTable::new();
        for begin in 0..rows {
            let own = key(&versions[begin as usize]);
            if begin == 0 || key(&versions[begin as usize - 1]) != own {
                subjects.insert_unique(hasher.hash_one(own), begin, |&other| {
                    hasher.hash_one(key(&versions[other as usize]))
                });
            }
        }
        Ok(Self {
            keys,
            versions,
            subjects,
            hasher,
        })
    }

    fn key_of(&self, version: &Version) -> &str {
        self.keys.value(version.row as usize)
    }

    /// The versions of a subject.
    fn of_subject(&self, key: &str) -> &[Version] {
        let begins_here = |&begin: &u32| self.key_of(&self.versions[begin as usize]) == key;
        let Some(&begin) = self.subjects.find(self.hasher.hash_one(key), begins_here) else {
            return &[];
        };
        let from_there = &self.versions[begin as usize..];
        let of_others = from_there
            .iter()
            .position(|version| self.key_of(version) != key);
        &from_there[..of_others.unwrap_or(from_there.len())]
    }

    fn subjects(&self) -> impl Iterator<Item = &[Version]> {
        self.versions
            .chunk_by(|one, next| self.key_of(one) == self.key_of(next))
    }

    /// The row with `valid_from <= at < valid_to`; of several the one that began last.
    pub(super) fn row_at(&self, key: &str, at: TimestampMs) -> Option<usize> {
        in_force(self.of_subject(key), at).map(|row| row as usize)
    }

    /// All rows in force at `at`, one per subject, in the order of the file.
    pub(super) fn rows_at(&self, at: TimestampMs) -> Vec<u32> {
        let mut rows: Vec<u32> = self
            .subjects()
            .filter_map(|versions| in_force(versions, at))
            .collect();
        rows.sort_unstable();
        rows
    }

    /// Whether the subject has any version.
    pub(super) fn contains(&self, key: &str) -> bool {
        !self.of_subject(key).is_empty()
    }

    /// Pairs of rows (earlier, later) of one subject where the later begins before the earlier ends.
    pub(super) fn overlaps(&self) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        for versions in self.subjects() {
            // Of those that have begun, the one that ends last: a short version may lie inside a long one.
            let mut longest: Option<&Version> = None;
            for version in versions.iter().filter(|version| version.is_ever_in_force()) {
                if let Some(earlier) = longest
                    && version.from < earlier.to
                {
                    pairs.push((earlier.row as usize, version.row as usize));
                }
                if longest.is_none_or(|earlier| earlier.to < version.to) {
                    longest = Some(version);
                }
            }
        }
        pairs
    }

    /// Rows that end where they begin, or before.
    pub(super) fn never_in_force(&self) -> impl Iterator<Item = usize> {
        let rows = self.versions.iter();
        rows.filter(|version| !version.is_ever_in_force())
            .map(|version| version.row as usize)
    }
}

/// The key of a subject that several ids identify, in the order of the table's key.
pub(super) fn composite_key<const PARTS: usize>(ids: [&str; PARTS]) -> String {
    let mut key = String::with_capacity(ids.iter().map(|id| id.len() + 1).sum());
    for id in ids {
        if !key.is_empty() {
            key.push(SEPARATOR);
        }
        key.push_str(id);
    }
    key
}

/// The key of every row as one text.
fn keys(table: &ReferenceTable, batch: &RecordBatch) -> Result<StringArray, ArrowError> {
    let parts = table.key.iter().map(|name| {
        batch
            .column_by_name(name)
            .ok_or_else(|| ArrowError::SchemaError(format!("no column={name}")))
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    if let [only] = parts[..]
        && let Some(texts) = only.as_string_opt::<i32>()
    {
        return Ok(texts.clone());
    }
    let options = FormatOptions::default();
    let formatters = parts
        .iter()
        .map(|part| ArrayFormatter::try_new(part.as_ref(), &options));
    let formatters = formatters.collect::<Result<Vec<_>, _>>()?;
    let mut keys = StringBuilder::new();
    let mut key = String::new();
    for row in 0..batch.num_rows() {
        key.clear();
        for formatter in &formatters {
            if !key.is_empty() {
                key.push(SEPARATOR);
            }
            key.push_str(&formatter.value(row).to_string());
        }
        keys.append_value(&key);
    }
    Ok(keys.finish())
}

fn in_force(versions: &[Version], at: TimestampMs) -> Option<u32> {
    let begun = versions.partition_point(|version| version.from <= at);
    let mut begun = versions[..begun].iter().rev();
    begun
        .find(|version| at < version.to)
        .map(|version| version.row)
}
