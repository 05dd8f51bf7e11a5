//! Versions of a table and the files that make them up.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use deltalake::kernel::transaction::CommitProperties;
use deltalake::kernel::{Action, StructField};
use deltalake::logstore::LogStoreRef;
use deltalake::{DeltaTable, DeltaTableError};
use object_store::path::Path;

use super::error;
use super::pinned::{EntryHash, FileSum, PREVIOUS, TableVersion};
use super::vacuum::Removals;
use crate::error::Result;
use crate::observe::TableMissing;

/// Under this name each commit carries its epoch as a Delta application transaction.
pub(super) const APP_ID: &str = "vitrine";

/// One Parquet file of a pinned version.
#[derive(Debug, Clone, PartialEq)]
pub struct DataFile {
    /// Where it lies in the store (from the storage's root).
    pub location: Path,
    /// The same, from the table's folder: how the Delta log names it.
    pub path: String,
    /// Bytes.
    pub size: u64,
    pub rows: u64,
    /// Value of the partition column as text (dates `YYYY-MM-DD`); the column is not inside the file.
    pub partition_values: BTreeMap<String, Option<String>>,
    /// Delta's statistics: `{"numRecords", "minValues", "maxValues", "nullCount"}`.
    pub stats: Option<String>,
}

/// How many pinned versions keep their file list: the newest epoch's, and those of queries still running.
const KEPT_LISTS: usize = 4;

/// One table: its Delta log, and what this process knows of it.
#[derive(Debug)]
pub(super) struct OpenTable {
    pub name: String,
    /// The table's folder in the store.
    pub folder: Path,
    pub log_store: LogStoreRef,
    pub versions: tokio::sync::Mutex<Versions>,
    pub removals: tokio::sync::Mutex<Removals>,
}

impl OpenTable {
    /// Where a path from the table's folder lies in the store.
    pub(super) fn location(&self, path: &str) -> Path {
        Path::from(format!("{}/{path}", self.folder))
    }
}

/// What this process knows of a table's versions.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// The state that was loaded last: in the owner the newest, from which commits start; in a reader that of its epoch.
    newest: Option<DeltaTable>,
    /// Our last epoch in that state and the version that brought it; `None`: not looked up.
    committed: Option<Option<(i64, i64)>>,
    /// What vouches for that state; `None`: not looked up.
    pinned: Option<TableVersion>,
    lists: VecDeque<(i64, Arc<Vec<DataFile>>)>,
}

impl Versions {
    /// Forgets what is known and reads the newest state.
    pub(super) async fn reload(&mut self, open: &OpenTable) -> Result<()> {
        self.load(open, None).await
    }

    /// Reads the state of a version, or the newest.
    async fn load(&mut self, open: &OpenTable, version: Option<u64>) -> Result<()> {
        self.committed = None;
        self.pinned = None;
        let mut table = self
            .newest
            .take()
            .unwrap_or_else(|| DeltaTable::new(Arc::clone(&open.log_store)));
        match table.update_incremental(version).await {
            Ok(()) => {
                self.newest = Some(table);
                Ok(())
            }
            Err(DeltaTableError::NotATable(_)) => Err(error::missing(&open.name)),
            Err(error)
                if !open
                    .log_store
                    .is_delta_table_location()
                    .await
                    .unwrap_or(true) =>
            {
                TableMissing {
                    table: &open.name,
                    error: &error,
                }
                .report();
                Err(error::missing(&open.name))
            }
            Err(source) => Err(error::delta(&open.name)(source)),
        }
    }

    /// Reads the newest state; what is known of it stays if nobody has committed.
    pub(super) async fn refresh(&mut self, open: &OpenTable) -> Result<()> {
        let known = self.newest.as_ref().and_then(DeltaTable::version);
        let (committed, pinned) = (self.committed, self.pinned);
        self.reload(open).await?;
        if known.is_some() && self.newest(open)?.version() == known {
            (self.committed, self.pinned) = (committed, pinned);
        }
        Ok(())
    }

    /// The newest known state, read if nothing is known.
    pub(super) async fn known(&mut self, open: &OpenTable) -> Result<&DeltaTable> {
        if self.newest.is_none() {
            self.reload(open).await?;
        }
        self.newest(open)
    }

    pub(super) fn newest(&self, open: &OpenTable) -> Result<&DeltaTable> {
        self.newest
            .as_ref()
            .ok_or_else(|| error::missing(&open.name))
    }

    pub(super) fn version(&self, open: &OpenTable) -> Result<i64> {
        let table = self.newest(open)?;
        table
            .version()
            .map(|version| version as i64)
            .ok_or_else(|| error::missing(&open.name))
    }

    /// Takes over the state after a commit of ours.
    pub(super) fn advanced(&mut self, table: DeltaTable, epoch: i64, pinned: TableVersion) {
        self.newest = Some(table);
        self.committed = Some(Some((epoch, pinned.version)));
        self.pinned = Some(pinned);
    }

    /// The newest known state with what vouches for it.
    pub(super) async fn pinned(&mut self, open: &OpenTable) -> Result<TableVersion> {
        if let Some(pinned) = self.pinned {
            return Ok(pinned);
        }
        let newest = self.known(open).await?;
        let files = FileSum::of(&files_of(open, newest)?);
        let version = self.version(open)?;
        let pinned = table_version(open, version, files).await?;
        self.pinned = Some(pinned);
        Ok(pinned)
    }

    /// The same for a version of this table that need not be the newest.
    pub(super) async fn pinned_at(
        &mut self,
        open: &OpenTable,
        version: i64,
    ) -> Result<TableVersion> {
        if self.version(open)? == version {
            return self.pinned(open).await;
        }
        let files = FileSum::of(self.files_at(open, version).await?.iter());
        table_version(open, version, files).await
    }

