//! Deleting files that no version of a table needs any more.
//!
//! A file goes when all of this holds:
//!
//! * the newest version does not name it, and no version from the oldest pinned one on did ([`Pins::versions`]);
//! * no open intent names it ([`Pins::staged`]), and it is not an unnamed one of the owner that runs ([`Pins::claim`]);
//! * it was replaced at least the minimum age ago; where no commit says so (a dead owner staged it), it is that old itself.
//!
//! When a file was replaced stands in the commit that did it. Commits are read once: back to the version at which this process
//! opened the table, to the minimum age and to the oldest pinned version at the first vacuum, then only new ones. No older version is loaded, and no commit is written.

use std::collections::{BTreeSet, HashMap, HashSet};

use deltalake::kernel::Action;
use futures::{TryFutureExt, TryStreamExt};
use object_store::path::Path;
use object_store::{Error as StoreError, ObjectMeta, ObjectStore, ObjectStoreExt};
use schemas::time::TimestampMs;
use serde::{Deserialize, Serialize};

use super::error;
use super::files::{OpenTable, entry_name, locations_of};
use super::stage::staged_prefix;
use super::tables::Tables;
use crate::error::Result;
use crate::log::{delete_all, store_failed};

/// What a vacuum must leave in a table, whatever its age.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pins {
    /// Versions that an epoch record or a lease names. The newest version needs no pin.
    pub versions: BTreeSet<i64>,
    /// Files that an open intent names, as paths from the table's folder.
    pub staged: BTreeSet<String>,
    /// The claim of the owner that runs: what it has staged and no version has named may still be named.
    pub claim: Option<u64>,
}

/// What a vacuum did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vacuumed {
    /// Files that went, and their bytes.
    pub files: u64,
    pub bytes: u64,
    /// Files that have been replaced and stay for their age or for a pin.
    pub waiting_files: u64,
    pub waiting_bytes: u64,
}

impl Vacuumed {
    /// Adds what was done to another table.
    pub fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.waiting_files += other.waiting_files;
        self.waiting_bytes += other.waiting_bytes;
    }
}

impl Tables {
    /// Deletes files of the table that nobody needs any more; what happened at `old` or before is old enough.
    ///
    /// May be repeated and cut short at any point. Refuses to delete anything where the newest version names a file that the
    /// folder does not list: then names and files do not belong together.
    pub async fn vacuum(&self, table: &str, pins: &Pins, old: TimestampMs) -> Result<Vacuumed> {
        let open = self.open(table)?;
        // Before the folder is listed: what is committed meanwhile is young, or an intent names it.
        let (newest, live) = {
            let mut versions = open.versions.lock().await;
            versions.refresh(&open).await?;
            (
                versions.version(&open)?,
                locations_of(&open, versions.newest(&open)?)?,
            )
        };
        let listed = self.data_files(&open.folder).await?;
        check_all_listed(table, &live, &listed)?;

        let oldest_pin = pins.versions.first().map_or(newest, |pin| newest.min(*pin));
        let mut removals = open.removals.lock().await;
        let is_complete = removals.read(self, &open, newest, oldest_pin, old).await?;
        let staged = pins.staged.iter();
        let rule = VacuumRule {
            live: &live,
            staged: staged.map(|path| open.location(path)).collect(),
            own_prefix: pins.claim.map(staged_prefix),
            removed: &removals.removed,
            is_complete,
            oldest_pin,
            old,
        };
        let mut vacuumed = Vacuumed::default();
        let (mut going, mut waiting) = (Vec::new(), HashSet::new());
        for file in listed {
            match rule.fate(&file) {
                Fate::Stays => {}
                Fate::Waits => {
                    vacuumed.waiting_files += 1;
                    vacuumed.waiting_bytes += file.size;
                    waiting.insert(file.location);
                }
                Fate::Goes => {
                    vacuumed.files += 1;
                    vacuumed.bytes += file.size;
                    going.push(file.location);
                }
            }
        }
        delete_all(&self.store, going).await?;
        removals.removed.retain(|path, _| waiting.contains(path));
        Ok(vacuumed)
    }

    /// All Parquet files in a table's folder. What begins with `_` or `.` is not data: the Delta log is not even listed.
    async fn data_files(&self, folder: &Path) -> Result<Vec<ObjectMeta>> {
        let is_data = |path: &Path| {
            let name = path.filename().unwrap_or_default();
            !name.starts_with(['_', '.'])
        };
        let top = self.store.list_with_delimiter(Some(folder)).await;
        let top = top.map_err(store_failed(folder))?;
        let mut files = top.objects;
        for below in top.common_prefixes.iter().filter(|path| is_data(path)) {
            let listed = self.store.list(Some(below)).try_collect::<Vec<_>>();
            files.extend(listed.map_err(store_failed(below)).await?);
        }
        files
            .retain(|file| is_data(&file.location) && file.location.extension() == Some("parquet"));
        Ok(files)
    }
}

