//! What vouches for a version of a table: the epoch record holds it, and every reader compares.
//!
//! A Delta log has no checksum. So an epoch pins, beside the version, the sum over its files (readers compare the list that
//! they got from the log, whichever of commits and checkpoints it came from) and the hash of the version's commit. Each of our
//! commits names the hash of the one before it (`vitrine.previous` in its `commitInfo`). Nobody reads that chain as long as
//! the sums agree; where they do not, it says which object is damaged.

use std::collections::BTreeMap;

use deltalake::kernel::Action;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::commit::TableChanges;
use super::files::DataFile;
use super::stage::StagedFile;

/// In `commitInfo`: SHA-256 of the commit before, as hex.
pub(super) const PREVIOUS: &str = "vitrine.previous";

/// A version of a table, as an epoch pins it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct TableVersion {
    /// Version of the Delta table.
    pub version: i64,
    /// The sum over the files that make it up.
    pub(super) files: FileSum,
    /// The hash of its commit.
    pub(super) entry: EntryHash,
}

#[cfg(test)]
impl TableVersion {
    /// A version for which nothing vouches.
    pub(crate) fn numbered(version: i64) -> Self {
        Self {
            version,
            ..Self::default()
        }
    }
}

#[cfg(test)]
impl PartialEq<i64> for TableVersion {
    fn eq(&self, version: &i64) -> bool {
        self.version == *version
    }
}

/// SHA-256 of a commit's bytes in the Delta log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct EntryHash([u8; 32]);

impl EntryHash {
    pub(super) fn of(commit: &[u8]) -> Self {
        Self(Sha256::digest(commit).into())
    }

    pub(super) fn to_text(self) -> String {
        hex::encode(self.0)
    }

    /// The hash of the commit before, where one of ours says it.
    pub(super) fn previous_of(actions: &[Action]) -> Option<Self> {
        let text = actions.iter().find_map(|action| match action {
            Action::CommitInfo(info) => info.info.get(PREVIOUS)?.as_str(),
            _ => None,
        })?;
        let mut hash = [0; 32];
        hex::decode_to_slice(text, &mut hash).ok()?;
        Some(Self(hash))
    }
}

/// The sum of the hashes of what the log says of each file. Adding and taking away a file costs one hash, however many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct FileSum(u128);

impl FileSum {
    pub(super) fn of<'f>(files: impl IntoIterator<Item = &'f DataFile>) -> Self {
        files.into_iter().fold(Self::default(), Self::with)
    }

    #[must_use]
    pub(super) fn with(self, file: &DataFile) -> Self {
        Self(self.0.wrapping_add(hash_of_file(file)))
    }

    #[must_use]
    pub(super) fn without(self, file: &DataFile) -> Self {
        Self(self.0.wrapping_sub(hash_of_file(file)))
    }

    #[must_use]
    pub(super) fn with_staged(self, file: &StagedFile) -> Self {
        Self(self.0.wrapping_add(hash_of_staged(file)))
    }
}

/// Whether a version with these files holds what `changes` does, its compactions whole or not at all.
pub(super) fn holds(files: &[DataFile], changes: &TableChanges) -> bool {
    let known: BTreeMap<&str, &DataFile> = files
        .iter()
        .map(|file| (file.path.as_str(), file))
        .collect();
    let is_there = |staged: &StagedFile| {
        let found = known.get(staged.path.as_str());
        found.is_some_and(|file| hash_of_file(file) == hash_of_staged(staged))
    };
    let is_whole = |paths: &[String]| !paths.iter().any(|path| known.contains_key(path.as_str()));
    changes.add.iter().all(is_there)
        && changes.compactions.iter().all(|compaction| {
            let is_named = known.contains_key(compaction.add.path.as_str());
            !is_named || is_there(&compaction.add) && is_whole(&compaction.remove)
        })
}

/// Whether one of the files that `changes` adds is among these.
pub(super) fn holds_any(files: &[DataFile], changes: &TableChanges) -> bool {
    let mut added = changes.add.iter();
    added.any(|staged| files.iter().any(|file| file.path == staged.path))
}

fn hash_of_file(file: &DataFile) -> u128 {
    let values = file.partition_values.iter();
    let values = values.map(|(column, value)| (column.as_str(), value.as_deref()));
    hash_of(&file.path, file.size, file.rows, values)
}

fn hash_of_staged(file: &StagedFile) -> u128 {
    let value = file.partition.iter();
    let value = value.map(|(column, value)| (column.as_str(), value.as_deref()));
    hash_of(&file.path, file.size, file.rows, value)
}

/// All that readers take from the log: a name, numbers, and the values of the partition column.
fn hash_of<'v>(
    path: &str,
    size: u64,
    rows: u64,
    values: impl Iterator<Item = (&'v str, Option<&'v str>)>,
) -> u128 {
    let mut hash = Sha256::new();
    let mut text = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    text(path);
    text(&size.to_string());
    text(&rows.to_string());
    for (column, value) in values {
        text(column);
        text(if value.is_some() { "value" } else { "null" });
        text(value.unwrap_or_default());
    }
    let hash: [u8; 32] = hash.finalize().into();
    let first = hash.first_chunk().copied().unwrap_or_default();
    u128::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str) -> DataFile {
        DataFile {
            location: path.into(),
            path: path.to_owned(),
            size: 10,
            rows: 2,
            partition_values: BTreeMap::from([("day".to_owned(), Some("2026-01-05".to_owned()))]),
            stats: None,
        }
    }

    #[test]
    fn a_sum_depends_on_every_field_and_on_no_order() {
        let (a, b) = (file("a"), file("b"));
        let both = FileSum::of([&a, &b]);
        assert_eq!(both, FileSum::of([&b, &a]));
        assert_eq!(both.without(&a), FileSum::of([&b]));
        assert_eq!(both.without(&a).without(&b), FileSum::default());
        let day =
            |value: Option<&str>| BTreeMap::from([("day".to_owned(), value.map(str::to_owned))]);
        let others = [
            DataFile {
                size: 11,
                ..file("a")
            },
            DataFile {
                rows: 3,
                ..file("a")
            },
            file("c"),
            DataFile {
                partition_values: day(Some("2026-01-06")),
                ..file("a")
            },
            DataFile {
                partition_values: day(None),
                ..file("a")
            },
            DataFile {
                partition_values: day(Some("")),
                ..file("a")
            },
            DataFile {
                partition_values: BTreeMap::new(),
                ..file("a")
            },
        ];
        for other in &others {
            assert_ne!(FileSum::of([other, &b]), both, "{other:?}");
        }
    }
}