    /// Whether [`Versions::last_epoch`] is known without a look.
    pub(super) fn knows_last_epoch(&self) -> bool {
        self.committed.is_some()
    }

    /// Our last epoch in the newest known state, with the version that brought it.
    pub(super) async fn last_epoch(&mut self, open: &OpenTable) -> Result<Option<(i64, i64)>> {
        if let Some(known) = self.committed {
            return Ok(known);
        }
        let table = self.known(open).await?;
        let state = table.snapshot().map_err(error::delta(&open.name))?;
        let epoch = state
            .transaction_version(&open.log_store, APP_ID)
            .await
            .map_err(error::delta(&open.name))?;
        let found = match epoch {
            None => None,
            Some(epoch) => Some((epoch, version_of_epoch(open, epoch, state.version()).await?)),
        };
        self.committed = Some(found);
        Ok(found)
    }

    /// Adds columns that older rows do not have.
    pub(super) async fn add_columns(
        &mut self,
        open: &OpenTable,
        columns: Vec<StructField>,
    ) -> Result<()> {
        let table = self.known(open).await?.clone();
        let previous = self.pinned(open).await?.entry;
        table
            .add_columns()
            .with_fields(columns)
            .with_commit_properties(naming(previous))
            .await
            .map_err(error::delta(&open.name))?;
        self.reload(open).await
    }

    /// The files of one version.
    pub(super) async fn files_at(
        &mut self,
        open: &OpenTable,
        version: i64,
    ) -> Result<Arc<Vec<DataFile>>> {
        if let Some((_, files)) = self.lists.iter().find(|(kept, _)| *kept == version) {
            return Ok(Arc::clone(files));
        }
        let wanted = u64::try_from(version).map_err(|_| error::missing(&open.name))?;
        // No further than asked: what lies behind a pinned version is none of its readers' business.
        if self.newest.as_ref().and_then(DeltaTable::version) < Some(wanted) {
            self.load(open, Some(wanted)).await?;
        }
        let newest = self.newest(open)?;
        let files = if newest.version() == Some(wanted) {
            files_of(open, newest)?
        } else {
            let mut older = DeltaTable::new(Arc::clone(&open.log_store));
            older
                .load_version(wanted)
                .await
                .map_err(error::delta(&open.name))?;
            files_of(open, &older)?
        };
        let files = Arc::new(files);
        if self.lists.len() == KEPT_LISTS {
            self.lists.pop_front();
        }
        self.lists.push_back((version, Arc::clone(&files)));
        Ok(files)
    }
}

/// What a commit of ours says of the one before it.
pub(super) fn naming(previous: EntryHash) -> CommitProperties {
    CommitProperties::default().with_metadata([(PREVIOUS.to_owned(), previous.to_text().into())])
}

/// A version whose files have this sum, with the hash of its commit as it stands in the log.
pub(super) async fn table_version(
    open: &OpenTable,
    version: i64,
    files: FileSum,
) -> Result<TableVersion> {
    let number = u64::try_from(version).map_err(|_| error::missing(&open.name))?;
    let commit = open.log_store.read_commit_entry(number).await;
    let commit = commit.map_err(error::delta(&open.name))?;
    let commit = commit
        .ok_or_else(|| error::damaged_log(&open.name, open.location(&entry_name(version))))?;
    Ok(TableVersion {
        version,
        files,
        entry: EntryHash::of(&commit),
    })
}

/// A commit's object, from the table's folder.
pub(super) fn entry_name(version: i64) -> String {
    format!("_delta_log/{version:020}.json")
}

/// All files of a loaded state.
pub(super) fn files_of(open: &OpenTable, table: &DeltaTable) -> Result<Vec<DataFile>> {
    let state = table.snapshot().map_err(error::delta(&open.name))?;
    let mut files: Vec<_> = state
        .log_data()
        .iter()
        .map(|file| {
            let path = file.path().into_owned();
            DataFile {
                location: open.location(&path),
                size: u64::try_from(file.size()).unwrap_or_default(),
                rows: file.num_records().unwrap_or_default() as u64,
                partition_values: file.partition_values_map().into_iter().collect(),
                stats: file.stats(),
                path,
            }
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

/// Where all files of a loaded state lie in the store.
pub(super) fn locations_of(open: &OpenTable, table: &DeltaTable) -> Result<HashSet<Path>> {
    let state = table.snapshot().map_err(error::delta(&open.name))?;
    let files = state.log_data();
    Ok(files
        .iter()
        .map(|file| open.location(&file.path()))
        .collect())
}

/// The version whose commit carries our `epoch`, looking back from `newest`.
///
/// Others may have committed after it (an `OPTIMIZE` from outside). Where the log no longer reaches back to it, the oldest
/// version that still does serves: it holds the epoch, too.
async fn version_of_epoch(open: &OpenTable, epoch: i64, newest: u64) -> Result<i64> {
    let mut version = newest;
    loop {
        let Some(commit) = open
            .log_store
            .read_commit_entry(version)
            .await
            .map_err(error::delta(&open.name))?
        else {
            return Ok((version + 1).min(newest) as i64);
        };
        let actions = deltalake::logstore::get_actions(version, &commit);
        let entry = entry_name(version as i64);
        let actions = actions.map_err(|_| error::damaged_log(&open.name, open.location(&entry)))?;
        let is_ours = |action: &Action| matches!(action, Action::Txn(txn) if txn.app_id == APP_ID && txn.version == epoch);
        if actions.iter().any(is_ours) || version == 0 {
            return Ok(version as i64);
        }
        version -= 1;
    }
}
