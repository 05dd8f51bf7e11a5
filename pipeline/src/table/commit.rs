//! One Delta commit a table and epoch, exactly once.

use std::time::Duration;

use deltalake::kernel::transaction::{CommitBuilder, TableReference};
use deltalake::kernel::{Action, Add, Remove, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, checkpoints};
use serde::{Deserialize, Serialize};

use super::error;
use super::files::{APP_ID, DataFile, OpenTable, Versions, files_of, naming, table_version};
use super::pinned::{FileSum, TableVersion, holds, holds_any};
use super::stage::StagedFile;
use super::tables::Tables;
use crate::error::Result;
use crate::observe::{CompactionLeftOut, TableCheckpointNotWritten, TableLogNotTrimmed};
use crate::time::{Backoff, retry, wall};

/// Eight tries in 2.5 s: commits of others, and a store that is away for a moment.
pub(super) const COMMITTING: Backoff = Backoff {
    tries: Some(8),
    ..Backoff::doubling_from(Duration::from_millis(20))
};
const CHECKPOINT_EVERY: i64 = 100;

/// What one epoch does to one table; the publisher seals it in its intent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TableChanges {
    pub add: Vec<StagedFile>,
    pub compactions: Vec<Compaction>,
}

impl TableChanges {
    /// All files that the changes name, as paths from the table's folder.
    pub fn staged_paths(&self) -> impl Iterator<Item = &str> {
        let merged = self.compactions.iter().map(|compaction| &compaction.add);
        self.add.iter().chain(merged).map(|file| file.path.as_str())
    }
}

/// One file that takes the place of others with the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Compaction {
    pub add: StagedFile,
    /// Paths from the table's folder.
    pub remove: Vec<String>,
}

impl Tables {
    /// Commits `changes` as `epoch` and returns the version that holds it.
    ///
    /// May be repeated, by this process or the next: where the table's last `vitrine` transaction is this epoch or later,
    /// nothing is written and the version found is returned, if it holds the files of `changes`. After any error the table is read again, as an error does
    /// not say that nothing was committed. A compaction is left out as a whole where one of its files is no longer in
    /// the table (somebody compacted from outside).
    pub async fn commit(
        &self,
        table: &str,
        epoch: i64,
        changes: &TableChanges,
    ) -> Result<TableVersion> {
        let open = &*self.open(table)?;
        let mut is_first_try = true;
        let committed = retry(COMMITTING, "committing to a table", || {
            let look_again = !std::mem::take(&mut is_first_try);
            async move {
                let mut versions = open.versions.lock().await;
                if look_again {
                    versions.reload(open).await?;
                }
                commit_once(open, &mut versions, epoch, changes).await
            }
        });
        committed
            .await
            .map_err(|error| error::not_committed(table, epoch, error))
    }
}

/// Commits unless the table is known to hold the epoch already.
async fn commit_once(
    open: &OpenTable,
    versions: &mut Versions,
    epoch: i64,
    changes: &TableChanges,
) -> Result<TableVersion> {
    let is_looked_up = !versions.knows_last_epoch();
    match versions.last_epoch(open).await? {
        Some((last, version)) if last == epoch => {
            let found = versions.pinned_at(open, version).await?;
            // A commit of ours follows the version that it was made from.
            let before = versions.files_at(open, version - 1).await?;
            let (_, expected) = actions(changes, &before, FileSum::of(before.iter()));
            if found.files != expected {
                return Err(error::epoch_without_files(&open.name, epoch, last));
            }
            Ok(found)
        }
        Some((last, _)) if last > epoch => {
            let version = versions.version(open)?;
            if !holds(&versions.files_at(open, version).await?, changes) {
                return Err(error::epoch_without_files(&open.name, epoch, last));
            }
            versions.pinned(open).await
        }
        _ => {
            if is_looked_up && holds_any(&files_of(open, versions.newest(open)?)?, changes) {
                return Err(error::files_without_epoch(&open.name, epoch));
            }
            let pinned = try_commit(open, versions, epoch, changes).await?;
            maintain(open, versions, pinned.version).await;
            Ok(pinned)
        }
    }
}