fn check_all_listed(table: &str, live: &HashSet<Path>, listed: &[ObjectMeta]) -> Result<()> {
    let listed: HashSet<&Path> = listed.iter().map(|file| &file.location).collect();
    match live.iter().find(|path| !listed.contains(path)) {
        Some(path) => Err(error::file_missing(table, path)),
        None => Ok(()),
    }
}

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Somebody names it, or it may still be named.
    Stays,
    /// It was replaced; a reader may still read it.
    Waits,
    Goes,
}

/// What decides about a file.
struct VacuumRule<'a> {
    live: &'a HashSet<Path>,
    staged: HashSet<Path>,
    /// What names of files begin with that the running owner has staged.
    own_prefix: Option<String>,
    removed: &'a HashMap<Path, Removal>,
    /// Whether `removed` holds all that was removed after the oldest pinned version.
    is_complete: bool,
    oldest_pin: i64,
    /// What happened at this instant or before is old.
    old: TimestampMs,
}

impl VacuumRule<'_> {
    fn fate(&self, file: &ObjectMeta) -> Fate {
        let path = &file.location;
        if self.live.contains(path) || self.staged.contains(path) {
            return Fate::Stays;
        }
        if let Some(removal) = self.removed.get(path) {
            let is_free = removal.version <= self.oldest_pin && removal.at <= self.old;
            return if is_free { Fate::Goes } else { Fate::Waits };
        }
        // No clock decides about what is being staged: one that jumps would take it for old.
        let name = path.filename().unwrap_or_default();
        if let Some(own) = &self.own_prefix
            && name.starts_with(own)
        {
            return Fate::Stays;
        }
        // Staged and never named, or removed longer ago than commits were read back.
        if TimestampMs::from_datetime(file.last_modified) > self.old {
            Fate::Stays
        } else if self.is_complete {
            Fate::Goes
        } else {
            Fate::Waits
        }
    }
}

/// Which commit removed a file from the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Removal {
    version: i64,
    /// When the store took that commit.
    at: TimestampMs,
}

/// What this process has read of removals; files that are gone are forgotten.
#[derive(Debug, Default)]
pub(super) struct Removals {
    read: Option<ReadBack>,
    removed: HashMap<Path, Removal>,
}

/// The commits that have been read.
#[derive(Debug, Clone, Copy)]
struct ReadBack {
    newest: i64,
    oldest: i64,
    /// When the oldest of them was committed.
    oldest_at: TimestampMs,
}

impl Removals {
    /// This process opened the table at `version`: every commit from here on is read, however old a clock makes it.
    pub(super) fn read_from(&mut self, version: i64) {
        self.read.get_or_insert(ReadBack {
            newest: version,
            oldest: version + 1,
            oldest_at: TimestampMs::MAX,
        });
    }

    /// Reads commits up to `newest`, and back to the one at `old` and to the one after `oldest_pin`.
    ///
    /// False where commits that it needs are gone from the Delta log.
    async fn read(
        &mut self,
        tables: &Tables,
        open: &OpenTable,
        newest: i64,
        oldest_pin: i64,
        old: TimestampMs,
    ) -> Result<bool> {
        let nothing = ReadBack {
            newest,
            oldest: newest + 1,
            oldest_at: TimestampMs::MAX,
        };
        let mut read = self.read.unwrap_or(nothing);
        for version in read.newest + 1..=newest {
            if self.read_commit(tables, open, version).await?.is_none() {
                // The Delta log has been cleaned beyond what was read: begin anew from its end.
                read = nothing;
                break;
            }
            read.newest = version;
        }
        // Version 0 makes the table and removes nothing.
        while read.oldest > 1 && (read.oldest > oldest_pin + 1 || read.oldest_at > old) {
            let Some(at) = self.read_commit(tables, open, read.oldest - 1).await? else {
                break;
            };
            read.oldest -= 1;
            read.oldest_at = at;
        }
        self.read = Some(read);
        Ok(read.oldest <= 1 || read.oldest <= oldest_pin + 1)
    }

    /// Notes what a commit removes and returns when it was committed; `None` where the Delta log no longer holds it.
    async fn read_commit(
        &mut self,
        tables: &Tables,
        open: &OpenTable,
        version: i64,
    ) -> Result<Option<TimestampMs>> {
        let entry = open.location(&entry_name(version));
        let found = match tables.store.get(&entry).await {
            Ok(found) => found,
            Err(StoreError::NotFound { .. }) => return Ok(None),
            Err(source) => return Err(store_failed(&entry)(source)),
        };
        let at = TimestampMs::from_datetime(found.meta.last_modified);
        let bytes = found.bytes().await.map_err(store_failed(&entry))?;
        let number = version.unsigned_abs();
        let actions = deltalake::logstore::get_actions(number, &bytes);
        for action in actions.map_err(|_| error::damaged_log(&open.name, &entry))? {
            let Action::Remove(remove) = action else {
                continue;
            };
            let removal = self
                .removed
                .entry(open.location(&remove.path))
                .or_insert(Removal { version, at });
            // A file that came back (somebody restored a version) was removed again by the later one.
            if removal.version < version {
                *removal = Removal { version, at };
            }
        }
        Ok(Some(at))
    }
}

#[cfg(test)]
mod tests;