async fn try_commit(
    open: &OpenTable,
    versions: &mut Versions,
    epoch: i64,
    changes: &TableChanges,
) -> Result<TableVersion> {
    let before = versions.pinned(open).await?;
    let table = versions.newest(open)?;
    let state = table.snapshot().map_err(error::delta(&open.name))?;
    let files = if changes.compactions.is_empty() {
        Vec::new()
    } else {
        files_of(open, table)?
    };
    let (actions, sum) = actions(changes, &files, before.files);
    let properties = naming(before.entry)
        .with_application_transaction(Transaction::new_with_last_update(
            APP_ID,
            epoch,
            Some(wall::now().as_ms()),
        ))
        // Conflicts come back as errors: looking again is ours to do. So are checkpoints and cleaning, see `maintain`.
        .with_max_retries(0)
        .with_create_checkpoint(false)
        .with_cleanup_expired_logs(Some(false));
    let operation = DeltaOperation::Write {
        mode: SaveMode::Append,
        partition_by: Some(state.metadata().partition_columns().to_vec())
            .filter(|columns| !columns.is_empty()),
        predicate: None,
    };
    let committed = CommitBuilder::from(properties)
        .with_actions(actions)
        .build(
            Some(state as &dyn TableReference),
            open.log_store.clone(),
            operation,
        )
        .await
        .map_err(error::delta(&open.name))?;
    let version = committed.version() as i64;
    let mut advanced = DeltaTable::new(open.log_store.clone());
    advanced.state = Some(committed.snapshot());
    let pinned = table_version(open, version, sum).await?;
    versions.advanced(advanced, epoch, pinned);
    Ok(pinned)
}

/// The Delta actions of `changes` on a table that has `files`, and the sum over its files after them.
fn actions(changes: &TableChanges, files: &[DataFile], sum: FileSum) -> (Vec<Action>, FileSum) {
    let mut sum = changes.add.iter().fold(sum, FileSum::with_staged);
    let mut actions: Vec<_> = changes
        .add
        .iter()
        .map(|file| Action::Add(add(file, true)))
        .collect();
    for compaction in &changes.compactions {
        let replaced: Vec<_> = files
            .iter()
            .filter(|file| compaction.remove.contains(&file.path))
            .collect();
        if replaced.len() < compaction.remove.len() {
            let path = &compaction.add.path;
            CompactionLeftOut { path }.report();
            continue;
        }
        sum = replaced.iter().fold(sum, |sum, file| sum.without(file));
        sum = sum.with_staged(&compaction.add);
        actions.extend(
            replaced
                .into_iter()
                .map(|file| Action::Remove(remove(file))),
        );
        actions.push(Action::Add(add(&compaction.add, false)));
    }
    (actions, sum)
}

fn add(file: &StagedFile, data_change: bool) -> Add {
    Add {
        path: file.path.clone(),
        partition_values: file.partition.iter().cloned().collect(),
        size: i64::try_from(file.size).unwrap_or(i64::MAX),
        modification_time: file.staged_at.as_ms(),
        data_change,
        stats: Some(file.stats.clone()),
        ..Add::default()
    }
}

fn remove(file: &DataFile) -> Remove {
    Remove {
        path: file.path.clone(),
        data_change: false,
        deletion_timestamp: Some(wall::now().as_ms()),
        extended_file_metadata: Some(true),
        partition_values: Some(file.partition_values.clone().into_iter().collect()),
        size: i64::try_from(file.size).ok(),
        ..Remove::default()
    }
}

/// Writes a checkpoint every 100 versions and drops log entries that it makes superfluous.
///
/// Without one readers only take longer, so a failure is reported and the next hundred tries again.
async fn maintain(open: &OpenTable, versions: &Versions, version: i64) {
    if version % CHECKPOINT_EVERY != 0 || version == 0 {
        return;
    }
    let Ok(table) = versions.newest(open) else {
        return;
    };
    if let Err(source) = checkpoints::create_checkpoint(table, None).await {
        TableCheckpointNotWritten {
            table: &open.name,
            version,
            error: &error::first_line(&source),
        }
        .report();
        return;
    }
    if let Err(source) = checkpoints::cleanup_metadata(table, None).await {
        TableLogNotTrimmed {
            table: &open.name,
            version,
            error: &error::first_line(&source),
        }
        .report();
    }
}

#[cfg(test)]
mod tests;
